import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

/// What of some data is for training and what for validation, as it is shown.
struct Portions {
  let training: Examples
  let validation: Examples?
  /// The file that is for validation alone; nil when validation is a part of the data.
  let heldFile: String?
  /// Whether examples were drawn.
  let isDrawn: Bool

  /// `, 12 for validation`
  var held: String {
    let from = heldFile.map { " from \($0)" } ?? ""
    return validation.map { ", \(grouped($0.sequences.count)) for validation\(from)" } ?? ", none for validation"
  }

  /// Lines for people, of streams.
  var streams: [String] {
    func text(_ examples: Examples) -> String {
      guard let data = examples.streams else { return "" }
      return "\(plural(data.streamCount, "stream")) of \(plural(data.sequences.steps, "step"))"
        + " in \(plural(data.chunks.count, "chunk")) of \(grouped(data.chunkSteps))"
    }
    return [
      "\(text(training)) to train on, with the state carried",
      validation.map { "\(text($0)) for validation" } ?? "none for validation",
    ]
  }

  /// Lines for people, of sequences that stand for themselves.
  func lines(_ all: SequenceData, file: String) -> [String] {
    let lengths = all.lengths == nil ? "" : ", \(plural(all.stepCount, "valid step"))"
    let choice = validation == nil ? "" : isDrawn ? " (drawn by the seed)" : " (the last ones)"
    return [
      "\(file): \(plural(all.count, "sequence")) of \(plural(all.steps, "step"))\(lengths)",
      "\(grouped(training.sequences.count)) to train on\(held)\(choice)",
    ]
  }
}

/// How a model is used after it was trained on some data.
struct DataUse {
  /// The command that reads data like it.
  let command: String
  /// Whether it is told what finetune was told about the data.
  var readsData = true
  /// What else it is told.
  var more: [String] = []
}

/// Data as this tool shows it.
protocol ShownData: TrainingData {
  /// Lines for people: what it is, and what is for what.
  func summary(_ portions: Portions) -> [String]

  /// How a model is used that was trained on it.
  var use: DataUse { get }

  /// `test.csv: 120 sequences, mse 0.0123`
  func result(_ metrics: Metrics, lossName: String) -> String

  /// What a model does with it, for people to look at after each epoch; nil where there is nothing to show.
  /// - Parameter examples: those that it is measured with.
  func sampling(
    _ examples: Examples?, _ record: Preprocessing, _ seed: UInt64, _ kernels: Kernels
  ) -> (@Sendable (LSTMModel) throws -> Sample?)?

  /// Why evaluate can draw no chart of it; nil where it can.
  var chartRefusal: String? { get }

  /// Lines for people about what it holds, when a model is measured.
  var contents: [String] { get }

  /// The name of each class by its number, of labeled sequences.
  var classNames: [String]? { get }

  /// The name of each sequence, where a table gives them one.
  var sequenceNames: [String]? { get }

  /// Its characters or words, and those that are no token.
  var tokens: (count: Int, unknown: Int)? { get }
}

extension ShownData {
  func result(_ metrics: Metrics, lossName: String) -> String {
    "\(file): \(plural(metrics.examples, "sequence")), \(lossName) \(digits(metrics.loss))"
  }

  func sampling(
    _ examples: Examples?, _ record: Preprocessing, _ seed: UInt64, _ kernels: Kernels
  ) -> (@Sendable (LSTMModel) throws -> Sample?)? { nil }

  var contents: [String] { [] }
  var classNames: [String]? { nil }
  var sequenceNames: [String]? { nil }
  var tokens: (count: Int, unknown: Int)? { nil }

  /// What was recognized in a table.
  var readingLines: [String] { readingNotes.map(\.description) }

  /// Examples as the model reads them.
  func shownScaled(_ examples: Examples, _ record: Preprocessing) throws -> (examples: Examples, notes: [String]) {
    let (scaled, unknown) = try scaled(examples, by: record)
    return (scaled, [Scaler.note(unknown: unknown)?.spelled].compactMap(\.self))
  }
}

extension Examples {
  /// For people: what the mask did.
  func maskNote(_ configuration: ModelConfiguration) -> String? {
    let hidden = sequences.hiddenCount
    guard let mask = configuration.mask, hidden > 0 else { return nil }
    return
      "mask: \(plural(hidden, "step")) of \(mask.summary) hidden, as in Keras; \(hidden == 1 ? "it is" : "they are")"
      + " no part of a sequence"
  }
}
