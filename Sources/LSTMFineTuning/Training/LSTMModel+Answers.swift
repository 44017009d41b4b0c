import LSTMCheckpoints
import LSTMLayers

/// What a model says of data that is read and scaled as its file knows.
extension LSTMModel {
  /// How good the model is on data.
  /// - Parameters:
  ///   - loss: nil for the one that goes with the model and the targets; of the first output.
  ///   - outputs: losses and their weights by the outputs' names, of a model with several.
  /// - Throws: `FineTuningError` or `ShapeError` when the data does not fit the model or its scalers.
  public func evaluate(
    _ data: any TrainingData, loss: Loss? = nil, outputs: ObjectiveFit.Choice = ObjectiveFit.Choice(),
    kernels: Kernels = .best
  ) throws -> Metrics {
    let record = preprocessing
    let raw = try data.allExamples().hiding(configuration)
    let fit = try ObjectiveFit(
      self, raw.sequences, file: data.file, loss: loss ?? record.blank.map { .ctc(blank: $0) }, choice: outputs,
      mayChangeModel: false, knowsClasses: record.classes != nil)
    try raw.sequences.check(fit.model.configuration)
    try record.checkScalers(features: raw.sequences.featureCount, targets: raw.sequences.targetSize, file: data.file)
    let examples = try data.scaled(fit.prepared(raw), by: record).examples
    return try Evaluator(
      Network(fit.model, kernels: kernels), objective: fit.objective, targetScaler: record.targetScaler,
      scalers: record.scalers ?? [:]
    ).evaluate(examples)
  }

  /// The most likely classes, by the names that the model's file has: of each sequence, or of each of its steps. A model
  /// that ends in a CRF gives the most likely tags of whole sequences (Viterbi).
  /// - Throws: `FineTuningError` or `ShapeError` when the data does not fit the model or its scalers.
  public func predictClasses(_ data: any TrainingData, kernels: Kernels = .best) throws -> ClassPredictions {
    let names = preprocessing.classes ?? []
    guard configuration.endsInCRF else {
      let inputs = try data.inputs(isRolling: false).sequences.hiding(configuration.mask, for: configuration)
      return ClassPredictions(
        try predict(data, kernels: kernels), names, configuration, lengths: inputs.lengths)
    }
    guard let tags = try Evaluator(Network(self, kernels: kernels), loss: .crf()).tags(scaledInputs(data)) else {
      throw ShapeError(what: "model", expected: "one that ends in a CRF", found: configuration.summary)
    }
    return ClassPredictions(tags, names)
  }

  /// The labels in order of a model that was trained with CTC, by the names that the model's file has.
  /// - Parameters:
  ///   - blank: the class that stands for no label; nil for the one of the model's file, or 0.
  ///   - beam: beginnings kept by the search for the most likely labels over all alignments; nil for the labels of the most
  ///     likely alignment.
  /// - Throws: `FineTuningError` or `ShapeError` when the data does not fit the model or its scalers, or the model gives no
  ///   output for each step.
  public func predictLabels(
    _ data: any TrainingData, blank: Int? = nil, beam: Int? = nil, kernels: Kernels = .best
  ) throws -> LabelPredictions {
    let chosen = blank ?? preprocessing.blank ?? 0
    let number = chosen < 0 ? configuration.outputSize + chosen : chosen
    let found = try Evaluator(Network(self, kernels: kernels), loss: .ctc(blank: number))
      .labels(scaledInputs(data), blank: number, beam: beam)
    return LabelPredictions(found, preprocessing.classes)
  }

  /// What it reads to predict, as its file scales it.
  private func scaledInputs(_ data: any TrainingData) throws -> SequenceData {
    let raw = try data.inputs(isRolling: false).sequences.hiding(configuration.mask, for: configuration)
    try preprocessing.checkScalers(features: raw.featureCount, targets: nil, file: data.file)
    return try data.scaled(.sequences(raw), by: preprocessing).examples.sequences
  }
}
