import ArgumentParser
import FileIO
import LSTMFineTuning

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

/// The notation of a CSV file, where it cannot be detected.
struct CSVArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "CSV: the decimal mark. (default: detected from the columns and the separator)", valueName: "mark"))
  var decimal: CSVDecimalMark?

  @Option(
    help: ArgumentHelp(
      "CSV: the thousands separator. (default: detected from the columns and the separator)", valueName: "mark"))
  var thousands: CSVThousands?

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "CSV: a number or word that means a missing value, such as -9999; none when every number is a real value. "
        + "Repeatable.", valueName: "value"))
  var missingValue: [String] = []

  @Option(
    parsing: .unconditional, help: ArgumentHelp("CSV: lines to skip above the table.", valueName: "count"))
  var skipLines: Int?

  @Option(
    help: ArgumentHelp("CSV: the prefix of comment lines, or none. (default: #, % or //)", valueName: "mark"))
  var comment: String?

  @Option(
    help: ArgumentHelp("CSV: the text encoding. (default: detected)", valueName: "name"))
  var encoding: CSVEncoding?

  func options(header: Bool?) throws -> CSVOptions {
    if let decimal, thousands?.rawValue == decimal.rawValue {
      throw InputError.usage("--decimal \(decimal.rawValue) and --thousands \(decimal.rawValue) cannot be combined")
    }
    if let skipLines, skipLines < 0 {
      throw InputError.usage("--skip-lines \(skipLines): expected at least 0")
    }
    if comment?.isEmpty == true {
      throw InputError.usage("--comment: expected the prefix of comment lines, found nothing")
    }
    var options = CSVOptions(header: header)
    options.decimal = decimal
    options.thousands = thousands
    options.encoding = encoding
    options.skippedLines = skipLines ?? 0
    options.comment = comment
    options.missingValues = missingValue.filter { $0.lowercased() != "none" }
    options.acceptsSentinelValues = options.missingValues.count < missingValue.count
    return options
  }
}

extension CSVOptions {
  /// Each option, and whether it was given.
  var given: [(String, Bool)] {
    [
      ("--header", header != nil), ("--decimal", decimal != nil), ("--thousands", thousands != nil),
      ("--missing-value", !missingValues.isEmpty || acceptsSentinelValues), ("--skip-lines", skippedLines != 0),
      ("--comment", comment != nil), ("--encoding", encoding != nil),
    ]
  }
}
