import FileIO
import LSTMFineTuning

extension DataSettings {
  func table(_ path: String) throws -> CSVTable {
    do {
      return try CSVTable(contentsOf: path, options: csv)
    } catch {
      throw explained(error, nil)
    }
  }

  /// What the file's reader found, with the options of this tool that help.
  func explained(_ error: CSVError, _ table: CSVTable?) -> any Error {
    let advice: [Message]
    switch error.kind {
    case .missingValue: advice = ["fill missing values with --missing interpolate, forwardFill or zero"]
    case .notANumber where error.advice.isEmpty && table?.numericColumns.isEmpty == false:
      advice = ["columns of numbers are \((table?.numericColumns ?? []).joined(separator: ", "))"]
    case .ambiguousNumber(_, let mark, let asDecimal, let asThousands):
      advice = ["say --decimal \(mark.rawValue) for \(asDecimal), or --thousands \(mark.rawValue) for \(asThousands)"]
    case .suspectedMissing(let marks, _, _):
      let words = marks.map { "--missing-value=\($0)" } + (missing == .error ? ["--missing interpolate"] : [])
      advice = [
        "\(words.joined(separator: " ")) takes it for missing" + (missing == .error ? " (or forwardFill, zero)" : ""),
        "--missing-value none takes it for a number",
      ]
    case .notUTF8 where csv.encoding == nil && error.line != nil:
      advice = ["save it as UTF-8, or say --encoding windows-1252 where that is what it is"]
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
