import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Training trajectories against PyTorch's: losses, gradients, optimizers, whole fine-tuning runs.
@Suite struct PyTorchTrainingTests {
  static let paths = Kernels.available.map(\.name)

  static func kernels(_ name: String) throws -> Kernels {
    try #require(Kernels.available.first { $0.name == name })
  }

  // MARK: - Losses

  @Test(arguments: [
    "mse", "l1", "huber", "huber_half", "cross_entropy", "cross_entropy_ignored", "cross_entropy_steps",
    "cross_entropy_steps_ignored", "binary_cross_entropy",
  ])
  func lossAndItsGradient(_ name: String) throws {
    let golden = try Golden("golden-training/losses.h5")
    let prediction = try golden.tensor("\(name)/pred")
    let loss: Loss =
      switch name {
      case "mse": .meanSquaredError
      case "l1": .meanAbsoluteError
      case "huber": .huber(delta: 1)
      case "huber_half": .huber(delta: 0.5)
      case "binary_cross_entropy": .binaryCrossEntropy
      default: .crossEntropy
      }
    let targets: SequenceData.Targets
    if loss == .crossEntropy {
      targets = .classes(try golden.integers("\(name)/target").map(Int32.init), perStep: prediction.shape.count == 3)
    } else {
      let y = try golden.tensor("\(name)/target")
      targets = .values(y.values, size: prediction.shape.last ?? 1, perStep: prediction.shape.count == 3)
    }
    let value = try loss.evaluate(prediction, targets, lengths: nil)
    let expected = try golden.doubles("\(name)/loss")[0]
    #expect(abs(value.mean - expected) <= 1e-6 * max(1, abs(expected)))
    #expect(relativeDifference(value.gradient.values, try golden.tensor("\(name)/grad").values) <= 1e-6)
  }

  // MARK: - Optimizers

  static let optimizers = fixtureNames(in: "golden-training").filter { $0.hasPrefix("optim_") }

  @Test func everyOptimizerIsCoveredWithAndWithoutClipping() {
    #expect(Self.optimizers.count == 14)
  }

  @Test(arguments: optimizers, paths)
  func tenStepsFollowPyTorch(_ name: String, on path: String) throws {
    let golden = try Golden("golden-training/\(name).h5")
    let kernels = try Self.kernels(path)
    let configuration = ModelConfiguration(
      input: .features(size: 3), layers: [.init(hiddenSize: 7)], readout: .last, head: [.init(size: 2)])
    let model = try Self.model(configuration, golden.tensors(in: "initial"))
    let data = try Self.data(golden)
    let plan = try FreezePlan(model)
    let clip = try golden.double("clip_norm")
    let network = Network(model, kernels: kernels)
    let gradients = ParameterStore(configuration.parameters)
    let optimizer = OptimizerState(
      try Self.rule(golden), weights: network.weights, trainable: plan.trainable, kernels: kernels)
    let updates = ParameterUpdates(kernels)
    let losses = try golden.doubles("losses")
    let norms = try golden.doubles("norms")
    for step in 0..<10 {
      let all = 0..<data.count
      let output = try network.forward(data.batch(all), output: .logits)
      let value = try Loss.meanSquaredError.evaluate(output, data.targetBatch(all), lengths: nil)
      #expect(abs(value.mean - losses[step]) <= 1e-6 * abs(losses[step]))
      gradients.zero()
      try network.backward(value.gradient, into: gradients, trainable: plan.trainable)
      let norm = updates.norm(gradients, where: plan.trainable)
      #expect(abs(norm - norms[step]) <= 1e-5 * norms[step])
      if clip > 0, clip / (norm + 1e-6) < 1 {
        updates.scale(gradients, by: Float(clip / (norm + 1e-6)), where: plan.trainable)
      }
      optimizer.step(network.weights, gradients)
      network.weightsChanged()
      for (tensor, expected) in try golden.tensors(in: "step\(step + 1)") {
        let index = try #require(network.weights.index(of: Self.projectName(tensor)))
        #expect(largestDifference(network.weights.values(index), expected.values) <= 1e-6, "step \(step + 1) \(tensor)")
      }
    }
  }

  // MARK: - Whole runs

