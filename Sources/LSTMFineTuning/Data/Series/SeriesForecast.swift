import FileIO
import LSTMLayers

/// Where forecasts of a series begin.
public struct ForecastOrigins: Sendable {
  /// Windows to predict from, one for each origin.
  public let windows: SequenceData
  /// The first row that each predicts; it may lie beyond the last.
  let rows: [Int]
  /// The part that each is of.
  let groups: [Int]
  /// What makes the forecasts unreliable, such as missing values.
  public let warnings: [String]

  /// How many forecasts there are.
  public var count: Int { rows.count }
}

extension SeriesData {
  /// The window that ends with each part's last real row: what to predict the future from.
  /// - Throws: `FineTuningError` when no part is long enough.
  public func lastWindows() throws -> ForecastOrigins {
    var (rows, groups, warnings): ([Int], [Int], [String]) = ([], [], [])
    for (place, part) in parts.enumerated() {
      let end = realEnd(part)
      guard end - window >= part.rows.lowerBound else {
        warnings.append(
          "\(part.name): \(end - part.rows.lowerBound) rows are too few for a window of \(window): no forecast of it")
        continue
      }
      if end < part.rows.upperBound { warnings.append(tail(part, from: end)) }
      let invented = (filledFeatures?[(end - window)..<end] ?? []).count { $0 }
      if invented * 2 > window {
        warnings.append(
          "\(whose(part))\(invented) of the \(window) rows that the forecast looks at were filled in: it rests on little"
        )
      }
      rows.append(end)
      groups.append(place)
    }
    guard !rows.isEmpty else {
      throw FineTuningError.badData(
        file: file, detail: "no series has a window of \(window) rows to predict from", advice: [])
    }
    return try origins(rows, groups, warnings)
  }

  /// A window for every row that has one before it, and for the row after each part's last real one.
  public func rollingWindows() throws -> ForecastOrigins {
    let last = try lastWindows()
    var (rows, groups): ([Int], [Int]) = ([], [])
    for (place, part) in parts.enumerated() {
      let end = realEnd(part)
      guard end - window >= part.rows.lowerBound else { continue }
      for row in (part.rows.lowerBound + window)...end {
        rows.append(row)
        groups.append(place)
      }
    }
    return try origins(rows, groups, last.warnings)
  }

  private func origins(_ rows: [Int], _ groups: [Int], _ warnings: [String]) throws -> ForecastOrigins {
    var windows = try SequenceData(
      inputs: .windows(
        rows: featureRows, size: features.count, starts: rows.map { $0 - window }, steps: window), targets: .none)
    if parts.count > 1 { windows.groups = groups.map { Int32($0) } }
    return ForecastOrigins(windows: windows, rows: rows, groups: groups, warnings: warnings)
  }

  /// Behind a part's last row whose features were all in the file.
  func realEnd(_ part: SeriesPart) -> Int {
    guard let filledFeatures else { return part.rows.upperBound }
    return part.rows.last { !filledFeatures[$0] }.map { $0 + 1 } ?? part.rows.lowerBound
  }

  func tail(_ part: SeriesPart, from end: Int) -> String {
    let count = part.rows.upperBound - end
    let line = part.lines[end - part.rows.lowerBound]
    let when = time(part, row: end).map { " (\($0.joined(separator: " ")))" } ?? ""
    return
      "\(whose(part))the last \(count == 1 ? "row, line \(line), lacks" : "\(count) rows, from line \(line) on, lack") numbers that the model reads: "
      + "the forecast begins with \(count == 1 ? "that row" : "the first of them")\(when), not after what was filled in"
  }

  private func whose(_ part: SeriesPart) -> String { parts.count > 1 ? "\(part.name): " : "" }

  /// The last window, whose horizon lies beyond the data: what to predict from.
  public func lastWindow() throws(ShapeError) -> SequenceData {
    try SequenceData(
      inputs: .windows(rows: featureRows, size: features.count, starts: [rowCount - window], steps: window),
      targets: .none)
  }

  // MARK: - Names of rows

  /// The columns that identify the row that a forecast is of: ids, then times, or the number of the row.
  package func forecastColumns(numbersRows: Bool) -> [String] {
    idColumns + (timeColumns ?? (numbersRows ? ["row"] : []))
  }

  /// How its dates are read, where their shape leaves it open.
  package var dateOrder: DateOrder? { parts.first?.time?.order }

  /// The columns that tell times; nil where there are none.
  package var timeColumns: [String]? { parts.first?.time?.names }

  /// What a forecast's row is of, in the order of `forecastColumns`.
  /// - Parameters:
  ///   - row: as counted over all parts; it may lie beyond the part's end.
  package func labels(ofRow row: Int, part place: Int, numbersRows: Bool) -> [String] {
    let part = parts[place]
    var labels = part.id
    if part.time != nil {
      labels += time(part, row: row) ?? Array(repeating: "", count: part.time?.fields.count ?? 1)
    } else if numbersRows {
      labels.append("\(row - part.rows.lowerBound + 1)")
    }
    return labels
  }

  /// The same of whichever part the row is of.
  package func labels(ofRow row: Int, numbersRows: Bool) -> [String] {
    labels(ofRow: row, part: partIndex(ofRow: row), numbersRows: numbersRows)
  }

  /// The same for one row of an origin's horizon.
  package func labels(_ origins: ForecastOrigins, _ index: Int, ahead: Int, numbersRows: Bool) -> [String] {
    labels(ofRow: origins.rows[index] + ahead, part: origins.groups[index], numbersRows: numbersRows)
  }

  /// The ids of an origin's series.
  package func id(_ origins: ForecastOrigins, _ index: Int) -> [String] { parts[origins.groups[index]].id }

  /// A row's time; beyond the end, extrapolated by the table's usual step. nil where it is unknown.
  func time(_ part: SeriesPart, row: Int) -> [String]? {
    guard let column = part.time, let times = part.times, let last = times.last else { return nil }
    let place = row - part.rows.lowerBound
    if place < times.count { return column.texts(times[place], zoneOfRow: part.places[place]) }
    guard let step = column.step else { return nil }
    return column.texts(step.advance(last, by: place - times.count + 1), zoneOfRow: part.places.last)
  }
}
