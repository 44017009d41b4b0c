import FileIO

extension ONNXOperators {
  static let activations = Family(
    [
      "Relu", "Tanh", "Sigmoid", "LeakyRelu", "PRelu", "Elu", "Selu", "Gelu", "HardSigmoid", "HardSwish", "Softplus",
      "Softsign",
      "Mish", "Exp", "Clip", "Swish", "FastGelu", "QuickGelu", "Celu",
    ], domains: ["", "com.microsoft"]
  ) { t, node throws(ONNXRefusal) in
    if node.operation == "Clip", case .norm(let rows)? = t.meaning(node) {
      return t.scalar(node, 1).flatMap { 0...1e-6 ~= $0 && t.isAbsent(node, 2) ? [.norm(rows)] : nil }
    }
    if let known = t.squashed(node) { return [known] }
    if ["Tanh", "Relu"].contains(node.operation), let known = try t.rnnOutput(node) { return [known] }
    if node.operation == "Celu" { return try t.celu(node).map { [.rows($0)] } }
    if node.operation == "Clip" { return try t.clipped(node).map { [.rows($0)] } }
    if node.operation == "PRelu", let known = try t.prelu(node) { return [.rows(known)] }
    guard let rows = t.rows(node), let (activation, alpha) = try t.activation(of: node) else { return nil }
    if activation == .none { return [.rows(rows)] }
    return [.rows(rows.of(try t.layer(Layer.ActivationLayer(activation, alpha: alpha), [rows.source], node)))]
  }
}

extension ONNXTranslator {
  /// With one slope, or one for each feature; nil where they lie otherwise.
  fileprivate mutating func prelu(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXRows? {
    guard let rows = rows(node), let slopes = weight(node, 1) else { return nil }
    if slopes.tensor.elementCount == 1 {
      guard let slope = slopes.with(slopes.value.reshaped([1])) else { return nil }
      let parameters = [ONNXDraft.Key(name: "weight"): parameter(slope)]
      return rows.of(try layer(Layer.PReLU(isShared: true), [rows.source], parameters, node))
    }
    // Features lie last, or before the steps.
    guard let place = rows.axes.indices.last(where: { rows.isWholeRow(at: $0) }) else { return nil }
    let behind = rows.axes.count - 1 - place
    guard slopes.shape.count > behind, slopes.shape.suffix(behind).allSatisfy({ $0 == 1 }),
      let list = slopes.with(slopes.value.reshaped(Array(slopes.shape.dropLast(behind)))),
      let vector = vector(list, rows.width)
    else { return nil }
    let parameters = [ONNXDraft.Key(name: "weight"): parameter(vector)]
    return rows.of(try layer(Layer.PReLU(), [rows.source], parameters, node))
  }

  fileprivate func activation(of node: ONNXModel.Node) throws(ONNXRefusal) -> (Activation, Float?)? {
    switch node.operation {
    case "Relu": return (.relu, nil)
    case "Tanh": return (.tanh, nil)
    case "Sigmoid": return (.sigmoid, nil)
    case "Softplus": return (.softplus, nil)
    case "Softsign": return (.softsign, nil)
    case "Mish": return (.mish, nil)
    case "Exp": return (.exponential, nil)
    case "HardSwish": return (.hardSwish, nil)
    case "Gelu": return (text(node, "approximate") == "tanh" ? .geluTanh : .gelu, nil)
    case "FastGelu": return isAbsent(node, 1) ? (.geluTanh, nil) : nil
    case "Swish": return number(node, "alpha") ?? 1 == 1 ? (.swish, nil) : nil
    case "LeakyRelu": return slope(number(node, "alpha") ?? 0.01)
    case "PRelu":
      guard let slopes = weight(node, 1), slopes.tensor.elementCount <= 1 << 16, let list = try? slopes.tensor.floats(),
        let first = list.first, list.allSatisfy({ $0 == first })
      else { throw ONNXRefusal(detail: "it has slopes that are neither one for all nor one for each feature") }
      return slope(first)
    case "Elu":
      let alpha = number(node, "alpha") ?? 1
      return (.elu, alpha == 1 ? nil : alpha)
    case "Selu":
      guard abs((number(node, "alpha") ?? 1.67326319) - 1.67326319) < 1e-4,
        abs((number(node, "gamma") ?? 1.05070102) - 1.05070102) < 1e-4
      else { throw ONNXRefusal(detail: "its alpha and gamma are not those of self-normalizing networks") }
      return (.selu, nil)
    case "HardSigmoid":
      return try hardSigmoid(number(node, "alpha") ?? 0.2, number(node, "beta") ?? 0.5).map { ($0, nil) }
    default: return nil
    }
  }

  private func slope(_ alpha: Float) -> (Activation, Float?) {
    alpha == 0 ? (.relu, nil) : (.leakyReLU, abs(alpha - 0.01) < 1e-9 ? nil : alpha)
  }

  func hardSigmoid(_ alpha: Float, _ beta: Float) throws(ONNXRefusal) -> Activation? {
    if beta == 0.5, abs(alpha - 0.2) < 1e-6 { return .hardSigmoid }
    if beta == 0.5, abs(alpha - 1 / 6) < 1e-6 { return .hardSigmoidKeras3 }
    throw ONNXRefusal(detail: "it is clip(\(alpha) x + \(beta), 0, 1); known are 0.2 x + 0.5 and x / 6 + 0.5")
  }
}

extension ONNXOperators {
  static let softmax = Family(["Softmax", "LogSoftmax"]) { t, node throws(ONNXRefusal) in
    if case .scores(let scores)? = t.meaning(node) { return [try t.softened(scores, node)] }
    guard let rows = t.rows(node) else { return nil }
    let usual = t.model.opset < 13 ? 1 : -1
    guard let place = t.axis(t.integer(node, "axis") ?? usual, rows.axes.count) else { return nil }
    // Up to version 12 all axes from this one on are one.
    if t.model.opset < 13, !rows.axes[(place + 1)...].allSatisfy({ $0 == .one }) {
      throw ONNXRefusal(detail: "it is over several axes")
    }
    if rows.isWholeRow(at: place) {
      let activation = node.operation == "Softmax" ? Activation.softmax : .logSoftmax
      return [.rows(rows.of(try t.layer(Layer.ActivationLayer(activation), [rows.source], node)))]
    }
    // One score of each step, or one of each feature.
    if rows.axes[place] == .time, rows.factors.count <= 1, node.operation == "Softmax" { return [.attention(rows)] }
    throw ONNXRefusal(detail: "it is over an axis that is not all of a row")
  }

