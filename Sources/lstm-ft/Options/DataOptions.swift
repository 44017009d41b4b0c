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
      "A CSV series, or arrays x, y and maybe lengths in HDF5 or .npz; predict takes x.npy too. Repeatable for CSV, and "
        + "may be a folder of such files: each is a series of its own.", valueName: "file"),
    completion: .file())
  var data: [String] = []

  @Option(
    help: ArgumentHelp("A text file, of which the model says each next token.", valueName: "file"), completion: .file())
  var text: String?

  @Option(
    help: ArgumentHelp("CSV: the column to predict. Repeatable, or separated by commas.", valueName: "column"))
  var target: [String] = []

  @Option(
    help: ArgumentHelp(
      "CSV: the columns that the model reads, separated by commas. (default: the targets, or all)",
      valueName: "columns"))
  var features: String?

  @Option(
    help: ArgumentHelp(
      "CSV: the columns that tell a row's time, such as date, or date,hour; none to take the rows as they stand. "
        + "(default: as fine-tuned, else what is found)", valueName: "columns"))
  var time: String?

  @Option(
    help: ArgumentHelp(
      "CSV: the columns that tell whose row it is, where a table holds several series; none for one series. "
        + "(default: as fine-tuned)", valueName: "columns"))
  var id: String?

  @Option(
    help: ArgumentHelp(
      "CSV: how the numbers of dates follow each other, where that is open: dmy, mdy or ymd.", valueName: "order"))
  var dateOrder: DateOrder?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("CSV: rows that the model looks at. (default: as fine-tuned)", valueName: "rows"))
  var window: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "CSV: rows that it predicts. (default: what the model was made for, else 1)", valueName: "rows"))
  var horizon: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "CSV: rows after which the series repeats itself, for the naive forecast that the model is compared with. "
        + "(default: as fine-tuned, else 1)", valueName: "rows"))
  var season: Int?

  @Option(help: ArgumentHelp("CSV: what becomes of missing values.", valueName: "policy"))
  var missing: MissingValuePolicy = .error

  @Flag(inversion: .prefixedNo, help: "CSV: whether the first line names the columns. (default: as it looks)")
  var header: Bool?

  @OptionGroup
  var csv: CSVArguments

  @Option(
    help: ArgumentHelp("CSV: the column of texts to classify. (default: as fine-tuned)", valueName: "column"))
  var textColumn: String?

  @Option(
    help: ArgumentHelp("CSV: the column of the classes' names. (default: as fine-tuned)", valueName: "column"))
  var labelColumn: String?

  @Option(
    help: ArgumentHelp(
      "CSV: the column that holds the rows of a sequence together, to classify sequences, or each of their rows when "
        + "labels differ within them. (default: as fine-tuned)", valueName: "column"))
  var sequenceID: String?

  @Option(help: "Text: what a token is. (default: as in the model's vocabulary)")
  var tokens: Vocabulary.Unit?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Text: tokens from the beginning of one sequence to the next. (default: the window, or 1 when the model gives one "
        + "output a sequence)", valueName: "tokens"))
  var stride: Int?

  @Option(
    help: ArgumentHelp("Text: a line that separates documents, such as %. (default: as fine-tuned)", valueName: "line"))
  var separator: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Take a text, a CSV series or long sequences in chunks of so many steps, in their order, with the state carried from "
        + "one to the next (truncated backpropagation through time). Arrays may mark with reset (N, T) where it begins "
        + "anew. (default: as fine-tuned)",
      valueName: "steps"))
  var chunk: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --chunk: parts of a text or a series that are read side by side. (default: 20 of a text to train on, else 1)",
      valueName: "count"))
  var streams: Int?

  /// - Throws: `InputError.usage` when nothing is named, or options contradict each other.
  func settings() throws -> DataSettings {
    if !data.isEmpty, text != nil { throw InputError.usage("--data and --text exclude each other", advice: []) }
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
    settings.missing = missing
    settings.csv = try csv.options(header: header)
    (settings.textColumn, settings.labelColumn, settings.sequenceColumn) = (textColumn, labelColumn, sequenceID)
    (settings.tokens, settings.stride, settings.separator) = (tokens, stride, separator)
    (settings.chunk, settings.streams) = (chunk, streams)
    return settings
  }
}
