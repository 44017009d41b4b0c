import FileIO
import LSTMCheckpoints
import LSTMLayers

/// A model and data that go together: split, without what a mask hides, scaled, and with a head that fits the targets.
///
///     let ready = try Preparation(model, SeriesData(table, features: ["temp"], targets: ["temp"], window: 48, horizon: 24))
///     let tuner = FineTuner(try FreezePlan(ready.model, freezing: ["layer0"]), loss: ready.loss)
///     let run = try tuner.fit(ready)
///
/// The models of the run, and their files, keep how the data was read and scaled: `LSTMModel.preprocessing`.
public struct Preparation: Sendable {
  /// The model to train, its preprocessing stored in it.
  public let model: LSTMModel
  /// As the model reads it.
  public let training: Examples
  /// nil when nothing is held back.
  public let validation: Examples?
  /// The requested one, or the usual one for the targets; of the model's first output.
  public var loss: Loss { objective.loss }
  /// The losses of all outputs that train, and what each is multiplied by.
  public let objective: Objective
  /// What was done to the data, as the model's file keeps it.
  public var preprocessing: Preprocessing { model.preprocessing }
  /// Lines for people about every decision.
  public let notes: [Message]

  /// - Parameters:
  ///   - held: data for validation alone, of the same kind; `data` is then all to train on.
  ///   - split: what is held back for validation; the last fifth of series and texts, or a fifth of examples that is drawn.
  ///   - scaler: whether scalers that the model brings along are kept. New ones are fitted to the training part alone.
  ///   - loss: nil for the one that goes with the targets.
  ///   - outputs: losses and their weights by the outputs' names, of a model with several.
  ///   - head: whether the model gets a new last layer.
  ///   - readout: nil for the model's, or the one that goes with the targets.
  ///   - seed: of a new head's weights.
  /// - Throws: `FineTuningError`, `TableError` or `ShapeError` when the data cannot be split, or does not fit the model or
  ///   its scalers.
  public init(
    _ model: LSTMModel, _ data: any TrainingData, validation held: (any TrainingData)? = nil,
    split: SplitChoice = SplitChoice(), scaler: ScalerChoice = ScalerChoice(), loss: Loss? = nil,
    outputs: ObjectiveFit.Choice = ObjectiveFit.Choice(), head: HeadChoice = .keep, readout: PlainStack.Readout? = nil,
    seed: UInt64 = 0
  ) throws {
    var record = model.preprocessing
    // 1. Split before anything is fitted.
    var parts = try SplitExamples(data, validation: held, split)
    parts.training = try parts.training.hiding(model.configuration)
    parts.validation = try parts.validation?.hiding(model.configuration)
    // 2. The head, the readout and the loss.
    let fit = try ObjectiveFit(
      model, parts.training.sequences, file: data.file, loss: loss, choice: outputs, head: head, readout: readout,
      seed: seed, knowsClasses: record.classes != nil)
    try parts.training.sequences.check(fit.model.configuration)
    if head.isNew { record.classes = nil }
    data.describe(in: &record)
    // 3. The scalers. Classes have no unit: a scaler kept for targets would be applied to the answers.
    let isOfClasses = fit.objective.loss.isOfClasses
    record.blank = fit.objective.loss.blank(of: fit.model.configuration.outputSize)
    let scalerNotes = try record.settle(
      scaler, parts, data, isOfClasses: isOfClasses, ownLayer: fit.model.scalingLayer)
    if isOfClasses { record.targetScaler = nil }
    let (own, unknown) = try data.scaled(fit.prepared(parts.training), by: record)
    let other = try parts.validation.map { try (held ?? data).scaled(fit.prepared($0), by: record) }
    training = own
    validation = other?.examples
    var prepared = fit.model
    prepared.preprocessing = record
    self.model = prepared
    objective = fit.objective
    notes =
      parts.notes + fit.notes + scalerNotes
      + [unknown, held == nil ? [] : other?.unknown ?? []].compactMap(Scaler.note(unknown:))
  }
}

extension SplitExamples {
  /// - Throws: what `TrainingData.split` throws, and `FineTuningError.invalid` for dates where rows have no time, or for
  ///   validation data of another kind.
  fileprivate init(_ data: any TrainingData, validation held: (any TrainingData)?, _ split: SplitChoice) throws {
    if split.isDated, data.series == nil {
      throw FineTuningError.invalid(
        split.trainUntil != nil ? .trainUntil : .validateFrom, nil, "it is for CSV series, whose rows have times",
        advice: [])
    }
    guard let held else {
      self = try data.split(split)
      return
    }
    let rows = data.series.map { $0.parts.map(\.rows) }
    switch (try data.allExamples(), try held.allExamples()) {
    case (.sequences(let own), .sequences(var other)):
      other.keepSeasonalScale(of: own)
      self.init(training: .sequences(own), validation: .sequences(other), trainingRows: rows)
    case (.streams(let own), .streams(let other)):
      self.init(training: .streams(own), validation: .streams(other), trainingRows: rows)
    default:
      throw FineTuningError.invalid(.validationData, nil, "expected data like that to train on", advice: [])
    }
  }
}

