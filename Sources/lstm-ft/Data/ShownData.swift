import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

/// The training and validation parts of some data, for printing.
struct Portions {
  let training: Examples
  let validation: Examples?
  /// The separate validation file; nil when validation is a part of the data.
  let heldFile: String?
  /// Whether validation examples were drawn at random.
  let isDrawn: Bool

  /// `, 12 for validation`
  var held: String {
    let from = heldFile.map { " from \($0)" } ?? ""
    return validation.map { ", \(grouped($0.sequences.count)) for validation\(from)" } ?? ", none for validation"
  }

  /// Lines about streams.
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

  /// Lines about independent sequences.
  func lines(_ all: SequenceData, file: String) -> [String] {
    let lengths = all.lengths == nil ? "" : ", \(plural(all.stepCount, "valid step"))"
    let choice = validation == nil ? "" : isDrawn ? " (drawn at random)" : " (the last ones)"
    return [
      "\(file): \(plural(all.count, "sequence")) of \(plural(all.steps, "step"))\(lengths)",
      "\(grouped(training.sequences.count)) to train on\(held)\(choice)",
    ]
  }
}

/// How a model is used after training on some data.
struct DataUse {
  /// The command that reads data like it.
  let command: String
  /// Whether it takes the data options of finetune.
  var readsData = true
  /// Whether it writes arrays to a file.
  var writesArrays = false
  /// Further options.
  var more: [String] = []
}

/// Data that this tool can print.
protocol ShownData: TrainingData {
  /// Lines about the data and its split.
  func summary(_ portions: Portions) -> [String]

  /// How a model trained on it is used.
  var use: DataUse { get }

  /// `test.csv: 120 sequences, mse 0.0123`
  func result(_ metrics: Metrics, lossName: String) -> String

  /// Makes a sample after each epoch; nil where there is nothing to show.
  /// - Parameter examples: those that the model is evaluated on.
  func sampling(
    _ examples: Examples?, _ record: Preprocessing, _ seed: UInt64, _ kernels: Kernels
  ) -> (@Sendable (LSTMModel) throws -> Sample?)?

  /// Why evaluate cannot chart it; nil where it can.
  var chartRefusal: String? { get }

  /// Lines about its contents, when a model is evaluated.
  var contents: [String] { get }

  /// Notes on how it was read.
  var readingLines: [String] { get }

  /// The name of each class by its number, of labeled sequences.
  var classNames: [String]? { get }

  /// The name of each sequence, where a table gives them one.
  var sequenceNames: [String]? { get }

  /// The number of its characters or words, and of unknown ones.
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

  /// Notes on how a table was read.
  var readingLines: [String] { readingNotes.map(\.description) }

  /// Examples as the model reads them.
  func shownScaled(_ examples: Examples, _ record: Preprocessing) throws -> (examples: Examples, notes: [String]) {
    let (scaled, unknown) = try scaled(examples, by: record)
    return (scaled, [Scaler.note(unknown: unknown)?.spelled].compactMap(\.self))
  }
}

extension Examples {
  /// A note on what the mask hides; nil when it hides nothing.
  func maskNote(_ configuration: ModelConfiguration) -> String? {
    let hidden = sequences.hiddenCount
    guard let mask = configuration.mask, hidden > 0 else { return nil }
    return
      "mask: \(plural(hidden, "step")) of \(mask.summary) masked, as in Keras; \(hidden == 1 ? "it is" : "they are")"
      + " not part of a sequence"
  }
}
