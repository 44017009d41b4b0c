import FileIO

// Layers that exporters write out as several nodes, recognized at the last of them.

extension ONNXTranslator {
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
