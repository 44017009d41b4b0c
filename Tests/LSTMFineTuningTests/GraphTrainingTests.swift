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
}
