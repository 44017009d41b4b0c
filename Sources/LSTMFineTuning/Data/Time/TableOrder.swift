import FileIO

/// What is known about a table's rows; the rest is detected.
public struct TableChoice: Sendable {
  /// Which columns tell something.
  public enum Columns: Sendable, Equatable {
    /// Whichever columns look like it.
    case detect
    /// No column.
    case none
    /// These columns, together.
    case named([String])
  }

  /// The columns of a row's time.
  public var time = Columns.detect
  /// The columns of a row's series.
  public var id = Columns.detect
  /// How the numbers of dates follow each other; nil where that is plain.
  public var order: DateOrder?
  /// Columns that are targets or features, and so neither times nor ids unless named.
  public var reserved: Set<String>

  /// Everything is detected unless it is given.
  public init(
    time: Columns = .detect, id: Columns = .detect, order: DateOrder? = nil, reserved: Set<String> = []
  ) {
    (self.time, self.id, self.order, self.reserved) = (time, id, order, reserved)
  }
}

/// What was found about a table's times.
public struct TimeFindings: Sendable, Codable, Equatable {
  /// Where something is the first time, and how often it is.
  public struct Place: Sendable, Codable, Equatable {
    /// How often it is.
    public var count: Int
    /// The line of the file, from 1, where it is the first time.
    public var line: Int
    /// The time there, as the file writes it.
    public var time: String
  }

  /// How rows are ordered in time.
  public enum Direction: String, Sendable, Codable {
    /// All ids' rows alike.
    case ascending, descending, shuffled
    /// Some ids one way, some another.
    case mixed
  }

  /// The columns that tell times, together.
  public var columns: [String]
  /// The earliest time.
  public var first: String
  /// The latest time.
  public var last: String
  /// `hour`, `15 minutes`, `month`; nil when there is no usual one.
  public var step: String?
  /// How the rows stood in the file.
  public var direction: Direction
  /// Times that occur more than once; nil where none does.
  public var repeated: Place?
  /// Steps of several usual ones; nil where none is.
  public var gaps: Place?
  /// Rows that the gaps lack, where that can be counted.
  public var missingRows: Int?
  /// Steps that are shorter, or no whole number of the usual ones.
  public var otherSteps: Place?
}

/// A table's rows as series: each id's together, in order of time.
public struct OrderedTable: Sendable {
  /// The rows of one id.
  public struct Part: Sendable {
    /// The cells of the id columns; empty where there are none.
    public let id: [String]
    /// The table's rows.
    public let rows: [Int]
  }

  /// The table as it was read.
  public let table: CSVTable
  /// The time column; nil where there is none.
  package let time: TimeColumn?
  /// The id columns; empty where there are none.
  public let idColumns: [String]
  /// Each id's rows, in order of time.
  public let parts: [Part]
  /// What was found about times; nil without any.
  public let findings: TimeFindings?
  /// What was decided, as messages.
  public let notes: [Message]

  /// - Throws: `TableError` where the table leaves open what decides the numbers; `CSVError` for an unknown column.
  public init(_ table: CSVTable, _ choice: TableChoice = .init()) throws {
    self.table = table
    let numeric = table.numericColumns
    var notes: [Message] = []
    var time: TimeColumn?
    switch choice.time {
    case .none: break
    case .named(let names): time = try TimeColumn(table, named: names, order: choice.order)
    case .detect:
      time = try TimeColumn.find(
        in: table, apartFrom: choice.reserved, numeric: numeric, order: choice.order, notes: &notes)
    }
    var idColumns: [String] = []
    if case .named(let names) = choice.id { idColumns = names }
    if let time, choice.id == .detect {
      try Self.checkEntities(table, time, choice.reserved.union(time.names), Set(numeric))
    }
    let ids = try idColumns.map { try table.strings(column: $0).map(\.trimmed) }
    var groups: [[String]: [Int]] = [:]
    if ids.isEmpty {
      groups[[]] = Array(0..<table.rowCount)
    } else {
      for row in 0..<table.rowCount { groups[ids.map { $0[row] }, default: []].append(row) }
    }
    var direction: TimeFindings.Direction?
    var parts: [Part] = []
    for id in groups.keys.sorted(by: EntityColumn.isBefore) {
      var rows = groups[id] ?? []
      if let time {
        let found = try Self.sort(&rows, time, table, id, mayStand: choice.id == .none, &notes)
        direction = Self.merged(direction, found)
      }
      parts.append(Part(id: id, rows: rows))
    }
    if let found = time {
      time?.step = TimeStep.find(parts.map { $0.rows.map { found.instants[$0] } }, isCalendar: found.isCalendar)
    }
    (self.time, self.idColumns, self.parts) = (time, idColumns, parts)
    findings = time.map { Self.findings($0, parts, table, direction ?? .ascending) }
    if let findings { notes += findings.lines.map { Message($0) } }
    self.notes = notes
  }

