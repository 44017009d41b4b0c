import LSTMFineTuning

extension LoopArguments {
  /// What is for training and what for validation.
  var splitChoice: SplitChoice {
    SplitChoice(
      fraction: validationSplit, trainUntil: trainUntil, validateFrom: validateFrom, shuffles: shuffle, seed: seed)
  }

  /// The files that are for validation alone.
  func validationPaths() throws -> [String] {
    if !validationData.isEmpty, trainUntil != nil || validateFrom != nil {
      throw InputError.usage("--validation-data and a split by dates exclude each other", advice: [])
    }
    return validationData.isEmpty ? [] : try seriesFiles(validationData)
  }
}
