import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Regularization against PyTorch's with the same masks, and in whole runs.
@Suite struct RegularizationTests {
  static let paths = Kernels.available.map(\.name)

  // MARK: - PyTorch

  static let golden: [String: ModelConfiguration] = [
    "awd": .init(
      input: .tokens(vocabulary: 13, size: 5), layers: [.init(hiddenSize: 7), .init(hiddenSize: 5)], readout: .all,
      head: [.init(size: 13)]),
    "stack": .init(
      input: .features(size: 3),
      layers: [.init(hiddenSize: 4, isBidirectional: true), .init(hiddenSize: 3, isBidirectional: true)],
      readout: .last, head: [.init(size: 2)]),
  ]

  /// AWD-LSTM's model, and nn.LSTM's dropout between packed bidirectional layers.
  @Test(arguments: ["awd", "stack"], paths) func aStepIsPyTorchs(_ name: String, on path: String) throws {
    let golden = try Golden("golden-regularization/\(name).h5")
    let configuration = try #require(Self.golden[name])
    let model = try PyTorchTrainingTests.model(configuration, golden.tensors(in: "weights"))
    func rate(_ name: String) -> Float { Float((try? golden.double(name)) ?? 0) }
    let rule = Regularization(
      dropout: rate("dropout"), inputDropout: rate("input_dropout"), hiddenDropout: rate("hidden_dropout"),
      outputDropout: rate("output_dropout"), embeddingDropout: rate("embedding_dropout"),
      weightDrop: rate("weight_drop"), activationRegularization: rate("alpha"),
      temporalActivationRegularization: rate("beta"))
    let lengths = golden.has("lengths") ? try golden.integers("lengths") : nil
    let batch: SequenceBatch
    let (loss, targets): (Loss, SequenceData.Targets)
    if case .tokens = configuration.input {
      batch = try SequenceBatch(tokens: golden.integers("x").map(Int32.init), count: 4, steps: 6)
      (loss, targets) = (.crossEntropy, .classes(try golden.integers("y").map(Int32.init), perStep: true))
    } else {
      batch = try SequenceBatch(golden.tensor("x"), lengths: lengths)
      (loss, targets) = (.meanSquaredError, .values(try golden.tensor("y").values, size: 2, perStep: false))
    }
    let network = Network(model, kernels: try PyTorchTrainingTests.kernels(path))
    let output = try network.forward(
      batch, output: loss.outputForm,
      regularization: .init(
        rule, seed: UInt64(try golden.integer("seed")), step: try golden.integer("step")))
    #expect(largestDifference(output.values, try golden.tensor("output").values) <= 1e-6)
    let value = try loss.evaluate(output, targets, lengths: nil)
    for (found, wanted) in [
      (value.mean, "loss"), (network.penalty.activation, "activation"),
      (network.penalty.temporalActivation, "temporal"),
    ] {
      let wanted = try golden.doubles(wanted)[0]
      #expect(wanted > 0 && abs(found - wanted) <= 1e-6 * wanted)
    }
    let gradients = ParameterStore(configuration.parameters)
    try network.backward(value.gradient, into: gradients, trainable: gradients.slots.map { _ in true })
    let expected = try golden.tensors(in: "gradients")
    #expect(Set(expected.keys) == Set(gradients.slots.map(\.name)))
    for (index, slot) in gradients.slots.enumerated() {
      let wanted = try #require(expected[slot.name])
      #expect(relativeDifference(gradients.values(index), wanted.values) <= 1e-5, "\(slot.name)")
    }
  }

  static let losses = [
    "smooth", "smooth_ignored", "smooth_steps", "smooth_all", "weighted", "weighted_ignored", "weighted_steps", "both",
    "both_ignored", "both_steps",
  ]

  @Test(arguments: losses) func smoothingAndWeightsArePyTorchs(_ name: String) throws {
    let golden = try Golden("golden-regularization/losses.h5")
    let prediction = try golden.tensor("\(name)/pred")
    let loss = Loss.crossEntropy(
      labelSmoothing: try golden.tensor("\(name)/label_smoothing").values[0],
      classWeights: golden.has("\(name)/weight") ? try golden.tensor("\(name)/weight").values : nil)
    let value = try loss.evaluate(
      prediction,
      .classes(try golden.integers("\(name)/target").map(Int32.init), perStep: prediction.shape.count == 3),
      lengths: nil)
    let expected = try golden.doubles("\(name)/loss")[0]
    #expect(abs(value.mean - expected) <= 1e-6 * max(1, abs(expected)))
    #expect(relativeDifference(value.gradient.values, try golden.tensor("\(name)/grad").values) <= 1e-6)
  }

  // MARK: - Runs

  static let everything = Regularization(
    dropout: 0.2, inputDropout: 0.3, hiddenDropout: 0.25, outputDropout: 0.4, embeddingDropout: 0.1, weightDrop: 0.5,
    activationRegularization: 2, temporalActivationRegularization: 1)

  static func tuner(_ model: LSTMModel, freezing: [String] = [], _ rule: Regularization = everything) throws
    -> FineTuner
  {
    try makeTuner(model, freezing: freezing) { $0.regularization = rule }
  }