extension Preprocessing {
  /// Decides on the scalers; says what was kept or fitted.
  /// - Parameter ownLayer: the model's layer that scales its input.
  fileprivate mutating func settle(
    _ choice: ScalerChoice, _ parts: SplitExamples, _ data: any TrainingData, isOfClasses: Bool, ownLayer: String?
  ) throws -> [Message] {
    if choice.perID { return try settleOwnScalers(choice.mode, parts, data) }
    let old = inputScaler
    let hasScaler = old != nil || targetScaler != nil || entityScalers != nil
    let mode = choice.mode == .auto ? (hasScaler ? .keep : data.hasUnits ? .refit : .none) : choice.mode
    let fitted = parts.fittedScalers(data)
    if choice.mode == .auto, mode == .refit, let ownLayer {
      targetScaler = isOfClasses ? nil : fitted.targets
      return [
        "scaler: none for the inputs, because the model scales them itself (\(ownLayer)); otherwise \(.scaler, "refit")"
      ]
    }
    switch mode {
    case .keep:
      guard hasScaler else {
        throw FineTuningError.invalid(
          .scaler, "keep", "the model has no scaler",
          advice: ["give it at import with \(.scaler, "MEAN,DEVIATION"), or use \(.scaler, "refit")"])
      }
      let sequences = parts.training.sequences
      try checkScalers(features: sequences.featureCount, targets: sequences.targetSize, file: data.file)
      if let entityScalers { return ["scaler: the model's are kept, one for each of \(entityScalers.count) ids"] }
      let own = fitted.inputs.map { "; the training data's own: \($0.summary)" } ?? ""
      return ["scaler: the model's is kept (\(old?.summary ?? "targets only"))\(own)"]
    case .none:
      (inputScaler, targetScaler, entityScalers, scalers) = (nil, nil, nil, nil)
      return hasScaler ? ["scaler: the model's is dropped, as asked"] : []
    case .refit, .auto:
      entityScalers = nil
      inputScaler = fitted.inputs
      targetScaler = isOfClasses ? nil : fitted.targets
      let named = parts.training.sequences.fitNamedScalers()
      scalers = named.isEmpty ? nil : named
      let before = old.map { "; the model's was \($0.summary)" } ?? ""
      return fitted.inputs.map { ["scaler: fitted on the training part (\($0.summary))\(before)"] } ?? []
    }
  }

  /// A scaler for each id, fitted on its own training rows.
  private mutating func settleOwnScalers(
    _ mode: ScalerChoice.Mode, _ parts: SplitExamples, _ data: any TrainingData
  ) throws -> [Message] {
    guard let series = data as? SeriesData, let rows = parts.trainingRows else {
      throw FineTuningError.invalid(.scalerPerID, nil, "it is for windows of a CSV series", advice: [])
    }
    guard !series.idColumns.isEmpty else {
      throw FineTuningError.invalid(
        .scalerPerID, nil, "nothing tells several series apart",
        advice: ["name the column with \(.id), or give several files"])
    }
    guard mode == .auto || mode == .refit else {
      throw FineTuningError.invalid(
        .scalerPerID, nil, "it fits new scalers, which \(.scaler, mode.rawValue) does not", advice: [])
    }
    let all = series.scalers(rows)
    (inputScaler, targetScaler) = (all.inputs, all.targets)
    entityScalers = series.ownScalers(rows)
    return ["scaler: fitted on the training rows of each of \(series.parts.count) ids"]
  }
}

extension LSTMModel {
  /// The layer by which it scales what it reads, as it learned to; nil where there is none.
  fileprivate var scalingLayer: String? {
    func isAll(_ value: Float, _ name: String) -> Bool { self[name]?.values.allSatisfy { $0 == value } ?? true }
    for (layer, sources) in zip(configuration.layers, configuration.sources) where sources == [0] {
      let name = layer.name
      switch layer.kind {
      case is Layer.Rescale where !isAll(1, name + ".scale") || !isAll(0, name + ".offset"): return name
      case is Layer.BatchNorm where !isAll(0, name + ".running_mean") || !isAll(1, name + ".running_var"): return name
      default: continue
      }
    }
    return nil
  }
}

extension Scaler {
  /// What is done with the rows of ids that a model has no scaler of; nil when there are none.
  package static func note(unknown ids: [String]) -> Message? {
    guard !ids.isEmpty else { return nil }
    let names = ids.prefix(5).joined(separator: "; ") + (ids.count > 5 ? "; ..." : "")
    let (they, their) = ids.count == 1 ? ("it is", "its") : ("they are", "their")
    return "the model has no scaler of \(names): \(they) standardized by \(their) own rows in this file"
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
  /// The model's outputs for data: inputs are standardized as in training, outputs are in the data's own units.
  /// - Parameters:
  ///   - data: read alike, as by `SeriesData(_:readAs:)`.
  ///   - isRolling: whether a series is asked for a forecast at every row that has a window before it, and not only for
  ///     the one after its last row.
  /// - Returns: (N, O), or (N, T, O) when the model gives an output for each step; of a series O is horizon * targets, row
  ///   by row. Of a model with several outputs the first, see `Evaluator.predictAll`. Of a decoder that was fed its targets
  ///   what it gives when it reads its own output: (N, S, O), or tokens (N, S).
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
    try raw.check(configuration)
    try record.checkScalers(features: raw.featureCount, targets: configuration.outputSize, file: data.file)
    let scaled = try data.scaled(.sequences(raw), by: record).examples.sequences
    let evaluator = try Evaluator(
      Network(self, kernels: kernels), objective: Objective(.meanSquaredError), targetScaler: record.targetScaler,
      scalers: record.scalers ?? [:])
    guard scaled.isDecoded, let decoder = configuration.decoder else { return try evaluator.predict(scaled) }
    guard let steps = record.decoder?.steps else {
      throw FineTuningError.invalidOption(
        "the model's decoder reads its own output, and how many steps it is to predict is not known",
        advice: ["fine-tune it first, or call Evaluator.decode with their number"])
    }
    return try evaluator.decode(scaled, steps: steps, end: record.decoder?.end)[decoder.output]
  }
}
