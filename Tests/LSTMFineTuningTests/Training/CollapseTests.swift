import LSTMCheckpoints
import LSTMLayers
import LSTMReports
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// A run whose model says the same of everything stops; one that is merely bad goes on.
@Suite struct CollapseTests {
  /// The sign of the sum of three numbers, which a small network learns at once.
  static func signs(_ count: Int, seed: UInt64, isNoise: Bool = false) throws -> SequenceData {
    let values = noise(count * 3, seed: seed)
    let other = noise(count * 3, seed: seed + 100)
    let source = isNoise ? other : values
    return try SequenceData(
      inputs: .features(values, steps: 3, size: 1),
      targets: .classes((0..<count).map { source[$0 * 3..<$0 * 3 + 3].reduce(0, +) > 0 ? 1 : 0 }, perStep: false))
  }

  static let model = featureModel(1, layers: [.init(hiddenSize: 12)], outputs: 2, seed: 3)

  static func learned() throws -> LSTMModel {
    try FineTuner(
      plan(model), optimizer: .adam(learningRate: 0.02), loss: .crossEntropy, options: .init(epochs: 10, batchSize: 16)
    ).fit(model, signs(200, seed: 1)).last
  }

  /// Weight decay alone takes every weight to nothing.
  static let ruin = Optimizer.adamW(learningRate: 0.02, weightDecay: 40)

  @Test(arguments: [true, false]) func aCollapseStopsTheRun(_ isValidated: Bool) throws {
    let model = try Self.learned()
    let tuner = FineTuner(
      try plan(model), optimizer: Self.ruin, loss: .crossEntropy, options: .init(epochs: 50, batchSize: 16))
    let run = try tuner.fit(
      model, Self.signs(200, seed: 1), validation: isValidated ? Self.signs(50, seed: 2) : nil)
    guard case .collapsed(let epoch) = run.ending else { return #expect(Bool(false), "\(run.ending)") }
    #expect(epoch == run.epochs.count - 1 && run.epochs.count < 50)
    // What is kept is the model from before.
    if isValidated { #expect(run.bestEpoch < epoch) }
    let evaluator = Evaluator(Network(run.last), loss: .crossEntropy)
    #expect(try evaluator.spread(Self.signs(50, seed: 2), nil) < 1e-3)
  }

  private final class Limit: @unchecked Sendable { var steps = Int.max }

  /// Resumed between the two epochs that show it, it stops at the same place.
  @Test func aResumedRunCollapsesAtTheSameEpoch() throws {
    let (model, data) = (try Self.learned(), try Self.signs(200, seed: 1))
    // A step an epoch.
    var tuner = FineTuner(
      try plan(model), optimizer: Self.ruin, loss: .crossEntropy, options: .init(epochs: 50, batchSize: 200))
    let whole = try tuner.fit(model, data)
    guard case .collapsed = whole.ending else { return #expect(Bool(false), "\(whole.ending)") }
    let limit = Limit()
    limit.steps = whole.epochs.count
    tuner.shouldStop = {
      limit.steps -= 1
      return limit.steps == 0
    }
    let folder = try TemporaryFolder()
    let first = try RunFolder(folder.path("run"))
    let stopped = try tuner.fit(model, data) { try first.record($0) }
    #expect(stopped.ending == .interrupted && stopped.epochs.count == whole.epochs.count - 1)
    let rest = try tuner.fit(model, data, resuming: ResumePoint(run: folder.path("run")))
    #expect(rest.ending == whole.ending && rest.bestEpoch == whole.bestEpoch)
    #expect(allValues(rest.best) == allValues(whole.best))
  }

  /// Without validation data, too, what is kept is from before.
  @Test func theKeptModelIsNotTheDeadOne() throws {
    let (model, data) = (try Self.learned(), try Self.signs(200, seed: 1))
    let tuner = FineTuner(
      try plan(model), optimizer: Self.ruin, loss: .crossEntropy, options: .init(epochs: 50, batchSize: 16))
    let run = try tuner.fit(model, data)
    guard case .collapsed(let epoch) = run.ending else { return #expect(Bool(false), "\(run.ending)") }
    #expect(run.bestEpoch < epoch)
    #expect(run.epochs.filter { !$0.isBest }.map(\.number) == [epoch, epoch + 1])
    let evaluator = Evaluator(Network(run.best), loss: .crossEntropy)
    #expect(try evaluator.spread(data, nil) > 1e-3)
  }

  /// Of noise the best that there is to say is the same of everything: no collapse.
  @Test func noiseIsNoCollapse() throws {
    let run = try FineTuner(
      plan(Self.model), optimizer: .adamW(learningRate: 0.02, weightDecay: 40), loss: .crossEntropy,
      options: .init(epochs: 12, batchSize: 16)
    ).fit(Self.model, Self.signs(200, seed: 1, isNoise: true), validation: Self.signs(50, seed: 2, isNoise: true))
    #expect(run.ending == .finished)
  }

  @Test func theSpreadIsThatOfTheOutputs() throws {
    let model = featureModel(2, readout: .last, outputs: 3)
    let data = try featureData(70, outputs: 3)
    let evaluator = Evaluator(Network(model), loss: .meanSquaredError, batchSize: 16)
    let output = try evaluator.predict(data)
    var sum = 0.0
    for column in 0..<3 {
      let values = (0..<70).map { Double(output.values[$0 * 3 + column]) }
      let mean = values.reduce(0, +) / 70
      sum += values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 70
    }
    let found = try evaluator.measure(data, nil).spread
    #expect(abs(found - (sum / 3).squareRoot()) < 1e-6 * found)
    // All of so few examples are looked at.
    let few = try featureData(20, outputs: 3)
    #expect(try abs(evaluator.spread(few, nil) - evaluator.measure(few, nil).spread) < 1e-9)
  }

  @Test func wideOutputsAreSampled() {
    var spread = OutputSpread(width: 1000)
    for row in 0..<4 {
      let values = (0..<1000).map { Float($0) + Float(row % 2) }
      values.withUnsafeBufferPointer { spread.add($0.baseAddress!) }
    }
    #expect(spread.deviation == 0.5)
  }
}
