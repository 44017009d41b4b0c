extension Layer {
  /// Group normalization, PyTorch's and Keras': y = (x - mean) / sqrt(variance + epsilon) * weight + bias, with the mean and
  /// the variance of a group of features, or of channels of a grid, over all steps of a sequence. As many groups as features
  /// are an instance normalization.
  public struct GroupNorm: LayerKind {
    /// How many groups the features, or the channels, are divided into.
    public var groups: Int
    /// Added to the variance: 1e-5 in PyTorch, 1e-3 in Keras.
    public var epsilon: Float
    /// Whether it has `weight`, gamma.
    public var hasScale = true
    /// Whether it has `bias`, beta.
    public var hasOffset = true

    /// PyTorch's, by default.
    public init(groups: Int = 1, epsilon: Float = 1e-5) {
      self.groups = groups
      self.epsilon = epsilon
    }

    public var kind: String { "group_norm" }
    public var example: String { "8 features -> LSTM 16 -> group norm groups 4 -> GRU 8" }
    public var stem: String { "norm" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.whole("groups", &groups, usual: 1, in: 1...Layer.sizeLimit)
      try d.real("epsilon", &epsilon, usual: 1e-5)
      try d.flag("scale", &hasScale, usual: true)
      try d.flag("offset", &hasOffset, usual: true)
      try checkEpsilon(epsilon)
    }

    /// Gains: one for each feature, or channel of a grid.
    func count(_ input: LayerValue) -> Int { input.grid?.channels ?? input.width }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      try checkEpsilon(epsilon)
      guard groups > 0, count(inputs[0]) % groups == 0 else {
        throw LayerError(
          "groups", "\(groups) does not divide \(count(inputs[0])) \(inputs[0].grid == nil ? "features" : "channels")")
      }
      return inputs[0]
    }

    public func parameters(_ inputs: [LayerValue]) -> [LayerParameter] {
      var list: [LayerParameter] = []
      if hasScale { list.append(.init("weight", [count(inputs[0])], .gain, start: .constant(1))) }
      if hasOffset { list.append(.init("bias", [count(inputs[0])], .bias, start: .constant(0))) }
      return list
    }
  }
}
