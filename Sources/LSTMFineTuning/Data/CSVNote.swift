import FileIO

/// Something about a CSV file that was recognized and is not told by its numbers: a line passed over, a way of writing.
public struct CSVNote: Sendable, Equatable, CustomStringConvertible {
  /// What was recognized.
  public enum Kind: String, Sendable {
    /// Text in another encoding than UTF-8.
    case encoding
    /// A first line such as `sep=;`.
    case separatorLine
    /// Lines that begin with a comment mark.
    case comments
    /// Lines above the header.
    case titles
    /// Columns whose names stand in a comment.
    case commentedHeader
    /// Rows of units below the header.
    case units
    /// Lines below the last row.
    case footer
    /// Separators at the ends of lines, which make no column.
    case trailingSeparators
    /// How numbers are written.
    case numbers
    /// A spreadsheet's errors, taken for missing.
    case spreadsheetErrors
    /// Numbers that mark missing values.
    case missingMarks
  }

  /// What was recognized.
  public let kind: Kind
  /// The file's path, or the name that it was given.
  public let file: String
  /// The first physical line concerned, counted from 1.
  public let line: Int?
  /// The column concerned.
  public let column: String?
  /// How many lines or cells it concerns.
  public let count: Int
  /// What was done, without the place.
  public let detail: String

  init(_ kind: Kind, file: String, line: Int? = nil, column: String? = nil, count: Int = 1, _ detail: String) {
    self.kind = kind
    self.file = file
    self.line = line
    self.column = column
    self.count = count
    self.detail = detail
  }

  /// One line: where, and what was done.
  public var description: String { "\(CSVError.place(file, line, column)): \(detail)" }
}

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
