import FileIO
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

extension DataSettings {
  /// A text, when --text is given.
  func loadText(_ request: Request) throws -> (any ShownData)? {
    let (record, purpose) = (request.record, request.purpose)
    guard isText else {
      for (flag, isGiven) in [("--stride", stride != nil), ("--separator", separator != nil)] where isGiven {
        throw InputError.usage("\(flag) is for --text")
      }
      return nil
    }
    // A model with carried state reads the whole text.
    let whole = purpose == .predicting && isStreamed(record) ? TextData.windowLimit : nil
    let data = try textData(
      request.path, request.model, record, request.readout ?? request.model.configuration.readout, window: whole)
    guard chunk != nil || isStreamed(record), purpose != .predicting else { return data }
    let usual = purpose == .measuring ? 1 : min(20, max(data.targetCount / 4, 1))
    return TextStreams(data, streamCount: streams ?? usual)
  }

  /// The default window of a new model, in tokens: the length of backpropagation.
  private static let usualWindow = 100

  private func textData(
    _ path: String, _ model: LSTMModel, _ record: Preprocessing, _ readout: PlainStack.Readout?,
    window chosen: Int? = nil
  ) throws -> TextData {
    for (flag, isGiven) in [
      ("--target", !targets.isEmpty), ("--features", features != nil), ("--horizon", horizon != nil),
      ("--season", season != nil), ("--missing", missing != .error),
      ("--text-column", textColumn != nil), ("--label-column", labelColumn != nil),
      ("--sequence-id", sequenceColumn != nil), ("--time", time != nil), ("--id", id != nil),
      ("--date-order", dateOrder != nil),
    ] + csv.given
    where isGiven { throw InputError.usage("\(flag) is for CSV files; --text predicts the next token") }
    let vocabulary = try knownVocabulary(record, model, path)
    let isPerStep = readout == .all || readout == nil
    guard let window = chosen ?? chunk ?? window ?? record.window ?? (isPerStep ? Self.usualWindow : nil) else {
      throw InputError.usage(
        "no --window given, and the model has none",
        advice: ["set how many \(vocabulary.unit.rawValue) the model reads, for example --window 40"])
    }
    return try TextData(
      contentsOf: path, vocabulary: vocabulary, window: window, stride: stride, isPerStep: isPerStep,
      separator: separator ?? record.separator)
  }

  /// The model's vocabulary, checked against the options and the embedding.
  func knownVocabulary(_ record: Preprocessing, _ model: LSTMModel, _ path: String) throws -> Vocabulary {
    guard case .tokens(let count) = model.configuration.input else {
      throw FineTuningError.badData(
        file: path, detail: "the model reads features, a text holds characters or words", advice: [])
    }
    guard let vocabulary = record.vocabulary else {
      throw InputError.usage(
        "the model has no vocabulary, which maps token numbers to characters or words",
        advice: ["add one with lstm-ft import CHECKPOINT --vocabulary FILE"])
    }
    if let tokens, tokens != vocabulary.unit {
      throw InputError.usage("--tokens \(tokens.rawValue): the model's vocabulary is of \(vocabulary.unit.rawValue)")
    }
    try checkVocabulary(vocabulary, embedding: count)
    return vocabulary
  }

  /// Makes a new model's vocabulary, or extends an existing one.
  /// - Parameter isNew: whether the model is trained from scratch.
  /// - Returns: notes on what was done.
  func settleVocabulary(
    _ model: inout LSTMModel, isNew: Bool, extends: Bool
  ) throws -> [String] {
    let record = model.preprocessing
    guard isNew || extends, case .tokens(let count) = model.configuration.input,
      let text = try everyText(record)
    else {
      if extends { throw InputError.usage("--extend-vocabulary is for --text and --text-column") }
      return []
    }
    let path = file
    guard record.vocabulary != nil || !isNew else {
      let isPerStep = model.configuration.readout == .all || model.configuration.readout == nil
      let vocabulary = try Vocabulary(
        tokens ?? .characters, of: text, limit: count,
        reserving: (isPerStep ? [] : ["<pad>"]) + (separator ?? record.separator == nil ? [] : ["<s>"]))
      model.preprocessing.vocabulary = vocabulary
      return ["vocabulary: made from \(path), \(plural(vocabulary.count, "token")): \(vocabulary.unit.rawValue)"]
    }
    guard extends else { return [] }
    let vocabulary = try knownVocabulary(record, model, path)
    let missing = vocabulary.missing(in: text)
    guard !missing.isEmpty else { return ["vocabulary: it covers every \(vocabulary.unit.noun) of \(path)"] }
    model = try model.extendingVocabulary(by: missing.count)
    model.preprocessing.vocabulary = try vocabulary.extended(by: missing, from: count)
    let shown = missing.prefix(8).map { printable($0, limit: 20) }.joined(separator: " ")
    return [
      "vocabulary: \(plural(missing.count, vocabulary.unit.noun)) added, with the mean of the others' weights: \(shown)\(missing.count > 8 ? " ..." : "")"
    ]
  }

