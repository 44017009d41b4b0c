import FileIO
import LSTMCheckpoints
import LSTMLayers

extension FineTuner {
  /// Trains a copy of the model; the model itself is a value and stays as it was.
  ///
  /// Streams are trained by truncated backpropagation through time: chunk after chunk in their order, an optimizer step
  /// each, with the LSTM's states carried from one to the next, and zero again at the beginning of every epoch. The batch
  /// size and the shuffling of the options are for sequences and do nothing there.
  /// - Parameters:
  ///   - data: sequences or streams to train on.
  ///   - validation: of the same kind; nil for none.
  ///   - targetScaler: to give errors in the data's own units.
  ///   - point: where a run with the same model, data and options left off; it goes on from there, bit for bit as if it
  ///     had never stopped.
  ///   - events: called on this thread, in order.
  /// - Throws: `FineTuningError.diverged` at the first loss or gradient that is not finite, before it reaches the
  ///   weights; `FineTuningError.invalidOption` when options or data do not go together; `ShapeError` when the data does
  ///   not fit the model, as streams do not fit one with a layer that runs in reverse; `CheckpointError.corrupt` when
  ///   `point` is of another run; whatever `events` throws.
  public func fit(
    _ model: LSTMModel, _ data: some ExamplesConvertible, validation: (any ExamplesConvertible)? = nil,
    targetScaler: Scaler? = nil, kernels: Kernels = .best, resuming point: ResumePoint? = nil,
    events: (Event) throws -> Void = { _ in }
  ) throws -> Run {
    let validation = try validation?.examples.hiding(model.configuration)
    switch (try data.examples.hiding(model.configuration), validation) {
    case (.sequences(let data), nil): return try fit(rows: data, model, nil, targetScaler, kernels, point, events)
    case (.sequences(let data), .sequences(let validation)):
      return try fit(rows: data, model, validation, targetScaler, kernels, point, events)
    case (.streams(let data), nil): return try fit(rows: data, model, nil, targetScaler, kernels, point, events)
    case (.streams(let data), .streams(let validation)):
      return try fit(rows: data, model, validation, targetScaler, kernels, point, events)
    case (.sequences, .streams), (.streams, .sequences):
      throw FineTuningError.invalidOption("the validation data is not of the training data's kind", advice: [])
    }
  }

  private func fit<Rows: ExampleRows>(
    rows data: Rows, _ model: LSTMModel, _ validation: Rows?, _ targetScaler: Scaler?, _ kernels: Kernels,
    _ point: ResumePoint?, _ events: (Event) throws -> Void
  ) throws -> Run {
    try check(model, data, validation)
    for part in [data, validation] { try (part as? SequenceData)?.check(model.configuration) }
    try options.regularization.validate()
    let loop = try Loop(self, model, data, validation, targetScaler, kernels, point, events)
    let run = loop.run(try loop.train(events))
    try events(.end(run))
    return run
  }
}

/// A run while it goes.
private final class Loop<Rows: ExampleRows> {
  private let tuner: FineTuner
  private let model: LSTMModel
  private let data: Rows
  private let validation: Rows?
  private let stepper: Stepper
  private let evaluator: Evaluator
  private let caches: (training: PrefixCache?, validation: PrefixCache?)
  /// An epoch's, as places in the order of its examples.
  private let batches: [Range<Int>]
  /// The states of streams between two chunks.
  private let carried: CarriedState?
  private let groups: [FreezePlan.Group]
  private let clock = ContinuousClock()
  private let began: ContinuousClock.Instant
  private let secondsBefore: Double
  /// Of the validation data, or of the training data without it.
  private let constantPredictionLoss: Double

  private var progress: TrainingState.Progress
  private var order: [Int]
  private var random: RandomNumbers
  private var best: LSTMModel
  private var last: LSTMModel
  private var bestLoss: Double
  private var savedAt: ContinuousClock.Instant

