import FileIO
import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

@Suite struct FineTunerTests {
  /// The losses, norms and models that a run reports.
  struct Report {
    var losses: [Double] = []
    var norms: [Double] = []
    var weights: [(model: LSTMModel, epoch: Int, isBest: Bool)] = []

    mutating func add(_ event: FineTuner.Event) {
      switch event {
      case .step(let step):
        losses.append(step.loss)
        norms.append(step.gradientNorm)
      case .weights(let model, let state, let isBest): weights.append((model, state.epochs.count, isBest))
      default: break
      }
    }
  }

  // MARK: - Repeatable

  @Test func theSameSeedGivesTheSameBitsAndAnotherDoesNot() throws {
    let (model, data) = (featureModel(), try featureData(10))
    let run = { seed in try makeTuner(model) { $0.seed = seed }.fit(model, data) }
    let (a, b, c) = (try run(5), try run(5), try run(6))
    #expect(allValues(a.last) == allValues(b.last) && a.epochs.map(\.trainingLoss) == b.epochs.map(\.trainingLoss))
    #expect(allValues(a.last) != allValues(c.last))
    #expect(allValues(model) == allValues(featureModel()), "the model itself is a value")
  }

  /// With a rate of nothing the losses of single examples tell which came when.
  @Test func eachEpochTakesEveryExampleOnceInANewOrder() throws {
    let (model, data) = (featureModel(), try featureData(12))
    func orders(shuffles: Bool) throws -> [[Int]] {
      let tuner = try makeTuner(model, optimizer: .sgd(learningRate: 0)) {
        ($0.batchSize, $0.shuffles) = (1, shuffles)
      }
      var report = Report()
      _ = try tuner.fit(model, data) { report.add($0) }
      let evaluator = Evaluator(Network(model), loss: .meanSquaredError)
      let known = try (0..<12).map { try evaluator.evaluate(data.selecting([$0])).loss }
      return try stride(from: 0, to: 36, by: 12).map { start in
        try report.losses[start..<start + 12].map { loss in
          try #require(known.indices.min { abs(known[$0] - loss) < abs(known[$1] - loss) })
        }
      }
    }
    let shuffled = try orders(shuffles: true)
    #expect(shuffled.allSatisfy { $0.sorted() == Array(0..<12) })
    #expect(Set(shuffled).count == 3 && !shuffled.contains(Array(0..<12)))
    #expect(try orders(shuffles: false).allSatisfy { $0 == Array(0..<12) })
  }

  // MARK: - Small and odd

  @Test(arguments: [(1, 1, 1), (1, 1, 100), (3, 1, 100), (5, 4, 2), (3, 2, .max)])
  func oneExampleOneStepAndABatchLargerThanTheData(_ count: Int, _ steps: Int, _ batchSize: Int) throws {
    let (model, data) = (featureModel(), try featureData(count, steps: steps))
    var report = Report()
    let run = try makeTuner(model) { $0.batchSize = batchSize }.fit(model, data) { report.add($0) }
    #expect(report.losses.count == 3 * ((count - 1) / min(batchSize, count) + 1))
    #expect(run.epochs.count == 3 && run.ending == .finished && run.bestEpoch == 3)
    #expect(allValues(run.last) != allValues(model) && allValues(run.best) == allValues(run.last))
  }

  @Test func noEpochsLeaveThePretrainedModel() throws {
    let (model, data) = (featureModel(), try featureData(5))
    var report = Report()
    let run = try makeTuner(model) { $0.epochs = 0 }.fit(model, data) { report.add($0) }
    #expect(run.epochs.isEmpty && run.bestEpoch == 0 && run.ending == .finished && report.losses.isEmpty)
    #expect(allValues(run.best) == allValues(model) && allValues(run.last) == allValues(model))
    #expect(report.weights.map(\.epoch) == [0] && report.weights[0].isBest)
  }

  @Test func theMeanOfAnEpochCountsTheLastSmallBatchForWhatItIs() throws {
    let (model, data) = (featureModel(), try featureData(5))
    let run = try makeTuner(model, optimizer: .sgd(learningRate: 0)) { $0.epochs = 1 }.fit(model, data)
    #expect(abs(run.epochs[0].trainingLoss - run.baseline.loss) <= 1e-6 * run.baseline.loss)
  }

  @Test func validationMayHaveOtherStepsThanTraining() throws {
    let model = featureModel()
    let run = try makeTuner(model).fit(model, featureData(5, steps: 3), validation: featureData(4, steps: 7))
    #expect(run.epochs.count == 3 && run.epochs.allSatisfy { $0.validation?.examples == 4 })
  }

