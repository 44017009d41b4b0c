import FileIO

extension ONNXOperators {
  /// Quantized weights, which are computed with as the numbers that they stand for.
  static let quantized = Family(
    [
      "DequantizeLinear", "QuantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "DynamicQuantizeMatMul",
      "MatMulIntegerToFloat",
    ], domains: ["", "com.microsoft"]
  ) { t, node throws(ONNXRefusal) in
    switch node.operation {
    case "DequantizeLinear":
      if case .quantized(let rows)? = t.meaning(node) { return [.rows(rows)] }
      if case .quantizedLookup(let table, let rows)? = t.meaning(node) {
        guard let scale = t.weight(node, 1), scale.tensor.elementCount == 1,
          let made = t.dequantized(table, scale, t.constant(node, 2), axis: 0)
        else { return nil }
        t.noteQuantized()
        return try t.embedded(made, rows, 0, node).map { [$0] }
      }
      guard let values = t.constant(node, 0), let scale = t.weight(node, 1),
        let made = t.dequantized(
          values, scale, t.constant(node, 2), axis: t.axis(t.integer(node, "axis") ?? 1, values.shape.count) ?? 0)
      else { return nil }
      t.noteQuantized()
      return [.constant(made)]
    case "QuantizeLinear":
      if let rows = t.rows(node) {
        t.noteQuantized()
        return [.quantized(rows)]
      }
      return nil
    case "DynamicQuantizeLinear":
      return t.rows(node).map {
        [.quantized($0), .quantizationOf($0, scale: nil), .quantizationOf($0, scale: nil)]
      }
    case "MatMulInteger":
      guard case .quantized(let rows)? = t.meaning(node), let weight = t.constant(node, 1), weight.shape.count == 2
      else {
        return nil
      }
      return [.integerProduct(rows, weight: weight, zero: t.constant(node, 3))]
    case "DynamicQuantizeMatMul":
      guard let rows = t.rows(node), let values = t.constant(node, 1), let scale = t.weight(node, 2),
        let weight = t.dequantized(values, scale, t.constant(node, 3), axis: 1)
      else { return nil }
      t.noteQuantized()
      return [.rows(try t.dense(rows, weight, isTransposed: false, bias: t.weight(node, 4), node))]
    default:
      guard case .quantized(let rows)? = t.meaning(node), let values = t.constant(node, 1),
        let scale = t.weight(node, 3),
        let weight = t.dequantized(values, scale, t.constant(node, 5), axis: 1)
      else { return nil }
      t.noteQuantized()
      return [.rows(try t.dense(rows, weight, isTransposed: false, bias: t.weight(node, 6), node))]
    }
  }
}

extension ONNXTranslator {
  mutating func noteQuantized() {
    note(
      "its quantized weights are taken as the numbers that they stand for; what the model rounds when it runs is not rounded here"
    )
  }

  func dequantized(
    _ values: ONNXConstant, _ scale: ONNXConstant, _ zero: ONNXConstant?, axis: Int
  ) -> ONNXConstant? {
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
      guard case .integerProduct(let rows, let values, let zero)? = meaning(node, one),
        case .quantizationOf(let same, let scale?)? = meaning(node, other), same == rows,
        let weight = dequantized(values, scale, zero, axis: 1)
      else { continue }
      noteQuantized()
      return .rows(try dense(rows, weight, isTransposed: false, bias: nil, node))
    }
    return nil
  }
}