  init(
    _ tuner: FineTuner, _ model: LSTMModel, _ data: Rows, _ validation: Rows?, _ targetScaler: Scaler?,
    _ kernels: Kernels, _ point: ResumePoint?, _ events: (FineTuner.Event) throws -> Void
  ) throws {
    self.tuner = tuner
    self.model = model
    self.data = data
    self.validation = validation
    began = clock.now
    savedAt = began
    let options = tuner.options
    let network = Network(model, kernels: kernels)
    caches = try tuner.makeCaches(network, data, validation, events)
    stepper = try Stepper(tuner, network, kernels)
    evaluator = try Evaluator(
      network, objective: tuner.objective, targetScaler: targetScaler, scalers: model.preprocessing.scalers ?? [:],
      batchSize: max(options.batchSize, 64))
    batches = data.batches(of: min(options.batchSize, data.count))
    carried = try data.makeCarriedState(model.configuration)
    groups = tuner.plan.groups
    constantPredictionLoss = (validation ?? data).constantPredictionLoss(tuner.objective)

    if let point {
      let state = point.state
      guard state.order.count == data.count, state.progress.squareSums.count == groups.count,
        state.progress.step <= batches.count
      else {
        throw CheckpointError.corrupt(tensor: "training/state", detail: "it is the state of a run on other data")
      }
      progress = state.progress
      order = state.order
      let r = progress.random
      random = RandomNumbers(state: (r[0], r[1], r[2], r[3]))
      try stepper.restore(state.moments, steps: progress.optimizerSteps)
      try carried.map { try state.restore($0) }
      let weights = model.parameters.copy()
      best = model
      if progress.bestEpoch > 0 {
        try ResumePoint.load(point.best, into: weights)
        best = model.replacing(weights: weights, changed: tuner.plan.trainable)
      }
      try ResumePoint.load(point.last, into: network.weights)
      network.weightsChanged()
      last = model.replacing(weights: network.weights, changed: tuner.plan.trainable)
      secondsBefore = progress.seconds
    } else {
      let (baseline, spread) =
        try validation.map { [evaluator, caches] in try evaluator.measure($0, caches.validation) }
        ?? (evaluator.evaluate(data, caches.training), evaluator.spread(data, caches.training))
      random = RandomNumbers(seed: options.seed)
      order = Array(0..<data.count)
      (best, last) = (model, model)
      secondsBefore = 0
      progress = TrainingState.Progress(
        epoch: 1, step: 0, random: random.words, squareSums: groups.map { _ in 0 }, baseline: baseline,
        spreads: [spread], optimizerSteps: stepper.optimizerSteps)
    }
    let known = progress
    let bestLoss = known.epochs.last { $0.number == known.bestEpoch }?.validation?.loss ?? known.baseline.loss
    self.bestLoss = bestLoss.isFinite ? bestLoss : .infinity
    if point == nil {
      try events(.start(progress.baseline))
      try showSample(of: model, epoch: 0, events)
      try events(.weights(model, state, isBest: true))
    }
  }

  private var state: TrainingState {
    var progress = progress
    progress.random = random.words
    progress.optimizerSteps = stepper.optimizerSteps
    progress.seconds = secondsBefore + (clock.now - began).seconds
    return TrainingState(progress: progress, order: order, moments: stepper.stateTensors, carried: carried)
  }

  func run(_ ending: FineTuner.Ending) -> FineTuner.Run {
    FineTuner.Run(
      best: best, last: last, bestEpoch: progress.bestEpoch, baseline: progress.baseline, epochs: progress.epochs,
      ending: ending, failure: tuner.options.stopsOnFailure ? nil : divergence ?? collapse,
      seconds: secondsBefore + (clock.now - began).seconds)
  }

  func train(_ events: (FineTuner.Event) throws -> Void) throws -> FineTuner.Ending {
    while progress.epoch <= tuner.options.epochs {
      if validation != nil, let patience = tuner.options.patience, progress.epoch - 1 - progress.bestEpoch >= patience {
        return .noImprovement(sinceEpoch: progress.bestEpoch)
      }
      if tuner.options.stopsOnFailure, let ending = divergence ?? collapse { return ending }
      guard try trainEpoch(events) else { return .interrupted }
    }
    return .finished
  }

