extension CSVNote {
  /// What was found below the header and around the rows.
  static func around(
    _ bytes: [UInt8], _ cells: CSVCells, file: String, columns: Int, units: Int, footer: Int
  ) -> [CSVNote] {
    var notes: [CSVNote] = []
    func text(_ row: Int) -> String {
      CSVError.quoted(
        (0..<columns).map { cells.trimmedText(bytes, row: row, column: $0) }.filter { !$0.isEmpty }
          .joined(separator: " "))
    }
    if units > 0 {
      notes.append(
        CSVNote(
          .units, file: file, line: cells.rowLines[1], count: units,
          (units == 1 ? "a row" : "\(units) rows") + " of units, passed over: \(text(1))"))
    }
    let last = cells.comments
    if let first = last.first {
      notes.append(
        CSVNote(
          .comments, file: file, line: first.line, count: last.count,
          (last.count == 1 ? "a comment" : "\(last.count) lines of comment") + " among the rows, passed over"))
    }
    if columns < cells.columnCount || cells.trailing != nil {
      let line = cells.trailing.map(\.line) ?? cells.rowLines[0]
      notes.append(
        CSVNote(
          .trailingSeparators, file: file, line: line, count: cells.trailing?.count ?? cells.rowCount,
          "separators at the ends of lines make no columns"))
    }
    var below: [(line: Int, text: String)] = (cells.rowCount - footer..<cells.rowCount).map {
      (cells.rowLines[$0], text($0))
    }
    below += cells.tail.map { ($0.line, CSVError.quoted(String(decoding: bytes[$0.range], as: UTF8.self))) }
    if let first = below.first {
      notes.append(
        CSVNote(
          .footer, file: file, line: first.line, count: below.count,
          (below.count == 1 ? "a line" : "\(below.count) lines") + " below the table, passed over: \(first.text)"
            + (below.count == 1 ? "" : " ...")))
    }
    return notes
  }
}
