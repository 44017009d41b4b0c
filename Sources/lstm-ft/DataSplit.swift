import FileIO
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

/// What of the data is for training and what for validation.
struct DataSplit {
  let data: LoadedData
  private(set) var training: Examples
  private(set) var validation: Examples?
  /// Data for validation alone.
  private let held: LoadedData?
  /// Rows of each part of a series that train.
  private let trainingRows: [Range<Int>]?
  private let isDrawn: Bool
  private let splitNotes: [String]

  /// Series and texts are split in time, the rest is drawn by the seed unless the order shall stay.
  /// - Parameter held: what is for validation alone; all of `data` is then to train on.
  init(_ data: LoadedData, _ loop: LoopArguments, held: LoadedData? = nil) throws {
    self.data = data
    self.held = held
    isDrawn = loop.shuffle
    if loop.trainUntil != nil || loop.validateFrom != nil, data.series == nil {
      throw InputError.usage(
        "--\(loop.trainUntil != nil ? "train-until" : "validate-from") is for CSV series, whose rows have times",
        advice: [])
    }
    if let held {
      switch (try data.examples(), try held.examples()) {
      case (.sequences(let own), .sequences(var other)):
        other.keepScale(of: own)
        (training, validation) = (.sequences(own), .sequences(other))
      case (.streams(let own), .streams(let other)): (training, validation) = (.streams(own), .streams(other))
      default: throw InputError.usage("--validation-data: expected data like that of --data", advice: [])
      }
      trainingRows = data.series.map { $0.parts.map(\.rows) }
      splitNotes = held.series.map { $0.rowNotes(scores: true).map { "validation: \($0)" } } ?? []
      return
    }
    let part = loop.validationSplit
    switch data {
    case .series(let series):
      let parts = try advised { try series.split(loop.seriesSplit()) }
      (training, validation) = (.sequences(parts.training), parts.validation.map { .sequences($0) })
      (trainingRows, splitNotes) = (parts.trainingRows, parts.notes.map(\.spelled))
      return
    case .seriesStreams(let series, let count, let chunk):
      let parts = try advised { try series.splitStreams(count, chunkSteps: chunk, loop.seriesSplit()) }
      (training, validation) = (.streams(parts.training), parts.validation.map { .streams($0) })
      (trainingRows, splitNotes) = (parts.rows, [])
      return
    case .text(let text):
      let parts = try text.split(validation: part)
      (training, validation) = (.sequences(parts.training), parts.validation.map { .sequences($0) })
    case .textStreams(let text, let count):
      let parts = try text.splitStreams(count, validation: part)
      (training, validation) = (.streams(parts.training), parts.validation.map { .streams($0) })
    case .streams(let all, _):
      let parts = try all.split(validation: part, order: Self.order(all.streamCount, loop))
      (training, validation) = (.streams(parts.training), parts.validation.map { .streams($0) })
    case .arrays, .labeled:
      let all = try data.examples().sequences
      let count = Int((Double(all.count) * part).rounded())
      if part == 0 {
        (training, validation) = (.sequences(all), nil)
        break
      }
      guard count > 0, count < all.count else {
        throw FineTuningError.badData(
          file: data.file,
          detail: "\(plural(all.count, "example")) cannot be split by --validation-split \(part)",
          advice: ["give more data, or --validation-split 0"])
      }
      let order = Self.order(all.count, loop)
      training = .sequences(all.selecting(order.dropLast(count).sorted()))
      validation = .sequences(all.selecting(order.suffix(count).sorted()))
    }
    (trainingRows, splitNotes) = (nil, [])
  }

  /// Lines about the rows of a series.
  var notes: [String] { (data.series?.rowNotes(scores: true) ?? []) + splitNotes }

