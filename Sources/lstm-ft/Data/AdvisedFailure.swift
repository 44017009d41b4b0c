import FileIO
import LSTMFineTuning
import LSTMReports

/// A failure of the library, with the options of this tool that help.
struct AdvisedFailure: DescribedFailure {
  let failure: TableError
  let advice: [Message]

  var category: FailureCategory { failure.category }
  var message: Message { failure.message }
}

/// Adds the options that help to failures of tables.
func advised<Result>(_ body: () throws -> Result) throws -> Result {
  do {
    return try body()
  } catch let failure as TableError {
    throw AdvisedFailure(failure: failure, advice: failure.options)
  }
}

extension TableError {
  /// The options that help.
  fileprivate var options: [Message] {
    switch self {
    case .needsID(_, let columns, _):
      return [
        "separate them with --id \(shellWord(columns.joined(separator: ",")))",
        "or treat them as one series with --id none",
      ]
    case .needsDateOrder(_, _, _, let orders):
      return ["choose --date-order \(orders.map(\.rawValue).joined(separator: " or --date-order "))"]
    case .unordered:
      return [
        "if the table holds several series, name the column that identifies them with --id",
        "or keep the rows in file order with --time none",
      ]
    case .notATime: return ["fix the line, or keep the rows in file order with --time none"]
    case .noTime: return ["name other columns with --time, or keep the rows in file order with --time none"]
    case .differentColumns: return ["name the columns with --time and --id, or none"]
    case .badDate: return []
    }
  }
}
