extension Layer {
  /// Looks tokens up in a table: token numbers (N, T) -> (N, T, size).
  public struct Embedding: LayerKind {
    /// Values of a token.
    public var size: Int
    /// The row that stands for padding, which looking it up never moves: PyTorch's `padding_idx`.
    public var paddingToken: Int?

    /// A table of rows of `size` values.
    public init(size: Int = 1, paddingToken: Int? = nil) {
      self.size = size
      self.paddingToken = paddingToken
    }

    public var kind: String { "embedding" }
    public var example: String { "465 tokens -> embedding 100 padding index 0 -> LSTM 64" }
    public var stem: String { "embedding" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.size("size", &size)
      try d.whole("padding_index", &paddingToken, in: 0...Layer.sizeLimit)
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      guard let vocabulary = inputs[0].vocabulary else {
        throw LayerError(nil, "an embedding reads tokens, not features")
      }
      if let paddingToken, paddingToken >= vocabulary {
        throw LayerError("padding_index", "expected a token below \(vocabulary), found \(paddingToken)")
      }
      var value = inputs[0].with(width: size)
      value.vocabulary = nil
      return value
    }

    public func parameters(_ inputs: [LayerValue]) -> [LayerParameter] {
      [LayerParameter("weight", [inputs[0].vocabulary ?? 1, size], .weight, start: .normal)]
    }
  }
}
