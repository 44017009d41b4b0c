import FileIO

extension Setting {
  /// - Throws: `FineTuningError.invalid` when a count is below 1.
  func requirePositive(_ count: Int) throws(FineTuningError) {
    guard count >= 1 else { throw .invalid(self, "\(count)", "expected at least 1", advice: []) }
  }

  /// - Throws: `FineTuningError.invalid` when a part to hold back for validation is not from 0 to below 1.
  static func requireFraction(_ fraction: Double) throws(FineTuningError) {
    guard 0..<1 ~= fraction else {
      throw .invalid(.validationSplit, "\(fraction)", "expected a number from 0 to below 1", advice: [])
    }
  }
}

/// What may be chosen of data, training and text: parameters of this module's calls.
extension Setting {
  /// Rows or tokens that the model looks at.
  public static let window = Setting(rawValue: "window")
  /// Rows that it predicts.
  public static let horizon = Setting(rawValue: "horizon")
  /// Rows after which a series repeats itself.
  public static let season = Setting(rawValue: "season")
  /// Columns that the model reads.
  public static let features = Setting(rawValue: "features")
  /// Columns to predict.
  public static let targets = Setting(rawValue: "targets")
  /// Whether the targets are the inputs, as those of an autoencoder.
  public static let reconstruct = Setting(rawValue: "reconstruct")
  /// The part of normal examples whose errors lie below the threshold of anomalies.
  public static let anomalyQuantile = Setting(rawValue: "anomalyQuantile")
  /// The error above which an example is an anomaly.
  public static let anomalyThreshold = Setting(rawValue: "anomalyThreshold")
  /// The fraction of the data for validation.
  public static let validationSplit = Setting(rawValue: "validationSplit")
  /// The last time to train on.
  public static let trainUntil = Setting(rawValue: "trainUntil")
  /// The first time to validate on.
  public static let validateFrom = Setting(rawValue: "validateFrom")
  /// Files for validation alone.
  public static let validationData = Setting(rawValue: "validationData")
  /// Columns that tell the series of a table apart.
  public static let id = Setting(rawValue: "id")
  /// Parts that are read side by side.
  public static let streams = Setting(rawValue: "streams")
  /// Steps of truncated backpropagation through time.
  public static let chunk = Setting(rawValue: "chunk")
  /// Tokens from one sequence to the next.
  public static let stride = Setting(rawValue: "stride")
  /// Tokens to generate.
  public static let length = Setting(rawValue: "length")
  /// Divides the logits before sampling.
  public static let temperature = Setting(rawValue: "temperature")
  /// The tokens to sample from, by number.
  public static let topK = Setting(rawValue: "topK")
  /// The tokens to sample from, by probability.
  public static let topP = Setting(rawValue: "topP")
  /// What a text begins with.
  public static let prompt = Setting(rawValue: "prompt")
  /// Whether the model gets a new last layer.
  public static let head = Setting(rawValue: "head")
  /// What training minimizes.
  public static let loss = Setting(rawValue: "loss")
  /// What one label is, in cells that hold labels in order.
  public static let labelUnit = Setting(rawValue: "labelUnit")
  /// The class of CTC that stands for no label.
  public static let blank = Setting(rawValue: "blank")
  /// A weight for each class.
  public static let classWeights = Setting(rawValue: "classWeights")
  /// Before schedule and recipe.
  public static let learningRate = Setting(rawValue: "learningRate")
  /// The largest global norm of the gradients.
  public static let clipNorm = Setting(rawValue: "clipNorm")
  /// What does not train.
  public static let freezing = Setting(rawValue: "freezing")
  /// What trains although it is covered by `freezing`.
  public static let unfreezing = Setting(rawValue: "unfreezing")
  /// Low-rank adapters.
  public static let lora = Setting(rawValue: "lora")
  /// What gets adapters.
  public static let loraTargets = Setting(rawValue: "loraTargets")
  /// Learning rates of parts.
  public static let learningRateFor = Setting(rawValue: "learningRateFor")
  /// How the learning rate moves.
  public static let schedule = Setting(rawValue: "schedule")
  /// Steps in which the learning rate rises.
  public static let warmUp = Setting(rawValue: "warmUp")
  /// What a token is.
  public static let tokens = Setting(rawValue: "tokens")
  /// Passes over the data.
  public static let epochs = Setting(rawValue: "epochs")
  /// Sequences per optimizer step.
  public static let batchSize = Setting(rawValue: "batchSize")
  /// Epochs without improvement before stopping.
  public static let patience = Setting(rawValue: "patience")
  /// Not a parameter: the search for a learning rate.
  public static let rateFinder = Setting(rawValue: "RateFinder")
  /// How inputs and targets are standardized.
  public static let scaler = Setting(rawValue: "scaler")
  /// Whether each series has its own scaler.
  public static let scalerPerID = Setting(rawValue: "scalerPerId")
  /// The run's folder.
  public static let runFolder = Setting(rawValue: "runFolder")
}
