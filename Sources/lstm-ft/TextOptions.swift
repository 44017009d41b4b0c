import ArgumentParser
import FileIO
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

/// What becomes of a model's vocabulary in a fine-tuning.
struct VocabularyArguments: ParsableArguments {
  @Flag(
    help: ArgumentHelp(
      "Text: add what the model's vocabulary lacks of the data; a new token starts from the mean of the others."))
  var extendVocabulary = false
}

extension DataArguments {
  /// The tokens of a model that is new to text, when nothing else is said: how far back a training step looks.
  private static let usualWindow = 100

  func textData(
    _ path: String, _ model: LSTMModel, _ record: Preprocessing, _ readout: ModelConfiguration.Readout?,
    window chosen: Int? = nil
  ) throws -> TextData {
    for (flag, isGiven) in [
      ("--target", !target.isEmpty), ("--features", features != nil), ("--horizon", horizon != nil),
      ("--season", season != nil), ("--missing", missing != .error), ("--header", header != nil),
      ("--text-column", textColumn != nil), ("--label-column", labelColumn != nil),
      ("--sequence-id", sequenceID != nil), ("--time", time != nil), ("--id", id != nil),
      ("--date-order", dateOrder != nil),
    ] + csv.given
    where isGiven { throw InputError.usage("\(flag) is for CSV files; --text says the next token", advice: []) }
    let vocabulary = try knownVocabulary(record, model, path)
    let isPerStep = readout == .all || readout == nil
    guard let window = chosen ?? chunk ?? window ?? record.window ?? (isPerStep ? Self.usualWindow : nil) else {
      throw InputError.usage(
        "no --window given, and the model does not know it",
        advice: ["say how many \(vocabulary.unit.rawValue) the model shall look at, for example --window 40"])
    }
    return try TextData(
      contentsOf: path, vocabulary: vocabulary, window: window, stride: stride, isPerStep: isPerStep,
      separator: separator ?? record.separator)
  }

  /// The model's vocabulary, which has to go with the options and with the model.
  func knownVocabulary(_ record: Preprocessing, _ model: LSTMModel, _ path: String) throws -> Vocabulary {
    guard case .tokens(let count, _) = model.configuration.input else {
      throw FineTuningError.badData(
        file: path, detail: "the model reads features, a text holds characters or words", advice: [])
    }
    guard let vocabulary = record.vocabulary else {
      throw InputError.usage(
        "the model has no vocabulary: nobody knows which number stands for which character or word",
        advice: ["give it with lstm-ft import CHECKPOINT --vocabulary FILE"])
    }
    if let tokens, tokens != vocabulary.unit {
      throw InputError.usage(
        "--tokens \(tokens.rawValue): the model's vocabulary is of \(vocabulary.unit.rawValue)", advice: [])
    }
    try checkVocabulary(vocabulary, embedding: count)
    return vocabulary
  }

  /// Makes a new model's vocabulary, or adds to an old one's; says what was done.
  /// - Parameter isNew: whether the model's weights are fresh.
  func settleVocabulary(
    _ model: inout LSTMModel, _ record: inout Preprocessing, isNew: Bool, extends: Bool
  ) throws -> [String] {
    guard isNew || extends, case .tokens(let count, _) = model.configuration.input,
      let text = try everyText(record)
    else {
      if extends { throw InputError.usage("--extend-vocabulary is for --text and --text-column", advice: []) }
      return []
    }
    let path = try requiredPath()
    guard record.vocabulary != nil || !isNew else {
      let isPerStep = model.configuration.readout == .all || model.configuration.readout == nil
      let vocabulary = try Vocabulary(
        tokens ?? .characters, of: text, limit: count,
        reserving: (isPerStep ? [] : ["<pad>"]) + (separator ?? record.separator == nil ? [] : ["<s>"]))
      record.vocabulary = vocabulary
      return ["vocabulary: made from \(path), \(plural(vocabulary.count, "token")): \(vocabulary.unit.rawValue)"]
    }
    guard extends else { return [] }
    let vocabulary = try knownVocabulary(record, model, path)
    let missing = vocabulary.missing(in: text)
    guard !missing.isEmpty else { return ["vocabulary: it has every \(vocabulary.unit.noun) of \(path)"] }
    record.vocabulary = try vocabulary.extended(by: missing, from: count)
    model = try model.extendingVocabulary(by: missing.count)
    let shown = missing.prefix(8).map { printable($0, limit: 20) }.joined(separator: " ")
    return [
      "vocabulary: \(plural(missing.count, vocabulary.unit.noun)) added, with the mean of the others' weights: \(shown)\(missing.count > 8 ? " ..." : "")"
    ]
  }
}

extension DataArguments {
  /// All text of the data; nil when there is none.
  private func everyText(_ record: Preprocessing) throws -> String? {
    let path = try requiredPath()
    if text != nil {
      return TextData.documents(
        of: try TextData.text(contentsOf: path), separator: separator ?? record.separator
      ).joined(separator: "\n")
    }
    guard let column = textColumn ?? record.textColumn else { return nil }
    return try table(path).strings(column: column).joined(separator: "\n")
  }
}

/// A model may have more rows than its vocabulary has tokens, but not fewer.
func checkVocabulary(_ vocabulary: Vocabulary, embedding count: Int) throws {
  guard vocabulary.count > count else { return }
  throw InputError.usage(
    "the vocabulary has \(grouped(vocabulary.count)) numbers, the model's embedding \(grouped(count)) rows",
    advice: ["it is another model's vocabulary, or one that was extended"])
}

/// A part in per cent, or as a count where that says more.
func rate(of part: Int, in whole: Int) -> String {
  let rate = Double(part) / Double(max(whole, 1))
  return rate < 0.001 ? grouped(part) : percent(rate)
}

extension TextData {
  /// `fortunes.txt: 12,345 characters (0.1 % unknown), 100 documents`
  var summary: String {
    var text = "\(file): \(plural(count, vocabulary.unit.noun))"
    if unknownCount > 0 { text += " (\(rate(of: unknownCount, in: count)) not in the vocabulary)" }
    return text + (documentCount > 1 ? ", \(plural(documentCount, "document"))" : "")
  }

}

extension Metrics {
  /// A text's: `perplexity 4.56, 2.19 bits per character`.
  func textSummary(_ unit: Vocabulary.Unit?) -> String? {
    guard let perplexity, let bitsPerToken else { return nil }
    return "perplexity \(digits(perplexity)), \(digits(bitsPerToken)) bits per \(unit?.noun ?? "token")"
  }
}
