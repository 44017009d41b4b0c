import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

/// What of the data is for training and what for validation.
struct DataSplit {
  let data: LoadedData
  private(set) var training: Examples
  private(set) var validation: Examples?
  /// Rows of a series before its validation part.
  private let trainingRows: Int?
  private let isDrawn: Bool

  /// Series and texts are split in time, the rest is drawn by the seed unless the order shall stay.
  init(_ data: LoadedData, _ loop: LoopArguments) throws {
    self.data = data
    isDrawn = loop.shuffle
    let part = loop.validationSplit
    switch data {
    case .series(let series):
      let parts = try series.split(validation: part)
      (training, validation) = (.sequences(parts.training), parts.validation.map { .sequences($0) })
      trainingRows = parts.firstRow
      return
    case .seriesStreams(let series, let count, let chunk):
      let parts = try series.splitStreams(count, chunkSteps: chunk, validation: part)
      (training, validation) = (.streams(parts.training), parts.validation.map { .streams($0) })
      trainingRows = parts.firstRow
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
    case .arrays, .labelled:
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
    trainingRows = nil
  }

  /// The same without the steps that a model's mask hides.
  func hiding(_ configuration: ModelConfiguration) throws -> DataSplit {
    var parts = self
    parts.training = try training.hiding(configuration)
    parts.validation = try validation?.hiding(configuration)
    return parts
  }

  private static func order(_ count: Int, _ loop: LoopArguments) -> [Int] {
    var order = Array(0..<count)
    var random = RandomNumbers(seed: loop.seed ^ 0x5350_4c49_54)
    if loop.shuffle { order.shuffle(using: &random) }
    return order
  }

  /// Decides on the scalers; says what was kept or fitted.
  func settleScalers(_ record: inout Preprocessing, _ mode: ScalerMode, loss: Loss) throws -> [String] {
    let stored = (record.inputScaler, record.targetScaler)
    let hasStored = stored.0 != nil || stored.1 != nil
    let isTable: Bool
    switch data {
    case .series, .seriesStreams, .labelled: isTable = true
    case .text, .arrays, .textStreams, .streams: isTable = false
    }
    let training = training.sequences
    let isRegression = !loss.isCrossEntropy && loss != .binaryCrossEntropy
    let choice = mode == .auto ? (hasStored ? ScalerMode.keep : isTable ? .refit : .none) : mode
    var fitted: (inputs: Scaler?, targets: Scaler?)
    if let series = data.series {
      let both = series.scalers(before: trainingRows ?? series.rowCount)
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
      let own = fitted.inputs.map { "; the training data's own: \($0.summary)" } ?? ""
      return ["scaler: the model's is kept (\(stored.0.map(\.summary) ?? "targets only"))\(own)"]
    case .none:
      (record.inputScaler, record.targetScaler) = (nil, nil)
      return hasStored ? ["scaler: the model's is dropped, as asked"] : []
    case .refit, .auto:
      record.inputScaler = fitted.inputs
      record.targetScaler = isRegression ? fitted.targets : nil
      let old = stored.0.map { "; the model's was \($0.summary)" } ?? ""
      return fitted.inputs.map { ["scaler: fitted on the training part (\($0.summary))\(old)"] } ?? []
    }
  }

  /// Lines for people.
  var summary: [String] {
    let training = training.sequences
    let held =
      validation.map { ", \(grouped($0.sequences.count)) for validation" } ?? ", none for validation"
    switch data {
    case .seriesStreams(let series, _, _):
      return ["\(describe(series)), the next \(ahead(series)) out at each"] + streamSummary
    case .series(let series):
      return [
        "\(describe(series)), \(plural(series.window, "row")) in, the next \(ahead(series)) out",
        "\(plural(training.count, "window")) to train on\(held)\(validation == nil ? "" : " (the last rows)")",
      ]
    case .text(let text):
      return [
        text.summary,
        "\(plural(training.count, "sequence")) of \(plural(text.window, "token")) to train on\(held)\(validation == nil ? "" : " (the last part)")",
      ]
    case .labelled(let labelled):
      return describe(labelled.table.data, held) + labelled.summary
    case .arrays(let all, _): return describe(all, held)
    case .textStreams(let text, _): return [text.summary] + streamSummary
    case .streams(let all, let file):
      return ["\(file): \(plural(all.streamCount, "stream")) of \(plural(all.sequences.steps, "step"))"]
        + streamSummary
    }
  }

  private func describe(_ series: SeriesData) -> String {
    let names = [series.features, series.targets].map { $0.joined(separator: ", ") }
    return "\(series.file): \(plural(series.rowCount, "row")); \(names[0]) -> \(names[1])"
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
    let columns = zip(mean, deviation).prefix(3).map {
      "mean \(short(Double($0))), deviation \(short(Double($1)))"
    }
    return columns.joined(separator: "; ") + (self.columns > 3 ? "; ..." : "")
  }
}
