/// An activation function, by its usual name.
public enum Activation: String, Hashable, Sendable, Codable, CaseIterable {
  /// The identity.
  case none
  /// max(x, 0)
  case relu
  /// Hyperbolic tangent.
  case tanh
  /// 1 / (1 + exp(-x)).
  case sigmoid
  /// exp(x) / sum of exp(x), over a row.
  case softmax
  /// x - log of the sum of exp(x), over a row.
  case logSoftmax = "log_softmax"
  /// clip(0.2 x + 0.5, 0, 1): Keras 1 and 2, ONNX.
  case hardSigmoid = "hard_sigmoid"
  /// clip(x / 6 + 0.5, 0, 1): Keras 3, PyTorch.
  case hardSigmoidKeras3 = "hard_sigmoid_keras3"
  /// clip(x, -1, 1)
  case hardTanh = "hard_tanh"
  /// x for x > 0, else alpha x; alpha is 0.01 in PyTorch, 0.3 in Keras 2 and 3, and 0.2 for `leaky_relu` in Keras 3.
  case leakyReLU = "leaky_relu"
  /// x for x > 0, else alpha (exp(x) - 1); alpha is 1.
  case elu
  /// The scaled one, of self-normalizing networks.
  case selu
  /// x Phi(x), with the error function.
  case gelu
  /// The same by its approximation with tanh.
  case geluTanh = "gelu_tanh"
  /// log(1 + exp(x))
  case softplus
  /// x / (1 + |x|)
  case softsign
  /// x sigmoid(x), also called silu.
  case swish
  /// x tanh(softplus(x))
  case mish
  /// min(max(x, 0), 6)
  case relu6
  /// x clip(x / 6 + 0.5, 0, 1)
  case hardSwish = "hard_swish"
  /// exp(x)
  case exponential

  /// Whether a value depends on its own input alone.
  public var isElementwise: Bool { self != .softmax && self != .logSoftmax }

  /// The alpha that it has unless another is given; nil for one without.
  public var usualAlpha: Float? {
    switch self {
    case .leakyReLU: 0.01
    case .elu: 1
    default: nil
    }
  }
}
