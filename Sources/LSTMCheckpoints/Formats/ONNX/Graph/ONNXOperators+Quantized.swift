import FileIO

extension ONNXOperators {
  /// Quantized weights, which are computed with as the numbers that they stand for.
  static let quantized = Family(
    [
      "DequantizeLinear", "QuantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger",
      "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "QLinearMatMul", "QLinearConv", "QGemm", "QLinearAdd",
      "QLinearMul",
      "QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", "QLinearConcat",
    ], domains: ["", "com.microsoft"]
  ) { t, node throws(ONNXRefusal) in
    switch node.operation {
    case "DequantizeLinear": return try t.dequantized(node).map { [$0] }
    case "QuantizeLinear": return try t.quantized(node).map { [$0] }
    case "DynamicQuantizeLinear":
      guard node.outputs.count == 3, let rows = t.rows(node) else { return nil }
      let by = ONNXQuantization(scale: node.outputs[1], zero: node.outputs[2])
      return [.quantized(rows, by), .quantizationOf(rows, scale: nil), .quantizationOf(rows, scale: nil)]
    case "MatMulInteger", "ConvInteger":
      guard case .quantized(let rows, let by)? = t.meaning(node), let weight = t.constant(node, 1),
        t.isSame(t.input(node, 2), by.zero)
      else { return nil }
      return [.integerProduct(rows, weight: weight, zero: t.constant(node, 3), node)]
    case "DynamicQuantizeMatMul":
      guard let rows = t.rows(node),
        let weight = t.dequantized(t.constant(node, 1), t.weight(node, 2), t.constant(node, 3), axis: 1)
      else { return nil }
      t.noteQuantized()
      return [.rows(try t.dense(rows, weight, isTransposed: false, bias: t.weight(node, 4), node))]
    case "MatMulIntegerToFloat":
      guard let rows = t.quantized(node, scale: 2, zero: 4),
        let weight = t.dequantized(t.constant(node, 1), t.weight(node, 3), t.constant(node, 5), axis: 1)
      else { return nil }
      t.noteQuantized()
      return [.rows(try t.dense(rows, weight, isTransposed: false, bias: t.weight(node, 6), node))]
    case "QLinearAdd", "QLinearMul", "QLinearSigmoid", "QLinearLeakyRelu", "QLinearSoftmax", "QLinearConcat":
      return try t.ofNumbers(node).map { [$0] }
    case "QLinearMatMul":
      guard let rows = t.quantized(node, scale: 1, zero: 2),
        let weight = t.dequantized(t.constant(node, 3), t.weight(node, 4), t.constant(node, 5), axis: 1)
      else { return nil }
      let product = try t.dense(rows, weight, isTransposed: false, bias: nil, node)
      return [try t.quantized(product, scale: 6, zero: 7, node)]
    default:
      // x, its scale and zero, then those of the weight.
      guard let rows = t.quantized(node, scale: 1, zero: 2) else { return nil }
      let isConvolution = node.operation == "QLinearConv"
      let isTransposed = t.integer(node, "transB") ?? 0 != 0
      guard t.integer(node, "transA") ?? 0 == 0, t.number(node, "alpha") ?? 1 == 1,
        let weight = t.dequantized(
          t.constant(node, 3), t.weight(node, 4), t.constant(node, 5), axis: isConvolution || isTransposed ? 0 : 1),
        let bias = t.integerBias(node, isConvolution ? 8 : 6)
      else { return nil }
      if !isConvolution {
        let product = try t.dense(rows, weight, isTransposed: isTransposed, bias: bias.value, node)
        if t.isAbsent(node, 7) {
          t.noteQuantized()
          return [.rows(product)]
        }
        return [try t.quantized(product, scale: 7, zero: 8, node)]
      }
      guard let made = try t.convolved(rows, weight, bias.value, node) else { return nil }
      return [try t.quantized(made, scale: 6, zero: 7, node)]
    }
  }
}

extension ONNXTranslator {
  mutating func noteQuantized() {
    note(
      "its quantized weights are taken as the numbers that they stand for; what the model rounds when it runs is not rounded here"
    )
  }

  fileprivate func input(_ node: ONNXModel.Node, _ index: Int) -> String {
    node.inputs.indices.contains(index) ? node.inputs[index] : ""
  }

  /// Whether two scales or zeros are one.
  fileprivate func isSame(_ one: String, _ other: String) -> Bool {
    let (one, other) = (realName(one), realName(other))
    func numbers(_ name: String) -> [Double]? {
      if name.isEmpty { return [0] }
      guard case .constant(let constant)? = values[name], constant.tensor.elementCount <= 1 << 16 else { return nil }
      return try? constant.value.doubles()
    }
    if one == other { return true }
    guard let first = numbers(one), let second = numbers(other) else { return false }
    return first == second
  }

  /// Rows by the scale and the zero that they were quantized by.
  fileprivate func quantized(_ node: ONNXModel.Node, scale: Int, zero: Int) -> ONNXRows? {
    guard case .quantized(let rows, let by)? = meaning(node), isSame(input(node, scale), by.scale),
      isSame(input(node, zero), by.zero)
    else { return nil }
    return rows
  }

