import FileIO
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

extension DataSettings {
  /// A CSV table of rows in time.
  func loadSeries(_ request: Request) throws -> (any ShownData)? {
    let (model, record, purpose) = (request.model, request.record, request.purpose)
    if try isReconstruction(record) { return try reconstruction(request) }
    if let chunk = chunk ?? (isStreamed(record) ? record.chunk : nil) {
      return SeriesStreams(
        try series(request.paths, model, record, window: 1, purpose), streamCount: streams ?? 1, chunkSteps: chunk)
    }
    return try series(request.paths, model, record, window: window ?? record.window, purpose)
  }

  /// Windows that the model gives back.
  private func reconstruction(_ request: Request) throws -> SeriesData {
    let (paths, model, record) = (request.paths, request.model, request.record)
    guard case .features(let size) = model.configuration.input else {
      throw InputError.usage("--reconstruct is for numbers; the model reads tokens")
    }
    let tables = try paths.map { try self.table($0) }
    let ordered = try advised { try tables.map { try OrderedTable($0, choice($0, record, targets: [])) } }
    let told = Set((ordered[0].time?.names ?? []) + ordered[0].idColumns)
    let numeric = tables[0].numericColumns.filter { !told.contains($0) }
    let chosen = try self.features(tables[0], numeric, size: size, targets: [], record)
    let steps = model.configuration.inputs[0].steps ?? model.configuration.fixedOutputSteps
    guard let window = window ?? record.window ?? steps else {
      throw InputError.usage(
        "no --window given, and the model has none from an earlier fine-tuning",
        advice: ["set how many rows the model reads and gives back, for example --window 48"])
    }
    if let steps, steps != window {
      throw InputError.usage(
        "--window \(window): the model gives back \(plural(steps, "row"))", advice: ["leave out --window"])
    }
    do {
      return try advised {
        try SeriesData(ordered, reconstructing: chosen, window: window, missing: missing)
      }
    } catch let error as CSVError {
      throw explained(error, tables.first { $0.file == error.file } ?? tables[0])
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
    var targets = targets.isEmpty ? record.targets ?? [] : targets
    let ordered = try advised {
      try tables.map { try OrderedTable($0, choice($0, record, targets: targets)) }
    }
    // Columns of times and ids are not features.
    let told = Set((ordered[0].time?.names ?? []) + ordered[0].idColumns)
    let numeric = table.numericColumns.filter { !told.contains($0) }
    if targets.isEmpty {
      guard numeric.count == 1 else {
        guard let first = numeric.first else {
          throw FineTuningError.badData(
            file: table.file, detail: "no column holds numbers only",
            advice: ["name the column to predict with --target, to see its first cell that is not a number"])
        }
        // As an autoencoder does.
        let givesBack = model.configuration.fixedOutputSteps != nil && model.configuration.outputSize == size
        throw InputError.usage(
          "no --target given, and \(table.file) has \(numeric.count) numeric columns: \(numeric.joined(separator: ", "))",
          advice: givesBack && numeric.count == size
            ? ["an autoencoder, which gives back what it reads, is trained with --reconstruct"]
            : ["choose the one to predict, for example --target \(shellWord(first))"])
      }
      targets = numeric
    }
    let chosen = try self.features(table, numeric, size: size, targets: targets, record)
    guard let window else {
      throw InputError.usage(
        "no --window given, and the model has none from an earlier fine-tuning",
        advice: ["set how many rows the model reads, for example --window 48"])
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

  /// By the number of the head's outputs.
  private func defaultHorizon(_ model: LSTMModel, _ targets: Int) -> Int {
    guard let size = model.configuration.flatOutputSize ?? model.configuration.finalDense?.size, size % targets == 0
    else { return 1 }
    return size / targets
  }

  private func features(
    _ table: CSVTable, _ numeric: [String], size: Int, targets: [String], _ record: Preprocessing
  ) throws -> [String] {
    if let chosen = features ?? record.features {
      guard chosen.count == size else {
        throw InputError.usage(
          "--features \(chosen.joined(separator: ",")): names \(plural(chosen.count, "column")), but the model reads \(plural(size, "feature")) per step"
        )
      }
      return chosen
    }
    if size == targets.count { return targets }
    if numeric.count == size { return numeric }
    guard numeric.count > size else {
      throw FineTuningError.badData(
        file: table.file,
        detail: "the model reads \(plural(size, "feature")) per step, found \(plural(numeric.count, "numeric column"))"
          + (numeric.isEmpty ? "" : ": \(numeric.joined(separator: ", "))"), advice: [])
    }
    throw InputError.usage(
      "the model reads \(plural(size, "feature")) per step, but \(table.file) has \(numeric.count) numeric columns: \(numeric.joined(separator: ", "))",
      advice: [
        "choose with --features, for example --features \(shellWord(numeric.prefix(size).joined(separator: ",")))"
      ])
  }

  /// The columns of times and ids, by the options or as when the model was fine-tuned.
  private func choice(_ table: CSVTable, _ record: Preprocessing, targets: [String]) throws -> TableChoice {
    var reserved = Set(targets + (features ?? record.features ?? []))
    let numeric = table.numericColumns
    // The default target.
    if numeric.count == 1 { reserved.formUnion(numeric) }
    var choice = TableChoice(
      order: dateOrder ?? record.dateOrder.flatMap(DateOrder.init), reserved: reserved)
    if let time {
      choice.time = time.isEmpty ? .none : .named(time)
    } else if let known = record.timeColumns, known.allSatisfy(table.columnNames.contains) {
      choice.time = known.isEmpty ? .none : .named(known)
    }
    if let id {
      choice.id = id.isEmpty ? .none : .named(id)
    } else if let known = record.idColumns {
      if let lacking = known.first(where: { !table.columnNames.contains($0) }) {
        throw InputError.usage(
          "\(table.file) has no column \"\(lacking)\", which identified the series when the model was fine-tuned",
          advice: ["name another with --id COLUMN, or use --id none for a single series"])
      }
      choice.id = known.isEmpty ? .none : .named(known)
    }
    return choice
  }
}

extension SeriesData: ShownData {
  /// `mine.csv: 1,000 rows; temp -> temp`
  fileprivate var summary: String {
    let names = [features, targets].map { $0.joined(separator: ", ") }
    let files = Set(parts.map(\.file)).count
    let others = files > 1 ? " and \(plural(files - 1, "file")) more" : ""
    return "\(file)\(others): \(plural(rowCount, "row")); \(names[0]) -> \(names[1])"
  }

  fileprivate var ahead: String { horizon == 1 ? "one" : "\(horizon)" }

  func summary(_ portions: Portions) -> [String] {
    let isPart = portions.validation != nil && portions.heldFile == nil
    return [
      reconstructs
        ? "\(summary), \(plural(window, "row")) in and the same out"
        : "\(summary), \(plural(window, "row")) in, the next \(ahead) out",
      "\(plural(portions.training.sequences.count, "window")) to train on\(portions.held)\(isPart ? " (the last rows\(parts.count > 1 ? " of each" : ""))" : "")",
    ]
  }

  var use: DataUse { DataUse(command: "predict") }

  func sampling(
    _ examples: Examples?, _ record: Preprocessing, _ seed: UInt64, _ kernels: Kernels
  ) -> (@Sendable (LSTMModel) throws -> Sample?)? {
    guard !reconstructs, let windows = examples?.sequences, windows.count > 0, windows.hiddenSteps == nil else {
      return nil
    }
    return { try sample(of: $0, windows, targetScaler: record.targetScaler, kernels: kernels) }
  }

  var chartRefusal: String? { reconstructs ? "--chart draws forecasts; the model gives back what it reads" : nil }
}

extension SeriesStreams: ShownData {
  func summary(_ portions: Portions) -> [String] {
    ["\(rows.summary), the next \(rows.ahead) out at each"] + portions.streams
  }

  var use: DataUse { DataUse(command: "predict") }

  func sampling(
    _ examples: Examples?, _ record: Preprocessing, _ seed: UInt64, _ kernels: Kernels
  ) -> (@Sendable (LSTMModel) throws -> Sample?)? {
    {
      try rows.streamedSample(
        of: $0, inputScaler: record.inputScaler, targetScaler: record.targetScaler, kernels: kernels)
    }
  }

  var chartRefusal: String? { "--chart draws windows; \(file) is read in one stream" }
}
