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
  package static let window = Setting(rawValue: "window")
  package static let horizon = Setting(rawValue: "horizon")
  package static let season = Setting(rawValue: "season")
  package static let features = Setting(rawValue: "features")
  package static let targets = Setting(rawValue: "targets")
  package static let validationSplit = Setting(rawValue: "validationSplit")
  package static let trainUntil = Setting(rawValue: "trainUntil")
  package static let validateFrom = Setting(rawValue: "validateFrom")
  package static let validationData = Setting(rawValue: "validationData")
  package static let id = Setting(rawValue: "id")
  package static let streams = Setting(rawValue: "streams")
  package static let chunk = Setting(rawValue: "chunk")
  package static let stride = Setting(rawValue: "stride")
  package static let length = Setting(rawValue: "length")
  package static let temperature = Setting(rawValue: "temperature")
  package static let topK = Setting(rawValue: "topK")
  package static let topP = Setting(rawValue: "topP")
  package static let prompt = Setting(rawValue: "prompt")
  package static let head = Setting(rawValue: "head")
  package static let loss = Setting(rawValue: "loss")
  package static let classWeights = Setting(rawValue: "classWeights")
  package static let learningRate = Setting(rawValue: "learningRate")
  package static let clipNorm = Setting(rawValue: "clipNorm")
  package static let freezing = Setting(rawValue: "freezing")
  package static let unfreezing = Setting(rawValue: "unfreezing")
  package static let lora = Setting(rawValue: "lora")
  package static let loraTargets = Setting(rawValue: "loraTargets")
  package static let learningRateFor = Setting(rawValue: "learningRateFor")
  package static let schedule = Setting(rawValue: "schedule")
  package static let warmUp = Setting(rawValue: "warmUp")
  package static let tokens = Setting(rawValue: "tokens")
  package static let batchSize = Setting(rawValue: "batchSize")
  package static let patience = Setting(rawValue: "patience")
  /// Not a parameter: the search for a learning rate.
  package static let rateFinder = Setting(rawValue: "RateFinder")
  /// How inputs and targets are standardized.
  package static let scaler = Setting(rawValue: "scaler")
  package static let scalerPerID = Setting(rawValue: "scalerPerId")
  package static let runFolder = Setting(rawValue: "runFolder")
}
