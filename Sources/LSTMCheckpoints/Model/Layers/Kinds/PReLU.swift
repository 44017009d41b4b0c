extension Layer {
  /// A relu with a learned slope below zero, PyTorch's and Keras' PReLU: y = x for x > 0, else weight * x.
  public struct PReLU: LayerKind {
    /// Whether all features have one slope, as in PyTorch unless a number is given.
    public var isShared: Bool

    /// A slope for each feature, or one for all.
    public init(isShared: Bool = false) { self.isShared = isShared }

    public var kind: String { "prelu" }
    public var example: String { "8 features -> LSTM 64 -> last -> dense 16 -> prelu -> dense 1" }
    public var stem: String { "prelu" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.flag("shared", &isShared, usual: false)
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      guard isShared || inputs[0].grid == nil else {
        throw LayerError("shared", "over a grid all values have one slope")
      }
      return inputs[0]
    }

    public func parameters(_ inputs: [LayerValue]) -> [LayerParameter] {
      [LayerParameter("weight", [isShared ? 1 : inputs[0].width], .gain, start: .constant(0.25))]
    }
  }
}
