import LSTMCheckpoints

/// Sequences of a file of arrays.
public struct ArraySequences: TrainingData {
  /// The sequences, as the file has them.
  public let data: SequenceData
  /// The file's path.
  public let file: String
  /// Whether the targets are the inputs.
  public let reconstructs: Bool
  /// How the model's decoder is run that is fed its targets; nil for any other model.
  public let decoder: DecoderSettings?

  /// Sequences, and where they come from.
  /// - Parameters:
  ///   - reconstructs: whether the targets are the inputs, see `SequenceData.reconstructing`.
  ///   - decoder: how the model's decoder is run that is fed its targets.
  public init(_ data: SequenceData, file: String, reconstructs: Bool = false, decoder: DecoderSettings? = nil) {
    self.data = data
    self.file = file
    self.reconstructs = reconstructs
    self.decoder = decoder
  }

  public func describe(in preprocessing: inout Preprocessing) {
    (preprocessing.reconstructs, preprocessing.anomalyThreshold) = (reconstructs ? true : nil, nil)
    if let decoder { preprocessing.decoder = decoder }
  }

  public func allExamples() throws -> Examples { .sequences(data) }
}

/// Streams of a file of arrays.
public struct ArrayStreams: TrainingData {
  /// The streams, as the file has them.
  public let data: StreamData
  /// The file's path.
  public let file: String

  /// Streams, and where they come from.
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