  @Test func aBatchOfIgnoredLabelsTakesNoStep() throws {
    let model = featureModel(outputs: 2)
    let data = try SequenceData(
      inputs: .features(noise(24, seed: 1), steps: 3, size: 2), targets: .classes([-100, -100, 0, 1], perStep: false))
    let decay = Optimizer.adamW(learningRate: 0.1, weightDecay: 0.5)
    let tuner = try makeTuner(model, optimizer: decay, loss: .crossEntropy) {
      ($0.batchSize, $0.shuffles, $0.epochs) = (2, false, 1)
    }
    var report = Report()
    let run = try tuner.fit(model, data) { report.add($0) }
    let alone = try tuner.fit(model, data.selecting([2, 3]))
    #expect(report.losses.count == 1 && allValues(run.last) == allValues(alone.last))
  }

  @Test(
    arguments: [
      ("batchSize 0: expected at least 1", { @Sendable options in options.batchSize = 0 }),
      ("patience 0: expected at least 1", { options in options.patience = 0 }),
      ("clipNorm -1.0: expected a number above 0", { options in options.clipNorm = -1 }),
      ("clipNorm nan: expected a number above 0", { options in options.clipNorm = .nan }),
    ] as [(String, @Sendable (inout FineTuner.Options) -> Void)])
  func optionsThatMakeNoSense(_ expected: String, _ change: @Sendable (inout FineTuner.Options) -> Void) throws {
    let (model, data) = (featureModel(), try featureData(5))
    #expect(message { _ = try makeTuner(model, change).fit(model, data) } == expected)
  }

