import FileIO
import LSTMCheckpoints
import LSTMLayers

/// A model and data that go together: split, without what a mask hides, scaled, and with a head that fits the targets.
///
///     let ready = try Preparation(model, SeriesData(table, features: ["temp"], targets: ["temp"], window: 48, horizon: 24))
///     let tuner = FineTuner(try FreezePlan(ready.model, freezing: ["layer0"]), loss: ready.loss)
///     let run = try tuner.fit(ready)
///
/// The run's models know what was done to the data: `LSTMModel.preprocessing` has it, and so has their file.
public struct Preparation: Sendable {
  /// The model to train, its preprocessing stored in it.
  public let model: LSTMModel
  /// As the model reads it.
  public let training: Examples
  /// nil when nothing is held back.
  public let validation: Examples?
  /// The one asked for, or the one that goes with the targets.
  public let loss: Loss
  /// What was done to the data, as the model's file keeps it.
  public let preprocessing: Preprocessing
  /// What was decided, for people.
  public let notes: [Message]

  /// Scalers that the model brings along are kept. Where it has none, those of a table's columns are fitted on the training
  /// part alone; other numbers stay as they are.
  /// - Parameters:
  ///   - split: what is held back for validation; the last fifth of series and texts, or a fifth of examples that is drawn.
  ///   - loss: nil for the one that goes with the targets.
  ///   - head: whether the model gets a new last layer.
  ///   - seed: of a new head's weights.
  /// - Throws: `FineTuningError`, `TableError` or `ShapeError` when the data cannot be split, or does not fit the model or
  ///   its scalers.
  public init(
    _ model: LSTMModel, _ data: any TrainingData, split: SplitChoice = SplitChoice(), loss: Loss? = nil,
    head: HeadChoice = .keep, seed: UInt64 = 0
  ) throws {
    var record = model.preprocessing
    // 1. Split before anything is fitted.
    var parts = try data.split(split)
    parts.training = try parts.training.hiding(model.configuration)
    parts.validation = try parts.validation?.hiding(model.configuration)
    // 2. The head, the readout and the loss.
    let fit = try TaskFit(
      model, parts.training.sequences, file: data.file, loss: loss, head: head, seed: seed,
      knowsClasses: record.classes != nil)
    if head.isNew { record.classes = nil }
    data.describe(in: &record)
    // 3. The scalers. Classes have no unit: a scaler kept for targets would be applied to the answers.
    let isOfClasses = fit.loss.isCrossEntropy || fit.loss == .binaryCrossEntropy
    let hasScaler = record.inputScaler != nil || record.targetScaler != nil || record.entityScalers != nil
    if hasScaler {
      let sequences = parts.training.sequences
      var targets: Int?
      if case .values(_, let size, _) = sequences.targets { targets = size }
      try record.checkScalers(features: sequences.featureCount, targets: targets, file: data.file)
    } else if data.hasUnits {
      (record.inputScaler, record.targetScaler) = parts.fittedScalers(data)
    }
    if isOfClasses { record.targetScaler = nil }
    training = try data.scaled(fit.prepared(parts.training), by: record).examples
    validation = try parts.validation.map { try data.scaled(fit.prepared($0), by: record).examples }
    var prepared = fit.model
    prepared.preprocessing = record
    self.model = prepared
    self.loss = fit.loss
    preprocessing = record
    notes = parts.notes + fit.notes
  }
}

extension FineTuner {
  /// Trains a copy of what was prepared; errors are in the data's own units. Parameters and errors as of the other calls.
  public func fit(
    _ ready: Preparation, kernels: Kernels = .best, resuming point: ResumePoint? = nil,
    events: (Event) throws -> Void = { _ in }
  ) throws -> Run {
    try fit(
      ready.model, ready.training, validation: ready.validation, targetScaler: ready.preprocessing.targetScaler,
      kernels: kernels, resuming: point, events: events)
  }

  /// The same as a sequence of what happens, for code that awaits.
  public func events(
    _ ready: Preparation, kernels: Kernels = .best, resuming point: ResumePoint? = nil
  ) -> Events {
    events { tuner, receive in
      _ = try tuner.fit(ready, kernels: kernels, resuming: point, events: receive)
    }
  }
}

extension LSTMModel {
  /// What the model says of data, standardized as it was trained and in the data's own units again.
  /// - Parameters:
  ///   - data: read alike, as by `SeriesData(_:readAs:)`.
  ///   - isRolling: whether a series is asked for a forecast at every row that has a window before it, and not only for
  ///     the one after its last row.
  /// - Returns: (N, O), or (N, T, O) when the model gives an output for each step; of a series O is horizon * targets, row
  ///   by row.
  /// - Throws: `FineTuningError` or `ShapeError` when the data does not fit the model or its scalers.
  public func predict(
    _ data: any TrainingData, isRolling: Bool = false, kernels: Kernels = .best
  ) throws -> Tensor {
    let record = preprocessing
    if let streams = data as? SeriesStreams {
      try streams.requireVisible(configuration)
      let said = try streams.rows.streamedForecasts(
        self, inputScaler: record.inputScaler, targetScaler: record.targetScaler, isRolling: isRolling, kernels: kernels
      )
      return Tensor(
        shape: [said.origins.count, said.values.count / max(said.origins.count, 1)], values: said.values)
    }
    let raw = try data.inputs(isRolling: isRolling).sequences.hiding(configuration.mask, for: configuration)
    try record.checkScalers(features: raw.featureCount, targets: configuration.outputSize, file: data.file)
    let scaled = try data.scaled(.sequences(raw), by: record).examples.sequences
    return try Evaluator(
      Network(self, kernels: kernels), loss: .meanSquaredError, targetScaler: record.targetScaler
    ).predict(scaled)
  }
}
