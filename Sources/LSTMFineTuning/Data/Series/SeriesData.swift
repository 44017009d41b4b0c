import FileIO
import LSTMCheckpoints
import LSTMLayers

/// Rows in time order, cut into windows: the model reads `window` rows and predicts the targets of the next `horizon`.
///
/// Window k reads rows k ..< k + window. Its targets are one line of horizon * targets values, row by row: all
/// targets of row k + window, then those of the row after it, and so on. Rows of several series, of ids or of files,
/// stand one after another, and no window spans two of them.
///
/// For an autoencoder the targets of a window are its own rows: (T, features), a line for each, and nothing after it.
public struct SeriesData: Sendable {
  /// The first of the files.
  public let file: String
  /// The columns that the model reads, in order.
  public let features: [String]
  /// The columns that it predicts, in order.
  public let targets: [String]
  /// (rows, features) and (rows, targets), as in the file.
  public let featureRows: [Float]
  /// (rows, targets), as in the file.
  public let targetRows: [Float]
  /// Rows of all parts.
  public let rowCount: Int
  /// Rows that the model looks at.
  public let window: Int
  /// Rows that it predicts; 0 where it gives back those that it reads.
  public let horizon: Int
  /// Whether the targets of a window are its own rows.
  public var reconstructs: Bool { horizon == 0 }
  /// Rows after which the series repeats itself; 1 when it does not.
  public let season: Int
  /// What was recognized in the table as it was read.
  public let readingNotes: [CSVNote]
  /// The series, one after another; one where nothing tells several apart.
  public let parts: [SeriesPart]
  /// What the parts' ids are of: columns of the tables, and first the file where there are several.
  public let idColumns: [String]
  /// Those of them that are columns of the tables.
  public let ownIDColumns: [String]
  /// What was found about times, for each file that has any.
  public let findings: [TimeFindings]
  /// Messages about times and about missing values that were filled in.
  public let notes: [Message]
  /// The columns in which cells were filled in.
  public let filled: [FilledCells]
  /// Rows of which a feature or a target was filled in; nil where none was.
  let filledFeatures: [Bool]?
  let filledTargets: [Bool]?

  /// - Parameters:
  ///   - missing: how missing cells are filled, before any split. `.interpolate` looks ahead, so that a gap at the end of
  ///     the training part is filled with the help of the validation part; `.forwardFill` does not.
  ///   - season: how far the seasonal naive forecast looks back, which a model is compared with; 1 for the last row.
  /// - Throws: `CSVError` naming line and column; `FineTuningError` when the table is too short.
  public init(
    _ table: CSVTable, features: [String], targets: [String], window: Int, horizon: Int,
    missing: MissingValuePolicy = .error, season: Int = 1
  ) throws {
    try self.init(
      [OrderedTable(asItStands: table)], features: features, targets: targets, window: window, horizon: horizon,
      missing: missing, season: season)
  }

  /// Several files, or a file of several series. Parameters and errors as above.
  /// - Parameter needsHorizon: false for data to predict on, of which no row needs to have another after it.
  public init(
    _ tables: [OrderedTable], features: [String], targets: [String], window: Int, horizon: Int,
    missing: MissingValuePolicy = .error, season: Int = 1, needsHorizon: Bool = true
  ) throws {
    try Setting.horizon.requirePositive(horizon)
    try self.init(
      tables, features: features, targets: targets, window: window, rowsAhead: horizon, missing: missing,
      season: season,
      needsHorizon: needsHorizon)
  }

  /// A series for an autoencoder, which gives back the rows of each window. Columns of times are found.
  /// Other parameters and errors as above.
  public init(
    _ table: CSVTable, reconstructing columns: [String], window: Int, missing: MissingValuePolicy = .error
  ) throws {
    try self.init(
      [OrderedTable(table, TableChoice(reserved: Set(columns)))], reconstructing: columns, window: window,
      missing: missing)
  }

  /// The same of several files, or of a file of several series.
  public init(
    _ tables: [OrderedTable], reconstructing columns: [String], window: Int, missing: MissingValuePolicy = .error
  ) throws {
    try self.init(
      tables, features: columns, targets: columns, window: window, rowsAhead: 0, missing: missing, season: 1,
      needsHorizon: false)
  }

  private init(
    _ tables: [OrderedTable], features: [String], targets: [String], window: Int, rowsAhead horizon: Int,
    missing: MissingValuePolicy, season: Int, needsHorizon: Bool
  ) throws {
    try Setting.window.requirePositive(window)
    try Setting.season.requirePositive(season)
    for (setting, columns) in [(Setting.features, features), (.targets, targets)] where columns.isEmpty {
      throw FineTuningError.invalid(setting, nil, "expected at least one column", advice: [])
    }
    let rows = try SeriesRows(tables, features: features, targets: targets, missing)
    file = tables.first?.table.file ?? ""
    self.features = features
    self.targets = targets
    self.window = window
    self.horizon = horizon
    self.season = season
    (rowCount, featureRows, targetRows) = (rows.count, rows.features, rows.targets)
    (parts, idColumns, ownIDColumns) = (rows.parts, rows.idColumns, rows.ownIDColumns)
    (filled, filledFeatures, filledTargets) = (rows.filled, rows.filledFeatures, rows.filledTargets)
    findings = tables.compactMap(\.findings)
    readingNotes = tables.flatMap(\.table.notes)
    notes = rows.notes
    let longest = parts.map(\.rows.count).max() ?? 0
    // Not window + horizon, which may overflow.
    guard longest - window >= (needsHorizon ? horizon : 0) else {
      let whose = parts.count > 1 ? "the longest of \(parts.count) series has " : ""
      throw FineTuningError.badData(
        file: file,
        detail: "\(whose)\(longest) rows\(parts.count > 1 ? ", which" : "") are too few for a window of \(window)"
          + (needsHorizon ? " and a horizon of \(horizon)" : ""),
        advice: ["give a smaller \(.window), or more data"])
    }
  }

