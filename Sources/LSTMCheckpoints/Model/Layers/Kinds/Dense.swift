extension Layer {
  /// A dense layer, of each step or each sequence: y = activation(W x + b), (., I) -> (., O).
  public struct Dense: LayerKind {
    /// O
    public var size: Int
    /// Whether it has b, a vector of O.
    public var hasBias: Bool
    /// Of Wx + b; softmax is over O.
    public var activation: Activation

    /// A layer of O outputs; with a bias and no activation, by default.
    public init(size: Int = 1, hasBias: Bool = true, activation: Activation = .none) {
      self.size = size
      self.hasBias = hasBias
      self.activation = activation
    }

    public var kind: String { "dense" }
    public var example: String { "8 features -> LSTM 64 -> last -> dense 3 softmax" }
    public var stem: String { "dense" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.size("size", &size)
      try d.flag("bias", &hasBias, usual: true)
      try d.choice("activation", &activation, usual: .none)
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      guard inputs[0].vocabulary == nil else { throw LayerError(nil, "a dense layer reads features, not tokens") }
      return inputs[0].with(width: size)
    }

    public func parameters(_ inputs: [LayerValue]) -> [LayerParameter] {
      let bound = LayerParameter.Start.uniform(1 / Float(inputs[0].width).squareRoot())
      let weight = LayerParameter("weight", [size, inputs[0].width], .weight, start: bound)
      return hasBias ? [weight, LayerParameter("bias", [size], .bias, start: bound)] : [weight]
    }
  }
}
