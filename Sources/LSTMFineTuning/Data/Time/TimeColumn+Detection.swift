import FileIO

extension TimeColumn {
  /// The columns of a table that tell its rows' times, found by what they hold.
  /// - Parameters:
  ///   - reserved: columns that are something else.
  ///   - numeric: the table's columns of numbers.
  ///   - notes: gets a column that looks like one and is none.
  /// - Throws: `TableError.needsDateOrder`.
  static func find(
    in table: CSVTable, apartFrom reserved: Set<String>, numeric: [String], order: DateOrder?,
    notes: inout [Message]
  ) throws -> TimeColumn? {
    let numeric = Set(numeric)
    let free = table.columnNames.filter { !reserved.contains($0) }
    var dates: [(name: String, cells: TimeCells)] = []
    var clocks: [(name: String, cells: TimeCells)] = []
    var open: TableError?
    for name in free where !numeric.contains(name) && looksLikeTime(table, name) {
      let cells = try table.strings(column: name)
      switch TimeCells.text(cells, order: order) {
      case .found(let found) where found.format.isPartial: clocks.append((name, found))
      case .found(let found): dates.append((name, found))
      case .open(let orders):
        open =
          open
          ?? .needsDateOrder(file: table.file, column: name, found: cells[0].trimmed, orders: orders)
      case .notATime(let row):
        notes.append(
          "column \"\(name)\" looks like a time, but is none: line \(table.firstLine(ofRow: row)) holds "
            + "\"\(cells[row].trimmed.prefix(40))\" where others are like \"\(cells[0].trimmed.prefix(40))\"; the rows are taken as they stand"
        )
      }
    }
    if dates.isEmpty, let open { throw open }
    if let date = dates.first(where: { isDistinct($0.cells.instants) }) ?? dates.first {
      return TimeColumn(withClock(date, clocks, table, free, numeric))
    }
    if let parts = parts(table, free, numeric) { return parts }
    for name in free where numeric.contains(name) {
      guard let numbers = TimeCells.numbers(try table.strings(column: name)) else { continue }
      if let found = TimeCells.calendar(numbers), isNamedLikeTime(name) || isEven(found.instants) {
        return TimeColumn(withClock((name, found), clocks, table, free, numeric))
      }
      if ["year", "yr", "jahr"].contains(name.lowercased()), let found = TimeCells.years(numbers),
        isEven(found.instants)
      {
        return TimeColumn([(name, found)])
      }
    }
    return nil
  }

  /// Whether the first rows are times.
  private static func looksLikeTime(_ table: CSVTable, _ name: String) -> Bool {
    guard let column = table.index(of: name) else { return false }
    let count = min(table.rowCount, 8)
    return (0..<count).allSatisfy { TimeText(table.cell(row: $0, column: column)) != nil }
  }

  private static func isDistinct(_ instants: [Int64]) -> Bool { Set(instants).count == instants.count }

  /// Whether nearly all distinct ones follow one another by the same step.
  private static func isEven(_ instants: [Int64]) -> Bool {
    let distinct = Set(instants).count
    return distinct >= 8 && TimeCells.irregular(instants) * 10 <= distinct
  }

  private static func isNamedLikeTime(_ name: String) -> Bool {
    let name = name.lowercased()
    return ["ts", "dt", "t", "ds", "month", "period", "yyyymm", "yyyymmdd", "ym", "ymd"].contains(name)
      || ["date", "time", "datum", "zeit", "stamp", "epoch", "unix", "fecha"].contains { name.contains($0) }
  }

  /// Adds what tells the time of day, when the dates alone repeat.
  private static func withClock(
    _ date: (name: String, cells: TimeCells), _ clocks: [(name: String, cells: TimeCells)], _ table: CSVTable,
    _ free: [String], _ numeric: Set<String>
  ) -> [(name: String, cells: TimeCells)] {
    guard date.cells.format.precision <= .day, !isDistinct(date.cells.instants) else { return [date] }
    if let clock = clocks.first { return [date, clock] }
    for name in free where name != date.name && numeric.contains(name) {
      let lower = name.lowercased()
      let isTime = ["time", "hhmm", "uhrzeit", "zeit", "hour_min", "hourmin"].contains(lower)
      guard isTime || hourNames.contains(lower), let cells = try? table.strings(column: name),
        let numbers = TimeCells.numbers(cells), let clock = TimeCells.clock(numbers, mayBeHourMinute: isTime)
      else { continue }
      return [date, (name, clock)]
    }
    return [date]
  }

  /// Columns named year, month, day and maybe hour and minute.
  private static func parts(_ table: CSVTable, _ free: [String], _ numeric: Set<String>) -> TimeColumn? {
    var found: [(name: String, cells: TimeCells)] = []
    for name in free where numeric.contains(name) {
      guard let cells = try? table.strings(column: name), let numbers = TimeCells.numbers(cells),
        let part = part(name, numbers), !found.contains(where: { Self.isSame($0.cells.format.kind, part.format.kind) })
      else { continue }
      found.append((name, part))
    }
    func has(_ kind: TimeFormat.Kind) -> Bool { found.contains { Self.isSame($0.cells.format.kind, kind) } }
    guard has(.year), has(.month) else { return nil }
    if !has(.day) { found.removeAll { ![.year, .month].contains($0.cells.format.kind) } }
    if !has(.hour(isFromOne: false)) { found.removeAll { [.minute, .second].contains($0.cells.format.kind) } }
    return try? TimeColumn(table.file, joining: found)
  }

  private static func isSame(_ a: TimeFormat.Kind, _ b: TimeFormat.Kind) -> Bool {
    if case .hour = a, case .hour = b { true } else { a == b }
  }
}