  /// A run that diverges although every number in it is finite: its loss is also above the start's and above that of a
  /// constant prediction, so that a good start may be left for a while. By the validation loss, or by the training loss
  /// without validation data.
  private var divergence: FineTuner.Ending? {
    guard let record = progress.epochs.last else { return nil }
    func loss(_ record: Epoch) -> Double { record.validation?.loss ?? record.trainingLoss }
    let start = progress.baseline.loss
    let best = progress.epochs.reduce(start.isFinite ? start : .infinity) { min($0, loss($1)) }
    guard best > 0, loss(record) > 10 * best, loss(record) > constantPredictionLoss,
      !start.isFinite || loss(record) > start
    else { return nil }
    return .diverging(epoch: record.number, loss: loss(record), best: best)
  }

  /// A model whose outputs are nearly constant twice in a row, compared with those of its best epoch. Where the best ones
  /// are constant, too, as on pure noise, there is nothing to collapse.
  private var collapse: FineTuner.Ending? {
    guard progress.spreads.count > 2, progress.spreads.suffix(2).allSatisfy(isCollapsed) else { return nil }
    return .collapsed(sinceEpoch: progress.epoch - 2)
  }

  /// Whether outputs are nearly constant, compared with those of the best epoch so far.
  private func isCollapsed(_ spread: Double) -> Bool {
    let start = progress.baseline.loss
    var (best, healthy) = (start.isFinite ? start : .infinity, progress.spreads[0])
    for (record, spread) in zip(progress.epochs, progress.spreads.dropFirst()) {
      let loss = record.validation?.loss ?? record.trainingLoss
      if loss < best { (best, healthy) = (loss, spread) }
    }
    return spread < 1e-2 * healthy
  }

  /// Runs the rest of the current epoch.
  /// - Returns: false when the run was interrupted before its end.
  private func trainEpoch(_ events: (FineTuner.Event) throws -> Void) throws -> Bool {
    let epochBegan = clock.now
    let firstStep = progress.step
    if progress.step == 0 {
      // Streams have an order of their own.
      if let carried { carried.reset() } else if tuner.options.shuffles { order.shuffle(using: &random) }
    }
    while progress.step < steps {
      try step(events)
      if tuner.shouldStop() {
        last = try stepper.weights(in: model, epoch: progress.epoch, step: progress.step)
        try events(.weights(last, state, isBest: false))
        return false
      }
      if let interval = tuner.options.saveInterval, progress.step < steps, (clock.now - savedAt).seconds >= interval {
        let weights = try stepper.weights(in: model, epoch: progress.epoch, step: progress.step)
        try events(.weights(weights, state, isBest: false))
        savedAt = clock.now
      }
    }
    let seconds = (clock.now - epochBegan).seconds
    try finishEpoch(trainingSeconds: seconds, stepsHere: steps - firstStep, epochBegan, events)
    return true
  }

  /// In an epoch.
  private var steps: Int { batches.count }

  /// Of the run; `epochs` may be very large, to train until interrupted.
  private var allSteps: Int {
    let (product, isTooMany) = tuner.options.epochs.multipliedReportingOverflow(by: steps)
    return isTooMany ? .max : product
  }

  private func step(_ events: (FineTuner.Event) throws -> Void) throws {
    let (epoch, step) = (progress.epoch, progress.step + 1)
    let factors = tuner.schedule.factors(
      step: (epoch - 1) * steps + step - 1, of: allSteps, epoch: epoch - 1,
      plateau: progress.plateau.factor)
    let done = try stepper.step(
      data, cache: caches.training, order[batches[step - 1]], .init(epoch: epoch, step: step, factors: factors),
      carrying: carried)
    progress.step = step
    guard let (value, norm, rate) = done else { return }
    progress.lossSum += value.sum
    progress.lossWeight += value.weight
    progress.normSum += norm
    progress.stepsTaken += 1
    for (place, group) in groups.enumerated() {
      for index in group.members { progress.squareSums[place] += stepper.squares[index] }
    }
    progress.learningRate = rate
    if step == steps { progress.gateNorms = stepper.gateNorms(epoch: epoch) }
    try events(
      .step(
        .init(epoch: epoch, number: step, count: steps, loss: value.mean, learningRate: rate, gradientNorm: norm)))
  }

