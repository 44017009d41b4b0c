import FileIO
import LSTMCheckpoints
import LSTMLayers

extension SeriesData: TrainingData {
  public var series: SeriesData? { self }
  public var hasUnits: Bool { true }

  public func allExamples() throws -> Examples { .sequences(try examples()) }

  public func split(_ choice: SplitChoice) throws -> SplitExamples {
    let parts = try split(choice.seriesSplit)
    return SplitExamples(
      training: .sequences(parts.training), validation: parts.validation.map { .sequences($0) },
      trainingRows: parts.trainingRows, notes: parts.notes)
  }

  public func inputs(isRolling: Bool) throws -> (sequences: SequenceData, origins: ForecastOrigins?) {
    if reconstructs { return (try examples(), nil) }
    let origins = isRolling ? try rollingWindows() : try lastWindows()
    return (origins.windows, origins)
  }

  public func describe(in preprocessing: inout Preprocessing) {
    preprocessing.forgetReading()
    preprocessing.features = features
    preprocessing.targets = reconstructs ? nil : targets
    preprocessing.window = window
    preprocessing.horizon = reconstructs ? nil : horizon
    preprocessing.reconstructs = reconstructs ? true : nil
    preprocessing.season = season == 1 ? nil : season
    preprocessing.timeColumns = timeColumns
    preprocessing.dateOrder = dateOrder?.rawValue
    preprocessing.idColumns = ownIDColumns.isEmpty ? nil : ownIDColumns
  }

  public func scaled(
    _ examples: Examples, by preprocessing: Preprocessing
  ) throws -> (examples: Examples, unknown: [String]) {
    guard let own = preprocessing.entityScalers, case .sequences(let data) = examples else {
      return (
        examples.scaled(
          inputs: preprocessing.inputScaler, targets: preprocessing.targetScaler, named: preprocessing.scalers), []
      )
    }
    if let first = own.values.first {
      for (found, count, what) in [
        (first.inputs.columns, features.count, "features"), (first.targets.columns, targets.count, "targets"),
      ] where found != count {
        throw FineTuningError.badData(
          file: file, detail: "the model's scalers are for \(found) \(what), the data has \(count)",
          advice: ["fit new ones with \(.scaler, "refit") \(.scalerPerID)"])
      }
    }
    let (scaled, unknown) = self.scaled(data, by: own)
    return (.sequences(scaled), unknown)
  }
}

/// A series as a stream: the state is carried from chunk to chunk.
public struct SeriesStreams: TrainingData {
  /// The rows; its window is not used.
  public let rows: SeriesData
  /// Parts of the series that are read side by side.
  public let streamCount: Int
  /// Rows of a chunk, through which gradients go.
  public let chunkSteps: Int

  /// A series, and how it is cut into streams and chunks.
  public init(_ rows: SeriesData, streamCount: Int = 1, chunkSteps: Int) {
    self.rows = rows
    self.streamCount = streamCount
    self.chunkSteps = chunkSteps
  }

  public var file: String { rows.file }
  public var readingNotes: [CSVNote] { rows.readingNotes }
  public var series: SeriesData? { rows }
  public var hasUnits: Bool { true }

  public func allExamples() throws -> Examples { .streams(try rows.streams(streamCount, chunkSteps: chunkSteps)) }

  public func split(_ choice: SplitChoice) throws -> SplitExamples {
    let parts = try rows.splitStreams(streamCount, chunkSteps: chunkSteps, choice.seriesSplit)
    return SplitExamples(
      training: .streams(parts.training), validation: parts.validation.map { .streams($0) }, trainingRows: parts.rows)
  }

  public func inputs(isRolling: Bool) throws -> (sequences: SequenceData, origins: ForecastOrigins?) {
    (try rows.lastWindow(), nil)
  }

  public func describe(in preprocessing: inout Preprocessing) {
    rows.describe(in: &preprocessing)
    (preprocessing.window, preprocessing.chunk) = (nil, chunkSteps)
  }

  /// Refuses rows that a model passes over, where a state is carried from row to row.
  /// - Throws: `FineTuningError.badData`.
  public func requireVisible(_ configuration: ModelConfiguration) throws {
    guard let mask = configuration.mask, rows.rowCount > 0 else { return }
    let data = try SequenceData(
      inputs: .features(rows.featureRows, steps: rows.rowCount, size: rows.features.count), targets: .none)
    guard try data.hiding(mask, for: configuration).hiddenCount > 0 else { return }
    throw FineTuningError.badData(
      file: file, detail: "it has rows that the model's mask hides (\(mask.summary)), and is read on and on",
      advice: ["read it in windows: \(.window, "ROWS")"])
  }
}