  fileprivate mutating func dequantized(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    switch meaning(node) {
    case .quantized:
      guard let rows = quantized(node, scale: 1, zero: 2) else {
        throw ONNXRefusal(detail: "its scale is another than what it reads was quantized by")
      }
      return .rows(rows)
    case .zeros: return meaning(node)
    default:
      guard let values = constant(node, 0),
        let made = dequantized(
          values, weight(node, 1), constant(node, 2), axis: axis(integer(node, "axis") ?? 1, values.shape.count) ?? 0)
      else { return nil }
      noteQuantized()
      return .constant(made)
    }
  }

  fileprivate mutating func quantized(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    if case .zeros? = meaning(node) { return meaning(node) }
    if let rows = rows(node) { return try quantized(rows, scale: 1, zero: 2, node) }
    guard let constant = weight(node, 0), let bounds = bounds(node, scale: 1, zero: 2),
      let made = constant.with({ tensor in
        StoredTensor(name: tensor.name, shape: tensor.shape, dataType: .int32) {
          try tensor.floats().flatMap { value -> [UInt8] in
            let place = Double((value / bounds.scale).rounded(.toNearestOrEven)) + bounds.zero
            let kept = place.isNaN ? bounds.zero : min(max(place, bounds.low), bounds.high)
            return withUnsafeBytes(of: Int32(kept).littleEndian) { [UInt8]($0) }
          }
        }
      })
    else { return nil }
    return .constant(made)
  }

  /// What whole numbers of the type of `zero` reach: their bounds, with the scale and the zero.
  private func bounds(
    _ node: ONNXModel.Node, scale: Int, zero: Int
  ) -> (scale: Float, zero: Double, low: Double, high: Double)? {
    guard let value = self.scalar(node, scale).map({ Float($0) }), value > 0 else { return nil }
    if isAbsent(node, zero) { return (value, 0, 0, 255) }
    guard let found = constant(node, zero), let place = scalar(node, zero) else { return nil }
    switch found.tensor.dataType {
    case .uint8: return (value, place, 0, 255)
    case .int8: return (value, place, -128, 127)
    case .uint16: return (value, place, 0, 65535)
    case .int16: return (value, place, -32768, 32767)
    default: return nil
    }
  }

