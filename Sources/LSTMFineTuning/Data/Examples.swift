import LSTMCheckpoints
import LSTMLayers

/// What a model is trained on or measured with: sequences that stand for themselves, or streams that are read on and on.
public enum Examples: Sendable {
  case sequences(SequenceData)
  case streams(StreamData)

  /// Without the cuts between chunks.
  public var sequences: SequenceData {
    switch self {
    case .sequences(let data): data
    case .streams(let data): data.sequences
    }
  }

  /// nil for sequences.
  public var streams: StreamData? { if case .streams(let data) = self { data } else { nil } }

  /// Sequences of an optimizer step of `batchSize`, or the streams, which every step takes all of.
  package func perStep(_ batchSize: Int) -> Int {
    switch self {
    case .sequences(let data): min(batchSize, data.count)
    case .streams(let data): data.streamCount
    }
  }

  /// The same with standardized inputs and targets; a nil scaler leaves them as they are.
  public func scaled(inputs: Scaler?, targets: Scaler?) -> Examples {
    switch self {
    case .sequences(let data): .sequences(data.scaled(inputs: inputs, targets: targets))
    case .streams(let data): .streams(data.scaled(inputs: inputs, targets: targets))
    }
  }

  /// The same without the steps that the model's mask hides. To come before scalers: what is hidden is told by the data's
  /// own values.
  /// - Throws: `ShapeError` when a mask hides all of a sequence.
  public func hiding(_ configuration: ModelConfiguration) throws(ShapeError) -> Examples {
    guard case .sequences(let data) = self else { return self }
    return .sequences(try data.hiding(configuration.mask, for: configuration))
  }
}
