import ArgumentParser
import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

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

  /// The first of the files.
  func requiredPath() throws -> String {
    try requiredPaths()[0]
  }

  /// Every file that is read, those of a folder in the order of their names.
  func requiredPaths() throws -> [String] {
    if !data.isEmpty, text != nil { throw InputError.usage("--data and --text exclude each other", advice: []) }
    let given = text.map { [$0] } ?? data
    guard !given.isEmpty else {
      throw InputError.usage("no data given", advice: ["name it with --data mine.csv (or .h5, .npz with x and y)"])
    }
    return text == nil ? try seriesFiles(given) : try given.map(existing)
  }

  /// What data is loaded for.
  enum Purpose: Equatable {
    /// With a new head, classes may be others than the model's.
    case training(newHead: Bool)
    case measuring
    case predicting
  }

  /// A text when it is called one, a series or labeled sequences when the file is a CSV table, arrays otherwise.
  /// - Parameter readout: what was asked for instead of the model's.
  func load(
    for model: LSTMModel, _ record: Preprocessing, _ purpose: Purpose, readout: ModelConfiguration.Readout? = nil
  ) throws -> LoadedData {
    let paths = try requiredPaths()
    let path = paths[0]
    try checkStreams(purpose)
    if text != nil {
      // A model that reads on and on has its whole text before it.
      let whole = purpose == .predicting && isStreamed(record) ? TextData.windowLimit : nil
      let data = try textData(path, model, record, readout ?? model.configuration.readout, window: whole)
      guard chunk != nil || isStreamed(record), purpose != .predicting else { return .text(data) }
      let usual = purpose == .measuring ? 1 : min(20, max(data.targetCount / 4, 1))
      return .textStreams(data, count: streams ?? usual)
    }
    for (flag, isGiven) in [("--stride", stride != nil), ("--separator", separator != nil)] where isGiven {
      throw InputError.usage("\(flag) is for --text", advice: [])
    }
    if let arrays = paths.first(where: Self.isArrays) {
      guard paths.count == 1 else {
        throw InputError.usage("\(arrays) holds arrays: several files, or a folder, are for CSV series", advice: [])
      }
      for (flag, given) in [
        ("--target", !target.isEmpty), ("--features", features != nil), ("--window", window != nil),
        ("--horizon", horizon != nil), ("--season", season != nil), ("--missing", missing != .error),
        ("--header", header != nil), ("--time", time != nil), ("--id", id != nil),
        ("--date-order", dateOrder != nil),
      ] + csv.given
      where given {
        throw InputError.usage(
          "\(flag) is for CSV series; \(path) holds arrays, whose shapes say it all", advice: [])
      }
      let checkpoint = try openArrays(path)
      try checkMarks(checkpoint, path, purpose)
      if streams != nil {
        throw InputError.usage("--streams is for a text or a series; \(path) holds so many as x has", advice: [])
      }
      if let chunk {
        do {
          return .streams(
            try StreamData.load(checkpoint, reading: model.configuration.input, chunkSteps: chunk), file: path)
        } catch let error as ShapeError {
          throw FineTuningError.badData(
            file: path, detail: "\(error)",
            advice: ["--chunk needs x (N, T, I) or (N, T) with a target in y at each step"])
        }
      }
      return .arrays(
        try ArrayData.load(checkpoint, reading: model.configuration.input, needsTargets: purpose != .predicting),
        file: path)
    }
    if paths.count == 1,
      let labeled = try labeledTable(path, model, record, purpose, readout ?? model.configuration.readout)
    {
      return .labeled(labeled)
    }
    if let chunk = chunk ?? (isStreamed(record) ? record.chunk : nil) {
      let read = try series(paths, model, record, window: 1, purpose)
      return .seriesStreams(read, count: streams ?? 1, chunk: chunk)
    }
    return .series(try series(paths, model, record, window: window ?? record.window, purpose))
  }

  /// Whether what nothing else is said of is read as the model was fine-tuned: on and on.
  private func isStreamed(_ record: Preprocessing) -> Bool {
    record.chunk != nil && window == nil && stride == nil
  }

  /// Marks that would be passed over.
  private func checkMarks(_ checkpoint: Checkpoint, _ path: String, _ purpose: Purpose) throws {
    guard chunk == nil, checkpoint["reset"] != nil else { return }
    throw FineTuningError.badData(
      file: path, detail: "reset marks where the state begins anew, and nothing here reads on from chunk to chunk",
      advice: [
        purpose == .predicting
          ? "save what lies between marks as sequences of their own, with lengths"
          : "say with --chunk how many steps a chunk has, or leave reset out of the file"
      ])
  }

  private func checkStreams(_ purpose: Purpose) throws {
    for (flag, value) in [("--chunk", chunk), ("--streams", streams)] {
      guard let value else { continue }
      if purpose == .predicting {
        throw InputError.usage("\(flag) has no meaning here: each sequence is read as a whole", advice: [])
      }
      let limit = text == nil ? 1 << 24 : TextData.windowLimit
      guard 1...limit ~= value else {
        throw InputError.usage("\(flag) \(value): expected a number from 1 to \(limit)", advice: [])
      }
    }
    guard streams == nil || chunk != nil else {
      throw InputError.usage(
        "--streams needs --chunk", advice: ["for example --text mine.txt --chunk 70 --streams 20"])
    }
    if let chunk, window != nil || stride != nil {
      throw InputError.usage(
        "--chunk \(chunk) says how the data is cut; --window and --stride are for pieces that begin without a state",
        advice: [])
    }
  }

  /// Anything that is not of a binary format we know goes to the CSV reader, which says what is wrong with it.
  private static func isArrays(_ path: String) -> Bool {
    let suffix = URL(fileURLWithPath: path).pathExtension.lowercased()
    return ["h5", "hdf5", "npz", "npy", "pt", "pth", "safetensors"].contains(suffix)
      || (try? Checkpoint(path: path)) != nil
  }

  private func openArrays(_ path: String) throws -> Checkpoint {
    do {
      return try Checkpoint(path: path)
    } catch CheckpointError.unrecognized(_, let detail) {
      throw CheckpointError.unknownFormat(
        file: path, detail: detail,
        advice: ["arrays are HDF5, .npz or .npy files; a series is a text file named .csv"])
    }
  }

  private func series(
    _ paths: [String], _ model: LSTMModel, _ record: Preprocessing, window: Int?, _ purpose: Purpose
  ) throws -> SeriesData {
    guard case .features(let size) = model.configuration.input else {
      throw FineTuningError.badData(
        file: paths[0], detail: "the model reads tokens, a CSV series holds numbers",
        advice: ["give a text with --text FILE, or an HDF5 or .npz file with token numbers x (N, T)"])
    }
    let tables = try paths.map { try self.table($0) }
    let table = tables[0]
    var targets = target.flatMap(Self.names)
    if targets.isEmpty { targets = record.targets ?? [] }
    let ordered = try advised {
      try tables.map { try OrderedTable($0, choice($0, record, targets: targets)) }
    }
    // When and whose a row is, is not what is learned.
    let told = Set((ordered[0].time?.names ?? []) + ordered[0].idColumns)
    let numeric = table.numericColumns.filter { !told.contains($0) }
    if targets.isEmpty {
      guard numeric.count == 1 else {
        guard let first = numeric.first else {
          throw FineTuningError.badData(
            file: table.file, detail: "no column holds only numbers",
            advice: ["name the one to predict with --target; its first cell that is no number is then shown"])
        }
        throw InputError.usage(
          "no --target given, and \(table.file) has \(numeric.count) columns of numbers: \(numeric.joined(separator: ", "))",
          advice: ["say which shall be predicted, for example --target \(first)"])
      }
      targets = numeric
    }
    let chosen = try self.features(table, numeric, size: size, targets: targets, record)
    guard let window else {
      throw InputError.usage(
        "no --window given, and the model does not know it from a fine-tuning",
        advice: ["say how many rows the model shall look at, for example --window 48"])
    }
    do {
      return try advised {
        try SeriesData(
          ordered, features: chosen, targets: targets, window: window,
          horizon: horizon ?? record.horizon ?? defaultHorizon(model, targets.count), missing: missing,
          season: season ?? record.season ?? 1, needsHorizon: purpose != .predicting)
      }
    } catch let error as CSVError {
      throw explained(error, tables.first { $0.file == error.file } ?? table)
    }
  }

  /// A head of several outputs was made for as many rows ahead.
  private func defaultHorizon(_ model: LSTMModel, _ targets: Int) -> Int {
    guard let last = model.configuration.head.last, last.size % targets == 0 else { return 1 }
    return last.size / targets
  }

  private func features(
    _ table: CSVTable, _ numeric: [String], size: Int, targets: [String], _ record: Preprocessing
  ) throws -> [String] {
    let given = features.map(Self.names)
    if let chosen = given ?? record.features {
      guard chosen.count == size else {
        throw InputError.usage(
          "--features \(chosen.joined(separator: ",")): names \(plural(chosen.count, "column")), but the model reads \(plural(size, "feature")) a step",
          advice: [])
      }
      return chosen
    }
    if size == targets.count { return targets }
    if numeric.count == size { return numeric }
    guard numeric.count > size else {
      throw FineTuningError.badData(
        file: table.file,
        detail: "the model reads \(plural(size, "feature")) a step, found \(plural(numeric.count, "column")) of numbers"
          + (numeric.isEmpty ? "" : ": \(numeric.joined(separator: ", "))"), advice: [])
    }
    throw InputError.usage(
      "the model reads \(plural(size, "feature")) a step, but \(table.file) has \(numeric.count) columns of numbers: \(numeric.joined(separator: ", "))",
      advice: ["choose with --features, for example --features \(numeric.prefix(size).joined(separator: ","))"])
  }
}

