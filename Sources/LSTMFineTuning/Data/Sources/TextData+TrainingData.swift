import LSTMCheckpoints

extension TextData: TrainingData {
  public func allExamples() throws -> Examples { .sequences(try examples()) }

  public func split(_ choice: SplitChoice) throws -> SplitExamples {
    let parts = try split(validation: choice.fraction)
    return SplitExamples(
      training: .sequences(parts.training), validation: parts.validation.map { .sequences($0) })
  }

  public func inputs(isRolling: Bool) throws -> (sequences: SequenceData, origins: ForecastOrigins?) {
    (try endings(), nil)
  }

  public func describe(in preprocessing: inout Preprocessing) {
    preprocessing.forgetReading()
    preprocessing.window = window
    preprocessing.separator = separator
    preprocessing.vocabulary = vocabulary
  }
}

/// A text as streams with carried state, in chunks as long as its window.
public struct TextStreams: TrainingData {
  /// The text, whose window is the length of a chunk.
  public let text: TextData
  /// Parts of the text that are read side by side.
  public let streamCount: Int

  /// A text, and how many streams it is cut into.
  public init(_ text: TextData, streamCount: Int) {
    self.text = text
    self.streamCount = streamCount
  }

  public var file: String { text.file }

  public func allExamples() throws -> Examples { .streams(try text.streams(streamCount)) }

  public func split(_ choice: SplitChoice) throws -> SplitExamples {
    let parts = try text.splitStreams(streamCount, validation: choice.fraction)
    return SplitExamples(training: .streams(parts.training), validation: parts.validation.map { .streams($0) })
  }

  public func inputs(isRolling: Bool) throws -> (sequences: SequenceData, origins: ForecastOrigins?) {
    try text.inputs(isRolling: isRolling)
  }

  public func describe(in preprocessing: inout Preprocessing) {
    text.describe(in: &preprocessing)
    preprocessing.chunk = text.window
  }
}
