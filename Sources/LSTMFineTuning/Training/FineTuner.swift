import LSTMCheckpoints
import LSTMLayers

/// The fine-tuning loop: mini-batches, clipping, one optimiser step each, validation after every epoch, the best
/// weights kept.
///
///     let plan = try FreezePlan(model, freezing: ["layer0"])
///     let run = try FineTuner(plan, optimiser: .adam(learningRate: 1e-3)).fit(model, data) { event in ... }
///     try Checkpoint(run.best).write(to: url, as: .pytorchHDF5)
public struct FineTuner: Sendable {
  public struct Options: Sendable, Equatable {
    public var epochs = 10
    public var batchSize = 32
    /// Largest global norm of the trainable gradients, above 0; nil for no clipping.
    public var clipNorm: Double? = 1
    public var shuffles = true
    /// Stops after so many epochs in a row, at least 1, without a validation loss better than the best so far, the
    /// pretrained model's included; nil to run them all.
    public var patience: Int?
    public var seed: UInt64 = 0
    /// What the frozen bottom of the model gives for each example is computed once and kept. Results are the same bits
    /// with and without.
    public var caching = Caching()
    /// Acts in training passes alone: losses of validation data are those of the whole network.
    public var regularisation = Regularisation()

    public init(
      epochs: Int = 10, batchSize: Int = 32, clipNorm: Double? = 1, shuffles: Bool = true, patience: Int? = nil,
      seed: UInt64 = 0, caching: Caching = Caching(), regularisation: Regularisation = Regularisation()
    ) {
      self.epochs = epochs
      self.batchSize = batchSize
      self.clipNorm = clipNorm
      self.shuffles = shuffles
      self.patience = patience
      self.seed = seed
      self.caching = caching
      self.regularisation = regularisation
    }
  }

  /// Something that happened. Losses are means; norms are global, over trainable gradients, before clipping.
  public enum Event: Sendable {
    /// Where the outputs of the frozen bottom of the model are about to be kept, before anything is computed; a second
    /// time, with `.nowhere`, should the file turn out not to hold them. Not sent when nothing is worth keeping.
    case cache(Cache)
    /// The pretrained model, before the first step.
    case start(Metrics)
    /// A step done, from 1. A batch in which no target counts takes none.
    case step(epoch: Int, step: Int, steps: Int, loss: Double, learningRate: Double, gradientNorm: Double)
    case epoch(Epoch)
    /// The weights after an epoch, or after the step at which a run was interrupted, and whether they are the best so
    /// far. Epoch 0 is the pretrained model, so that whoever keeps the best has one from the start.
    case weights(LSTMModel, epoch: Int, isBest: Bool)
  }

  public struct Epoch: Sendable, Codable, Equatable {
    /// From 1.
    public var epoch: Int
    public var trainingLoss: Double
    public var validation: Metrics?
    public var learningRate: Double
    /// The mean over the epoch's steps.
    public var gradientNorm: Double
    /// With validation.
    public var seconds: Double
    /// Without it.
    public var sequencesPerSecond: Double
    public var isBest: Bool
  }

  public enum Ending: Sendable, Equatable {
    case finished
    /// No better validation loss for `patience` epochs.
    case noImprovement(sinceEpoch: Int)
    /// The caller asked for it; the step was finished.
    case interrupted
  }

  public struct Run: Sendable {
    /// The model of the best validation loss, the pretrained one included; the last one without validation data.
    public var best: LSTMModel
    public var last: LSTMModel
    /// 0 is the pretrained model.
    public var bestEpoch: Int
    public var baseline: Metrics
    public var epochs: [Epoch]
    public var ending: Ending
    public var seconds: Double
  }

  public let plan: FreezePlan
  public let optimiser: OptimiserRule
  public let loss: Loss
  public var options: Options
  /// Asked after every step; true ends the run, with the step done.
  public var shouldStop: @Sendable () -> Bool = { false }

  public init(
    _ plan: FreezePlan, optimiser: OptimiserRule = .adam(), loss: Loss = .meanSquaredError, options: Options = Options()
  ) {
    self.plan = plan
    self.optimiser = optimiser
    self.loss = loss
    self.options = options
  }

