import FileIO
import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Runs whose loss, gradients or weights are no longer finite, or much worse than they were.
@Suite struct DivergenceTests {
  @Test func aLossThatIsNotFiniteStopsBeforeTheWeightsAreTouched() throws {
    let model = featureModel()
    let data = try SequenceData(
      inputs: .features(noise(48, seed: 1), steps: 3, size: 2),
      targets: .values([0, 0, 0, 0, 0, 0, 3e38, 0], size: 1, perStep: false))
    let tuner = try makeTuner(model) { ($0.batchSize, $0.shuffles) = (2, false) }
    var report = FineTunerTests.Report()
    do {
      _ = try tuner.fit(model, data, validation: data.selecting([0, 1])) { report.add($0) }
      Issue.record("nothing was thrown")
    } catch let error as FineTuningError {
      guard case .diverged(1, 4, "the loss is inf") = error else {
        Issue.record("\(error)")
        return
      }
      #expect(error.category == .badInput && error.advice.count == 1)
    }
    // Three good steps; the best model, the pretrained one, was handed over before them.
    #expect(report.losses.count == 3 && report.weights.map(\.epoch) == [0])
    #expect(allValues(report.weights[0].model) == allValues(model))
  }

  @Test func theWeightsOfTheStepBeforeADivergenceAreKept() throws {
    let model = featureModel()
    let good = noise(12, seed: 1)
    let data = try SequenceData(
      inputs: .features(good + [Float](repeating: .nan, count: 6), steps: 3, size: 2),
      targets: .values([0, 0, 0], size: 1, perStep: false))
    let options = { (options: inout FineTuner.Options) in (options.batchSize, options.shuffles) = (1, false) }
    let network = Network(model)
    var tuner = try makeTuner(model, options)
    let stepper = try Stepper(tuner, network, .best)
    _ = try stepper.step(data, [0], .init(epoch: 1, step: 1))
    _ = try stepper.step(data, [1], .init(epoch: 1, step: 2))
    let before = network.weights.copy()
    #expect(
      message { _ = try stepper.step(data, [2], .init(epoch: 1, step: 3)) }
        == "stopped in epoch 1, step 3: the loss is nan")
    for index in before.slots.indices { #expect(before.values(index) == network.weights.values(index)) }
    // And the next good step goes on as if nothing had been.
    _ = try stepper.step(data, [0], .init(epoch: 1, step: 3))
    tuner.options.epochs = 1
    let other = try tuner.fit(
      model,
      SequenceData(
        inputs: .features(good + good.prefix(6), steps: 3, size: 2),
        targets: .values([0, 0, 0], size: 1, perStep: false)))
    for slot in before.slots {
      #expect(network.weights.index(of: slot.name).map(network.weights.values) == other.last[slot.name]?.values)
    }
  }

  @Test func aGradientThatIsNotFiniteStopsTheRun() throws {
    var model = try FineTunerTests.oneNumber(0)
    try model.set("head.0.weight", to: Tensor(shape: [1, 1], values: [3e38]))
    try model.set("lstm.weight_ih_l0", to: Tensor(shape: [4, 1], values: [1, 1, 1, 1]))
    let data = try SequenceData(
      inputs: .features([1e-30], steps: 1, size: 1), targets: .values([-100], size: 1, perStep: false))
    for index in ["lstm.bias_ih_l0", "lstm.bias_hh_l0"] { try model.set(index, to: Tensor(zeros: [4])) }
    let found = message { _ = try makeTuner(model).fit(model, data) }
    #expect(found.hasPrefix("stopped in epoch 1, step 1: the gradient's norm is "), "\(found)")
  }