  /// What is dropped depends on the seed and the step: not on threads, nor on whether the frozen bottom is kept.
  @Test(arguments: paths, [[], ["embedding", "layer0"], ["embedding", "lstm"]])
  func runsAreTheSameBits(_ path: String, _ freezing: [String]) throws {
    var kernels = try PyTorchTrainingTests.kernels(path)
    let model = LSTMModel(
      ModelConfiguration(
        input: .tokens(vocabulary: 40, size: 9),
        layers: [.init(hiddenSize: 72, isBidirectional: true), .init(hiddenSize: 65, projectionSize: 33)],
        readout: .mean, head: [.init(size: 2)]), seed: 5)
    var random = RandomNumbers(seed: 6)
    let (count, steps) = (24, 7)
    let data = try SequenceData(
      inputs: .tokens((0..<count * steps).map { _ in Int32.random(in: 0..<40, using: &random) }, steps: steps),
      targets: .values(noise(count * 2, seed: 2), size: 2, perStep: false),
      lengths: (0..<count).map { _ in Int.random(in: 1...steps, using: &random) })
    var tuner = try Self.tuner(model, freezing: freezing)
    (tuner.options.epochs, tuner.options.batchSize) = (2, 17)
    func trace() throws -> CachingTests.Trace {
      try CachingTests.Trace(tuner, model, data, data.selecting(0..<3), kernels: kernels)
    }
    kernels.threads = 1
    let one = try trace()
    kernels.threads = 3
    #expect(try trace() == one, "3 threads")
    guard !freezing.isEmpty else { return }
    tuner.options.cache = .off
    #expect(try trace() == one, "without a cache")
  }

  @Test func anotherSeedDropsOtherThings() throws {
    let (model, data) = (featureModel(), try featureData(10))
    func losses(_ rule: Regularization, seed: UInt64) throws -> [UInt64] {
      var tuner = try Self.tuner(model, rule)
      (tuner.options.seed, tuner.options.shuffles) = (seed, false)
      return try CachingTests.Trace(tuner, model, data, nil).losses
    }
    let one = try losses(Self.everything, seed: 1)
    #expect(try losses(Self.everything, seed: 1) == one && Set(one).count == one.count)
    #expect(zip(try losses(Self.everything, seed: 2), one).allSatisfy { $0 != $1 })
    let off = try losses(.init(), seed: 1)
    #expect(try losses(.init(), seed: 2) == off && off != one, "nothing to draw")
  }

  @Test func validationSeesTheWholeNetworkAndTheLossAlone() throws {
    let (model, data) = (featureModel(), try featureData(9))
    let metrics = try Evaluator(Network(model), loss: .meanSquaredError).evaluate(data)
    var tuner = try Self.tuner(model)
    tuner = FineTuner(tuner.plan, optimizer: .sgd(learningRate: 0), options: tuner.options)
    let run = try tuner.fit(model, data, validation: data)
    #expect(run.baseline == metrics && run.epochs.allSatisfy { $0.validation == metrics })
    // Penalties show in the gradient, and not in the training loss.
    tuner.options.regularization = Regularization()
    let plain = try tuner.fit(model, data).epochs[0]
    tuner.options.regularization = .init(activationRegularization: 20, temporalActivationRegularization: 10)
    let penalized = try tuner.fit(model, data).epochs[0]
    #expect(penalized.trainingLoss == plain.trainingLoss)
    #expect(abs(penalized.gradientNorm - plain.gradientNorm) > 0.01 * plain.gradientNorm)
  }

  /// A frozen weight is dropped like any other, and stays byte for byte.
  @Test func aFrozenRecurrentWeightIsDroppedAndStays() throws {
    let (model, data) = (featureModel(), try featureData(9))
    let frozen = "lstm.weight_hh_l*"
    func run(_ rule: Regularization) throws -> FineTuner.Run {
      try Self.tuner(model, freezing: [frozen], rule).fit(model, data)
    }
    let (dropped, whole) = (try run(.init(weightDrop: 0.5)), try run(.init()))
    for name in ["lstm.weight_hh_l0", "lstm.weight_hh_l1"] {
      #expect(dropped.last[name]?.values.map(\.bitPattern) == model[name]?.values.map(\.bitPattern))
    }
    #expect(dropped.last["lstm.weight_ih_l0"] != whole.last["lstm.weight_ih_l0"])
    #expect(dropped.baseline == whole.baseline)
  }

  /// The penalties do what they are for.
  @Test func penalizedOutputsBecomeSmallerAndSmoother() throws {
    let model = featureModel(readout: .all)
    let rows = 12 * 6
    let data = try SequenceData(
      inputs: .features(noise(rows * 2, seed: 3), steps: 6, size: 2),
      targets: .values(noise(rows, seed: 4), size: 1, perStep: true))
    func penalty(_ rule: Regularization) throws -> Regularization.Penalty {
      let run = try makeTuner(model) { ($0.epochs, $0.regularization) = (10, rule) }.fit(model, data)
      let network = Network(run.last)
      let measured = Regularization(activationRegularization: 1, temporalActivationRegularization: 1)
      _ = try network.forward(data.batch(0..<12), regularization: .init(measured, seed: 0, step: 0))
      return network.penalty
    }
    let free = try penalty(.init())
    #expect(try penalty(.init(activationRegularization: 5)).activation < 0.7 * free.activation)
    #expect(
      try penalty(.init(temporalActivationRegularization: 5)).temporalActivation < 0.7 * free.temporalActivation)
  }

  @Test func badProbabilitiesAreToldBeforeAnythingRuns() throws {
    let (model, data) = (featureModel(), try featureData(5))
    var events = 0
    let found = message {
      _ = try Self.tuner(model, .init(hiddenDropout: 1.5)).fit(model, data) { _ in events += 1 }
    }
    #expect(found == "hidden dropout: expected a number from 0 to below 1, found 1.5" && events == 0)
  }
}