  /// Where every window begins that lies in one part with its whole horizon, within some of the part's rows.
  /// - Parameters:
  ///   - reading: the rows that may be read or predicted, of each part.
  ///   - saying: the first row that may be predicted, of each part.
  func starts(reading: [Range<Int>]? = nil, saying: [Int]? = nil) -> [Int] {
    var starts: [Int] = []
    for (place, part) in parts.enumerated() {
      let rows = reading?[place] ?? part.rows
      let first = max(rows.lowerBound, (saying?[place] ?? rows.lowerBound) - (reconstructs ? 0 : window))
      // Not window + horizon, which may overflow.
      guard rows.count > 0, rows.count - window >= horizon, first <= rows.upperBound - window - horizon else {
        continue
      }
      starts += first...(rows.upperBound - window - horizon)
    }
    guard let filledTargets else { return starts }
    // What was made up is not to be learned and not to be measured with.
    var before = [0]
    before.reserveCapacity(rowCount + 1)
    for isFilled in filledTargets { before.append(before[before.count - 1] + (isFilled ? 1 : 0)) }
    return starts.filter {
      let rows = targetRange(ofWindow: $0)
      return before[rows.upperBound] == before[rows.lowerBound]
    }
  }

  /// The rows that are the targets of the window that begins at a row.
  func targetRange(ofWindow start: Int) -> Range<Int> {
    reconstructs ? start..<start + window : start + window..<start + window + horizon
  }

  /// Windows that are left out since a target of theirs was filled in.
  package var unscoredWindows: Int {
    guard filledTargets != nil else { return 0 }
    let all = parts.reduce(0) { $0 + max($1.rows.count - window - horizon + 1, 0) }
    return all - starts().count
  }

  /// Where the windows of `examples()` begin, in their order.
  package var windowStarts: [Int] { starts() }

  /// The part that a row belongs to.
  func partIndex(ofRow row: Int) -> Int {
    var (low, high) = (0, parts.count - 1)
    while low < high {
      let middle = (low + high + 1) / 2
      if parts[middle].rows.lowerBound <= row { low = middle } else { high = middle - 1 }
    }
    return low
  }

  /// Every window that has its whole horizon, in time order. Targets are (N, horizon * targets), the first row's first.
  public func examples() throws -> SequenceData {
    let starts = starts()
    guard !starts.isEmpty else { throw noWindows(unscoredWindows) }
    var data = try examples(starts: starts)
    data.seasonalScale = seasonalScale(parts.map(\.rows))
    return data
  }

  func noWindows(_ unscored: Int) -> FineTuningError {
    .badData(
      file: file,
      detail:
        "every window of \(window) rows has a target\(reconstructs ? "" : " among the next \(horizon)") that was filled in (\(unscored) windows): nothing is left to measure with",
      advice: ["give data that has its targets"])
  }

  /// The windows that begin at these rows.
  func examples(starts: [Int]) throws(ShapeError) -> SequenceData {
    let width = targets.count
    var values: [Float] = []
    values.reserveCapacity(starts.count * (reconstructs ? window : horizon) * width)
    for start in starts {
      let rows = targetRange(ofWindow: start)
      values += targetRows[rows.lowerBound * width..<rows.upperBound * width]
    }
    var data = try SequenceData(
      inputs: .windows(rows: featureRows, size: features.count, starts: starts, steps: window),
      targets: .values(values, size: reconstructs ? width : horizon * width, perStep: reconstructs))
    if parts.count > 1 { data.groups = starts.map { Int32(partIndex(ofRow: $0)) } }
    return data
  }

  /// Scalers fitted on some rows, one entry per column.
  public func scalers(_ rows: [Range<Int>]) -> ScalerPair {
    ScalerPair(
      inputs: Scaler(fitting: featureRows, columns: features.count, rows: rows.joined()),
      targets: Scaler(fitting: targetRows, columns: targets.count, rows: rows.joined()))
  }

  /// For each target, the mean of |y_t - y_(t - season)| over some rows of each part: the error of the seasonal naive
  /// forecast one row ahead, which MASE divides by (Hyndman and Koehler, 2006). nil when there are too few rows.
  func seasonalScale(_ rows: [Range<Int>]) -> [Double]? {
    if reconstructs { return nil }
    let width = targets.count
    let filled = filledTargets
    var (sums, count) = ([Double](repeating: 0, count: width), 0)
    for rows in rows where rows.count > season {
      for row in rows.dropFirst(season) where filled == nil || filled?[row] == false && filled?[row - season] == false {
        for column in 0..<width {
          sums[column] += abs(
            Double(targetRows[row * width + column]) - Double(targetRows[(row - season) * width + column]))
        }
        count += 1
      }
    }
    return count == 0 ? nil : sums.map { $0 / Double(count) }
  }

  /// The mean absolute error of the seasonal naive forecast, in the data's own units, for all targets of `examples()`: for
  /// each row ahead it repeats the latest known row a whole number of seasons before. nil when no row is so far back.
  public func naiveError() -> Double? {
    guard season < rowCount else { return nil }
    let width = targets.count
    var (sum, count) = (0.0, 0)
    for start in starts() {
      let origin = start + window
      let first = parts[partIndex(ofRow: start)].rows.lowerBound
      for ahead in 0..<horizon {
        let seasons = ahead / season + 1
        guard origin - first + ahead >= seasons * season else { continue }
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