enum LoadedData {
  case series(SeriesData)
  case text(TextData)
  case labeled(LabeledData)
  case arrays(SequenceData, file: String)
  /// A text whose window is the chunk, in so many streams.
  case textStreams(TextData, count: Int)
  case streams(StreamData, file: String)
  case seriesStreams(SeriesData, count: Int, chunk: Int)

  var file: String {
    switch self {
    case .series(let series), .seriesStreams(let series, _, _): series.file
    case .text(let text), .textStreams(let text, _): text.file
    case .labeled(let labeled): labeled.table.file
    case .arrays(_, let file), .streams(_, let file): file
    }
  }

  /// A CSV series, however it is read.
  var series: SeriesData? {
    switch self {
    case .series(let series), .seriesStreams(let series, _, _): series
    case .text, .labeled, .arrays, .textStreams, .streams: nil
    }
  }

  /// Everything, unscaled.
  func examples() throws -> Examples {
    switch self {
    case .series(let series): .sequences(try series.examples())
    case .text(let text): .sequences(try text.examples())
    case .labeled(let labeled): .sequences(labeled.table.data)
    case .arrays(let data, _): .sequences(data)
    case .textStreams(let text, let count): .streams(try text.streams(count))
    case .streams(let data, _): .streams(data)
    case .seriesStreams(let series, let count, let chunk): .streams(try series.streams(count, chunkSteps: chunk))
    }
  }

