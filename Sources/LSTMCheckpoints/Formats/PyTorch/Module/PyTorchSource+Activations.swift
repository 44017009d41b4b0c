extension Activation {
  /// Python's expression of an activation of a value.
  /// - Parameter alpha: of leaky relu and elu; the usual one when nil.
  func pyTorch(_ x: String, alpha: Float? = nil) -> String {
    switch self {
    case .none: x
    case .relu: "F.relu(\(x))"
    case .tanh: "torch.tanh(\(x))"
    case .sigmoid: "torch.sigmoid(\(x))"
    case .softmax: "F.softmax(\(x), dim=-1)"
    case .logSoftmax: "F.log_softmax(\(x), dim=-1)"
    case .hardSigmoid: "torch.clamp(0.2 * (\(x)) + 0.5, 0, 1)"
    case .hardSigmoidKeras3: "F.hardsigmoid(\(x))"
    case .hardTanh: "F.hardtanh(\(x))"
    case .leakyReLU: "F.leaky_relu(\(x), \(alpha ?? usualAlpha ?? 0))"
    case .elu: "F.elu(\(x), \(alpha ?? usualAlpha ?? 1))"
    case .selu: "F.selu(\(x))"
    case .gelu: "F.gelu(\(x))"
    case .geluTanh: "F.gelu(\(x), approximate=\"tanh\")"
    case .softplus: "F.softplus(\(x))"
    case .softsign: "F.softsign(\(x))"
    case .swish: "F.silu(\(x))"
    case .mish: "F.mish(\(x))"
    case .relu6: "F.relu6(\(x))"
    case .hardSwish: "F.hardswish(\(x))"
    case .exponential: "torch.exp(\(x))"
    }
  }

  /// The same as a function, for the gates of a cell.
  var pyTorchFunction: String {
    switch self {
    case .tanh: "torch.tanh"
    case .sigmoid: "torch.sigmoid"
    case .relu: "F.relu"
    default: "lambda v: " + pyTorch("v")
    }
  }
}

extension PyTorchSource {
  mutating func write(_ kind: Layer.ActivationLayer, _ use: Use) {
    say("\(use.target) = \(kind.activation.pyTorch(use.input, alpha: kind.alpha))")
  }

  mutating func write(_ kind: Layer.L2, _ use: Use) { say("\(use.target) = F.normalize(\(use.input), dim=-1)") }

  mutating func write(_ kind: Layer.Magnitude, _ use: Use) {
    let half = use.value.width / 2
    say("\(use.target) = torch.hypot(\(use.input)[..., :\(half)], \(use.input)[..., \(half):])")
  }

  /// It does nothing outside of training.
  mutating func write(_ kind: Layer.Dropout, _ use: Use) {
    let source =
      switch kind.form {
      case .plain: "F.dropout(\(use.input), \(kind.rate), self.training)"
      case .spatial where use.value.isPerStep:
        "F.dropout1d(\(use.input).transpose(1, 2), \(kind.rate), self.training).transpose(1, 2)"
      case .spatial: "F.dropout(\(use.input), \(kind.rate), self.training)"
      case .gaussian:
        "\(use.input) * (1 + torch.randn_like(\(use.input)) * \((kind.rate / (1 - kind.rate)).squareRoot())) "
          + "if self.training else \(use.input)"
      }
    say("\(use.target) = \(source)")
  }

  mutating func write(_ kind: Layer.Rescale, _ use: Use) throws(CheckpointError) {
    let scale = try parameter(use, "scale", isBuffer: true)
    let offset = try parameter(use, "offset", isBuffer: true)
    var x = use.input
    if kind.hasCenter {
      let center = try parameter(use, "center", isBuffer: true)
      x = "(\(x) - \(center))"
    }
    say("\(use.target) = \(x) * \(scale) + \(offset)")
  }
}
