/// Sequences of a file of arrays.
public struct ArraySequences: TrainingData {
  public let data: SequenceData
  public let file: String

  public init(_ data: SequenceData, file: String) {
    self.data = data
    self.file = file
  }

  public func allExamples() throws -> Examples { .sequences(data) }
}

/// Streams of a file of arrays.
public struct ArrayStreams: TrainingData {
  public let data: StreamData
  public let file: String

  public init(_ data: StreamData, file: String) {
    self.data = data
    self.file = file
  }

  public func allExamples() throws -> Examples { .streams(data) }

  public func split(_ choice: SplitChoice) throws -> SplitExamples {
    let parts = try data.split(validation: choice.fraction, order: choice.order(of: data.streamCount))
    return SplitExamples(training: .streams(parts.training), validation: parts.validation.map { .streams($0) })
  }
}
