import FileIO
import LSTMCheckpoints
import LSTMLayers

/// The fine-tuning loop: mini-batches, clipping, one optimizer step each, validation after every epoch, the best
/// weights kept.
///
///     let plan = try FreezePlan(model, freezing: ["layer0"])
///     let run = try FineTuner(plan, optimizer: .adam(learningRate: 1e-3)).fit(model, data) { event in ... }
///     try run.best.write(path: "finetuned.h5", as: .pytorchHDF5)
public struct FineTuner: Sendable {
  /// How to train; the defaults are those of the command line.
  public struct Options: Sendable, Equatable, Codable {
    /// Passes over the training data.
    public var epochs = 10
    /// Sequences of an optimizer step.
    public var batchSize = 32
    /// Largest global norm of the trainable gradients, above 0; nil for no clipping.
    public var clipNorm: Double? = 1
    /// Whether each epoch takes the examples in an order of its own, drawn by `seed`.
    public var shuffles = true
    /// Stops after so many epochs in a row, at least 1, without a validation loss better than the best so far, the
    /// pretrained model's included; nil to run them all.
    public var patience: Int?
    /// Whether a run ends when training fails although every number is finite: the loss diverges, or the outputs have
    /// collapsed to a constant. Otherwise it goes on, and `Run.failure` holds the failure.
    public var stopsOnFailure = true
    /// Of the order of examples and of everything that regularization drops.
    public var seed: UInt64 = 0
    /// How the learning rates move; nil for the recipe's own.
    public var schedule: Schedule?
    /// Whether the weight decay is for biases, too, as in torch.optim when it is given all parameters.
    public var decaysBiases = true
    /// The weights and the state are handed over (`Event.weights`) within an epoch, too, after so many seconds.
    public var saveInterval: Double?
    /// Outputs of frozen layers are cached for each example. Results are the same bits
    /// with and without.
    public var cache = CachePolicy()
    /// Acts in training passes alone: losses of validation data are those of the whole network.
    public var regularization = Regularization()

    /// The command line's defaults unless given.
    public init(
      epochs: Int = 10, batchSize: Int = 32, clipNorm: Double? = 1, shuffles: Bool = true, patience: Int? = nil,
      seed: UInt64 = 0, schedule: Schedule? = nil, decaysBiases: Bool = true, saveInterval: Double? = nil,
      cache: CachePolicy = CachePolicy(), regularization: Regularization = Regularization()
    ) {
      self.epochs = epochs
      self.batchSize = batchSize
      self.clipNorm = clipNorm
      self.shuffles = shuffles
      self.patience = patience
      self.seed = seed
      self.schedule = schedule
      self.decaysBiases = decaysBiases
      self.saveInterval = saveInterval
      self.cache = cache
      self.regularization = regularization
    }
  }

  /// What is reported of a run. Losses are means; norms are global, over trainable gradients, before clipping.
  public enum Event: Sendable {
    /// Where outputs of frozen layers are about to be cached, before anything is computed; a second
    /// time, with `.nowhere`, should the file turn out not to hold them. Not sent when nothing is worth keeping.
    case cache(CacheUsage)
    /// The pretrained model, before the first step.
    case start(Metrics)
    /// A step done. A batch in which no target counts takes none.
    case step(Step)
    /// An epoch done, its validation included.
    case epoch(Epoch)
    /// A sample of the model's output at the end of an epoch, 0 for the pretrained model; only with `sampling`.
    case sample(Sample, epoch: Int)
    /// The weights before the first step, after an epoch, now and then within one, and after the step at which a run was
    /// interrupted; whether they are the best so far; and what it takes to go on from there. The pretrained model is the
    /// first best one.
    case weights(LSTMModel, TrainingState, isBest: Bool)
    /// The last event of a run: what `fit` returns. A run that throws has none.
    case end(Run)
  }

  /// A step of the optimizer.
  public struct Step: Sendable, Equatable {
    /// The epoch that it belongs to, from 1.
    public var epoch: Int
    /// From 1, in its epoch.
    public var number: Int
    /// Steps of the epoch.
    public var count: Int
    /// The mean over the batch, before the step.
    public var loss: Double
    /// The highest of the parts'.
    public var learningRate: Double
    /// Global, over trainable gradients, before clipping.
    public var gradientNorm: Double

    /// A step and its numbers.
    public init(epoch: Int, number: Int, count: Int, loss: Double, learningRate: Double, gradientNorm: Double) {
      self.epoch = epoch
      self.number = number
      self.count = count
      self.loss = loss
      self.learningRate = learningRate
      self.gradientNorm = gradientNorm
    }
  }

