extension Layer {
  /// Batch normalization of each feature, or of each channel of a grid: y = (x - mean) / sqrt(variance + epsilon) * weight
  /// + bias.
  ///
  /// Mean and variance are running_mean and running_var, except in training, where they are the batch's over its rows, and
  /// the running ones move toward them. A frozen layer uses and keeps its running statistics, as does a batch of a single
  /// value of each feature, which has no variance.
  public struct BatchNorm: LayerKind {
    /// Added to the variance: 1e-5 in PyTorch, 1e-3 in Keras.
    public var epsilon: Float
    /// The share of the batch's statistics in the new running ones: 0.1 in PyTorch; 1 - 0.99 in Keras.
    public var momentum: Float
    /// Whether it has `weight`, gamma.
    public var hasScale = true
    /// Whether it has `bias`, beta.
    public var hasOffset = true
    /// Whether the running variance is the batch's with n - 1 in place of n, as PyTorch's.
    public var isUnbiased = true

    /// PyTorch's, by default.
    public init(epsilon: Float = 1e-5, momentum: Float = 0.1) {
      self.epsilon = epsilon
      self.momentum = momentum
    }

    public var kind: String { "batch_norm" }
    public var example: String { "8 features -> conv 32 kernel 5 -> batch norm -> LSTM 64" }
    public var stem: String { "norm" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.real("epsilon", &epsilon, usual: 1e-5)
      try d.real("momentum", &momentum, usual: 0.1)
      try d.flag("scale", &hasScale, usual: true)
      try d.flag("offset", &hasOffset, usual: true)
      try d.flag("unbiased", &isUnbiased, usual: true)
      try check()
    }

    private func check() throws(LayerError) {
      try checkEpsilon(epsilon)
      guard 0...1 ~= momentum else { throw LayerError("momentum", "expected a number from 0 to 1, found \(momentum)") }
    }

    /// Statistics: one for each feature, or channel of a grid.
    func count(_ input: LayerValue) -> Int { input.grid?.channels ?? input.width }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      try check()
      return inputs[0]
    }

    public func parameters(_ inputs: [LayerValue]) -> [LayerParameter] {
      let shape = [count(inputs[0])]
      var list: [LayerParameter] = []
      if hasScale { list.append(.init("weight", shape, .gain, start: .constant(1))) }
      if hasOffset { list.append(.init("bias", shape, .bias, start: .constant(0))) }
      list.append(.init("running_mean", shape, .statistic, start: .constant(0)))
      list.append(.init("running_var", shape, .statistic, start: .constant(1)))
      return list
    }
  }

  /// Layer normalization of each row: y = (x - mean) / sqrt(variance + epsilon) * weight + bias, with the row's own mean
  /// and variance.
  public struct LayerNorm: LayerKind {
    /// Added to the variance: 1e-5 in PyTorch, 1e-3 in Keras.
    public var epsilon: Float
    /// Whether it has `weight`, gamma.
    public var hasScale = true
    /// Whether it has `bias`, beta.
    public var hasOffset = true

    /// PyTorch's, by default.
    public init(epsilon: Float = 1e-5) { self.epsilon = epsilon }

    public var kind: String { "layer_norm" }
    public var example: String { "8 features -> LSTM 64 -> layer norm -> LSTM 64" }
    public var stem: String { "norm" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.real("epsilon", &epsilon, usual: 1e-5)
      try d.flag("scale", &hasScale, usual: true)
      try d.flag("offset", &hasOffset, usual: true)
      try checkEpsilon(epsilon)
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      try checkEpsilon(epsilon)
      return inputs[0]
    }

    public func parameters(_ inputs: [LayerValue]) -> [LayerParameter] {
      var list: [LayerParameter] = []
      if hasScale { list.append(.init("weight", [inputs[0].width], .gain, start: .constant(1))) }
      if hasOffset { list.append(.init("bias", [inputs[0].width], .bias, start: .constant(0))) }
      return list
    }
  }
}

func checkEpsilon(_ epsilon: Float) throws(LayerError) {
  guard epsilon >= 0, epsilon.isFinite else {
    throw LayerError("epsilon", "expected a number of at least 0, found \(epsilon)")
  }
}