  /// Roots, powers and what only makes sense together with others.
  static let roots = Family(["Pow", "Sqrt", "Neg", "Log", "LpNormalization"]) { t, node throws(ONNXRefusal) in
    switch node.operation {
    case "Log": return try t.logarithm(node).map { [.rows($0)] }
    case "Neg":
      guard let rows = t.rows(node) else { return nil }
      return [.rows(try t.scaled(rows, by: ONNXAffineRows(scale: [-1], offset: [0]), sources: [], node))]
    case "Pow":
      guard t.scalar(node, 1) == 2, let rows = t.rows(node) else { return nil }
      return [.rows(rows.of(try t.layer(Layer.Merge(.multiply), [rows.source, rows.source], node)))]
    case "Sqrt":
      if let known = t.scalar(node, 0), known >= 0 {
        let tensor = StoredTensor(name: node.outputs[0], shape: [], values: [Float(known.squareRoot())])
        return [.constant(ONNXConstant(tensor: tensor, sources: []))]
      }
      return try t.magnitude(node).map { [$0] }
    default:
      guard let rows = t.rows(node), t.integer(node, "p") ?? 2 == 2,
        let place = t.axis(t.integer(node, "axis") ?? -1, rows.axes.count), rows.isWholeRow(at: place)
      else { return nil }
      return [.rows(rows.of(try t.layer(Layer.L2(), [rows.source], node)))]
    }
  }
}

extension ONNXTranslator {
  /// sqrt(a^2 + b^2) of two halves of a row; or the norm of a row.
  fileprivate mutating func magnitude(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    guard var sum = origin(node, 0) else { return nil }
    // Kept from being zero before the root is taken, as TensorFlow does.
    if sum.operation == "Max", sum.inputs.count == 2,
      let place = [0, 1].first(where: { scalar(sum, 1 - $0).map { 0...1e-12 ~= $0 } ?? false }),
      let bounded = origin(sum, place)
    {
      guard bounded.operation == "ReduceSum" else { return nil }
      sum = bounded
    }
    if sum.operation == "ReduceSum", let squared = square(origin(sum, 0)), let rows = rows(named: squared),
      let (axes, keeps) = reduced(sum, rows.axes.count), axes.count == 1, keeps, rows.isWholeRow(at: axes[0])
    {
      return .norm(rows)
    }
    guard sum.operation == "Add", let one = square(origin(sum, 0)), let other = square(origin(sum, 1)),
      let real = rows(named: one), let imaginary = rows(named: other), real.axes == imaginary.axes,
      let below = draft[real.source].reads.first, let first = draft[real.source].kind as? Layer.Slice,
      draft[imaginary.source].reads.first == below, let second = draft[imaginary.source].kind as? Layer.Slice,
      first.first == 0, second.first == first.count, second.count == first.count,
      draft[below].value.width == 2 * first.count
    else { return nil }
    return .rows(real.of(try layer(Layer.Magnitude(), [below], node)))
  }

  /// What a node squares.
  func square(_ node: ONNXModel.Node?) -> String? {
    guard let node else { return nil }
    switch node.operation {
    case "Pow" where scalar(node, 1) == 2: return node.inputs.first
    case "Mul" where node.inputs.count == 2 && node.inputs[0] == node.inputs[1]: return node.inputs[0]
    default: return nil
    }
  }

  func rows(named name: String) -> ONNXRows? {
    if case .rows(let rows)? = values[name] { rows } else { nil }
  }
}
