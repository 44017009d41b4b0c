import FileIO
import Foundation

/// What is wrong with a CSV file, or with what was asked of it.
///
/// `description` is one line such as
/// `mine.csv line 17, column "temp": expected a number, found "warm"`; `advice` says what to do next.
public struct CSVError: Error, Sendable, Equatable {
  /// The ways in which reading or writing a table fails.
  public enum Kind: Sendable, Equatable {
    /// There is no file at the path.
    case notFound
    /// The path names a directory.
    case isDirectory
    /// The path names a pipe, socket or device.
    case notRegularFile
    /// A system call failed; `code` is its `errno`.
    case system(operation: String, code: Int32)
    /// The file became shorter while it was read.
    case truncated
    /// The file holds NUL bytes: it is not text.
    case binary
    /// The file is not UTF-8.
    case notUTF8
    /// The file holds nothing, or blank lines only.
    case empty
    /// The file holds a header and no rows.
    case headerOnly
    /// A row has another number of cells than the first one.
    case raggedRow(expected: Int, found: Int)
    /// A row takes 4 GiB or more, or the first one 16 MiB.
    case rowTooLong
    /// More columns than a table is read with.
    case tooManyColumns(limit: Int)
    /// The file, and what is made of it, does not fit in the memory.
    case beyondMemory(byteCount: Int)
    /// A quoted cell never ends.
    case unterminatedQuote
    /// Text follows a closing quote.
    case textAfterQuote
    /// Two columns have the same name.
    case duplicateColumn
    /// A column has no name; `position` counts from 1.
    case emptyColumnName(position: Int)
    /// No column has the name.
    case unknownColumn
    /// A cell is not a number.
    case notANumber(found: String)
    /// A cell's number is too large for the type asked for.
    case numberOutOfRange(found: String)
    /// A cell is missing where the policy is `.error`.
    case missingValue(found: String)
    /// Every cell of a column is missing, so there is nothing to fill gaps from.
    case noValues
    /// A column writes its decimals both as "3.5" and as "3,5".
    case mixedDecimalMarks(found: String)
    /// A column's numbers read two ways: with the mark for decimals, and with the mark between thousands.
    case ambiguousNumber(found: String, mark: CSVDecimalMark, asDecimal: String, asThousands: String)
    /// Numbers far outside the others of a column that may mark missing values, as they are written.
    case suspectedMissing(marks: [String], count: Int, range: String?)
    /// A first line such as `sep=:` names a separator that is not read.
    case unknownSeparator(found: String)
    /// The options contradict each other.
    case contradiction(String)
  }

  /// The file's path, or the name that it was given.
  public let file: String
  /// The physical line concerned, counted from 1.
  public let line: Int?
  /// The column concerned.
  public let column: String?
  /// What is wrong.
  public let kind: Kind
  /// What to do next; at most two lines.
  public let advice: [Message]

  init(_ kind: Kind, file: String, line: Int? = nil, column: String? = nil, advice: [Message] = []) {
    self.kind = kind
    self.file = file
    self.line = line
    self.column = column
    self.advice = advice
  }

  /// `mine.csv line 17, column "temp"`
  static func place(_ file: String, _ line: Int?, _ column: String?) -> String {
    var place = file
    if let line { place += " line \(line)" }
    if let column { place += "\(line == nil ? " " : ", ")column \(quoted(column))" }
    return place
  }

  /// What is wrong, without the place.
  public var detail: String {
    switch kind {
    case .notFound: "no such file"
    case .isDirectory: "is a directory, expected a CSV file"
    case .notRegularFile: "is not a regular file, expected a CSV file"
    case .system(let operation, let code): "\(operation) failed: \(String(cString: strerror(code)))"
    case .truncated: "it ended while it was being read"
    case .binary: "is not a text file (it holds NUL bytes), expected CSV"
    case .notUTF8: "is not UTF-8 text"
    case .empty: "the file is empty"
    case .headerOnly: "the file has a header but no rows"
    case .raggedRow(let expected, let found):
      found == 0
        ? "a blank line among the rows, expected \(Self.cells(expected))"
        : "expected \(Self.cells(expected)), found \(found)"
    case .rowTooLong: "a row without an end, longer than any table's"
    case .tooManyColumns(let limit): "more than \(limit) cells in a row"
    case .beyondMemory(let count): UnreadableReason.beyondMemory(count)
    case .unterminatedQuote: "a quote is opened and never closed"
    case .textAfterQuote: "text follows a closing quote"
    case .duplicateColumn: "two columns have this name"
    case .emptyColumnName(let position): "column \(position) has no name in the header"
    case .unknownColumn: "no such column"
    case .notANumber(let found): "expected a number, found \(Self.quoted(found))"
    case .numberOutOfRange(let found): "the number \(Self.quoted(found)) is too large"
    case .missingValue(let found):
      "expected a number, found \(found.isEmpty ? "an empty cell" : "the missing value \(Self.quoted(found))")"
    case .noValues: "every value is missing"
    case .mixedDecimalMarks(let found):
      "decimals with both \".\" and \",\" in one column, found \(Self.quoted(found))"
    case .ambiguousNumber(let found, _, let asDecimal, let asThousands):
      "\(Self.quoted(found)) can be read as \(asDecimal) or as \(asThousands)"
    case .suspectedMissing(let marks, let count, let range):
      "\(marks.joined(separator: " and ")) (\(count == 1 ? "once" : "\(count) times")) "
        + (range.map { "lies far outside the other values, \($0)" } ?? "is all there is")
        + ": does it mark missing values?"
    case .unknownSeparator(let found): "separator \(Self.quoted(found)), expected one of , ; | or a tab"
    case .contradiction(let what): what
    }
  }

  private static func cells(_ count: Int) -> String { count == 1 ? "1 cell" : "\(count) cells" }

  /// The text in quotes, shortened, on one line and without control characters.
  static func quoted(_ text: String) -> String {
    let line = String(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : Character($0) })
    return line.count > 40 ? "\"\(line.prefix(39))…\"" : "\"\(line)\""
  }
}

extension CSVError: DescribedFailure {
  /// Where, and what is wrong there.
  public var message: Message { "\(place): \(detail)" }

  public var description: String { message.description }

  /// `mine.csv line 17, column "temp"`
  package var place: String { Self.place(file, line, column) }

  public var category: FailureCategory {
    switch kind {
    case .notFound: .notFound
    case .unknownColumn: .usage
    case .system: .inputOutput
    default: .badInput
    }
  }
}
