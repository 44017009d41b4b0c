import LSTMCheckpoints
import LSTMLayers

/// Data that is, or can be taken as, `Examples`: what a model is trained on or evaluated with.
public protocol ExamplesConvertible: Sendable {
  /// The same data.
  var examples: Examples { get }
}

extension SequenceData: ExamplesConvertible {
  public var examples: Examples { .sequences(self) }
}

extension StreamData: ExamplesConvertible {
  public var examples: Examples { .streams(self) }
}

/// What a model is trained on or evaluated with.
public enum Examples: ExamplesConvertible {
  /// Independent sequences, each from a zero state.
  case sequences(SequenceData)
  /// Long streams, their states carried from chunk to chunk.
  case streams(StreamData)

  public var examples: Examples { self }
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
  /// - Parameter named: scalers of further inputs and targets, by name.
  public func scaled(inputs: Scaler?, targets: Scaler?, named: [String: Scaler]? = nil) -> Examples {
    switch self {
    case .sequences(let data): .sequences(data.scaled(inputs: inputs, targets: targets, named: named))
    case .streams(let data): .streams(data.scaled(inputs: inputs, targets: targets))
    }
  }

  /// The same without the steps that the model's mask hides. Call it before scaling: a mask looks at the data's own
  /// values. A second time it does nothing.
  /// - Throws: `ShapeError` when a mask hides all of a sequence, or any step of a stream.
  public func hiding(_ configuration: ModelConfiguration) throws(ShapeError) -> Examples {
    switch self {
    case .sequences(let data): .sequences(try data.hiding(configuration.mask, for: configuration))
    case .streams(let data): .streams(try data.requiringVisible(configuration.mask))
    }
  }
}
