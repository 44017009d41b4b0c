import ArgumentParser
import FileIO
import LSTMCheckpoints
import LSTMFineTuning
import LSTMReports

extension CSVDecimalMark: ExpressibleByArgument {}
extension CSVEncoding: ExpressibleByArgument {}

extension CSVThousands: ExpressibleByArgument {
  public init?(argument: String) {
    switch argument {
    case " ", "\u{a0}", "\u{202f}", "\u{2009}": self = .space
    case "\u{2019}": self = .apostrophe
    default: self.init(rawValue: argument)
    }
  }
}

/// How a CSV file is written, where that does not show.
struct CSVArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "CSV: what stands before decimals. (default: as the columns and the separator show)", valueName: "mark"))
  var decimal: CSVDecimalMark?

  @Option(
    help: ArgumentHelp(
      "CSV: what stands between thousands. (default: as the columns and the separator show)", valueName: "mark"))
  var thousands: CSVThousands?

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "CSV: a number or word that stands for a missing value, such as -9999; none when all numbers are numbers. "
        + "Repeatable.", valueName: "value"))
  var missingValue: [String] = []

  @Option(
    parsing: .unconditional, help: ArgumentHelp("CSV: lines above the table to pass over.", valueName: "count"))
  var skipLines: Int?

  @Option(
    help: ArgumentHelp("CSV: what comment lines begin with, or none. (default: #, % or //)", valueName: "mark"))
  var comment: String?

  @Option(
    help: ArgumentHelp("CSV: how the text is encoded. (default: as it looks)", valueName: "name"))
  var encoding: CSVEncoding?

  /// Each option, and whether it was given.
  var given: [(String, Bool)] {
    [
      ("--decimal", decimal != nil), ("--thousands", thousands != nil), ("--missing-value", !missingValue.isEmpty),
      ("--skip-lines", skipLines != nil), ("--comment", comment != nil), ("--encoding", encoding != nil),
    ]
  }

  func options(header: Bool?) throws -> CSVOptions {
    if let decimal, thousands?.rawValue == decimal.rawValue {
      throw InputError.usage(
        "--decimal \(decimal.rawValue) and --thousands \(decimal.rawValue) exclude each other", advice: [])
    }
    if let skipLines, skipLines < 0 {
      throw InputError.usage("--skip-lines \(skipLines): expected a number from 0", advice: [])
    }
    if comment?.isEmpty == true {
      throw InputError.usage("--comment: expected what comment lines begin with", advice: [])
    }
    var options = CSVOptions(header: header)
    options.decimal = decimal
    options.thousands = thousands
    options.encoding = encoding
    options.skippedLines = skipLines ?? 0
    options.comment = comment
    options.missingValues = missingValue.filter { $0.lowercased() != "none" }
    options.takesAllNumbers = options.missingValues.count < missingValue.count
    return options
  }
}

extension DataArguments {
  func table(_ path: String) throws -> CSVTable {
    do {
      return try CSVTable(contentsOf: path, options: csv.options(header: header))
    } catch let error as CSVError {
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

extension LoadedData {
  /// What was recognized in a table.
  var readingNotes: [String] {
    switch self {
    case .series(let series), .seriesStreams(let series, _, _): series.readingNotes.map(\.description)
    case .labeled(let labeled): labeled.table.readingNotes.map(\.description)
    case .text, .arrays, .textStreams, .streams: []
    }
  }
}

extension FineTuningError {
  /// A place in a CSV file, with other advice.
  fileprivate static func badLine(_ error: CSVError, advice: [Message]) -> FineTuningError {
    .badData(file: error.place, detail: Message(error.detail), advice: advice)
  }
}
