import FileIO
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

/// What of the data is for training and what for validation.
struct DataSplit {
  let data: any ShownData
  private var parts: SplitExamples
  /// Data for validation alone.
  private let held: (any ShownData)?
  private let isDrawn: Bool
  private let splitNotes: [String]

  var training: Examples { parts.training }
  var validation: Examples? { parts.validation }

  /// Series and texts are split in time, the rest is drawn by the seed unless the order shall stay.
  /// - Parameter held: what is for validation alone; all of `data` is then to train on.
  init(_ data: any ShownData, _ loop: LoopArguments, held: (any ShownData)? = nil) throws {
    self.data = data
    self.held = held
    isDrawn = loop.shuffle
    if loop.trainUntil != nil || loop.validateFrom != nil, data.series == nil {
      throw InputError.usage(
        "--\(loop.trainUntil != nil ? "train-until" : "validate-from") is for CSV series, whose rows have times",
        advice: [])
    }
    guard let held else {
      parts = try advised { try data.split(loop.splitChoice) }
      splitNotes = parts.notes.map(\.spelled)
      return
    }
    let rows = data.series.map { $0.parts.map(\.rows) }
    switch (try data.allExamples(), try held.allExamples()) {
    case (.sequences(let own), .sequences(var other)):
      other.keepSeasonalScale(of: own)
      parts = SplitExamples(training: .sequences(own), validation: .sequences(other), trainingRows: rows)
    case (.streams(let own), .streams(let other)):
      parts = SplitExamples(training: .streams(own), validation: .streams(other), trainingRows: rows)
    default: throw InputError.usage("--validation-data: expected data like that of --data", advice: [])
    }
    splitNotes = held.series.map { $0.rowNotes(scores: true).map { "validation: \($0)" } } ?? []
  }

  /// Lines about the rows of a series.
  var notes: [String] { (data.series?.rowNotes(scores: true) ?? []) + splitNotes }

  /// Both parts as the model reads them.
  func scaled(_ record: Preprocessing) throws -> (training: Examples, validation: Examples?, notes: [String]) {
    let own = try data.shownScaled(training, record)
    guard let validation else { return (own.examples, nil, own.notes) }
    let other = try (held ?? data).shownScaled(validation, record)
    return (own.examples, other.examples, own.notes + (held == nil ? [] : other.notes))
  }

  /// The same without the steps that a model's mask hides.
  func hiding(_ configuration: ModelConfiguration) throws -> DataSplit {
    var result = self
    result.parts.training = try training.hiding(configuration)
    result.parts.validation = try validation?.hiding(configuration)
    return result
  }

  /// The same with targets as the loss reads them.
  func read(by fit: TaskFit) -> DataSplit {
    var result = self
    result.parts.training = fit.prepared(training)
    result.parts.validation = validation.map(fit.prepared)
    return result
  }

  /// Decides on the scalers; says what was kept or fitted.
  func settleScalers(
    _ record: inout Preprocessing, _ mode: ScalerMode, loss: Loss, perID: Bool = false
  ) throws -> [String] {
    let stored = (record.inputScaler, record.targetScaler)
    let hasStored = stored.0 != nil || stored.1 != nil || record.entityScalers != nil
    if perID { return try settleOwnScalers(&record, mode, loss: loss) }
    let training = training.sequences
    let isRegression = !loss.isCrossEntropy && loss != .binaryCrossEntropy
    let choice = mode == .auto ? (hasStored ? ScalerMode.keep : data.hasUnits ? .refit : .none) : mode
    let fitted = parts.fittedScalers(data)
    switch choice {
    case .keep:
      guard hasStored else {
        throw InputError.usage(
          "--scaler keep: the model has no scaler",
          advice: ["give it at import with --scaler MEAN,DEVIATION, or use --scaler refit"])
      }
      try record.checkScalers(
        features: training.featureCount, targets: training.targetSize, file: data.file)
      if let own = record.entityScalers { return ["scaler: the model's are kept, one for each of \(own.count) ids"] }
      let own = fitted.inputs.map { "; the training data's own: \($0.summary)" } ?? ""
      return ["scaler: the model's is kept (\(stored.0.map(\.summary) ?? "targets only"))\(own)"]
    case .none:
      (record.inputScaler, record.targetScaler, record.entityScalers) = (nil, nil, nil)
      return hasStored ? ["scaler: the model's is dropped, as asked"] : []
    case .refit, .auto:
      record.entityScalers = nil
      record.inputScaler = fitted.inputs
      record.targetScaler = isRegression ? fitted.targets : nil
      let old = stored.0.map { "; the model's was \($0.summary)" } ?? ""
      return fitted.inputs.map { ["scaler: fitted on the training part (\($0.summary))\(old)"] } ?? []
    }
  }

  /// A scaler for each id, fitted on its own training rows.
  private func settleOwnScalers(_ record: inout Preprocessing, _ mode: ScalerMode, loss: Loss) throws -> [String] {
    guard let series = data as? SeriesData, let trainingRows = parts.trainingRows else {
      throw InputError.usage("--scaler-per-id is for windows of a CSV series", advice: [])
    }
    guard !series.idColumns.isEmpty else {
      throw InputError.usage(
        "--scaler-per-id: nothing tells several series apart",
        advice: ["name the column with --id, or give several files"])
    }
    guard mode == .auto || mode == .refit else {
      throw InputError.usage("--scaler-per-id fits new scalers, which --scaler \(mode.rawValue) does not", advice: [])
    }
    let all = series.scalers(trainingRows)
    (record.inputScaler, record.targetScaler) = (all.inputs, all.targets)
    record.entityScalers = series.ownScalers(trainingRows)
    return ["scaler: fitted on the training rows of each of \(series.parts.count) ids"]
  }

  /// Lines for people.
  var summary: [String] {
    data.summary(
      Portions(training: training, validation: validation, heldFile: held?.file, isDrawn: isDrawn))
  }
}

extension SequenceData {
  /// Real-valued targets a row, nil for classes.
  var targetSize: Int? {
    if case .values(_, let size, _) = targets { size } else { nil }
  }
}
