import Foundation
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
    /// Largest global norm of the trainable gradients; nil for no clipping.
    public var clipNorm: Double? = 1
    public var shuffles = true
    /// Epochs without a better validation loss before stopping; nil to run them all.
    public var patience: Int?
    public var seed: UInt64 = 0

    public init() {}
  }

  /// Something that happened. Losses are means; norms are global, over trainable gradients, before clipping.
  public enum Event: Sendable {
    /// The pretrained model, before the first step.
    case start(Metrics)
    case step(epoch: Int, step: Int, steps: Int, loss: Double, learningRate: Double, gradientNorm: Double)
    case epoch(Epoch)
    /// The weights after an epoch, and whether they are the best so far.
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
    public var seconds: Double
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
    try check(model, data)
    let began = Date()
    let network = Network(model, kernels: kernels)
    let updates = ParameterUpdates(kernels)
    let gradients = ParameterStore(model.configuration.parameters)
    let optimiser = Optimiser(self.optimiser, weights: network.weights, trainable: plan.trainable, kernels: kernels)
    let evaluator = Evaluator(network, loss: loss, targetScaler: targetScaler, batchSize: max(options.batchSize, 64))
    let current = { model.replacing(weights: network.weights, changed: plan.trainable) }

    let baseline = try evaluator.evaluate(validation ?? data)
    try events(.start(baseline))
    var run = Run(
      best: model, last: model, bestEpoch: 0, baseline: baseline, epochs: [], ending: .finished, seconds: 0)
    var bestLoss = baseline.loss.isFinite ? baseline.loss : .infinity
    let steps = (data.count + options.batchSize - 1) / options.batchSize
    var order = Array(0..<data.count)
    var random = RandomNumbers(seed: options.seed)

    for epoch in 1...max(options.epochs, 1) where options.epochs > 0 {
      let epochBegan = Date()
      if options.shuffles { order.shuffle(using: &random) }
      var (lossSum, lossCount, normSum) = (0.0, 0, 0.0)
      for step in 0..<steps {
        let examples = order[step * options.batchSize..<min((step + 1) * options.batchSize, data.count)]
        let output = try network.forward(data.batch(examples), output: loss.outputForm)
        let value = loss.evaluate(output, data.targetBatch(examples), lengths: data.lengthBatch(examples))
        guard value.mean.isFinite else {
          throw FineTuningError.diverged(epoch: epoch, step: step + 1, detail: "the loss is \(value.mean)")
        }
        gradients.zero()
        try network.backward(value.gradient, into: gradients, trainable: plan.trainable)
        let norm = updates.norm(gradients, where: plan.trainable)
        guard norm.isFinite else {
          throw FineTuningError.diverged(epoch: epoch, step: step + 1, detail: "the gradient's norm is \(norm)")
        }
        if let limit = options.clipNorm, limit / (norm + 1e-6) < 1 {
          updates.scale(gradients, by: Float(limit / (norm + 1e-6)), where: plan.trainable)
        }
        optimiser.step(network.weights, gradients)
        network.weightsChanged()
        lossSum += value.sum
        lossCount += value.count
        normSum += norm
        try events(
          .step(
            epoch: epoch, step: step + 1, steps: steps, loss: value.mean, learningRate: self.optimiser.learningRate,
            gradientNorm: norm))
        if shouldStop() {
          run.ending = .interrupted
          break
        }
      }
      if run.ending == .interrupted { break }
      let metrics = try validation.map(evaluator.evaluate)
      if let metrics, !metrics.loss.isFinite {
        throw FineTuningError.diverged(epoch: epoch, step: steps, detail: "the validation loss is \(metrics.loss)")
      }
      let isBest = metrics.map { $0.loss < bestLoss } ?? true
      let seconds = Date().timeIntervalSince(epochBegan)
      let record = Epoch(
        epoch: epoch, trainingLoss: lossSum / Double(max(lossCount, 1)), validation: metrics,
        learningRate: self.optimiser.learningRate, gradientNorm: normSum / Double(max(steps, 1)), seconds: seconds,
        sequencesPerSecond: Double(data.count) / max(seconds, 1e-9), isBest: isBest)
      run.epochs.append(record)
      run.last = current()
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
    if run.ending == .interrupted {
      run.last = current()
      try events(.weights(run.last, epoch: run.epochs.count + 1, isBest: false))
    }
    run.seconds = Date().timeIntervalSince(began)
    return run
  }

  private func check(_ model: LSTMModel, _ data: SequenceData) throws {
    guard plan.parameters == model.configuration.parameters else {
      throw FineTuningError.invalidOption("the freeze plan was made for another model", advice: [])
    }
    guard data.count > 0 else { throw FineTuningError.invalidOption("there are no examples to train on", advice: []) }
    guard options.batchSize > 0 else {
      throw FineTuningError.invalidOption("--batch-size \(options.batchSize): expected at least 1", advice: [])
    }
  }
}
