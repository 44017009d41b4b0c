import LSTMCheckpoints
import LSTMFineTuning

/// Everything needed to start a run again.
public struct RunSettings: Sendable, Codable, Equatable {
  /// The model's file; with `fromScratch` it may be a configuration file.
  public var model: String
  /// The training data, and how it is read.
  public var data: DataSettings
  /// Files, or folders of tables, for validation only; empty where validation data is split off.
  public var validationFiles: [String] = []
  /// The validation split.
  public var split = SplitChoice()
  /// Whether unknown tokens are added to the model's vocabulary.
  public var extendsVocabulary = false
  /// Selectors of frozen parts; see `FreezePlan`.
  public var freezing: [String] = []
  /// Selectors of parts that train although `freezing` covers them.
  public var unfreezing: [String] = []
  /// Whether the model's last layer is replaced.
  public var head = HeadChoice.keep
  /// Whether all weights start from random initial values.
  public var fromScratch = false
  /// Whether the same network is trained from scratch afterwards, to compare.
  public var comparesScratch = false
  /// How features and targets are standardized.
  public var scaler = ScalerChoice()
  /// The readout; nil for the model's.
  public var readout: PlainStack.Readout?
  /// The loss; nil for the one that fits the targets.
  public var loss: Loss?
  /// Losses and their weights by output, of a model with several; nil for the usual ones.
  public var outputs: ObjectiveFit.Choice?
  /// The part of the training examples whose errors lie below the threshold of anomalies, of a model that gives back what
  /// it reads; nil for 0.99.
  public var anomalyQuantile: Double?
  /// Label smoothing of cross-entropy, from 0 to 1.
  public var labelSmoothing: Float = 0
  /// Weights of cross-entropy, one per class; nil for equal ones.
  public var classWeights: [Float]?
  /// The optimizer and its parameters.
  public var optimizer = Optimizer.adam()
  /// When each part trains.
  public var recipe = Recipe.full
  /// Learning rates of single parts.
  public var rates: [LearningRateOverride] = []
  /// Low-rank adapters; nil to train whole matrices.
  public var lora: LoRA?
  /// Epochs, batches, stopping, schedule, regularization and so on.
  public var training = FineTuner.Options()
  /// Whether samples are shown after each epoch.
  public var showsSamples = true
  /// The file of the fine-tuned model.
  public var output: String
  /// Whether it may replace a file that was not written by this program.
  public var overwrites = false

  /// The settings of a plain fine-tuning; the rest may be set afterwards.
  public init(model: String, data: DataSettings, output: String) {
    self.model = model
    self.data = data
    self.output = output
  }

  /// All input files: the model, then the data.
  /// - Throws: what `DataSettings.paths` throws.
  public func paths() throws -> [String] {
    try [model] + data.paths() + DataSettings.tables(in: validationFiles)
  }

  /// The same settings with paths made absolute.
  /// - Parameter folder: the absolute path that relative ones start from.
  public func relative(to folder: String) -> RunSettings {
    func whole(_ path: String) -> String { path.hasPrefix("/") ? path : folder + "/" + path }
    var settings = self
    settings.model = whole(model)
    settings.output = whole(output)
    settings.data.files = data.files.map(whole)
    settings.validationFiles = validationFiles.map(whole)
    return settings
  }
}