  /// Both parts as the model reads them.
  func scaled(_ record: Preprocessing) throws -> (training: Examples, validation: Examples?, notes: [String]) {
    let own = try data.scaled(training, record)
    guard let validation else { return (own.examples, nil, own.notes) }
    let other = try (held ?? data).scaled(validation, record)
    return (own.examples, other.examples, own.notes + (held == nil ? [] : other.notes))
  }

  /// The same without the steps that a model's mask hides.
  func hiding(_ configuration: ModelConfiguration) throws -> DataSplit {
    var parts = self
    parts.training = try training.hiding(configuration)
    parts.validation = try validation?.hiding(configuration)
    return parts
  }

  /// The same with targets as the loss reads them.
  func read(by fit: TaskFit) -> DataSplit {
    var parts = self
    parts.training = training.read(by: fit)
    parts.validation = validation?.read(by: fit)
    return parts
  }

  private static func order(_ count: Int, _ loop: LoopArguments) -> [Int] {
    var order = Array(0..<count)
    var random = RandomNumbers(seed: loop.seed ^ 0x5350_4c49_54)
    if loop.shuffle { order.shuffle(using: &random) }
    return order
  }

  /// Decides on the scalers; says what was kept or fitted.
  func settleScalers(
    _ record: inout Preprocessing, _ mode: ScalerMode, loss: Loss, perID: Bool = false
  ) throws -> [String] {
    let stored = (record.inputScaler, record.targetScaler)
    let hasStored = stored.0 != nil || stored.1 != nil || record.entityScalers != nil
    if perID { return try settleOwnScalers(&record, mode, loss: loss) }
    let isTable: Bool
    switch data {
    case .series, .seriesStreams, .labeled: isTable = true
    case .text, .arrays, .textStreams, .streams: isTable = false
    }
    let training = training.sequences
    let isRegression = !loss.isCrossEntropy && loss != .binaryCrossEntropy
    let choice = mode == .auto ? (hasStored ? ScalerMode.keep : isTable ? .refit : .none) : mode
    var fitted: (inputs: Scaler?, targets: Scaler?)
    if let series = data.series {
      let both = series.scalers(trainingRows ?? series.parts.map(\.rows))
      fitted = (both.inputs, both.targets)
    } else {
      fitted = (training.fitInputScaler(), training.fitTargetScaler())
    }
    switch choice {
    case .keep:
      guard hasStored else {
        throw InputError.usage(
          "--scaler keep: the model has no scaler",
          advice: ["give it at import with --scaler MEAN,DEVIATION, or use --scaler refit"])
      }
      try record.checkScalers(
        features: training.featureCount, targets: training.targetSize, file: data.file)
      if let own = record.entityScalers { return ["scaler: the model's are kept, one for each of \(own.count) ids"] }
      let own = fitted.inputs.map { "; the training data's own: \($0.summary)" } ?? ""
      return ["scaler: the model's is kept (\(stored.0.map(\.summary) ?? "targets only"))\(own)"]
    case .none:
      (record.inputScaler, record.targetScaler, record.entityScalers) = (nil, nil, nil)
      return hasStored ? ["scaler: the model's is dropped, as asked"] : []
    case .refit, .auto:
      record.entityScalers = nil
      record.inputScaler = fitted.inputs
      record.targetScaler = isRegression ? fitted.targets : nil
      let old = stored.0.map { "; the model's was \($0.summary)" } ?? ""
      return fitted.inputs.map { ["scaler: fitted on the training part (\($0.summary))\(old)"] } ?? []
    }
  }

  /// A scaler for each id, fitted on its own training rows.
  private func settleOwnScalers(_ record: inout Preprocessing, _ mode: ScalerMode, loss: Loss) throws -> [String] {
    guard case .series(let series) = data, let trainingRows else {
      throw InputError.usage("--scaler-per-id is for windows of a CSV series", advice: [])
    }
    guard !series.idColumns.isEmpty else {
      throw InputError.usage(
        "--scaler-per-id: nothing tells several series apart",
        advice: ["name the column with --id, or give several files"])
    }
    guard mode == .auto || mode == .refit else {
      throw InputError.usage("--scaler-per-id fits new scalers, which --scaler \(mode.rawValue) does not", advice: [])
    }
    let all = series.scalers(trainingRows)
    (record.inputScaler, record.targetScaler) = (all.inputs, all.targets)
    record.entityScalers = series.ownScalers(trainingRows)
    return ["scaler: fitted on the training rows of each of \(series.parts.count) ids"]
  }

