import LSTMCheckpoints
import LSTMFineTuning

/// Everything that was asked for when a run was begun: what it takes to begin it again.
public struct RunSettings: Sendable, Codable, Equatable {
  /// The model's file; with `fromScratch` it may be a configuration alone.
  public var model: String
  /// What it trains on.
  public var data: DataSettings
  /// Files, or folders of tables, for validation alone; empty where validation is a part of the data.
  public var validationFiles: [String] = []
  /// What of the data is for validation.
  public var split = SplitChoice()
  /// Whether tokens that the model's vocabulary lacks are added to it.
  public var extendsVocabulary = false
  /// Selectors of a `FreezePlan`.
  public var freezing: [String] = []
  /// Selectors of what trains although `freezing` covers it.
  public var unfreezing: [String] = []
  /// What becomes of the model's last layer.
  public var head = HeadChoice.keep
  /// Whether every weight starts from fresh values.
  public var fromScratch = false
  /// Whether the same network is trained from fresh values afterwards, to compare.
  public var comparesScratch = false
  /// How numbers are standardized.
  public var scaler = ScalerChoice()
  /// nil for the model's.
  public var readout: ModelConfiguration.Readout?
  /// nil for the one that goes with the targets.
  public var loss: Loss?
  /// Of cross-entropy: the part of each target that is shared among all classes.
  public var labelSmoothing: Float = 0
  /// Of cross-entropy: one weight a class.
  public var classWeights: [Float]?
  /// The rule that moves the weights.
  public var optimizer = Optimizer.adam()
  /// What trains when.
  public var recipe = Recipe.full
  /// Parts with rates of their own.
  public var rates: [LearningRateOverride] = []
  /// Adapters in place of whole matrices.
  public var lora: LoRA?
  /// Epochs, batches, stopping, schedule, regularization and so on.
  public var training = FineTuner.Options()
  /// Whether what the model does is shown after each epoch.
  public var showsSamples = true
  /// The model to write.
  public var output: String
  /// Whether it may take the place of a file that no run has written.
  public var overwrites = false

  public init(model: String, data: DataSettings, output: String) {
    self.model = model
    self.data = data
    self.output = output
  }

  /// Every file that is read: the model, then the data.
  /// - Throws: what `DataSettings.paths` throws.
  public func paths() throws -> [String] {
    try [model] + data.paths() + DataSettings.tables(in: validationFiles)
  }

  /// The same with paths that hold from anywhere, where they were relative to a folder.
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
