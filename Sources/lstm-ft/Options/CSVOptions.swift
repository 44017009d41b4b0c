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
