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

  @Test(arguments: [0, -3]) func noEpochsLeaveThePretrainedModel(_ epochs: Int) throws {
    let (model, data) = (featureModel(), try featureData(5))
    var report = Report()
    let run = try makeTuner(model) { $0.epochs = epochs }.fit(model, data) { report.add($0) }
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

  // MARK: - Divergence

  @Test func aLossThatIsNotFiniteStopsBeforeTheWeightsAreTouched() throws {
    let model = featureModel()
    let data = try SequenceData(
      inputs: .features(noise(48, seed: 1), steps: 3, size: 2),
      targets: .values([0, 0, 0, 0, 0, 0, 3e38, 0], size: 1, perStep: false))
    let tuner = try makeTuner(model) { ($0.batchSize, $0.shuffles) = (2, false) }
    var report = Report()
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
    var model = try Self.oneNumber(0)
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
    var report = Report()
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

  // MARK: - Frozen

  static let rules: [Optimizer] = [
    .sgd(learningRate: 0.1, momentum: 0.9, isNesterov: true, weightDecay: 0.1),
    .adam(learningRate: 0.01, weightDecay: 0.1), .adamW(learningRate: 0.01, weightDecay: 0.5, isAMSGrad: true),
  ]

  @Test(arguments: rules, ["layer0", "layer1", "head", "lstm.weight_hh_*", "lstm"])
  func frozenParametersNeitherMoveNorDecay(_ rule: Optimizer, _ selector: String) throws {
    let (model, data) = (featureModel(), try featureData(10))
    let tuner = try makeTuner(model, freezing: [selector], optimizer: rule)
    let run = try tuner.fit(model, data)
    for (parameter, trains) in zip(tuner.plan.parameters, tuner.plan.trainable) {
      let (before, after) = (model[parameter.name], run.last[parameter.name])
      #expect((before?.values.map(\.bitPattern) == after?.values.map(\.bitPattern)) != trains, "\(parameter.name)")
    }
  }

  @Test func frozenParametersHaveNoGradientNoStateAndNoPartInTheNorm() throws {
    let (model, data) = (featureModel(), try featureData(6))
    let frozen = try plan(model, freezing: ["layer0", "head.0.bias"])
    let everything = try plan(model)
    func gradients(_ plan: FreezePlan) throws -> ParameterStore {
      let network = Network(model)
      let store = ParameterStore(model.configuration.parameters)
      let output = try network.forward(data.batch(0..<6))
      let value = try Loss.meanSquaredError.evaluate(output, data.targetBatch(0..<6), lengths: nil)
      try network.backward(value.gradient, into: store, trainable: plan.trainable)
      return store
    }
    let (some, all) = (try gradients(frozen), try gradients(everything))
    var square = 0.0
    for (index, trains) in frozen.trainable.enumerated() {
      #expect(some.values(index) == (trains ? all.values(index) : some.values(index).map { _ in 0 }))
      if trains { square += all.values(index).reduce(0) { $0 + Double($1) * Double($1) } }
    }
    var report = Report()
    let tuner = try makeTuner(model, freezing: ["layer0", "head.0.bias"]) { ($0.batchSize, $0.shuffles) = (6, false) }
    _ = try tuner.fit(model, data) { report.add($0) }
    #expect(abs(report.norms[0] - square.squareRoot()) <= 1e-6 * square.squareRoot())
    let full = try gradients(everything).slots.indices.reduce(0.0) { sum, index in
      sum + all.values(index).reduce(0) { $0 + Double($1) * Double($1) }
    }
    #expect(full.squareRoot() > report.norms[0] * 1.01, "the frozen part would have shown")
    let network = Network(model)
    let optimizer = OptimizerState(.adam(isAMSGrad: true), weights: network.weights, trainable: frozen.trainable)
    #expect(optimizer.stateCount == 3 * frozen.trainableCount)
  }

  @Test func clippingScalesByTheNormOfWhatTrains() throws {
    let (model, data) = (featureModel(), try featureData(6))
    func firstStep(clip: Double?) throws -> (norm: Double, moved: [Float]) {
      let tuner = try makeTuner(model, freezing: ["layer0"], optimizer: .sgd(learningRate: 1)) {
        ($0.batchSize, $0.epochs, $0.clipNorm) = (6, 1, clip)
      }
      var report = Report()
      let run = try tuner.fit(model, data) { report.add($0) }
      let name = "lstm.weight_ih_l1"
      let moved = zip(try #require(run.last[name]).values, try #require(model[name]).values).map { $0 - $1 }
      return (report.norms[0], moved)
    }
    let free = try firstStep(clip: nil)
    let limit = free.norm / 10
    let clipped = try firstStep(clip: limit)
    #expect(clipped.norm == free.norm, "the norm before clipping")
    let factor = Float(limit / (free.norm + 1e-6))
    #expect(relativeDifference(clipped.moved, free.moved.map { $0 * factor }) <= 1e-4)
    #expect(try firstStep(clip: free.norm * 2).moved == free.moved)
  }

  @Test func aFrozenLayerLetsTheGradientThroughToWhatLiesBelow() throws {
    let configuration = ModelConfiguration(
      input: .tokens(vocabulary: 6, size: 3), layers: [.init(hiddenSize: 4), .init(hiddenSize: 4)], readout: .mean,
      head: [.init(size: 3, activation: .tanh), .init(size: 1)])
    let model = LSTMModel(configuration, seed: 3)
    let data = try SequenceData(
      inputs: .tokens([0, 1, 2, 3, 1, 2], steps: 3), targets: .values([1, -1], size: 1, perStep: false))
    let changed = { (freezing: [String]) in
      let run = try makeTuner(model, freezing: freezing).fit(model, data)
      return Set(allValues(model).filter { run.last[$0.key]?.values != $0.value }.keys)
    }
    #expect(try changed(["lstm", "head"]) == ["embedding.weight"])
    #expect(try changed(["embedding", "layer1", "head"]) == Set(allValues(model).keys.filter { $0.hasSuffix("_l0") }))
    #expect(try changed(["embedding", "lstm", "head.1"]) == ["head.0.weight", "head.0.bias"])
    // The rows of tokens that do not occur stay.
    let run = try makeTuner(model, freezing: ["lstm", "head"]).fit(model, data)
    let (before, after) = (
      try #require(model["embedding.weight"]).values, try #require(run.last["embedding.weight"]).values
    )
    for token in 0..<6 {
      let rows = token * 3..<(token + 1) * 3
      #expect((before[rows] == after[rows]) == (token > 3), "token \(token)")
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

  // MARK: - Going astray

  /// A very good start may be left for a while: only what is worse than saying the mean has gone astray.
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
    let model = try Self.oneNumber(0)
    let tuner = FineTuner(
      try FreezePlan(model, freezing: ["*"], unfreezing: ["head.0.bias"]), optimizer: .sgd(learningRate: 3),
      options: .init(epochs: 50, clipNorm: nil))
    let run = try tuner.fit(model, Self.goal(1))
    guard case .diverging(let epoch, _, _) = run.ending else { return #expect(Bool(false), "\(run.ending)") }
    #expect(run.bestEpoch == epoch - 1 && allValues(run.best) != allValues(run.last))
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

  @Test func aWarmUpMayBeAsLongAsANumberIs() {
    #expect(Schedule(.cosine(), warmUp: .max).factors(step: 3, of: 10, epoch: 0).rate < 1e-17)
  }
}
