import LSTMCheckpoints
import LSTMLayers

/// A table of rows in time order, cut into windows: the model reads `window` rows and says the targets of the next
/// `horizon`.
///
/// Window k reads rows k ..< k + window. Its targets are one line of horizon * targets values, row by row: all
/// targets of row k + window, then those of the row after it, and so on.
public struct SeriesData: Sendable {
  public let file: String
  public let features: [String]
  public let targets: [String]
  /// (rows, features) and (rows, targets), as in the file.
  public let featureRows: [Float]
  public let targetRows: [Float]
  public let rowCount: Int
  public let window: Int
  public let horizon: Int
  /// Rows after which the series repeats itself; 1 when it does not.
  public let season: Int
  /// What was recognized in the table as it was read.
  public let readingNotes: [CSVNote]

  /// - Parameters:
  ///   - missing: how missing cells are filled, before any split. `.interpolate` looks ahead, so that a gap at the end of
  ///     the training part is filled with the help of the validation part; `.forwardFill` does not.
  ///   - season: how far the seasonal naive forecast looks back, which a model is compared with; 1 for the last row.
  /// - Throws: `CSVError` naming line and column; `FineTuningError` when the table is too short.
  public init(
    _ table: CSVTable, features: [String], targets: [String], window: Int, horizon: Int,
    missing: MissingValuePolicy = .error, season: Int = 1
  ) throws {
    for (flag, value) in [("--window", window), ("--horizon", horizon), ("--season", season)] where value < 1 {
      throw FineTuningError.invalidOption("\(flag) \(value): expected at least 1", advice: [])
    }
    for (flag, columns) in [("--features", features), ("--target", targets)] where columns.isEmpty {
      throw FineTuningError.invalidOption("\(flag): expected at least one column", advice: [])
    }
    file = table.file
    self.features = features
    self.targets = targets
    self.window = window
    self.horizon = horizon
    self.season = season
    rowCount = table.rowCount
    featureRows = try Self.rows(table, features, missing)
    targetRows = targets == features ? featureRows : try Self.rows(table, targets, missing)
    readingNotes = table.notes
    // Not window + horizon, which may overflow.
    guard rowCount - window >= horizon else {
      throw FineTuningError.badData(
        file: file,
        detail: "\(rowCount) rows are too few for a window of \(window) and a horizon of \(horizon)",
        advice: ["give a smaller --window, or more data"])
    }
  }

  private static func rows(_ table: CSVTable, _ columns: [String], _ missing: MissingValuePolicy) throws -> [Float] {
    let values = try columns.map { try table.floats(column: $0, missing: missing) }
    if values.count == 1 { return values[0] }
    var rows: [Float] = []
    rows.reserveCapacity(table.rowCount * columns.count)
    for row in 0..<table.rowCount {
      for column in values { rows.append(column[row]) }
    }
    return rows
  }

  /// Every window that has its whole horizon, in time order. Targets are (N, horizon * targets), the first row's first.
  public func examples() throws(ShapeError) -> SequenceData {
    var data = try examples(starts: Array(0...(rowCount - window - horizon)))
    data.seasonalScale = seasonalScale(before: rowCount)
    return data
  }

  /// The windows that begin at these rows.
  func examples(starts: [Int]) throws(ShapeError) -> SequenceData {
    let width = targets.count
    var values: [Float] = []
    values.reserveCapacity(starts.count * horizon * width)
    for start in starts { values += targetRows[(start + window) * width..<(start + window + horizon) * width] }
    return try SequenceData(
      inputs: .windows(rows: featureRows, size: features.count, starts: starts, steps: window),
      targets: .values(values, size: horizon * width, perStep: false))
  }

  /// The last window, whose horizon lies beyond the data: what to predict from.
  public func lastWindow() throws(ShapeError) -> SequenceData {
    try SequenceData(
      inputs: .windows(rows: featureRows, size: features.count, starts: [rowCount - window], steps: window),
      targets: .none)
  }

  /// Splits in time: no training window reaches into the validation rows, whose windows may look back.
  /// - Parameter fraction: the part of the rows, at the end, that is for validation; at least one horizon.
  /// - Returns: `firstRow` is the first row for validation: every row that training reads or predicts is before it.
  public func split(validation fraction: Double) throws -> (
    training: SequenceData, validation: SequenceData?, firstRow: Int
  ) {
    guard 0..<1 ~= fraction else {
      throw FineTuningError.invalidOption(
        "--validation-split \(fraction): expected a number from 0 to below 1", advice: [])
    }
    guard fraction > 0 else { return (try examples(), nil, rowCount) }
    let cut = rowCount - max(Int((Double(rowCount) * fraction).rounded()), horizon)
    let trainingCount = cut - window - horizon + 1
    guard trainingCount > 0 else {
      throw FineTuningError.badData(
        file: file,
        detail:
          "\(rowCount) rows with --validation-split \(fraction) leave \(max(cut, 0)) to train on, fewer than a window of \(window) and a horizon of \(horizon)",
        advice: ["give more data, a smaller --window or a smaller --validation-split"])
    }
    var training = try examples(starts: Array(0..<trainingCount))
    var validation = try examples(starts: Array((cut - window)...(rowCount - window - horizon)))
    training.seasonalScale = seasonalScale(before: cut)
    validation.seasonalScale = training.seasonalScale
    return (training, validation, cut)
  }

  /// Scalers of the rows before `end`, one entry per column.
  public func scalers(before end: Int) -> (inputs: Scaler, targets: Scaler) {
    func fit(_ rows: [Float], _ columns: Int) -> Scaler {
      Scaler(fitting: rows, columns: columns, rows: 0..<min(end, rowCount))
    }
    return (fit(featureRows, features.count), fit(targetRows, targets.count))
  }

  /// For each target, the mean of |y_t - y_(t - season)| over the rows before `end`: the error of the seasonal naive
  /// forecast one row ahead, which MASE divides by (Hyndman and Koehler, 2006). nil when there are too few rows.
  public func seasonalScale(before end: Int) -> [Double]? {
    let end = min(end, rowCount)
    guard end > season else { return nil }
    let width = targets.count
    return (0..<width).map { column in
      let sum = (season..<end).reduce(0.0) {
        $0 + abs(Double(targetRows[$1 * width + column]) - Double(targetRows[($1 - season) * width + column]))
      }
      return sum / Double(end - season)
    }
  }

  /// The mean absolute error of the seasonal naive forecast, in the data's own units, for all that `examples()` asks: of
  /// each row ahead it says the latest known row a whole number of seasons before. nil when no row is so far back.
  public func naiveError() -> Double? {
    guard season < rowCount else { return nil }
    let width = targets.count
    var (sum, count) = (0.0, 0)
    for origin in window...(rowCount - horizon) {
      for ahead in 0..<horizon {
        let seasons = ahead / season + 1
        guard origin + ahead >= seasons * season else { continue }
        for column in 0..<width {
          let known = targetRows[(origin + ahead - seasons * season) * width + column]
          sum += abs(Double(targetRows[(origin + ahead) * width + column]) - Double(known))
        }
        count += width
      }
    }
    return count == 0 ? nil : sum / Double(count)
  }
}
