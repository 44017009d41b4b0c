import ArgumentParser
import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning

extension DateOrder: ExpressibleByArgument {}
extension MissingValuePolicy: ExpressibleByArgument {}
extension Vocabulary.Unit: ExpressibleByArgument {}

/// Where data comes from and how it is read.
struct DataArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A CSV series, or arrays x, y and optionally lengths in HDF5 or .npz; predict also takes x.npy. For CSV, it is "
        + "repeatable and may be a folder: each file is a separate series.", valueName: "file"),
    completion: .file())
  var data: [String] = []

  @Option(
    help: ArgumentHelp("A text file, in which the model predicts each next token.", valueName: "file"),
    completion: .file())
  var text: String?

  @Option(
    help: ArgumentHelp("CSV: the column to predict. Repeatable, or separated by commas.", valueName: "column"))
  var target: [String] = []

  @Option(
    help: ArgumentHelp(
      "CSV: the input columns, separated by commas. (default: the targets, or all)",
      valueName: "columns"))
  var features: String?

  @Option(
    help: ArgumentHelp(
      "CSV: the columns with each row's time, such as date, or date,hour; none to keep the rows in file order. "
        + "(default: as fine-tuned, else detected)", valueName: "columns"))
  var time: String?

  @Option(
    help: ArgumentHelp(
      "CSV: the columns that identify the series, where a table holds several; none for a single series. "
        + "(default: as fine-tuned)", valueName: "columns"))
  var id: String?

  @Option(
    help: ArgumentHelp(
      "CSV: the order of day, month and year, where dates are ambiguous: dmy, mdy or ymd.", valueName: "order"))
  var dateOrder: DateOrder?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The input window, in rows of a CSV series or tokens of a text. (default: as fine-tuned)", valueName: "steps"))
  var window: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "CSV: rows to predict ahead. (default: as fine-tuned, else by the size of the head, else 1)", valueName: "rows"))
  var horizon: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "CSV: the season in rows, for the seasonal naive forecast that the model is compared with. "
        + "(default: as fine-tuned, else 1)", valueName: "rows"))
  var season: Int?

  @Flag(
    help: "The targets are the inputs: for an autoencoder, which gives back what it reads. (default: as fine-tuned)")
  var reconstruct = false

  @Option(help: ArgumentHelp("CSV: how to treat missing values.", valueName: "policy"))
  var missing: MissingValuePolicy = .error

  @Flag(inversion: .prefixedNo, help: "CSV: whether the first line names the columns. (default: detected)")
  var header: Bool?

  @OptionGroup
  var csv: CSVArguments

  @Option(
    help: ArgumentHelp("CSV: the column of texts to classify. (default: as fine-tuned)", valueName: "column"))
  var textColumn: String?

  @Option(
    help: ArgumentHelp("CSV: the column of class labels. (default: as fine-tuned)", valueName: "column"))
  var labelColumn: String?

  @Option(
    help: ArgumentHelp(
      "CSV, for ctc: whether each character of the label column is a label, or each word. (default: as fine-tuned, else characters)",
      valueName: "unit"))
  var labelUnit: Vocabulary.Unit?

  @Option(
    help: ArgumentHelp(
      "CSV: the column that identifies each row's sequence, to classify sequences, or each row when labels differ within "
        + "a sequence. (default: as fine-tuned)", valueName: "column"))
  var sequenceID: String?

  @Option(help: "Text: the unit of tokens. (default: as in the model's vocabulary)")
  var tokens: Vocabulary.Unit?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Text: tokens between the starts of consecutive sequences. (default: the window, or 1 when the model gives one "
        + "output per sequence)", valueName: "tokens"))
  var stride: Int?

  @Option(
    help: ArgumentHelp("Text: a line that separates documents, such as %. (default: as fine-tuned)", valueName: "line"))
  var separator: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Read a text, a CSV series or long sequences in chunks of this many steps, in order, with the state carried from "
        + "chunk to chunk (truncated BPTT). Arrays may mark in reset (N, T) where the state restarts from zero. "
        + "(default: as fine-tuned)",
      valueName: "steps"))
  var chunk: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --chunk: parts of a text or a series that are read in parallel. (default: 20 to train on a text, else 1)",
      valueName: "count"))
  var streams: Int?

  @Option(
    help: ArgumentHelp(
      "A decoder that is fed its own output: what it reads first: the number of a token or, of values, zero, last "
        + "(the last known ones) or a number such as 0.5. (default: as fine-tuned, else zero for values)",
      valueName: "start"))
  var decoderStart: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "A decoder that is fed its own output: the token that ends a sequence. (default: as fine-tuned)",
      valueName: "token"))
  var decoderEnd: Int?

  /// What a decoder reads first: whole numbers are tokens.
  private func start() throws -> DecoderStart? {
    guard let decoderStart else { return nil }
    switch decoderStart {
    case "zero": return .zero
    case "last": return .last
    default:
      if let token = Int(decoderStart) { return .token(token) }
      guard let value = Float(decoderStart), value.isFinite else {
        throw InputError.usage("--decoder-start \(decoderStart): expected a token, zero, last or a number")
      }
      return .value(value)
    }
  }

  /// - Throws: `InputError.usage` when nothing is named, or options contradict each other.
  func settings() throws -> DataSettings {
    if !data.isEmpty, text != nil { throw InputError.usage("--data and --text cannot be combined") }
    let files = text.map { [$0] } ?? data
    guard !files.isEmpty else {
      throw InputError.usage("no data given", advice: ["name it with --data mine.csv (or .h5, .npz with x and y)"])
    }
    func names(_ text: String) -> [String] {
      text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    }
    var settings = DataSettings(files: files, isText: text != nil)
    settings.targets = target.flatMap(names)
    settings.features = features.map(names)
    settings.time = time.map { $0 == "none" ? [] : names($0) }
    settings.id = id.map { $0 == "none" ? [] : names($0) }
    settings.dateOrder = dateOrder
    (settings.window, settings.horizon, settings.season) = (window, horizon, season)
    if reconstruct { settings.reconstructs = true }
    settings.missing = missing
    settings.csv = try csv.options(header: header)
    (settings.textColumn, settings.labelColumn, settings.sequenceColumn) = (textColumn, labelColumn, sequenceID)
    settings.labelUnit = labelUnit
    (settings.tokens, settings.stride, settings.separator) = (tokens, stride, separator)
    (settings.chunk, settings.streams) = (chunk, streams)
    (settings.decoderStart, settings.decoderEnd) = (try start(), decoderEnd)
    return settings
  }
}
