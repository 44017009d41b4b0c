import Foundation
import LSTMCheckpoints
import LSTMLayers
import LSTMReports
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// What people trip over in fine-tuning elsewhere, as far as the loop is concerned: 2 to 5, 8 and 9. What is about the
/// command line (1, 6, 7 and 10) is tested there.
@Suite struct TripwireTests {
  private static func bits(_ model: LSTMModel) -> [String: [UInt32]] {
    allValues(model).mapValues { $0.map(\.bitPattern) }
  }

  // MARK: - 2

  static let rules: [Optimizer] = [
    .sgd(learningRate: 0.1, weightDecay: 0.5),
    .sgd(learningRate: 0.1, momentum: 0.9, dampening: 0.1, weightDecay: 0.5),
    .sgd(learningRate: 0.1, momentum: 0.9, isNesterov: true, weightDecay: 0.5),
    .adam(learningRate: 0.01, weightDecay: 0.5), .adam(learningRate: 0.01, weightDecay: 0.5, isAMSGrad: true),
    .adamW(learningRate: 0.01, weightDecay: 0.5), .adamW(learningRate: 0.01, weightDecay: 0.5, isAMSGrad: true),
  ]

  @Test(
    "2. Frozen weights are byte-identical after any run, under every optimizer, and have no optimizer state",
    arguments: rules, Recipe.allCases)
  func frozenStaysFrozen(_ rule: Optimizer, _ recipe: Recipe) throws {
    let (model, data) = (featureModel(), try featureData(10))
    let plan = try FreezePlan(model, freezing: ["layer0", "lstm.bias_*_l1"], recipe: recipe)
    let folder = try TemporaryFolder()
    let record = try RunFolder(folder.path("run"))
    _ = try FineTuner(plan, optimizer: rule, options: .init(epochs: 3, batchSize: 4)).fit(
      model, data, validation: featureData(4, seed: 9)
    ) { try record.record($0) }
    let last = try Checkpoint(path: record.file("last.h5"))
    let source = model.stored
    for (parameter, trains) in zip(plan.parameters, plan.trainable) {
      let (before, after) = (try #require(source[parameter.name]), try #require(last[parameter.name]))
      #expect(try (before.bytes() == after.bytes()) != trains, "\(parameter.name)")
      let state = last.extras.filter { $0.name.hasPrefix("training/") && $0.name.hasSuffix("/" + parameter.name) }
      #expect(state.isEmpty != trains, "\(state.map(\.name))")
    }
  }

  @Test("2. Frozen weights are outside the clip norm")
  func frozenIsOutsideTheNorm() throws {
    let (model, data) = (featureModel(), try featureData(6))
    /// The norm that one step reports, and how far it moved the weights at a rate of 1.
    func step(freezing: [String], clip: Double?) throws -> (norm: Double, moved: Double) {
      var norm = 0.0
      let tuner = FineTuner(
        try plan(model, freezing: freezing), optimizer: .sgd(learningRate: 1),
        options: .init(epochs: 1, batchSize: 6, clipNorm: clip))
      let run = try tuner.fit(model, data) { event in
        if case .step(let step) = event { norm = step.gradientNorm }
      }
      let (before, after) = (allValues(model), allValues(run.last))
      let square = before.reduce(0.0) { sum, parameter in
        zip(parameter.value, after[parameter.key] ?? []).reduce(sum) { $0 + pow(Double($1.0) - Double($1.1), 2) }
      }
      return (norm, square.squareRoot())
    }
    let frozen = try step(freezing: ["layer0", "head.0.bias"], clip: nil)
    #expect(abs(frozen.norm - frozen.moved) <= 1e-4 * frozen.norm)
    #expect(try step(freezing: [], clip: nil).norm > 1.01 * frozen.norm, "what is frozen would have shown")
    let clipped = try step(freezing: ["layer0", "head.0.bias"], clip: frozen.norm / 10)
    #expect(abs(clipped.moved - frozen.norm / 10) <= 1e-3 * frozen.norm / 10)
  }

  // MARK: - 3

  @Test("3. A frozen layer lets the gradient through to a new embedding below it")
  func frozenLayersLetGradientsThrough() throws {
    let configuration = ModelConfiguration(
      input: .tokens(vocabulary: 5, size: 3), layers: [.init(hiddenSize: 4), .init(hiddenSize: 4)], readout: .mean,
      head: [.init(size: 2)])
    let model = LSTMModel(configuration, seed: 3)
    let data = try SequenceData(
      inputs: .tokens([0, 1, 2, 3, 1, 2, 4, 4, 0], steps: 3),
      targets: .values(noise(6, seed: 1), size: 2, perStep: false)
    )
    let plan = try FreezePlan(model, freezing: ["lstm", "head"])
    #expect(plan.groups.map(\.status) == [.trainable, .passesGradient, .passesGradient, .passesGradient])
    let tuner = FineTuner(
      plan, optimizer: .sgd(learningRate: 1), options: .init(epochs: 1, batchSize: 3, clipNorm: nil))
    let run = try tuner.fit(model, data)
    for (name, values) in Self.bits(model) {
      #expect((Self.bits(run.last)[name] == values) == (name != "embedding.weight"))
    }
    // One step at a rate of 1 moves by the gradient, which is what differences of the loss say.
    let name = "embedding.weight"
    let before = try #require(model[name])
    let moved = zip(before.values, try #require(run.last[name]).values).map { $0 - $1 }
    func loss(_ place: Int, _ difference: Float) throws -> Double {
      var (shifted, changed) = (before, model)
      shifted.values[place] += difference
      try changed.set(name, to: shifted)
      return try Evaluator(Network(changed), loss: .meanSquaredError).evaluate(data).loss
    }
    let step: Float = 1 / 64
    let expected = try moved.indices.map { try Float((loss($0, step) - loss($0, -step)) / Double(2 * step)) }
    #expect(relativeDifference(moved, expected) <= 1e-2)
  }

  // MARK: - 4

  /// A run that is stopped after some of its steps, or nil for never, goes on until its end.
  private static func state(stop: Int?, in path: String) throws -> (
    FineTuner.Run, TrainingState, stopped: TrainingState?
  ) {
    final class Steps: @unchecked Sendable { var count = 0 }  // Used on one thread.
    let (model, data, validation) = (featureModel(), try featureData(14), try featureData(6, seed: 77))
    var tuner = FineTuner(
      try FreezePlan(model, recipe: .ulmfit), optimizer: .adamW(learningRate: 0.02, isAMSGrad: true),
      options: .init(
        epochs: 12, batchSize: 4, patience: 3, seed: 7, schedule: Schedule(.oneCycle()),
        regularization: Regularization(dropout: 0.2, hiddenDropout: 0.1, weightDrop: 0.2)))
    let steps = Steps()
    tuner.shouldStop = {
      steps.count += 1
      return steps.count == stop
    }
    let folder = try RunFolder(path)
    var state: TrainingState?
    var run = try tuner.fit(model, data, validation: validation) { event in
      if case .weights(_, let found, _) = event { state = found }
      try folder.record(event)
    }
    var stopped: TrainingState?
    if stop != nil {
      #expect(run.ending == .interrupted)
      stopped = state
      let point = try #require(try ResumePoint(run: path))
      run = try tuner.fit(model, data, validation: validation, resuming: point) { event in
        if case .weights(_, let found, _) = event { state = found }
      }
    }
    return (run, try #require(state), stopped)
  }

  /// All that is carried from step to step, but the time that it took.
  private static func timeless(_ state: TrainingState) -> TrainingState.Progress {
    var progress = state.progress
    (progress.seconds, progress.logLength) = (0, 0)
    for place in progress.epochs.indices {
      (progress.epochs[place].seconds, progress.epochs[place].sequencesPerSecond) = (0, 0)
    }
    return progress
  }

  @Test(
    "4. A resumed run is exact: weights, moments, schedule, random state, permutation, phase, early-stop counter",
    arguments: [1, 4, 6, 11, -6, -1])
  func resumeIsExact(_ stop: Int) throws {
    let folder = try TemporaryFolder()
    let (whole, end, _) = try Self.state(stop: nil, in: folder.path("whole"))
    // From the end where it is negative, of four steps an epoch.
    let (run, found, stopped) = try Self.state(
      stop: stop > 0 ? stop : 4 * whole.epochs.count + stop, in: folder.path("stopped"))
    let then = try #require(stopped)
    #expect(then.progress.optimizerSteps != end.progress.optimizerSteps)
    #expect(Self.bits(run.last) == Self.bits(whole.last) && Self.bits(run.best) == Self.bits(whole.best))
    #expect(found.order == end.order && found.order != Array(0..<14))
    #expect(found.moments.map(\.name) == end.moments.map(\.name) && end.moments.count == 3 * 10)
    for (one, other) in zip(found.moments, end.moments) { #expect(try one.bytes() == other.bytes(), "\(one.name)") }
    // Random state, phase (the steps of each parameter), plateau, best epoch, records with their rates and norms.
    #expect(Self.timeless(found) == Self.timeless(end))
    // Both ended for want of patience, which was running out at the last stops.
    #expect(stop > 0 || then.epochs.count > then.progress.bestEpoch)
    guard case .noImprovement = whole.ending else {
      Issue.record("\(whole.ending)")
      return
    }
    #expect(run.ending == whole.ending && run.epochs.count == whole.epochs.count)
  }

  // MARK: - 5

  @Test(
    "5. The best weights are kept rather than the last, the pretrained ones included, and validated before step 1",
    arguments: [0, 3, 8])
  func theBestIsKept(_ best: Int) throws {
    // One number that walks by 0.125 with every epoch; the validation loss is best where it passes `best`.
    let model = try FineTunerTests.oneNumber(0)
    let goal = Float(best) * 0.125
    let validation = try FineTunerTests.goal(goal)
    let tuner = FineTuner(
      try FreezePlan(model, freezing: ["*"], unfreezing: ["head.0.bias"]), optimizer: .sgd(learningRate: 0.125),
      loss: .meanAbsoluteError, options: .init(epochs: 8, clipNorm: nil))
    let folder = try TemporaryFolder()
    let record = try RunFolder(folder.path("run"))
    var (baseline, steps) = (Metrics?.none, 0)
    let run = try tuner.fit(model, FineTunerTests.goal(100), validation: validation) { event in
      try record.record(event)
      if case .step = event { steps += 1 }
      if case .start(let metrics) = event {
        #expect(steps == 0)
        baseline = metrics
      }
    }
    func loss(_ file: String) throws -> Double {
      try Evaluator(Network(LSTMModel(Checkpoint(path: record.file(file)))), loss: .meanAbsoluteError)
        .evaluate(validation).loss
    }
    #expect(steps == 8 && baseline?.loss == Double(goal))
    #expect(run.bestEpoch == best && run.best["head.0.bias"]?.values == [goal])
    #expect(try loss("best.h5") == 0)
    #expect(try loss("last.h5") == Double(1 - goal))
  }

  // MARK: - 8

  @Test("8. A loss that is no longer a number stops the run with the reason, and the last good state is kept")
  func notANumberStops() throws {
    let model = try FineTunerTests.oneNumber(0)
    let tuner = FineTuner(
      try FreezePlan(model, freezing: ["*"], unfreezing: ["head.0.bias"]), optimizer: .sgd(learningRate: 1e30),
      options: .init(epochs: 5, clipNorm: nil))
    let folder = try TemporaryFolder()
    let record = try RunFolder(folder.path("run"))
    var good: LSTMModel?
    // The first step flings the number to 2e30, whose square is none.
    let said = message {
      _ = try tuner.fit(model, FineTunerTests.goal(1)) { event in
        if case .weights(let model, _, _) = event { good = model }
        try record.record(event)
      }
    }
    #expect(said == "stopped in epoch 2, step 1: the loss is inf")
    for file in ["last.h5", "best.h5"] {
      let kept = try LSTMModel(Checkpoint(path: record.file(file)))
      let values = allValues(kept).values.flatMap(\.self)
      #expect(values.allSatisfy { $0.isFinite }, "\(file)")
      #expect(Self.bits(kept) == Self.bits(try #require(good)), "\(file)")
    }
    #expect(try #require(try ResumePoint(run: record.path)).state.epochs.count == 1)
  }

  @Test("8. A loss that runs away stops the run with the reason, and the best model is kept")
  func divergenceStops() throws {
    // At this rate the distance to the goal grows fivefold with every step, the loss 25 times.
    let model = try FineTunerTests.oneNumber(0)
    let tuner = FineTuner(
      try FreezePlan(model, freezing: ["*"], unfreezing: ["head.0.bias"]), optimizer: .sgd(learningRate: 3),
      options: .init(epochs: 50, clipNorm: nil))
    let data = try FineTunerTests.goal(1)
    let run = try tuner.fit(model, data, validation: data)
    #expect(run.ending == .diverging(epoch: 1, loss: 25, best: 1))
    #expect(run.bestEpoch == 0 && Self.bits(run.best) == Self.bits(model))
  }

  // MARK: - 9

  @Test("8. A model that says the same of everything stops the run with the reason, and the best model is kept")
  func collapseStops() throws {
    let (model, data) = (try CollapseTests.learned(), try CollapseTests.signs(60, seed: 1))
    let tuner = FineTuner(
      try FreezePlan(model), optimizer: CollapseTests.ruin, loss: .crossEntropy,
      options: .init(epochs: 50, batchSize: 10))
    let run = try tuner.fit(model, data, validation: data)
    #expect(run.ending == .collapsed(sinceEpoch: run.epochs.count - 1) && run.epochs.count < 50)
    #expect(run.bestEpoch < run.epochs.count - 1)
    let kept = try Evaluator(Network(run.best), loss: .crossEntropy).evaluate(data)
    #expect(kept.loss <= run.baseline.loss)
  }

  @Test("9. A sequence begins at zero whatever was read before it; a stream goes on, until its mark")
  func stateIsCarriedWhereItIsAskedFor() throws {
    let model = featureModel(1, layers: [.init(hiddenSize: 6)], readout: .all)
    let values = noise(12, seed: 3)
    func sequences(_ steps: Int) throws -> SequenceData {
      try SequenceData(
        inputs: .features(values, steps: steps, size: 1), targets: .values(values, size: 1, perStep: true))
    }
    let evaluator = Evaluator(Network(model), loss: .meanSquaredError, batchSize: 1)
    // Three sequences one after the other, and each alone.
    let three = try evaluator.evaluate(sequences(4)).loss
    let alone = try (0..<3).map { try evaluator.evaluate(sequences(4).selecting([$0])).loss }
    #expect(abs(three - alone.reduce(0, +) / 3) < 1e-9)
    // The same twelve steps as one stream in the same pieces.
    let whole = try evaluator.evaluate(sequences(12)).loss
    let streamed = try evaluator.evaluate(StreamData(sequences(12), chunkSteps: 4)).loss
    #expect(abs(streamed - whole) < 1e-7 && abs(whole - three) > 1e-5)
    // With marks where the sequences begin, the state is zero there, whatever the chunks are.
    let marks = (0..<12).map { $0 % 4 == 0 }
    let marked = try evaluator.evaluate(StreamData(sequences(12), chunkSteps: 5, resets: marks)).loss
    #expect(abs(marked - three) < 1e-7)
  }

  @Test(
    "9. Padded steps neither compute nor count: whatever lies in them changes no bit",
    arguments: PlainStack.Readout.allCases, [true, false])
  func paddingIsNothing(_ readout: PlainStack.Readout, _ isTokens: Bool) throws {
    let (count, steps, outputs) = (7, 5, 3)
    let lengths = [5, 1, 3, 2, 5, 4, 1]
    let perStep = readout == .all
    let model = LSTMModel(
      ModelConfiguration(
        input: isTokens ? .tokens(vocabulary: 6, size: 2) : .features(size: 2),
        layers: [.init(hiddenSize: 5, isBidirectional: true), .init(hiddenSize: 4)], readout: readout,
        head: [.init(size: outputs)]), seed: 5)
    func isPadding(_ row: Int) -> Bool { row % steps >= lengths[row / steps] }
    func data(garbage: Float?) throws -> SequenceData {
      var features = noise(count * steps * 2, seed: 1)
      var tokens = (0..<count * steps).map { Int32($0 * 7 % 6) }
      var targets = noise(count * (perStep ? steps : 1) * outputs, seed: 2)
      if let garbage {
        for row in 0..<count * steps where isPadding(row) {
          for column in 0..<2 { features[row * 2 + column] = garbage }
          tokens[row] = garbage.isNaN ? .max : 1
          if perStep { for column in 0..<outputs { targets[row * outputs + column] = garbage } }
        }
      }
      return try SequenceData(
        inputs: isTokens ? .tokens(tokens, steps: steps) : .features(features, steps: steps, size: 2),
        targets: .values(targets, size: outputs, perStep: perStep), lengths: lengths)
    }
    func trained(_ data: SequenceData) throws -> (weights: [String: [UInt32]], numbers: [Double]) {
      var numbers: [Double] = []
      let tuner = FineTuner(
        try FreezePlan(model), optimizer: .adam(learningRate: 0.02), options: .init(epochs: 3, batchSize: 3))
      let run = try tuner.fit(model, data, validation: data) { event in
        if case .step(let step) = event { numbers += [step.loss, step.gradientNorm] }
        if case .epoch(let record) = event { numbers += [record.trainingLoss, record.validation?.loss ?? -1] }
      }
      return (Self.bits(run.last), numbers)
    }
    let clean = try trained(data(garbage: nil))
    #expect(clean.numbers.count == 3 * (3 * 2 + 2) && clean.numbers.allSatisfy { $0 > 0 })
    for garbage: Float in [.nan, 1e30, -7] {
      let padded = try trained(data(garbage: garbage))
      #expect(padded.weights == clean.weights && padded.numbers == clean.numbers, "\(garbage)")
    }
    // The loss is the mean over the valid steps, each sequence taken alone.
    guard perStep, !isTokens, case .features(let x, _, _) = try data(garbage: nil).inputs,
      case .values(let y, _, _) = try data(garbage: nil).targets
    else { return }
    var sum = 0.0
    for example in 0..<count {
      let values = x[example * steps * 2..<(example * steps + lengths[example]) * 2]
      let alone = try model(Tensor(shape: [1, lengths[example], 2], values: Array(values))).output.values
      for (place, value) in alone.enumerated() { sum += pow(Double(value - y[example * steps * outputs + place]), 2) }
    }
    let loss = try Evaluator(Network(model), loss: .meanSquaredError).evaluate(data(garbage: .nan)).loss
    #expect(abs(loss - sum / Double(lengths.reduce(0, +) * outputs)) <= 1e-6 * loss)
  }
}