  @Test func dataThatDoesNotFit() throws {
    let (model, data) = (featureModel(), try featureData(5))
    let tuner = try makeTuner(model)
    #expect(message { _ = try tuner.fit(model, data.selecting([])) } == "there are no examples to train on")
    #expect(
      message { _ = try tuner.fit(model, data, validation: data.selecting([])) }
        == "there are no examples to validate on")
    #expect(
      message { _ = try tuner.fit(featureModel(outputs: 2), data) } == "the freeze plan was made for another model")
    #expect(message { _ = try tuner.fit(model, featureData(5, size: 3)) } == "features: expected 2 a step, found 3")
    #expect(
      message { _ = try tuner.fit(model, featureData(5, outputs: 2)) }
        == "targets: expected (5, 1), as the model gives, found 10 values, 2 each")
  }

  // MARK: - The best and the end

  /// A model with one trainable number: its output is the bias of its head, whose target is `goal`.
  static func oneNumber(_ start: Float) throws -> LSTMModel {
    var model = featureModel(1, layers: [.init(hiddenSize: 1)])
    try model.set("head.0.weight", to: Tensor(zeros: [1, 1]))
    try model.set("head.0.bias", to: Tensor(shape: [1], values: [start]))
    return model
  }

  static func goal(_ goal: Float) throws -> SequenceData {
    try SequenceData(inputs: .features([0], steps: 1, size: 1), targets: .values([goal], size: 1, perStep: false))
  }

  /// Trains the number by +-0.125 an epoch towards 100, so that the validation loss is best where it passes `best`.
  static func walk(best: Float, epochs: Int, patience: Int?) throws -> FineTuner.Run {
    let model = try oneNumber(0)
    let tuner = FineTuner(
      try FreezePlan(model, freezing: ["*"], unfreezing: ["head.0.bias"]), optimizer: .sgd(learningRate: 0.125),
      loss: .meanAbsoluteError,
      options: { options in
        var options = options
        (options.epochs, options.patience, options.clipNorm) = (epochs, patience, nil)
        return options
      }(FineTuner.Options()))
    return try tuner.fit(model, goal(100), validation: goal(best))
  }

  @Test(
    arguments: [
      // The best epoch, patience, epochs asked for -> epochs run, ending
      (3, 2, 20, 5, FineTuner.Ending.noImprovement(sinceEpoch: 3)),
      (0, 1, 20, 1, .noImprovement(sinceEpoch: 0)),
      (0, 3, 20, 3, .noImprovement(sinceEpoch: 0)),
      (4, 100, 8, 8, .finished),
      (4, nil, 8, 8, .finished),
      (8, 1, 8, 8, .finished),
      // Patience runs out with the last epoch: that is an ordinary end.
      (3, 2, 5, 5, .finished),
    ] as [(Int, Int?, Int, Int, FineTuner.Ending)])
  func patienceCountsEpochsSinceTheBest(
    _ best: Int, _ patience: Int?, _ epochs: Int, _ expected: Int, _ ending: FineTuner.Ending
  ) throws {
    let run = try Self.walk(best: Float(best) * 0.125, epochs: epochs, patience: patience)
    #expect(run.epochs.count == expected && run.ending == ending && run.bestEpoch == best)
    #expect(run.best["head.0.bias"]?.values == [Float(best) * 0.125])
    #expect(run.last["head.0.bias"]?.values == [Float(expected) * 0.125])
    #expect(run.epochs.map(\.isBest) == (1...expected).map { $0 <= best })
  }

  @Test func anEqualLossIsNoImprovement() throws {
    let model = try Self.oneNumber(0)
    let run = try makeTuner(model, optimizer: .sgd(learningRate: 0)) { $0.patience = 2 }.fit(
      model, Self.goal(1), validation: Self.goal(1))
    #expect(run.bestEpoch == 0 && run.epochs.count == 2 && run.ending == .noImprovement(sinceEpoch: 0))
  }

  @Test func anInterruptionFinishesTheStepAndHandsOverTheWeights() throws {
    let (model, data) = (featureModel(), try featureData(10))
    let counter = Counter()
    var tuner = try makeTuner(model)
    tuner.shouldStop = { counter.next() == 5 }
    var report = Report()
    let run = try tuner.fit(model, data, validation: data) { report.add($0) }
    // Three steps an epoch: the fifth is the second epoch's second.
    #expect(run.ending == .interrupted && report.losses.count == 5 && run.epochs.count == 1)
    #expect(report.weights.map(\.epoch) == [0, 1, 1] && report.weights.last?.isBest == false)
    // The steps are those of a run that goes on.
    var whole = Report()
    tuner.shouldStop = { false }
    _ = try tuner.fit(model, data, validation: data) { whole.add($0) }
    #expect(Array(whole.losses.prefix(5)) == report.losses)
    #expect(allValues(try #require(report.weights.last).model) == allValues(run.last))
    #expect(allValues(run.last) != allValues(report.weights[1].model))
  }

  final class Counter: @unchecked Sendable {  // Used on one thread.
    private var count = 0
    func next() -> Int {
      count += 1
      return count
    }
  }

  // MARK: - Types and names

  @Test func whatIsHandedBackHasTheNamesItCameWith() throws {
    let source = try Checkpoint(path: fixtures.appendingPathComponent("demo/seattle.h5").path)
    let model = try LSTMModel(source, options: LoadOptions(readout: .last))
    let data = try featureData(4, size: 1, outputs: 24)
    let run = try makeTuner(model, freezing: ["lstm"]) { $0.epochs = 1 }.fit(model, data)
    let folder = try TemporaryFolder()
    try run.best.write(path: folder.path("back.h5"), as: .pytorchHDF5)
    let back = try Checkpoint(path: folder.path("back.h5"))
    #expect(Set(back.tensors.map(\.name)) == Set(source.tensors.map(\.name)))
    #expect(back["fc.weight"]?.shape == [24, 64])
  }

  @Test(arguments: [DataType.float16, .bfloat16, .float64, .float32])
  func whatAFileHeldComesBackInItsType(_ type: DataType) throws {
    let plain = featureModel()
    let tensors = plain.stored.tensors.map { tensor in
      StoredTensor(name: tensor.name, shape: tensor.shape, dataType: type) {
        try tensor.floats().flatMap { value -> [UInt8] in
          switch type {
          case .float16: withUnsafeBytes(of: halfBits(value).littleEndian) { [UInt8]($0) }
          case .bfloat16: withUnsafeBytes(of: bfloatBits(value).littleEndian) { [UInt8]($0) }
          // Digits that a float32 does not have.
          case .float64: withUnsafeBytes(of: (Double(value) * (1 + 1e-12)).bitPattern.littleEndian) { [UInt8]($0) }
          default: withUnsafeBytes(of: value.bitPattern.littleEndian) { [UInt8]($0) }
          }
        }
      }
    }
    let source = Checkpoint(tensors: tensors, configuration: plain.configuration)
    let model = try LSTMModel(source)
    let run = try makeTuner(model, freezing: ["layer0"]).fit(model, featureData(6))
    let folder = try TemporaryFolder()
    try run.last.write(path: folder.path("m.h5"))
    let written = try Checkpoint(path: folder.path("m.h5"))
    for tensor in tensors {
      let found = try #require(written[tensor.name])
      if tensor.name.hasSuffix("_l0") {
        #expect(try found.dataType == type && found.bytes() == tensor.bytes(), "\(tensor.name)")
      } else {
        #expect(found.dataType == (type == .float64 ? .float64 : .float32), "\(tensor.name)")
        #expect(try found.floats() == run.last[tensor.name]?.values, "\(tensor.name)")
      }
    }
  }

  @Test func dataInWhichNothingCountsIsRefused() throws {
    let model = featureModel(outputs: 2)
    let data = try SequenceData(
      inputs: .features(noise(4 * 3 * 2, seed: 1), steps: 3, size: 2),
      targets: .classes([Int32](repeating: SequenceData.ignored, count: 3) + [1], perStep: false))
    let tuner = FineTuner(try plan(model), loss: .crossEntropy)
    #expect(
      message { _ = try tuner.fit(model, data.selecting(0..<3), validation: data.selecting([3])) }
        == "no target of the training data counts: every one is ignored or weighs nothing")
  }

  @Test func aWarmUpMayBeAsLongAsANumberIs() {
    #expect(Schedule(.cosine(), warmUp: .max).factors(step: 3, of: 10, epoch: 0).rate < 1e-17)
  }
}