  /// Gates saturate, so that a weight may be infinite and the loss finite.
  @Test func aWeightThatIsNotFiniteIsNeverHandedOver() throws {
    let (model, data) = (featureModel(readout: .last), try featureData(4))
    var report = FineTunerTests.Report()
    let tuner = try makeTuner(model, optimizer: .sgd(learningRate: 1e300)) { $0.epochs = 1 }
    let found = message { _ = try tuner.fit(model, data) { report.add($0) } }
    #expect(found == "stopped in epoch 1, step 1: a weight is no longer a finite number")
    #expect(report.weights.map(\.epoch) == [0])
  }

  @Test func aValidationLossThatIsNotFiniteStopsTheRun() throws {
    let (model, data) = (featureModel(), try featureData(4))
    let wild = try SequenceData(
      inputs: .features(noise(6, seed: 1), steps: 3, size: 2), targets: .values([3e38], size: 1, perStep: false))
    let found = message { _ = try makeTuner(model).fit(model, data, validation: wild) }
    #expect(found == "stopped in epoch 1, step 1: the validation loss is inf")
  }

  // MARK: - Although every number is finite

  /// A very good start may be left for a while: a run diverges only where it is worse than a constant prediction.
  @Test func aGoodStartMayBeLeft() throws {
    let model = featureModel()
    let data = try featureData(40)
    // Targets that the model meets exactly.
    let said = try Evaluator(Network(model), loss: .meanSquaredError).predict(data)
    let exact = try SequenceData(
      inputs: data.inputs, targets: .values(said.values.map { $0 + 1e-5 }, size: 1, perStep: false))
    let tuner = FineTuner(
      try plan(model), optimizer: .adam(learningRate: 0.0005), options: .init(epochs: 3, batchSize: 8))
    let run = try tuner.fit(model, exact, validation: exact)
    #expect(run.epochs[0].validation?.loss ?? 0 > 10 * run.baseline.loss)
    #expect(run.ending == .finished && run.epochs.count == 3)
  }

  @Test func withoutValidationTheLastGoodModelIsKept() throws {
    let model = try FineTunerTests.oneNumber(0)
    let tuner = FineTuner(
      try FreezePlan(model, freezing: ["*"], unfreezing: ["head.0.bias"]), optimizer: .sgd(learningRate: 3),
      options: .init(epochs: 50, clipNorm: nil))
    let run = try tuner.fit(model, FineTunerTests.goal(1))
    guard case .diverging(let epoch, _, _) = run.ending else { return #expect(Bool(false), "\(run.ending)") }
    #expect(run.bestEpoch == epoch - 1 && allValues(run.best) != allValues(run.last))
  }

  @Test func theConstantPredictionLossIsThatOfTheMeanOrOfTheCounts() throws {
    let values = try SequenceData(
      inputs: .features([Float](repeating: 0, count: 8), steps: 2, size: 1),
      targets: .values([0, 0, 2, 8, 1, 4, 9, 9], size: 1, perStep: true), lengths: [2, 2, 2, 1])
    // 0 0 2 8 1 4 9: the mean is 24 / 7.
    let mean = 24.0 / 7
    let all = [0.0, 0, 2, 8, 1, 4, 9].map { abs($0 - mean) }
    #expect(abs(values.constantPredictionLoss(.meanSquaredError) - all.reduce(0) { $0 + $1 * $1 } / 7) < 1e-12)
    #expect(abs(values.constantPredictionLoss(.meanAbsoluteError) - all.reduce(0, +) / 7) < 1e-12)
    let huber = all.reduce(0) { $0 + ($1 <= 2 ? $1 * $1 / 2 : 2 * ($1 - 1)) } / 7
    #expect(abs(values.constantPredictionLoss(.huber(delta: 2)) - huber) < 1e-12)
    let classes = try SequenceData(
      inputs: .features([0, 0, 0, 0, 0], steps: 1, size: 1),
      targets: .classes([0, 1, 1, SequenceData.ignored, 0], perStep: false))
    #expect(abs(classes.constantPredictionLoss(.crossEntropy) - 0.6931471805599453) < 1e-12)
  }
}
