extension Layer {
  /// An activation function by itself.
  public struct ActivationLayer: LayerKind {
    /// Which one; softmax is over a row.
    public var activation: Activation
    /// Of leaky relu and elu; the usual one when nil.
    public var alpha: Float?

    /// An activation with its usual alpha, or another.
    public init(_ activation: Activation = .none, alpha: Float? = nil) {
      self.activation = activation
      self.alpha = alpha
    }

    public var kind: String { "activation" }
    public var example: String { "8 features -> LSTM 64 -> last -> relu -> dense 1" }
    /// In words it is the activation's name alone.
    public var words: String { "" }
    public var stem: String { "activation" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.choice("activation", &activation, usual: .none)
      if activation.usualAlpha != nil { try d.real("alpha", &alpha) }
      if alpha == activation.usualAlpha { alpha = nil }
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue { inputs[0] }
  }

  /// A fixed affine function of each feature: y = (x - center) * scale + offset, which is never trained (Keras'
  /// Normalization and Rescaling).
  public struct Rescale: LayerKind {
    /// Whether it has `center`: without it, features that are far from zero for their deviation lose digits.
    public var hasCenter = false

    /// With a `center`, or scale and offset alone.
    public init(hasCenter: Bool = false) { self.hasCenter = hasCenter }

    public var kind: String { "rescale" }
    public var example: String { "8 features -> rescale -> LSTM 64 -> last -> dense 1" }
    public var stem: String { "rescale" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.flag("center", &hasCenter, usual: false)
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue { inputs[0] }

    public func parameters(_ inputs: [LayerValue]) -> [LayerParameter] {
      let list = [
        LayerParameter("scale", [inputs[0].width], .fixed, start: .constant(1)),
        LayerParameter("offset", [inputs[0].width], .fixed, start: .constant(0)),
      ]
      return hasCenter ? list + [LayerParameter("center", [inputs[0].width], .fixed, start: .constant(0))] : list
    }
  }

  /// Divides each row by its L2 norm.
  public struct L2: LayerKind {
    public init() {}
    public var kind: String { "l2" }
    public var example: String { "8 features -> LSTM 64 -> last -> L2" }
    public var words: String { "L2" }
    public var stem: String { "normalize" }
    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue { inputs[0] }
  }

  /// A place where values are dropped in training; elsewhere it does nothing.
  public struct Dropout: LayerKind {
    /// What is dropped together.
    public enum Form: String, LayerChoice, Codable {
      /// Each value by itself.
      case plain
      /// A feature at all steps of a sequence (Keras' SpatialDropout1D), or a channel of a grid.
      case spatial
      /// Values are multiplied by N(1, rate / (1 - rate)) (Keras' GaussianDropout).
      case gaussian
    }

    /// The probability of a value to be dropped.
    public var rate: Float
    /// What is dropped together.
    public var form = Form.plain

    /// Dropout of single values.
    public init(rate: Float = 0.5) { self.rate = rate }

    public var kind: String { "dropout" }
    public var example: String { "8 features -> LSTM 64 -> dropout 0.2 -> LSTM 64" }
    public var leadingSetting: String? { "rate" }
    public var stem: String { "dropout" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.real("rate", &rate, usual: 0.5)
      try d.choice("form", &form, usual: .plain)
      try check()
    }

    private func check() throws(LayerError) {
      guard 0..<1 ~= rate else { throw LayerError("rate", "expected a number from 0 to below 1, found \(rate)") }
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      try check()
      return inputs[0]
    }
  }
}
