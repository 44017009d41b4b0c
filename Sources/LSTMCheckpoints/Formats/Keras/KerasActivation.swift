/// Activation functions by Keras' names.
struct KerasActivation {
  var activation: Activation
  /// Of leaky relu and elu; nil for the usual one.
  var alpha: Float?

  private static let names: [String: Activation] = [
    "linear": .none, "relu": .relu, "tanh": .tanh, "sigmoid": .sigmoid, "softmax": .softmax, "elu": .elu, "selu": .selu,
    "softplus": .softplus, "softsign": .softsign, "swish": .swish, "silu": .swish, "mish": .mish, "relu6": .relu6,
    "gelu": .gelu, "exponential": .exponential, "log_softmax": .logSoftmax, "hard_tanh": .hardTanh,
    "hard_silu": .hardSwish, "hard_swish": .hardSwish,
  ]

  /// nil for a function that has no counterpart here.
  /// - Parameter json: a name, an object that wraps one, or a layer that is used as a function.
  init?(_ json: KerasJSON?, _ version: KerasVersion) {
    guard let json else {
      self.init(.none)
      return
    }
    if let className = json["class_name"]?.string, let config = json["config"], config.string == nil {
      let layer: KerasActivation? =
        switch className {
        case "ReLU": Self.relu(config)
        case "LeakyReLU": Self.leaky(config)
        case "ELU": Self.elu(config)
        case "Softmax" where config["axis"]?.integer ?? -1 == -1: KerasActivation(.softmax)
        default: nil
        }
      guard let layer else { return nil }
      self = layer
      return
    }
    guard let name = json.functionName else { return nil }
    switch name {
    case "hard_sigmoid": self.init(version.hardSigmoid.general)
    // Both versions' function has another slope than their layer.
    case "leaky_relu": self.init(.leakyReLU, alpha: 0.2)
    default:
      guard let known = Self.names[name] else { return nil }
      self.init(known)
    }
  }

  init(_ activation: Activation, alpha: Float? = nil) {
    self.activation = activation
    self.alpha = alpha == activation.usualAlpha ? nil : alpha
  }

  /// A `ReLU` layer; nil for one that is none of the usual forms.
  static func relu(_ config: KerasJSON) -> KerasActivation? {
    let slope = config["negative_slope"]?.number ?? 0
    guard (config["threshold"]?.number ?? 0) == 0, slope.isFinite else { return nil }
    switch (config["max_value"]?.number, slope) {
    case (nil, 0): return KerasActivation(.relu)
    case (nil, _): return KerasActivation(.leakyReLU, alpha: Float(slope))
    case (6, 0): return KerasActivation(.relu6)
    default: return nil
    }
  }

  static func leaky(_ config: KerasJSON) -> KerasActivation? {
    let slope = (config["negative_slope"] ?? config["alpha"])?.number ?? 0.3
    return Float(slope).isFinite ? KerasActivation(.leakyReLU, alpha: Float(slope)) : nil
  }

  static func elu(_ config: KerasJSON) -> KerasActivation? {
    let alpha = Float(config["alpha"]?.number ?? 1)
    return alpha.isFinite ? KerasActivation(.elu, alpha: alpha) : nil
  }

  /// Keras' name of a function that a layer may name; nil for one that it has not.
  /// - Parameter isThree: Keras 3 rather than 2.
  static func name(_ activation: Activation, isThree: Bool) -> String? {
    switch activation {
    case .none: "linear"
    case .relu, .tanh, .sigmoid, .softmax, .elu, .selu, .gelu, .softplus, .softsign, .swish, .mish, .exponential:
      activation.rawValue
    case .logSoftmax: "log_softmax"
    case .relu6: "relu6"
    case .hardSigmoid: isThree ? nil : "hard_sigmoid"
    case .hardSigmoidKeras3: isThree ? "hard_sigmoid" : nil
    case .hardTanh: isThree ? "hard_tanh" : nil
    case .hardSwish: isThree ? "hard_silu" : nil
    case .leakyReLU, .geluTanh: nil
    }
  }
}
