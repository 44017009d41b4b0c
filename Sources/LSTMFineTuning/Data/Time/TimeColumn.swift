/// When each row of a table was: one column, or several together.
package struct TimeColumn: Sendable {
  /// A column, and how it writes its part of a time.
  package struct Field: Sendable, Equatable {
    /// The column's name.
    package let name: String
    /// How its cells are written.
    package let format: TimeFormat
  }

  /// One, or a date and a time of day apart.
  package let fields: [Field]
  /// Whether they are times; else they are numbers that only count.
  package let isCalendar: Bool
  /// In microseconds since 1970, or millionths of a count; by the table's rows.
  let instants: [Int64]
  /// Minutes east of UTC by row; empty where no zone is written.
  let offsets: [Int]
  /// How dates are read, where their shape leaves it open.
  package let order: DateOrder?
  /// From one row to the next of the same series; nil where there is no usual one.
  package internal(set) var step: TimeStep?

  /// The columns' names.
  package var names: [String] { fields.map(\.name) }

  init(_ cells: [(name: String, cells: TimeCells)], isCalendar: Bool = true) {
    fields = cells.map { Field(name: $0.name, format: $0.cells.format) }
    self.isCalendar = isCalendar
    var instants = cells.first?.cells.instants ?? []
    for (_, more) in cells.dropFirst() {
      for row in instants.indices { instants[row] += more.instants[row] }
    }
    self.instants = instants
    offsets = cells.first { !$0.cells.offsets.isEmpty }?.cells.offsets ?? []
    order = cells.first { $0.cells.isOrderOpen }?.cells.format.order
  }

  /// An instant in the columns' own writing, a text for each.
  /// - Parameter row: whose zone it has.
  package func texts(_ instant: Int64, zoneOfRow row: Int? = nil) -> [String] {
    let offset = row.flatMap { offsets.indices ~= $0 ? offsets[$0] : nil } ?? offsets.last ?? 0
    // What is written as hour 24 belongs to the day before.
    let isFromOne = fields.contains { if case .hour(isFromOne: true) = $0.format.kind { true } else { false } }
    let day = isFromOne ? instant - 1 : instant
    return fields.map { field in
      field.format.text(fields.count > 1 && field.format.tellsDay ? day : instant, offset: offset)
    }
  }

  /// The same as one text, for people.
  func text(_ instant: Int64, zoneOfRow row: Int? = nil) -> String {
    texts(instant, zoneOfRow: row).joined(separator: " ")
  }

  // MARK: - Named

  /// The columns that were named.
  /// - Throws: `TableError`, and `CSVError` for a column that is not there.
  init(_ table: CSVTable, named names: [String], order: DateOrder?) throws {
    let columns = try names.map { try table.strings(column: $0) }
    if names.count == 1 {
      let cells = columns[0]
      if table.isNumeric(names[0]), let numbers = TimeCells.numbers(cells) {
        if let found = TimeCells.calendar(numbers) ?? TimeCells.years(numbers) {
          self.init([(names[0], found)])
          return
        }
        guard let counts = TimeCells.counts(numbers) else {
          throw TableError.noTime(file: table.file, columns: names, detail: "its numbers are too large to be times")
        }
        self.init([(names[0], counts)], isCalendar: false)
        return
      }
      let found = try Self.text(table, names[0], cells, order)
      guard !found.format.isPartial else {
        throw TableError.noTime(
          file: table.file, columns: names,
          detail: "it tells the time of day without the day; name the date's column, too")
      }
      self.init([(names[0], found)])
      return
    }
    var parts: [(name: String, cells: TimeCells)] = []
    for (name, cells) in zip(names, columns) {
      if let numbers = TimeCells.numbers(cells), table.isNumeric(name) {
        let found = parts.isEmpty ? TimeCells.calendar(numbers) : nil
        guard let part = Self.part(name, numbers) ?? found ?? TimeCells.clock(numbers, mayBeHourMinute: true) else {
          throw TableError.noTime(
            file: table.file, columns: [name], detail: "expected dates, hours, or the year, month or day of one")
        }
        parts.append((name, part))
      } else {
        parts.append((name, try Self.text(table, name, cells, order)))
      }
    }
    try self.init(table.file, joining: parts)
  }

  private static func text(
    _ table: CSVTable, _ name: String, _ cells: [String], _ order: DateOrder?
  ) throws -> TimeCells {
    switch TimeCells.text(cells, order: order) {
    case .found(let found): return found
    case .open(let orders):
      throw TableError.needsDateOrder(file: table.file, column: name, found: cells[0].trimmed, orders: orders)
    case .notATime(let row):
      throw TableError.notATime(
        file: table.file, line: table.firstLine(ofRow: row), column: name, found: cells[row].trimmed,
        like: row == 0 ? "2024-03-25 14:30" : cells[0].trimmed)
    }
  }

  /// Year, month and day become one date; what has no day of its own is added to it.
  init(_ file: String, joining parts: [(name: String, cells: TimeCells)]) throws {
    func values(_ kind: TimeFormat.Kind) -> [Int64]? { parts.first { $0.cells.format.kind == kind }?.cells.instants }
    guard let years = values(.year) else {
      guard let first = parts.firstIndex(where: { !$0.cells.format.isPartial }),
        parts.indices.allSatisfy({ $0 == first || parts[$0].cells.format.isPartial })
      else {
        throw TableError.noTime(
          file: file, columns: parts.map(\.name), detail: "expected one column of dates, and times of the day beside it"
        )
      }
      // The date leads, wherever it stands.
      self.init([parts[first]] + parts[..<first] + parts[(first + 1)...])
      return
    }
    let (months, days) = (values(.month), values(.day))
    var instants: [Int64] = []
    instants.reserveCapacity(years.count)
    for row in years.indices {
      guard
        let date = CivilDate(
          year: Int(years[row]), month: months.map { Int($0[row]) } ?? 1, day: days.map { Int($0[row]) } ?? 1)
      else {
        throw TableError.noTime(
          file: file, columns: parts.map(\.name), detail: "row \(row + 1) holds no day of the calendar")
      }
      instants.append(date.microseconds)
    }
    let all = parts.map { name, cells in
      var cells = cells
      switch cells.format.kind {
      case .year: cells.instants = instants
      case .month, .day: cells.instants = [Int64](repeating: 0, count: instants.count)
      default: break
      }
      return (name: name, cells: cells)
    }
    self.init(all)
  }

  /// The part of a date that a column's name says.
  static func part(_ name: String, _ numbers: [TimeCells.Number]) -> TimeCells? {
    guard numbers.allSatisfy({ $0.decimals == 0 || $0.millionths == 0 }) else { return nil }
    let values = numbers.map(\.whole)
    func all(_ range: ClosedRange<Int64>) -> Bool { values.allSatisfy { range ~= $0 } }
    let isPadded = numbers.contains { $0.isPadded && $0.digits == 2 }
    func found(_ kind: TimeFormat.Kind, unit: Int64 = 1) -> TimeCells {
      TimeCells(instants: values.map { $0 * unit }, format: TimeFormat(kind, padsDate: isPadded, padsHour: isPadded))
    }
    switch name.lowercased() {
    case "year", "yr", "yyyy", "jahr": return all(1000...2500) ? found(.year) : nil
    case "month", "mo", "mm", "mon", "monat": return all(1...12) ? found(.month) : nil
    case "day", "dd", "dom", "tag": return all(1...31) ? found(.day) : nil
    case "minute", "min", "minutes": return all(0...59) ? found(.minute, unit: 60_000_000) : nil
    case "second", "sec", "seconds": return all(0...59) ? found(.second, unit: 1_000_000) : nil
    case let name where hourNames.contains(name): return TimeCells.clock(numbers, mayBeHourMinute: false)
    default: return nil
    }
  }

  static let hourNames: Set = [
    "hour", "hr", "h", "hh", "hours", "hrs", "stunde", "heure", "hour of day", "hour_of_day", "hourofday", "hourending",
    "hour_ending", "hour ending", "he",
  ]
}