  /// How a run ended.
  public enum Ending: Sendable, Equatable {
    /// After all its epochs.
    case finished
    /// No better validation loss for `patience` epochs.
    case noImprovement(sinceEpoch: Int)
    /// The loss of an epoch is more than ten times the best so far and worse than before the first step.
    case diverging(epoch: Int, loss: Double, best: Double)
    /// The outputs have been constant since this epoch, which they were not before, and the loss is no better.
    case collapsed(sinceEpoch: Int)
    /// The caller asked for it; the step was finished.
    case interrupted
  }

  /// The result of a run.
  public struct Run: Sendable {
    /// The model of the best validation loss, the pretrained one included; the last one without validation data.
    public var best: LSTMModel
    /// The model after the last step.
    public var last: LSTMModel
    /// 0 is the pretrained model.
    public var bestEpoch: Int
    /// Of the best model on the validation data; nil without, and when no epoch was better than the model before the first
    /// step.
    public var bestMetrics: Metrics? { epochs.first { $0.number == bestEpoch }?.validation }
    /// Of the model before the first step: on the validation data, or on the training data without it.
    public var baseline: Metrics
    /// Every epoch that was done, those before a resumption included.
    public var epochs: [Epoch]
    /// Why the run ended.
    public var ending: Ending
    /// With `Options.stopsOnFailure` off, the divergence or collapse that the run was in after its last epoch.
    public var failure: Ending?
    /// With validation, and with the time before a resumption.
    public var seconds: Double
  }

  /// What trains.
  public let plan: FreezePlan
  /// The rule, with its learning rate before schedule and recipe.
  public let optimizer: Optimizer
  /// What the steps minimize.
  public let objective: Objective
  /// That of the model's first output.
  public var loss: Loss { objective.loss }
  /// How long, in which batches, and so on.
  public var options: Options
  /// The one asked for, or the recipe's.
  public var schedule: Schedule { options.schedule ?? plan.recipe.schedule }
  /// Asked after every step; true ends the run, with the step done.
  public var shouldStop: @Sendable () -> Bool = { false }
  /// Makes a sample of a model's output, before the first step and after every epoch; see `Sample`. It has to depend on
  /// the model alone when a resumed run is to leave the same log.
  public var sampling: (@Sendable (LSTMModel) throws -> Sample?)?

  /// - Parameters:
  ///   - plan: what trains.
  ///   - optimizer: the rule, with its learning rate before schedule and recipe.
  ///   - loss: what the steps minimize.
  ///   - options: how long, in which batches, and so on.
  public init(
    _ plan: FreezePlan, optimizer: Optimizer = .adam(), loss: Loss = .meanSquaredError, options: Options = Options()
  ) {
    self.init(plan, optimizer: optimizer, objective: Objective(loss), options: options)
  }

  /// The same for a model with several outputs that train.
  /// - Parameter objective: the losses of its outputs, and what each is multiplied by.
  public init(
    _ plan: FreezePlan, optimizer: Optimizer = .adam(), objective: Objective, options: Options = Options()
  ) {
    self.plan = plan
    self.optimizer = optimizer
    self.objective = objective
    self.options = options
  }

  /// Whether the options make sense for this data: what `fit` begins with.
  package func checkOptions(hasValidation: Bool) throws(FineTuningError) {
    guard options.epochs >= 0 else {
      throw .invalid(.epochs, "\(options.epochs)", "expected a whole number of at least 0", advice: [])
    }
    try Setting.batchSize.requirePositive(options.batchSize)
    try Setting.patience.requirePositive(options.patience ?? 1)
    if case .plateau = schedule.shape, !hasValidation {
      throw .invalidOption(
        "\(.schedule, "plateau") goes by the validation loss, and there is no validation data",
        advice: ["choose another schedule, or give \(.validationSplit)"])
    }
    if let clipNorm = options.clipNorm, !(clipNorm > 0) {
      throw .invalid(.clipNorm, "\(clipNorm)", "expected a number above 0", advice: [])
    }
  }

  func check<Rows: ExampleRows>(
    _ model: LSTMModel, _ data: Rows, _ validation: Rows?
  ) throws(FineTuningError) {
    guard plan.parameters == model.configuration.parameters else {
      throw .invalidOption("the freeze plan was made for another model", advice: [])
    }
    guard data.count > 0 else { throw .invalidOption("there are no examples to train on", advice: []) }
    guard validation?.count != 0 else { throw .invalidOption("there are no examples to validate on", advice: []) }
    try checkOptions(hasValidation: validation != nil)
  }
}
