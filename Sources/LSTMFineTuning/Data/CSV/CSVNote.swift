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
