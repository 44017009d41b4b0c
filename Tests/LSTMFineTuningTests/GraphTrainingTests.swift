import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Twenty steps of fine-tuning graphs of layers against PyTorch: convolutions and batch normalization in front, attention,
/// an encoder and its decoder. What is frozen keeps every bit, running statistics included, with and without its outputs
/// cached.
@Suite struct GraphTrainingTests {
  static let names = fixtureNames(in: "golden-graph-training")

  @Test func everyCaseIsThere() { #expect(Self.names.count == 6) }

  @Test(arguments: names, Kernels.available.map(\.name))
  func followsPyTorch(_ name: String, on path: String) throws {
    let golden = try Golden("golden-graph-training/\(name).h5")
    let configuration = try golden.json("model", as: ModelConfiguration.self)
    #expect(configuration.stack == nil)
    var model = LSTMModel(configuration)
    let weights = try golden.tensors(in: "weights")
    #expect(Set(weights.keys) == Set(configuration.parameters.map(\.name)))
    for (name, tensor) in weights { try model.set(name, to: tensor) }
    let frozen = try golden.text("frozen").split(separator: ",").map(String.init)
    let (x, y) = (try golden.tensor("x"), try golden.tensor("targets"))
    let data = try SequenceData(
      inputs: .features(x.values, steps: x.shape[1], size: x.shape[2]),
      targets: .values(y.values, size: y.shape[1], perStep: false))
    let wanted = try golden.doubles("losses")
    let kernels = try #require(Kernels.available.first { $0.name == path })
    for isCached in [true, false] {
      var tuner = FineTuner(
        try FreezePlan(model, freezing: frozen), optimizer: .adam(learningRate: 0.01), loss: .meanSquaredError)
      tuner.options.epochs = 20
      tuner.options.batchSize = 6
      tuner.options.shuffles = false
      tuner.options.clipNorm = nil
      if !isCached { tuner.options.cache = .off }
      var (losses, caches) = ([Double](), [CacheUsage]())
      let run = try tuner.fit(model, data, kernels: kernels) { event in
        if case .step(let step) = event { losses.append(step.loss) }
        if case .cache(let usage) = event { caches.append(usage) }
      }
      #expect(losses.count == 20)
      for (loss, wanted) in zip(losses, wanted) { #expect(abs(loss - wanted) <= 1e-5 * max(1, abs(wanted))) }
      for (name, tensor) in try golden.tensors(in: "trained") {
        let found = try #require(run.last[name])
        #expect(largestDifference(found.values, tensor.values) <= 1e-5, "\(name)")
      }
      for (name, tensor) in weights where frozen.contains(where: { name.hasPrefix($0 + ".") }) {
        #expect(run.last[name] == tensor, "\(name) is frozen")
      }
      let front = ["conv_norm_frozen_front": ["conv1", "norm1"], "attention_frozen_lstm": ["layer0"]][name]
      #expect(caches.map(\.parts) == (isCached ? front.map { [$0] } ?? [] : []))
    }
  }

  /// The decoder starts from the encoder's state, which is kept with what else the frozen layers give: the encoder runs
  /// once, and everything is as without a cache, bit for bit.
  @Test(arguments: [
    (
      "4 features -> encoder: LSTM 5 -> last -> repeat 4 -> decoder: LSTM 5 initial from encoder -> dense 2",
      ["encoder"]
    ),
    (
      "4 features -> conv 4 kernel 3 same relu -> encoder: LSTM 5 -> last -> dense1: dense 6 tanh -> repeat 4 -> decoder: LSTM 5 initial from encoder -> dense 2",
      ["conv1", "encoder", "dense1"]
    ),
    (
      "4 features -> encoder: biLSTM 5 projection 3 -> decoder: biLSTM 5 projection 3 initial from encoder from input -> last -> dense 2",
      ["encoder"]
    ),
    (
      "4 features -> encoder: biGRU 5 merge sum -> decoder: biGRU 5 initial from encoder from input -> last -> dense 2",
      ["encoder"]
    ),
    (
      "4 features -> encoder: RNN 5 reversed -> middle: RNN 5 initial from encoder from input -> decoder: GRU 5 initial from middle from input -> last -> dense 2",
      ["encoder", "middle"]
    ),
    (
      "4 features -> encoder: LSTM 5 -> decoder: LSTM 5 initial from encoder from input -> dot attention from decoder, encoder -> last -> dense 2",
      ["encoder"]
    ),
  ])
  func aFrozenEncoderGivesItsStateWithACacheToo(_ line: String, _ frozen: [String]) throws {
    let golden = try Golden("golden-graph-training/encoder_decoder.h5")
    let model = LSTMModel(try ModelConfiguration(line: line), seed: 3)
    let x = try golden.tensor("x")
    let lengths = (0..<x.shape[0]).map { model.configuration.givesSteps ? x.shape[1] : 1 + $0 * 5 % x.shape[1] }
    let size = model.configuration.givesSteps ? 8 : 2
    let data = try SequenceData(
      inputs: .features(x.values, steps: x.shape[1], size: x.shape[2]),
      targets: .values((0..<x.shape[0] * size).map { Float($0 % 7) / 7 }, size: size, perStep: false),
      lengths: model.configuration.givesSteps ? nil : lengths)
    var caches: [CacheUsage] = []
    let runs = try [CachePolicy(), .off].map { cache in
      var tuner = FineTuner(try FreezePlan(model, freezing: frozen), optimizer: .adam(learningRate: 0.01))
      (tuner.options.epochs, tuner.options.batchSize, tuner.options.cache) = (3, 4, cache)
      return try tuner.fit(model, data) { event in
        if case .cache(let usage) = event { caches.append(usage) }
      }
    }
    #expect(caches.map(\.parts) == [frozen])
    for name in model.configuration.parameters.map(\.name) {
      #expect(runs[0].last[name] == runs[1].last[name], "\(name) without a cache")
      guard frozen.contains(where: { name.hasPrefix($0 + ".") }) else { continue }
      #expect(runs[0].last[name] == model[name], "\(name) is frozen")
    }
    #expect(runs[0].last["decoder.weight_ih"] != model["decoder.weight_ih"])
    // What is frozen runs no more.
    let plan = GradientPlan(
      model.configuration, trainable: try FreezePlan(model, freezing: frozen).trainable)
    #expect(!plan.entry.states.isEmpty)
  }
}
