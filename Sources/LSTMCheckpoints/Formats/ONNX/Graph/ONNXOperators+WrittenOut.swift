import FileIO

// Layers that exporters write out as several nodes, recognized at the last of them.

extension ONNXTranslator {
  /// What ONNX Runtime has put into the node before.
  mutating func fusedActivation(_ rows: ONNXRows, _ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXRows? {
    guard let name = text(node, "activation"), !name.isEmpty else { return rows }
    var made = ONNXModel.Node()
    (made.operation, made.name) = (name, node.name)
    made.inputs = ["\(node.outputs.first ?? "") before \(name)"]
    made.outputs = node.outputs
    if case .floats(let list)? = node.attributes["activation_params"], !list.isEmpty {
      switch (name, list.count) {
      case ("LeakyRelu", 1): made.attributes["alpha"] = .float(list[0])
      case ("HardSigmoid", 2):
        (made.attributes["alpha"], made.attributes["beta"]) = (.float(list[0]), .float(list[1]))
      case ("Clip", 2): (made.attributes["min"], made.attributes["max"]) = (.float(list[0]), .float(list[1]))
      default: throw ONNXRefusal(detail: "its activation \(name) has parameters that are not known here")
      }
    }
    values[made.inputs[0]] = .rows(rows)
    guard ONNXOperators.activations.operators.contains(name) else {
      throw ONNXRefusal(detail: "its activation \(name) is not known here")
    }
    guard case .rows(let result)? = try ONNXOperators.activations.translate(&self, made)?.first else { return nil }
    return result
  }

  /// alpha * elu(x / alpha)
  mutating func celu(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXRows? {
    guard let rows = rows(node) else { return nil }
    let alpha = Double(number(node, "alpha") ?? 1)
    guard alpha > 0, alpha.isFinite else { throw ONNXRefusal(detail: "its alpha is \(alpha)") }
    func elu(_ rows: ONNXRows) throws(ONNXRefusal) -> ONNXRows {
      rows.of(try layer(Layer.ActivationLayer(.elu), [rows.source], node))
    }
    if alpha == 1 { return try elu(rows) }
    let inner = try elu(try scaled(rows, by: ONNXAffineRows(scale: [1 / alpha], offset: [0]), sources: [], node))
    return try scaled(inner, by: ONNXAffineRows(scale: [alpha], offset: [0]), sources: [], node)
  }

  /// log(softmax(x)), and log(sigmoid(x)) as -softplus(-x).
  mutating func logarithm(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXRows? {
    guard let rows = rows(node), let below = draft[rows.source].kind as? Layer.ActivationLayer, below.alpha == nil,
      let read = draft[rows.source].reads.first
    else { return nil }
    let input = rows.of(read)
    switch below.activation {
    case .softmax: return input.of(try layer(Layer.ActivationLayer(.logSoftmax), [read], node))
    case .sigmoid:
      let turned = try scaled(input, by: ONNXAffineRows(scale: [-1], offset: [0]), sources: [], node)
      let soft = turned.of(try layer(Layer.ActivationLayer(.softplus), [turned.source], node))
      return try scaled(soft, by: ONNXAffineRows(scale: [-1], offset: [0]), sources: [], node)
    default: return nil
    }
  }

  /// x / (1 + |x|)
  mutating func softsign(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXRows? {
    guard let rows = rows(node), let sum = origin(node, 1), sum.operation == "Add", sum.inputs.count == 2 else {
      return nil
    }
    for (one, other) in [(0, 1), (1, 0)] where scalar(sum, other) == 1 {
      guard let size = origin(sum, one), size.operation == "Abs",
        size.inputs.first.map(realName) == realName(node.inputs[0])
      else { continue }
      return rows.of(try layer(Layer.ActivationLayer(.softsign), [rows.source], node))
    }
    return nil
  }

  /// PyTorch's softplus, which is x where x is large.
  func softplus(_ node: ONNXModel.Node) -> ONNXRows? {
    guard node.inputs.count == 3, let test = origin(node, 0), test.operation == "Greater", let bound = scalar(test, 1),
      bound >= 17, let plain = rows(node, 1), let soft = rows(node, 2),
      test.inputs.first.map(realName) == realName(node.inputs[1]),
      let layer = draft[soft.source].kind as? Layer.ActivationLayer, layer.activation == .softplus,
      draft[soft.source].reads == [plain.source], soft.axes == plain.axes
    else { return nil }
    return soft
  }

  /// An activation that ends in a product: gelu, swish and their like; or a product of quantized numbers.
  mutating func written(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    if let product = try quantizedProduct(node) { return product }
    guard let (name, activation) = writtenActivation(node), let rows = rows(named: name) else { return nil }
    return .rows(rows.of(try layer(Layer.ActivationLayer(activation), [rows.source], node)))
  }

  private func writtenActivation(_ node: ONNXModel.Node) -> (String, Activation)? {
    guard node.inputs.count == 2 else { return nil }
    for (one, other) in [(0, 1), (1, 0)] {
      // x * sigmoid(x), x * tanh(softplus(x)), x * hard_sigmoid(x)
      let name = node.inputs[one]
      if rows(named: name) != nil, let gate = origin(node, other) {
        if gate.operation == "Sigmoid", gate.inputs == [name] { return (name, .swish) }
        if gate.operation == "Tanh", let inner = origin(gate, 0), inner.operation == "Softplus", inner.inputs == [name]
        {
          return (name, .mish)
        }
        if gate.operation == "HardSigmoid", gate.inputs == [name], abs((number(gate, "alpha") ?? 0.2) - 1 / 6) < 1e-6,
          number(gate, "beta") ?? 0.5 == 0.5
        {
          return (name, .hardSwish)
        }
      }
      // (x * (1 + erf(x / sqrt 2))) * 0.5, in any order of its three factors
      guard let found = gelu(factors(node, depth: 0)) else { continue }
      return found
    }
    return nil
  }

  /// What a chain of products multiplies.
  private func factors(_ node: ONNXModel.Node, depth: Int) -> [String] {
    node.inputs.flatMap { name -> [String] in
      if depth < 3, let inner = origin(name), inner.operation == "Mul", let value = values[name],
        !isFinished(value) || isScaledOnly(inner)
      {
        return factors(inner, depth: depth + 1)
      }
      return [name]
    }
  }

  private func isFinished(_ value: ONNXMeaning) -> Bool { if case .deferred = value { false } else { true } }

  /// Half of something, as gelu begins in some exporters.
  private func isScaledOnly(_ node: ONNXModel.Node) -> Bool {
    node.inputs.indices.contains { scalar(node, $0) == 0.5 }
  }

  private func gelu(_ factors: [String]) -> (String, Activation)? {
    guard factors.count == 3 else { return nil }
    var rest = factors
    guard let half = rest.firstIndex(where: { scalar(values[$0]) == 0.5 }) else { return nil }
    rest.remove(at: half)
    for (x, gate) in [(rest[0], rest[1]), (rest[1], rest[0])] {
      guard rows(named: x) != nil, let sum = origin(gate), sum.operation == "Add" else { continue }
      for (one, other) in [(0, 1), (1, 0)] where scalar(sum, other) == 1 {
        guard let inner = origin(sum, one) else { continue }
        if inner.operation == "Erf", let scaled = origin(inner, 0), scaled.inputs.first == x || scaled.inputs.last == x,
          let factor = scalar(scaled, scaled.inputs.first == x ? 1 : 0)
        {
          let root = 2.0.squareRoot()
          let wanted = scaled.operation == "Div" ? root : 1 / root
          if scaled.operation == "Div" || scaled.operation == "Mul", abs(factor - wanted) < 1e-6 { return (x, .gelu) }
        }
        if inner.operation == "Tanh", isTanhArgument(origin(inner, 0), x) { return (x, .geluTanh) }
      }
    }
    return nil
  }

  /// sqrt(2 / pi) (x + 0.044715 x^3)
  private func isTanhArgument(_ node: ONNXModel.Node?, _ x: String) -> Bool {
    guard let node, node.operation == "Mul" else { return false }
    for (one, other) in [(0, 1), (1, 0)] {
      guard let factor = scalar(node, other), abs(factor - (2 / Double.pi).squareRoot()) < 1e-6,
        let sum = origin(node, one), sum.operation == "Add"
      else { continue }
      for (plain, cubed) in [(0, 1), (1, 0)] where sum.inputs.count == 2 && sum.inputs[plain] == x {
        guard let cube = origin(sum, cubed), cube.operation == "Mul" else { continue }
        for (power, share) in [(0, 1), (1, 0)] {
          guard let part = scalar(cube, share), abs(part - 0.044715) < 1e-6, let third = origin(cube, power) else {
            continue
          }
          if third.operation == "Pow", third.inputs.first == x, scalar(third, 1) == 3 { return true }
          if third.operation == "Mul", let squared = square(origin(third, 0)) ?? square(origin(third, 1)), squared == x,
            third.inputs.contains(x)
          {
            return true
          }
        }
      }
    }
    return false
  }
}
