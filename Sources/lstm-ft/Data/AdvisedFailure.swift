import FileIO
import LSTMFineTuning
import LSTMReports

/// A failure of the library's with the options of this tool that help.
struct AdvisedFailure: DescribedFailure {
  let failure: TableError
  let advice: [Message]

  var category: FailureCategory { failure.category }
  var message: Message { failure.message }
}

/// Does something with tables; says how to answer what they leave open.
func advised<Result>(_ body: () throws -> Result) throws -> Result {
  do {
    return try body()
  } catch let failure as TableError {
    throw AdvisedFailure(failure: failure, advice: failure.options)
  }
}

extension TableError {
  /// What to type.
  fileprivate var options: [Message] {
    switch self {
    case .needsID(_, let columns, _):
      return [
        "take them apart with --id \(shellWord(columns.joined(separator: ",")))",
        "or read on from one to the next with --id none",
      ]
    case .needsDateOrder(_, _, _, let orders):
      return ["say it with --date-order \(orders.map(\.rawValue).joined(separator: " or --date-order "))"]
    case .unordered:
      return [
        "where the table holds several series, name the column that tells them apart with --id",
        "or take the rows as they stand with --time none",
      ]
    case .notATime: return ["mend the line, or take the rows as they stand with --time none"]
    case .noTime: return ["name others with --time, or take the rows as they stand with --time none"]
    case .differentColumns: return ["name the columns with --time and --id, or none"]
    case .badDate: return []
    }
  }
}
