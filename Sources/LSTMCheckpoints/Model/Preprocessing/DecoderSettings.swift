/// How a decoder that is fed its own output is run.
public struct DecoderSettings: Sendable, Equatable, Codable {
  /// What it reads first; nil for zero, of a decoder of values.
  public var start: DecoderStart?
  /// The token that ends a sequence.
  public var end: Int?
  /// Steps to predict.
  public var steps: Int?

  /// What is not given is not known.
  public init(start: DecoderStart? = nil, end: Int? = nil, steps: Int? = nil) {
    (self.start, self.end, self.steps) = (start, end, steps)
  }
}

/// What a decoder that is fed its own output reads first.
public enum DecoderStart: Sendable, Equatable, Codable {
  /// A token, such as the one that begins a sentence.
  case token(Int)
  /// Zero, in the numbers that the model computes in.
  case zero
  /// The last known values of what is predicted.
  case last
  /// A number, in the data's own units.
  case value(Float)
}