  /// All text in the data; nil for other data.
  private func everyText(_ record: Preprocessing) throws -> String? {
    if isText {
      return TextData.documents(
        of: try TextData.text(contentsOf: file), separator: separator ?? record.separator
      ).joined(separator: "\n")
    }
    guard let column = textColumn ?? record.textColumn else { return nil }
    return try table(file).strings(column: column).joined(separator: "\n")
  }
}

extension TextData: ShownData {
  /// `fortunes.txt: 12,345 characters (0.1 % unknown), 100 documents`
  fileprivate var summary: String {
    var text = "\(file): \(plural(count, vocabulary.unit.noun))"
    if unknownCount > 0 { text += " (\(rate(of: unknownCount, in: count)) not in the vocabulary)" }
    return text + (documentCount > 1 ? ", \(plural(documentCount, "document"))" : "")
  }

  func summary(_ portions: Portions) -> [String] {
    [
      summary,
      "\(plural(portions.training.sequences.count, "sequence")) of \(plural(window, "token")) to train on\(portions.held)\(portions.validation == nil ? "" : " (the last part)")",
    ]
  }

  var use: DataUse { DataUse(command: "generate", readsData: false, more: ["--prompt", "TEXT"]) }

  func result(_ metrics: Metrics, lossName: String) -> String {
    "\(summary), cross-entropy \(digits(metrics.loss))"
      + (metrics.textSummary(vocabulary.unit).map { ", " + $0 } ?? "")
  }

  func sampling(
    _ examples: Examples?, _ record: Preprocessing, _ seed: UInt64, _ kernels: Kernels
  ) -> (@Sendable (LSTMModel) throws -> Sample?)? {
    let prompt = opening()
    let options = TextGenerator.Options(length: vocabulary.unit == .words ? 25 : 100, temperature: 0.5, seed: seed)
    // A model that is not a language model, or whose outputs are NaN, has nothing to show.
    return { [vocabulary, window] model in
      let generator = try? TextGenerator(model, vocabulary: vocabulary, window: window, kernels: kernels)
      let made = try? generator?.generate(after: prompt, options)
      return made.map { .text(prompt: prompt, continuation: $0.text) }
    }
  }

  var chartRefusal: String? { "--chart draws a CSV series, not a text" }
  var tokens: (count: Int, unknown: Int)? { (count, unknownCount) }
}

extension TextStreams: ShownData {
  func summary(_ portions: Portions) -> [String] { [text.summary] + portions.streams }

  var use: DataUse { text.use }

  func result(_ metrics: Metrics, lossName: String) -> String { text.result(metrics, lossName: lossName) }

  func sampling(
    _ examples: Examples?, _ record: Preprocessing, _ seed: UInt64, _ kernels: Kernels
  ) -> (@Sendable (LSTMModel) throws -> Sample?)? { text.sampling(examples, record, seed, kernels) }

  var chartRefusal: String? { text.chartRefusal }
  var tokens: (count: Int, unknown: Int)? { text.tokens }
}

extension Metrics {
  /// A text's: `perplexity 4.56, 2.19 bits per character`.
  func textSummary(_ unit: Vocabulary.Unit?) -> String? {
    guard let perplexity, let bitsPerToken else { return nil }
    return "perplexity \(digits(perplexity)), \(digits(bitsPerToken)) bits per \(unit?.noun ?? "token")"
  }
}
