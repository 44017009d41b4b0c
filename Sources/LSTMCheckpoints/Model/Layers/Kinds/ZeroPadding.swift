extension Layer {
  /// Steps of zeros around those of each sequence: (N, T, S) -> (N, before + T + after, S).
  public struct ZeroPadding: LayerKind {
    /// Steps before the first.
    public var before: Int
    /// Steps after the last.
    public var after: Int

    /// None, where nothing else is said.
    public init(before: Int = 0, after: Int = 0) {
      self.before = before
      self.after = after
    }

    public var kind: String { "zero_padding" }
    public var example: String { "8 features -> zero padding before 2 after 1 -> LSTM 64" }
    public var stem: String { "padding" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.whole("before", &before, usual: 0, in: 0...Layer.sizeLimit)
      try d.whole("after", &after, usual: 0, in: 0...Layer.sizeLimit)
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      try inputs[0].requireSteps()
      guard inputs[0].vocabulary == nil else { throw LayerError(nil, "zeros are put around features, not tokens") }
      var value = inputs[0]
      value.steps = value.steps.map { before + $0 + after }
      if before + after > 0 { value.clock = nil }
      return value
    }
  }
}