  /// Adds what a series or a text was read with.
  func describe(in record: inout Preprocessing) {
    switch self {
    case .arrays, .streams: return
    case .series, .text, .textStreams, .seriesStreams, .labeled: break
    }
    (record.classes, record.chunk) = (nil, nil)
    (record.textColumn, record.labelColumn, record.sequenceColumn) = (nil, nil, nil)
    switch self {
    case .series(let series), .seriesStreams(let series, _, _):
      record.features = series.features
      record.targets = series.targets
      record.window = series.window
      record.horizon = series.horizon
      record.season = series.season == 1 ? nil : series.season
      series.describeRows(in: &record)
      if case .seriesStreams(_, _, let chunk) = self { (record.window, record.chunk) = (nil, chunk) }
    case .text(let text), .textStreams(let text, _):
      record.window = text.window
      record.separator = text.separator
      if case .textStreams = self { record.chunk = text.window }
      record.vocabulary = text.vocabulary
    case .labeled(let labeled): labeled.describe(in: &record)
    case .arrays, .streams: break
    }
  }
}

/// What a model is trained on or measured with.
enum Examples {
  case sequences(SequenceData)
  case streams(StreamData)

  /// Without the cuts between chunks.
  var sequences: SequenceData {
    switch self {
    case .sequences(let data): data
    case .streams(let data): data.sequences
    }
  }

  /// Sequences that a step takes, or streams.
  func perStep(_ batchSize: Int) -> Int {
    switch self {
    case .sequences(let data): min(batchSize, data.count)
    case .streams(let data): data.streamCount
    }
  }

  /// With targets as the loss reads them.
  func read(by fit: TaskFit) -> Examples {
    switch self {
    case .sequences(let data): .sequences(fit.prepared(data))
    case .streams(let data): .streams(fit.prepared(data))
    }
  }

  func scaled(inputs: Scaler?, targets: Scaler?) -> Examples {
    switch self {
    case .sequences(let data): .sequences(data.scaled(inputs: inputs, targets: targets))
    case .streams(let data): .streams(data.scaled(inputs: inputs, targets: targets))
    }
  }
}

extension Preprocessing {
  /// Checks that stored scalers go with this data.
  func checkScalers(features: Int?, targets: Int?, file: String) throws {
    if let features, let inputScaler, inputScaler.columns != features {
      throw FineTuningError.badData(
        file: file, detail: "the model's scaler is for \(inputScaler.columns) features, the data has \(features)",
        advice: ["fit a new one with --scaler refit"])
    }
    if let targets, let targetScaler, targetScaler.columns == 0 || targets % targetScaler.columns != 0 {
      throw FineTuningError.badData(
        file: file, detail: "the model's scaler is for \(targetScaler.columns) targets, the data has \(targets)",
        advice: ["fit a new one with --scaler refit"])
    }
  }
}

extension SequenceData {
  /// Real-valued targets a row, nil for classes.
  var targetSize: Int? {
    if case .values(_, let size, _) = targets { size } else { nil }
  }
}
