import FileIO

/// The numbers of some tables, one series after another.
struct SeriesRows {
  private(set) var features: [Float] = []
  private(set) var targets: [Float] = []
  private(set) var count = 0
  private(set) var parts: [SeriesPart] = []
  private(set) var idColumns: [String] = []
  private(set) var ownIDColumns: [String] = []
  private(set) var notes: [Message] = []
  private(set) var filled: [FilledCells] = []
  private(set) var filledFeatures: [Bool]?
  private(set) var filledTargets: [Bool]?

  /// A column's numbers and which of them are missing, as the file has them.
  private struct Column {
    let values: [Float]
    /// nil where none is.
    let isMissing: [Bool]?
  }

  init(_ tables: [OrderedTable], features: [String], targets: [String], _ policy: MissingValuePolicy) throws {
    var counts: [String: Int] = [:]
    let names = features + targets.filter { !features.contains($0) }
    let stems = Self.stems(tables.map(\.table.file))
    ownIDColumns = tables.first?.idColumns ?? []
    idColumns = (tables.count > 1 ? ["file"] : []) + (tables.first?.idColumns ?? [])
    for (place, table) in tables.enumerated() {
      guard table.idColumns == tables[0].idColumns, table.time?.names == tables[0].time?.names else {
        throw TableError.differentColumns(
          file: table.table.file,
          detail: "its columns of times and ids are not those of \(tables[0].table.file)")
      }
      var columns: [String: Column] = [:]
      for name in names { columns[name] = try Self.column(name, table.table, policy) }
      notes += table.notes.map { tables.count > 1 ? "\(table.table.file): \($0)" : $0 }
      for part in table.parts {
        try add(
          part, of: table, stem: tables.count > 1 ? stems[place] : nil, columns, features, targets, policy, &counts)
      }
    }
    self.filled = names.compactMap { name in counts[name].map { .init(column: name, count: $0) } }
    if filledFeatures?.contains(true) != true { filledFeatures = nil }
    if filledTargets?.contains(true) != true { filledTargets = nil }
    for filled in filled {
      notes.append(
        "\(filled.column): \(filled.count) of \(count) cells held no number and \(filled.count == 1 ? "was" : "were") filled in (\(policy.words))"
      )
    }
    if targets == features { self.targets = self.features }
  }

  private static func column(_ name: String, _ table: CSVTable, _ policy: MissingValuePolicy) throws -> Column {
    guard policy != .error else { return Column(values: try table.floats(column: name), isMissing: nil) }
    let isMissing = try table.missing(column: name)
    // Under a policy a column without any number is an error: there is nothing to fill from.
    let values = try table.floats(column: name, missing: isMissing.contains(false) ? .zero : policy)
    return Column(values: values, isMissing: isMissing.contains(true) ? isMissing : nil)
  }

  private mutating func add(
    _ part: OrderedTable.Part, of table: OrderedTable, stem: String?, _ columns: [String: Column],
    _ features: [String], _ targets: [String], _ policy: MissingValuePolicy, _ counts: inout [String: Int]
  ) throws {
    var values: [String: [Float]] = [:]
    var marks: [String: [Bool]] = [:]
    for (name, column) in columns {
      var own = part.rows.map { column.values[$0] }
      if let isMissing = column.isMissing {
        let gaps = part.rows.indices.filter { isMissing[part.rows[$0]] }
        if !gaps.isEmpty {
          counts[name, default: 0] += gaps.count
          guard gaps.count < own.count || policy == .zero else {
            throw FineTuningError.badData(
              file: table.table.file,
              detail: "every value of column \"\(name)\" is missing"
                + (part.id.isEmpty ? "" : " for \(part.id.joined(separator: ", "))"), advice: [])
          }
          if policy != .zero { CSVGaps.fill(&own, gaps, interpolating: policy == .interpolate) }
          var mark = [Bool](repeating: false, count: own.count)
          for gap in gaps { mark[gap] = true }
          marks[name] = mark
        }
      }
      values[name] = own
    }
    func rows(_ names: [String]) -> [Float] {
      if names.count == 1 { return values[names[0]] ?? [] }
      let columns = names.map { values[$0] ?? [] }
      var rows: [Float] = []
      rows.reserveCapacity(part.rows.count * names.count)
      for row in part.rows.indices { for column in columns { rows.append(column[row]) } }
      return rows
    }
    func marked(_ names: [String]) -> [Bool] {
      let marks = names.compactMap { marks[$0] }
      return part.rows.indices.map { row in marks.contains { $0[row] } }
    }
    self.features += rows(features)
    if features != targets { self.targets += rows(targets) }
    if policy != .error {
      filledFeatures = (filledFeatures ?? []) + marked(features)
      filledTargets = (filledTargets ?? []) + marked(targets)
    }
    parts.append(
      SeriesPart(
        file: table.table.file, id: (stem.map { [$0] } ?? []) + part.id, rows: count..<count + part.rows.count,
        times: table.time.map { time in part.rows.map { time.instants[$0] } },
        lines: part.rows.map { table.table.firstLine(ofRow: $0) }, time: table.time, places: part.rows))
    count += part.rows.count
  }

  /// Files' names without folders and endings, with as much of the rest as tells them apart.
  private static func stems(_ files: [String]) -> [String] {
    let stems = files.map(SeriesPart.stem)
    return Set(stems).count == stems.count ? stems : files
  }
}
