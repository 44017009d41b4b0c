import FileIO

/// What a table leaves open about its rows, or what stands in the way of taking them as series.
public enum TableError: DescribedFailure, Equatable {
  /// Times repeat, or run back and forth, and a column tells the rows apart: are they several series?
  case needsID(file: String, columns: [String], detail: String)
  /// Dates that may be read two ways.
  case needsDateOrder(file: String, column: String, found: String, orders: [DateOrder])
  /// Rows that are in no order, with times that repeat.
  case unordered(file: String, detail: String)
  /// A cell of a time column that tells none.
  case notATime(file: String, line: Int, column: String, found: String, like: String)
  /// Columns that tell no time together.
  case noTime(file: String, columns: [String], detail: String)
  /// Columns that have to be the same, and are not.
  case differentColumns(file: String, detail: String)
  /// Asked for by a date that the table does not have.
  case badDate(String, detail: String)

  public var category: FailureCategory {
    switch self {
    case .needsID, .needsDateOrder, .badDate, .noTime: .usage
    case .unordered, .notATime, .differentColumns: .badInput
    }
  }

  public var message: Message {
    switch self {
    case .needsID(let file, _, let detail), .unordered(let file, let detail), .differentColumns(let file, let detail):
      "\(file): \(detail)"
    case .needsDateOrder(let file, let column, let found, _):
      "\(file), column \"\(column)\": \"\(found)\" and the others may be read with the day first or with the month first"
    case .notATime(let file, let line, let column, let found, let like):
      "\(file) line \(line), column \"\(column)\": expected a date or a time like \"\(like)\", found "
        + (found.isEmpty ? "an empty cell" : "\"\(found.prefix(40))\"")
    case .noTime(let file, let columns, let detail):
      "\(file), \(columns.count == 1 ? "column" : "columns") \(columns.map { "\"\($0)\"" }.joined(separator: ", ")): \(detail)"
    case .badDate(let text, let detail): "\(text): \(detail)"
    }
  }

}