  /// Trains a copy of the model; the model itself is a value and stays as it was.
  /// - Parameters:
  ///   - targetScaler: to give errors in the data's own units.
  ///   - events: called on this thread, in order.
  /// - Throws: `FineTuningError.diverged` at the first loss or gradient that is not finite, before it reaches the
  ///   weights; `ShapeError` when the data does not fit the model; whatever `events` throws.
  public func fit(
    _ model: LSTMModel, _ data: SequenceData, validation: SequenceData? = nil, targetScaler: Scaler? = nil,
    kernels: Kernels = .best, events: (Event) throws -> Void = { _ in }
  ) throws -> Run {
    try check(model, data, validation)
    try options.regularisation.validate()
    let clock = ContinuousClock()
    let began = clock.now
    let network = Network(model, kernels: kernels)
    let caches = try makeCaches(network, data, validation, events)
    let stepper = Stepper(self, network, kernels)
    let evaluator = Evaluator(network, loss: loss, targetScaler: targetScaler, batchSize: max(options.batchSize, 64))
    let batchSize = min(options.batchSize, data.count)
    let steps = (data.count + batchSize - 1) / batchSize

    let baseline =
      try validation.map { try evaluator.evaluate($0, caches.validation) } ?? evaluator.evaluate(data, caches.training)
    try events(.start(baseline))
    try events(.weights(model, epoch: 0, isBest: true))
    var run = Run(
      best: model, last: model, bestEpoch: 0, baseline: baseline, epochs: [], ending: .finished, seconds: 0)
    var bestLoss = baseline.loss.isFinite ? baseline.loss : .infinity
    var order = Array(0..<data.count)
    var random = RandomNumbers(seed: options.seed)

    training: for epoch in stride(from: 1, through: options.epochs, by: 1) {
      let epochBegan = clock.now
      if options.shuffles { order.shuffle(using: &random) }
      var (lossSum, lossWeight, normSum, stepsTaken) = (0.0, 0.0, 0.0, 0)
      for step in 1...steps {
        let examples = order[(step - 1) * batchSize..<min(step * batchSize, data.count)]
        if let (value, norm) = try stepper.step(data, cache: caches.training, examples, epoch: epoch, step: step) {
          lossSum += value.sum
          lossWeight += value.weight
          normSum += norm
          stepsTaken += 1
          try events(
            .step(
              epoch: epoch, step: step, steps: steps, loss: value.mean, learningRate: optimiser.learningRate,
              gradientNorm: norm))
        }
        if shouldStop() {
          run.ending = .interrupted
          run.last = try stepper.weights(in: model, epoch: epoch, step: step)
          try events(.weights(run.last, epoch: epoch, isBest: false))
          break training
        }
      }
      let seconds = (clock.now - epochBegan).seconds
      let metrics = try validation.map { try evaluator.evaluate($0, caches.validation) }
      if let metrics, !metrics.loss.isFinite {
        throw FineTuningError.diverged(
          epoch: epoch, step: steps, detail: "the validation loss is \(plain(metrics.loss))")
      }
      let isBest = metrics.map { $0.loss < bestLoss } ?? true
      let record = Epoch(
        epoch: epoch, trainingLoss: lossWeight == 0 ? 0 : lossSum / lossWeight, validation: metrics,
        learningRate: optimiser.learningRate, gradientNorm: normSum / Double(max(stepsTaken, 1)),
        seconds: (clock.now - epochBegan).seconds, sequencesPerSecond: Double(data.count) / max(seconds, 1e-9),
        isBest: isBest)
      run.epochs.append(record)
      run.last = try stepper.weights(in: model, epoch: epoch, step: steps)
      if isBest {
        bestLoss = metrics?.loss ?? bestLoss
        run.best = run.last
        run.bestEpoch = epoch
      }
      try events(.epoch(record))
      try events(.weights(run.last, epoch: epoch, isBest: isBest))
      if validation != nil, let patience = options.patience, epoch - run.bestEpoch >= patience, epoch < options.epochs {
        run.ending = .noImprovement(sinceEpoch: run.bestEpoch)
        break
      }
    }
    run.seconds = (clock.now - began).seconds
    return run
  }

  private func check(_ model: LSTMModel, _ data: SequenceData, _ validation: SequenceData?) throws(FineTuningError) {
    guard plan.parameters == model.configuration.parameters else {
      throw .invalidOption("the freeze plan was made for another model", advice: [])
    }
    guard data.count > 0 else { throw .invalidOption("there are no examples to train on", advice: []) }
    guard validation?.count != 0 else { throw .invalidOption("there are no examples to validate on", advice: []) }
    for (flag, value) in [("--batch-size", options.batchSize), ("--patience", options.patience ?? 1)] where value < 1 {
      throw .invalidOption("\(flag) \(value): expected at least 1", advice: [])
    }
    if let clipNorm = options.clipNorm, !(clipNorm > 0) {
      throw .invalidOption("--clip-norm \(clipNorm): expected a number above 0", advice: [])
    }
  }
}

extension Duration {
  fileprivate var seconds: Double { self / .seconds(1) }
}
