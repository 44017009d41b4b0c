import FileIO
import LSTMFineTuning
import LSTMReports

extension DataSettings {
  func table(_ path: String) throws -> CSVTable {
    do {
      return try CSVTable(contentsOf: path, options: csv)
    } catch {
      throw explained(error, nil)
    }
  }

  /// A failure of the CSV reader, with the options of this tool that help.
  func explained(_ error: CSVError, _ table: CSVTable?) -> any Error {
    let advice: [Message]
    switch error.kind {
    case .missingValue: advice = ["fill missing values with --missing interpolate, forwardFill or zero"]
    case .notANumber where error.advice.isEmpty && table?.numericColumns.isEmpty == false:
      advice = ["numeric columns are \((table?.numericColumns ?? []).joined(separator: ", "))"]
    case .ambiguousNumber(_, let mark, let asDecimal, let asThousands):
      advice = ["use --decimal \(mark.rawValue) for \(asDecimal), or --thousands \(mark.rawValue) for \(asThousands)"]
    case .suspectedMissing(let marks, _, _):
      let words =
        marks.map { "--missing-value=" + shellWord($0) } + (missing == .error ? ["--missing interpolate"] : [])
      advice = [
        "\(words.joined(separator: " ")) treats it as missing" + (missing == .error ? " (or forwardFill, zero)" : ""),
        "--missing-value none treats it as a number",
      ]
    case .notUTF8 where csv.encoding == nil && error.line != nil:
      advice = ["save it as UTF-8, or use --encoding windows-1252 if that is its encoding"]
    default: return error
    }
    return FineTuningError.badLine(error, advice: advice)
  }
}

extension FineTuningError {
  /// A place in a CSV file, with other advice.
  fileprivate static func badLine(_ error: CSVError, advice: [Message]) -> FineTuningError {
    .badData(file: error.place, detail: Message(error.detail), advice: advice)
  }
}