  private func showSample(of model: LSTMModel, epoch: Int, _ events: (FineTuner.Event) throws -> Void) throws {
    guard let sample = try tuner.sampling?(model) else { return }
    try events(.sample(sample, epoch: epoch))
  }

  private func finishEpoch(
    trainingSeconds: Double, stepsHere: Int, _ began: ContinuousClock.Instant,
    _ events: (FineTuner.Event) throws -> Void
  ) throws {
    let epoch = progress.epoch
    let measured = try validation.map { try evaluator.measure($0, caches.validation) }
    let metrics = measured?.metrics
    if let metrics, !metrics.loss.isFinite {
      throw FineTuningError.diverged(epoch: epoch, step: steps, detail: "the validation loss is \(plain(metrics.loss))")
    }
    guard progress.stepsTaken > 0 || epoch > 1 else {
      throw FineTuningError.invalidOption(
        "no target of the training data counts: every one is ignored or weighs nothing",
        advice: ["look at the labels, \(SequenceData.ignored) is ignored, and at \(.classWeights)"])
    }
    let trains = tuner.plan.phases[tuner.plan.phase(ofEpoch: epoch)].trainable
    var norms: [String: Double] = [:]
    for (place, group) in groups.enumerated() where group.members.contains(where: { trains[$0] }) {
      norms[group.name] = (progress.squareSums[place] / Double(max(progress.stepsTaken, 1))).squareRoot()
    }
    let sequences = Double(batches.suffix(stepsHere).reduce(0) { $0 + $1.count })
    let trainingLoss = progress.lossWeight == 0 ? 0 : progress.lossSum / progress.lossWeight
    var record = Epoch(
      number: epoch, trainingLoss: trainingLoss, validation: metrics,
      learningRate: progress.learningRate, gradientNorm: progress.normSum / Double(max(progress.stepsTaken, 1)),
      gradientNorms: norms,
      gateGradientNorms: progress.gateNorms,
      seconds: (clock.now - began).seconds, sequencesPerSecond: sequences / max(trainingSeconds, 1e-9), isBest: false)
    last = try stepper.weights(in: model, epoch: epoch, step: steps)
    progress.spreads.append(try measured?.spread ?? evaluator.spread(data, caches.training))
    progress.epochs.append(record)
    // Without validation data every epoch is the best so far, unless the run has diverged or collapsed.
    record.isBest = metrics.map { $0.loss < bestLoss } ?? (divergence == nil && !isCollapsed(progress.spreads[epoch]))
    progress.epochs[epoch - 1].isBest = record.isBest
    if record.isBest {
      bestLoss = metrics?.loss ?? bestLoss
      best = last
      progress.bestEpoch = epoch
    }
    if let metrics { progress.plateau.observe(metrics.loss, tuner.schedule) }
    progress.epoch += 1
    progress.step = 0
    (progress.lossSum, progress.lossWeight, progress.normSum, progress.stepsTaken) = (0, 0, 0, 0)
    progress.squareSums = groups.map { _ in 0 }
    progress.gateNorms = [:]
    try events(.epoch(record))
    try showSample(of: last, epoch: epoch, events)
    try events(.weights(last, state, isBest: record.isBest))
    savedAt = clock.now
  }
}

extension RandomNumbers {
  fileprivate var words: [UInt64] { [state.0, state.1, state.2, state.3] }
}

extension Duration {
  fileprivate var seconds: Double { self / .seconds(1) }
}