  @Test(arguments: paths)
  func seedExampleGivesPyTorchsFiftyLosses(on path: String) throws {
    let expected = try Golden("golden-training/seed_example_expected.h5")
    let model = try LSTMModel(
      Checkpoint(contentsOf: fixtures.appendingPathComponent("golden-training/seed_example_weights.h5")))
    let data = try Self.arrays("seed_example_data", model)
    let fit = try TaskFit(model, data, file: "data")
    #expect(fit.model.configuration.plain.head.isEmpty)
    var tuner = FineTuner(try FreezePlan(fit.model), optimizer: .adam(learningRate: 1e-3), loss: fit.loss)
    tuner.options = Self.plain(epochs: 5, batchSize: 100)
    let losses = try Self.losses(tuner, fit.model, data, kernels: Self.kernels(path)).losses
    let wanted = try expected.doubles("losses")
    #expect(losses.count == 50 && wanted.count == 50)
    for (loss, expected) in zip(losses, wanted) { #expect(abs(loss - expected) <= 1e-6 * abs(expected)) }
  }

  @Test(arguments: ["freeze_layer0_expected", "freeze_layer0_adamw_expected"], paths)
  func threeEpochsWithLayer0FrozenEndAtPyTorchsWeights(_ name: String, on path: String) throws {
    let expected = try Golden("golden-training/\(name).h5")
    let checkpoint = try Checkpoint(
      contentsOf: fixtures.appendingPathComponent("golden-training/freeze_layer0_weights.h5"))
    let model = try LSTMModel(checkpoint)
    let data = try Self.arrays("freeze_layer0_data", model)
    let fit = try TaskFit(model, data, file: "data")
    var tuner = FineTuner(
      try FreezePlan(fit.model, freezing: ["layer0"]), optimizer: try Self.rule(expected), loss: fit.loss)
    tuner.options = Self.plain(epochs: try expected.integer("epochs"), batchSize: try expected.integer("batch"))
    let clip = try expected.double("clip")
    tuner.options.clipNorm = clip > 0 ? clip : nil
    let (losses, run) = try Self.losses(tuner, fit.model, data, kernels: Self.kernels(path))
    for (loss, wanted) in zip(losses, try expected.doubles("losses")) {
      #expect(abs(loss - wanted) <= 1e-5 * abs(wanted))
    }
    for (name, tensor) in try expected.tensors(in: "weights") {
      let found = try #require(run.last[Self.projectName(name)])
      #expect(largestDifference(found.values, tensor.values) <= 1e-5, "\(name)")
    }
    // Layer 0 is what the file holds, byte for byte, in memory and when written.
    let folder = try TemporaryFolder()
    try run.last.write(path: folder.path("out.h5"))
    let written = try Checkpoint(path: folder.path("out.h5"))
    for suffix in ["weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"] {
      let before = try #require(checkpoint["lstm." + suffix]).bytes()
      #expect(try #require(written["lstm." + suffix]).bytes() == before, "\(suffix)")
      #expect(try #require(written["lstm.weight_hh_l1"]).bytes() != checkpoint["lstm.weight_hh_l1"]?.bytes())
    }
  }

  @Test(arguments: ["classify", "classify_bce"], paths)
  func tokenClassificationWithAFrozenEmbedding(_ name: String, on path: String) throws {
    let expected = try Golden("golden-training/\(name)_expected.h5")
    let model = try LSTMModel(
      Checkpoint(contentsOf: fixtures.appendingPathComponent("golden-training/\(name)_weights.h5")))
    let data = try Self.arrays("\(name)_data", model)
    let loss: Loss = name == "classify" ? .crossEntropy : .binaryCrossEntropy
    let fit = try TaskFit(model, data, file: "data", loss: loss)
    var tuner = FineTuner(
      try FreezePlan(fit.model, freezing: ["embedding"]), optimizer: try Self.rule(expected), loss: loss)
    tuner.options = Self.plain(epochs: try expected.integer("epochs"), batchSize: try expected.integer("batch"))
    let (losses, run) = try Self.losses(tuner, fit.model, data, kernels: Self.kernels(path))
    for (loss, wanted) in zip(losses, try expected.doubles("losses")) {
      #expect(abs(loss - wanted) <= 1e-5 * abs(wanted))
    }
    for (name, tensor) in try expected.tensors(in: "weights") {
      let found = try #require(run.last[Self.projectName(name)])
      #expect(largestDifference(found.values, tensor.values) <= 1e-5, "\(name)")
    }
    #expect(run.last["embedding.weight"] == model["embedding.weight"])
  }

  /// Twenty epochs of one batch, of GRU or plain layers.
  @Test(arguments: ["gru", "rnn"], paths)
  func otherCellsFollowPyTorch(_ cell: String, on path: String) throws {
    let golden = try Golden("golden-recurrent/torch_\(cell)_training.h5")
    let model = try Self.model(
      golden.json("model", as: ModelConfiguration.self), golden.tensors(in: "weights"))
    let (x, y) = (try golden.tensor("x"), try golden.tensor("targets"))
    let data = try SequenceData(
      inputs: .features(x.values, steps: x.shape[1], size: x.shape[2]),
      targets: .values(y.values, size: y.shape[1], perStep: false))
    var tuner = FineTuner(try FreezePlan(model), optimizer: .adam(learningRate: 0.01), loss: .meanSquaredError)
    tuner.options = Self.plain(epochs: 20, batchSize: 6)
    let (losses, run) = try Self.losses(tuner, model, data, kernels: Self.kernels(path))
    let wanted = try golden.doubles("losses")
    #expect(losses.count == 20 && wanted.count == 20)
    for (loss, wanted) in zip(losses, wanted) { #expect(abs(loss - wanted) <= 1e-5 * abs(wanted)) }
    for (name, tensor) in try golden.tensors(in: "trained") {
      let found = try #require(run.last[name])
      #expect(largestDifference(found.values, tensor.values) <= 1e-5, "\(name)")
    }
  }

  // MARK: - Helpers

  static func plain(epochs: Int, batchSize: Int) -> FineTuner.Options {
    var options = FineTuner.Options()
    options.epochs = epochs
    options.batchSize = batchSize
    options.shuffles = false
    options.clipNorm = nil
    return options
  }

  static func losses(
    _ tuner: FineTuner, _ model: LSTMModel, _ data: SequenceData, kernels: Kernels
  ) throws -> (losses: [Double], run: FineTuner.Run) {
    var losses: [Double] = []
    let run = try tuner.fit(model, data, kernels: kernels) { event in
      if case .step(let step) = event { losses.append(step.loss) }
    }
    return (losses, run)
  }

  static func arrays(_ name: String, _ model: LSTMModel) throws -> SequenceData {
    try ArrayData.load(
      Checkpoint(contentsOf: fixtures.appendingPathComponent("golden-training/\(name).h5")),
      reading: model.configuration.input, needsTargets: true)
  }

  static func data(_ golden: Golden) throws -> SequenceData {
    let (x, y) = (try golden.tensor("x"), try golden.tensor("y"))
    return try SequenceData(
      inputs: .features(x.values, steps: x.shape[1], size: x.shape[2]),
      targets: .values(y.values, size: y.shape.last ?? 1, perStep: false))
  }

  static func projectName(_ name: String) -> String { name.replacing("fc.", with: "head.0.") }

  static func model(_ configuration: ModelConfiguration, _ weights: [String: Tensor]) throws -> LSTMModel {
    var model = LSTMModel(configuration)
    for (name, tensor) in weights { try model.set(projectName(name), to: tensor) }
    return model
  }

  static func rule(_ golden: Golden) throws -> Optimizer {
    func number(_ name: String, _ fallback: Double) -> Double { (try? golden.double(name)) ?? fallback }
    let rate = try golden.double("lr")
    switch try golden.text("optimizer").lowercased() {
    case "sgd":
      return .sgd(
        learningRate: rate, momentum: number("momentum", 0), dampening: number("dampening", 0),
        isNesterov: (try? golden.integer("nesterov")) == 1, weightDecay: number("weight_decay", 0))
    case "adam":
      return .adam(
        learningRate: rate, beta1: number("beta1", 0.9), beta2: number("beta2", 0.999), epsilon: number("eps", 1e-8),
        weightDecay: number("weight_decay", 0), isAMSGrad: (try? golden.integer("amsgrad")) == 1)
    default:
      return .adamW(
        learningRate: rate, beta1: number("beta1", 0.9), beta2: number("beta2", 0.999), epsilon: number("eps", 1e-8),
        weightDecay: number("weight_decay", 0.01), isAMSGrad: (try? golden.integer("amsgrad")) == 1)
    }
  }
}