  /// Lines for people.
  var summary: [String] {
    let training = training.sequences
    let from = self.held.map { " from \($0.file)" } ?? ""
    let held =
      validation.map { ", \(grouped($0.sequences.count)) for validation\(from)" } ?? ", none for validation"
    switch data {
    case .seriesStreams(let series, _, _):
      return ["\(describe(series)), the next \(ahead(series)) out at each"] + streamSummary
    case .series(let series):
      return [
        "\(describe(series)), \(plural(series.window, "row")) in, the next \(ahead(series)) out",
        "\(plural(training.count, "window")) to train on\(held)\(validation == nil || self.held != nil ? "" : " (the last rows\(series.parts.count > 1 ? " of each" : ""))")",
      ]
    case .text(let text):
      return [
        text.summary,
        "\(plural(training.count, "sequence")) of \(plural(text.window, "token")) to train on\(held)\(validation == nil ? "" : " (the last part)")",
      ]
    case .labeled(let labeled):
      return describe(labeled.table.data, held) + labeled.summary
    case .arrays(let all, _): return describe(all, held)
    case .textStreams(let text, _): return [text.summary] + streamSummary
    case .streams(let all, let file):
      return ["\(file): \(plural(all.streamCount, "stream")) of \(plural(all.sequences.steps, "step"))"]
        + streamSummary
    }
  }

  private func describe(_ series: SeriesData) -> String {
    let names = [series.features, series.targets].map { $0.joined(separator: ", ") }
    let files = Set(series.parts.map(\.file)).count
    let others = files > 1 ? " and \(plural(files - 1, "file")) more" : ""
    return "\(series.file)\(others): \(plural(series.rowCount, "row")); \(names[0]) -> \(names[1])"
  }

  private func ahead(_ series: SeriesData) -> String { series.horizon == 1 ? "one" : "\(series.horizon)" }

  private var streamSummary: [String] {
    func text(_ examples: Examples) -> String {
      guard case .streams(let data) = examples else { return "" }
      return "\(plural(data.streamCount, "stream")) of \(plural(data.sequences.steps, "step"))"
        + " in \(plural(data.chunks.count, "chunk")) of \(grouped(data.chunkSteps))"
    }
    return [
      "\(text(training)) to train on, with the state carried",
      validation.map { "\(text($0)) for validation" } ?? "none for validation",
    ]
  }

  private func describe(_ all: SequenceData, _ held: String) -> [String] {
    let lengths = all.lengths == nil ? "" : ", \(plural(all.stepCount, "valid step"))"
    let choice = validation == nil ? "" : isDrawn ? " (drawn by the seed)" : " (the last ones)"
    return [
      "\(data.file): \(plural(all.count, "sequence")) of \(plural(all.steps, "step"))\(lengths)",
      "\(grouped(training.sequences.count)) to train on\(held)\(choice)",
    ]
  }
}

extension Scaler {
  /// For people: the first columns.
  var summary: String {
    var columns = zip(mean, deviation).prefix(3).map {
      "mean \(short(Double($0))), deviation \(short(Double($1)))"
    }
    if let limits {
      columns = zip(limits.minimum, limits.maximum).prefix(3).map {
        "\(short(Double($0)))...\(short(Double($1))) to \(short(Double(limits.range[0])))...\(short(Double(limits.range[1])))"
      }
    }
    return columns.joined(separator: "; ") + (self.columns > 3 ? "; ..." : "")
  }
}