  /// The rows as they stand, one series without times.
  init(asItStands table: CSVTable) {
    self.table = table
    (time, idColumns, findings, notes) = (nil, [], nil, [])
    parts = [Part(id: [], rows: Array(0..<table.rowCount))]
  }

  /// Asks when times repeat, or run back and forth, and a column tells why.
  private static func checkEntities(
    _ table: CSVTable, _ time: TimeColumn, _ reserved: Set<String>, _ numeric: Set<String>
  ) throws {
    let instants = time.instants
    let isOneWay = isOneWay(instants)
    var counts: [Int64: Int] = [:]
    for instant in instants { counts[instant, default: 0] += 1 }
    let repeating = instants.count { counts[$0].map { $0 > 1 } ?? false }
    guard repeating > 0 || !isOneWay else { return }
    let isMostlyRepeated = repeating * 2 >= instants.count
    guard isMostlyRepeated || !isOneWay else { return }
    let candidates = EntityColumn.candidates(table, apartFrom: reserved, numeric: numeric)
    if isMostlyRepeated, let columns = EntityColumn.distinguishing(candidates, instants) {
      let example = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }
      throw TableError.needsID(
        file: table.file, columns: columns,
        detail:
          "the same times stand under \(columns.map { "\"\($0)\"" }.joined(separator: " and ")) again and again"
          + (example.map { ", \(time.text($0.key)) \($0.value) times" } ?? "") + ": these seem to be several series")
    }
    if !isOneWay, let column = EntityColumn.ordering(candidates, instants) {
      throw TableError.needsID(
        file: table.file, columns: [column],
        detail:
          "times run in order under each \"\(column)\", but not from one to the next: these seem to be several series")
    }
  }

  private static func isOneWay(_ instants: [Int64]) -> Bool {
    var (rises, falls) = (true, true)
    for (before, after) in zip(instants, instants.dropFirst()) {
      rises = rises && after >= before
      falls = falls && after <= before
    }
    return rises || falls
  }

  /// Puts rows in order of time.
  /// - Parameter mayStand: whether rows that cannot be put in order are taken as they are.
  private static func sort(
    _ rows: inout [Int], _ time: TimeColumn, _ table: CSVTable, _ id: [String], mayStand: Bool, _ notes: inout [Message]
  ) throws -> TimeFindings.Direction? {
    let instants = time.instants
    var (rises, falls, repeats) = (0, 0, 0)
    for (before, after) in zip(rows, rows.dropFirst()) {
      if instants[after] > instants[before] { rises += 1 }
      if instants[after] < instants[before] { falls += 1 }
      if instants[after] == instants[before] { repeats += 1 }
    }
    guard falls > 0 else { return rises == 0 ? nil : .ascending }
    if rises == 0 {
      rows.reverse()
      return .descending
    }
    let asTheyStand = rows
    rows.sort { (instants[$0], $0) < (instants[$1], $1) }
    let pairs = zip(rows, rows.dropFirst()).filter { instants[$0] == instants[$1] }
    guard let first = pairs.map({ $1 }).min() else { return .shuffled }
    if mayStand {
      rows = asTheyStand
      notes.append(
        "time: the rows are in no order and times repeat; they are read on from one to the next as they stand")
      return nil
    }
    let whose = id.isEmpty ? "" : " of \(id.joined(separator: ", "))"
    throw TableError.unordered(
      file: table.file,
      detail:
        "the rows\(whose) are in no order of time, and \(pairs.count) of them \(pairs.count == 1 ? "repeats" : "repeat") a time (the first on line \(table.firstLine(ofRow: first)), \(time.text(instants[first], zoneOfRow: first)))"
    )
  }

  private static func merged(
    _ a: TimeFindings.Direction?, _ b: TimeFindings.Direction?
  ) -> TimeFindings.Direction? {
    guard let a, let b else { return a ?? b }
    return a == b ? a : .mixed
  }

  private static func findings(
    _ time: TimeColumn, _ parts: [Part], _ table: CSVTable, _ direction: TimeFindings.Direction
  ) -> TimeFindings {
    let instants = time.instants
    let all = parts.flatMap(\.rows)
    let first = all.min { instants[$0] < instants[$1] } ?? 0
    let last = all.max { instants[$0] < instants[$1] } ?? 0
    var findings = TimeFindings(
      columns: time.names, first: time.text(instants[first], zoneOfRow: first),
      last: time.text(instants[last], zoneOfRow: last), step: time.step?.words(isCalendar: time.isCalendar),
      direction: direction)
    func count(_ place: inout TimeFindings.Place?, _ row: Int) {
      let line = table.firstLine(ofRow: row)
      if place == nil || line < place?.line ?? 0 {
        place = .init(count: place?.count ?? 0, line: line, time: time.text(instants[row], zoneOfRow: row))
      }
      place?.count += 1
    }
    var missing = 0
    for part in parts {
      for (before, after) in zip(part.rows, part.rows.dropFirst()) {
        if instants[before] == instants[after] {
          count(&findings.repeated, after)
        } else if let step = time.step {
          let distance = step.distance(instants[before], instants[after])
          if let distance, distance > 1 {
            count(&findings.gaps, after)
            missing += distance - 1
          } else if distance != 1 {
            count(&findings.otherSteps, after)
          }
        }
      }
    }
    if findings.gaps != nil { findings.missingRows = missing }
    return findings
  }
}