  /// Rows as whole numbers of known bounds. Exporters leave out a relu where those begin at 0.
  fileprivate mutating func quantized(
    _ rows: ONNXRows, scale: Int, zero: Int, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXMeaning {
    guard let bounds = bounds(node, scale: scale, zero: zero) else {
      throw ONNXRefusal(detail: "the scale and the zero that it quantizes by are no constants of known types")
    }
    noteQuantized()
    note("numbers beyond the range that it was quantized for are cut off when it runs, and are not here")
    var rows = rows
    if bounds.low == bounds.zero, !isNeverNegative(rows.source) {
      rows = rows.of(try layer(Layer.ActivationLayer(.relu), [rows.source], node))
    } else if bounds.high == bounds.zero {
      // min(x, 0)
      let turned = try scaled(rows, by: ONNXAffineRows(scale: [-1], offset: [0]), sources: [], node)
      let positive = turned.of(try layer(Layer.ActivationLayer(.relu), [turned.source], node))
      rows = try scaled(positive, by: ONNXAffineRows(scale: [-1], offset: [0]), sources: [], node)
    }
    return .quantized(rows, ONNXQuantization(scale: input(node, scale), zero: input(node, zero)))
  }

  private func isNeverNegative(_ source: Int) -> Bool {
    let positive: Set<Activation> = [
      .relu, .sigmoid, .softmax, .relu6, .softplus, .exponential, .hardSigmoid, .hardSigmoidKeras3,
    ]
    return (draft[source].kind as? Layer.ActivationLayer).map { positive.contains($0.activation) } ?? false
  }

  func dequantized(
    _ values: ONNXConstant?, _ scale: ONNXConstant?, _ zero: ONNXConstant?, axis: Int
  ) -> ONNXConstant? {
    guard let values, let scale else { return nil }
    let count = scale.tensor.elementCount
    guard !values.tensor.dataType.isFloatingPoint,
      count == 1 || values.shape.indices.contains(axis) && count == values.shape[axis],
      zero.map({ $0.tensor.elementCount == count || $0.tensor.elementCount == 1 }) ?? true,
      values.depth < ONNXConstant.depthLimit
    else { return nil }
    let tensor = values.value.dequantized(
      scale: scale.value, zero: zero?.value, axis: axis)
    let names = [values, scale, zero].compactMap { $0?.sources }.reduce(into: Set<String>()) { $0.formUnion($1) }
    return ONNXConstant(tensor: tensor, sources: names, depth: values.depth + 1)
  }

  /// A bias of whole numbers, by the scales of what is read and of the weights.
  /// - Returns: nil where it is not understood, a value of nil where there is none.
  fileprivate func integerBias(_ node: ONNXModel.Node, _ index: Int) -> (value: ONNXConstant?, Void)? {
    if isAbsent(node, index) { return (nil, ()) }
    guard let values = constant(node, index), !values.tensor.dataType.isFloatingPoint, values.shape.count == 1,
      let own = scalar(node, 1), let scale = weight(node, 4),
      let both = scale.with({ tensor in
        StoredTensor(name: tensor.name, shape: tensor.shape, dataType: .float32) {
          littleEndianBytes(try tensor.floats().map { $0 * Float(own) })
        }
      })
    else { return nil }
    return dequantized(values, both, nil, axis: 0).map { ($0, ()) }
  }

  /// The scale of what is quantized when it runs times that of a weight.
  func quantizedScale(_ node: ONNXModel.Node) -> ONNXMeaning? {
    guard node.operation == "Mul", node.inputs.count == 2 else { return nil }
    for (one, other) in [(0, 1), (1, 0)] {
      if case .quantizationOf(let rows, scale: nil)? = meaning(node, one), let scale = weight(node, other) {
        return .quantizationOf(rows, scale: scale)
      }
    }
    return nil
  }

  /// A product of whole numbers times the scales of both of its factors.
  mutating func quantizedProduct(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    for (one, other) in [(0, 1), (1, 0)] {
      guard case .integerProduct(let rows, let values, let zero, let product)? = meaning(node, one),
        case .quantizationOf(let same, let scale?)? = meaning(node, other), same == rows
      else { continue }
      let isConvolution = product.operation == "ConvInteger"
      guard isConvolution || values.shape.count == 2,
        let weight = dequantized(values, scale, zero, axis: isConvolution ? 0 : 1)
      else { continue }
      noteQuantized()
      if isConvolution { return try convolved(rows, weight, nil, product).map { .rows($0) } }
      return .rows(try dense(rows, weight, isTransposed: false, bias: nil, node))
    }
    return nil
  }

  /// An operator on whole numbers, as its twin on the numbers that they stand for.
  fileprivate mutating func ofNumbers(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    let isConcat = node.operation == "QLinearConcat"
    let count = isConcat ? (node.inputs.count - 2) / 3 : ["QLinearAdd", "QLinearMul"].contains(node.operation) ? 2 : 1
    let first = isConcat ? 2 : 0
    guard count > 0, node.inputs.count >= first + 3 * count else { return nil }
    var made = node
    (made.operation, made.domain) = (String(node.operation.dropFirst("QLinear".count)), "")
    made.inputs = (0..<count).map { "\(node.outputs.first ?? "") number \($0)" }
    for (index, name) in made.inputs.enumerated() {
      let at = first + 3 * index
      var part = node
      part.inputs = (at..<at + 3).map { input(node, $0) }
      part.attributes = [:]
      guard let value = try dequantized(part) else { return nil }
      values[name] = value
    }
    guard let translate = ONNXOperators.translation(of: made), let result = try translate(&self, made)?.first else {
      return nil
    }
    let (scale, zero) = isConcat ? (0, 1) : (first + 3 * count, first + 3 * count + 1)
    guard case .rows(let rows) = result else {
      // Weights side by side.
      guard case .constant = result else { return nil }
      var part = node
      part.inputs = ["\(node.outputs.first ?? "") of numbers", input(node, scale), input(node, zero)]
      values[part.inputs[0]] = result
      return try quantized(part)
    }
    return try quantized(rows, scale: scale, zero: zero, node)
  }

  /// A convolution of given weights.
  fileprivate mutating func convolved(
    _ rows: ONNXRows, _ weight: ONNXConstant, _ bias: ONNXConstant?, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows? {
    var made = node
    (made.operation, made.domain) = ("Conv", "")
    made.inputs = ["x", "W", "B"].map { "\(node.outputs.first ?? "") quantized \($0)" }
    values[made.inputs[0]] = .rows(rows)
    values[made.inputs[1]] = .constant(weight)
    values[made.inputs[2]] = bias.map { .constant($0) }
    if bias == nil { made.inputs.removeLast() }
    guard case .rows(let result)? = try ONNXOperators.convolution.translate(&self, made)?.first else { return nil }
    return result
  }

  /// A table of whole numbers with the scale that what is looked up is multiplied with further on.
  func dequantizedTable(_ table: ONNXConstant, _ node: ONNXModel.Node) -> (ONNXConstant, ONNXQuantization)? {
    var open = Array(node.outputs.prefix(1))
    for _ in 0..<16 {
      guard let name = open.popLast() else { return nil }
      for next in model.nodes where next.inputs.first == name {
        if next.operation == "DequantizeLinear" {
          guard let scale = weight(next, 1), scale.tensor.elementCount == 1 else { return nil }
          return dequantized(table, scale, constant(next, 2), axis: 0).map {
            ($0, ONNXQuantization(scale: next.inputs[1], zero: input(next, 2)))
          }
        }
        if ONNXOperators.quantizedMovers.contains(next.operation) { open += next.outputs.prefix(1) }
      }
    }
    return nil
  }
}

extension ONNXOperators {
  /// What takes whole numbers, which stand for others, to other places, and leaves their scale as it is.
  static let quantizedMovers: Set<String> = [
    "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Gather", "Slice", "Split", "MaxPool",
  ]
}