extension TimeFindings {
  /// One line: the columns, the first and the last time, and the step.
  public var summary: String {
    "time: \(columns.joined(separator: ", ")), \(first) to \(last)"
      + (step.map { ", every \($0)" } ?? ", with no usual step from row to row")
  }

  var lines: [String] {
    var lines = [summary]
    switch direction {
    case .ascending: break
    case .descending:
      lines.append("time: the file runs from the newest row to the oldest; the rows were put in ascending order")
    case .mixed:
      lines.append("time: not every id's rows ran from the oldest to the newest; they were put in ascending order")
    case .shuffled: lines.append("time: the file's rows are in no order of time; they were put in ascending order")
    }
    func text(_ place: Place, _ one: String, _ many: String) -> String {
      "time: \(place.count == 1 ? one + " on" : "\(place.count) \(many), the first on") line \(place.line) (\(place.time))"
    }
    if let repeated {
      lines.append(text(repeated, "a row repeats the time before it,", "rows repeat the time before them"))
    }
    if let gaps {
      let rows =
        missingRows.map { $0 == 1 ? ", 1 row missing" : ", \($0) rows missing\(gaps.count > 1 ? " in all" : "")" } ?? ""
      lines.append(text(gaps, "a gap ends", "gaps end") + rows)
    }
    if let otherSteps { lines.append(text(otherSteps, "a step of another length ends", "steps of another length end")) }
    if repeated != nil || gaps != nil || otherSteps != nil {
      lines.append("time: windows run on over these rows as they stand")
    }
    return lines
  }
}
