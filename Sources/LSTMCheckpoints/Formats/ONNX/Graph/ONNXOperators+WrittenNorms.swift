import FileIO

// Layer normalizations that exporters write out as several nodes, recognized at the last of them.

extension ONNXTranslator {
  /// A layer normalization or an L2 norm, at the division or the product that it ends with.
  mutating func normalized(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXRows? {
    guard node.inputs.count == 2 else { return nil }
    if let rows = dividedByNorm(node) { return rows.of(try layer(Layer.L2(), [rows.source], node)) }
    // (x - mean(x)) / sqrt(mean((x - mean(x))^2) + epsilon), or times 1 / sqrt(...), which has the gain where there is one
    for (one, other) in node.operation == "Div" ? [(0, 1)] : [(0, 1), (1, 0)] {
      guard let difference = origin(node, one), difference.operation == "Sub", difference.inputs.count == 2,
        let rows = rows(named: realName(difference.inputs[0])),
        isFeatureMean(difference.inputs[1], of: difference.inputs[0], rows)
      else { continue }
      let (x, divisor) = (difference.inputs[0], node.inputs[other])
      if node.operation == "Div" {
        guard let epsilon = deviation(divisor, of: x, rows) else { continue }
        return try normalized(rows, epsilon, gain: nil, offset: nil, node)
      }
      guard let (epsilon, gain) = normFactor(divisor, of: x, rows) else { continue }
      return try normalized(rows, epsilon, gain: gain, offset: nil, node)
    }
    return nil
  }

  /// x / |x|, or x times the reciprocal.
  private func dividedByNorm(_ node: ONNXModel.Node) -> ONNXRows? {
    for (one, other) in node.operation == "Div" ? [(0, 1)] : [(0, 1), (1, 0)] {
      guard let rows = rows(node, one) else { continue }
      var norm = node.inputs[other]
      if node.operation == "Mul" {
        guard var reciprocal = origin(norm) else { continue }
        // Keras 3 keeps it from being infinite.
        if reciprocal.operation == "Min", reciprocal.inputs.count == 2, let bound = scalar(reciprocal, 1), bound >= 1e6,
          let bounded = origin(reciprocal, 0)
        {
          reciprocal = bounded
        }
        guard reciprocal.operation == "Reciprocal", let inner = reciprocal.inputs.first else { continue }
        norm = inner
      }
      if case .norm(let of)? = values[norm], of == rows { return rows }
    }
    return nil
  }

  /// x * f + (offset - mean(x) * f), with f = gain / sqrt(variance + epsilon): as Keras has it, at its sum.
  mutating func normalizedAsSum(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXRows? {
    guard node.inputs.count == 2, node.operation == "Add" || node.operation == "Sub" else { return nil }
    for (one, other) in node.operation == "Sub" ? [(0, 1)] : [(0, 1), (1, 0)] {
      guard let product = origin(node, one), product.operation == "Mul", product.inputs.count == 2 else { continue }
      for (a, b) in [(0, 1), (1, 0)] {
        let (x, factor) = (product.inputs[a], product.inputs[b])
        guard let rows = rows(named: realName(x)), let (epsilon, gain) = normFactor(factor, of: x, rows) else {
          continue
        }
        if node.operation == "Sub" {
          guard isScaledMean(node.inputs[other], of: x, rows, factor) == 1 else { continue }
          return try normalized(rows, epsilon, gain: gain, offset: nil, node)
        }
        if isScaledMean(node.inputs[other], of: x, rows, factor) == -1 {
          return try normalized(rows, epsilon, gain: gain, offset: nil, node)
        }
        guard let rest = origin(node, other), rest.inputs.count == 2 else { continue }
        for (mean, constant) in [(0, 1), (1, 0)] {
          guard let offset = weight(rest, constant),
            let sign = isScaledMean(rest.inputs[mean], of: x, rows, factor),
            rest.operation == "Add" && sign == -1 || rest.operation == "Sub" && mean == 1 && sign == 1
          else { continue }
          return try normalized(rows, epsilon, gain: gain, offset: offset, node)
        }
      }
    }
    return nil
  }

  /// A batch normalization of all rows as channels, with statistics of each row: as TensorFlow's fused one becomes.
  mutating func normalizedAsBatch(_ rows: ONNXRows, _ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXRows? {
    let reduced = [0, 2, 3]
    guard rows.axes.count == 4, rows.axes[0] == .one, rows.axes[3] == .one, rows.isWholeRow(at: 2),
      !rows.axes[1].isRow, isAll(1, node, 1), isAll(0, node, 2), let quotient = origin(node, 4),
      quotient.operation == "Div", quotient.inputs.count == 2, scalar(quotient, 1) == Double(rows.width),
      let squares = origin(quotient, 0), squares.operation == "ReduceSumSquare",
      self.reduced(squares, 4).map({ $0.axes == reduced && !$0.keeps }) ?? false,
      let difference = origin(squares, 0), difference.operation == "Sub", difference.inputs.count == 2,
      realName(difference.inputs[0]) == realName(node.inputs[0]), let mean = origin(difference, 1),
      isMean(mean), let flat = origin(node, 3), flat.operation == "Squeeze",
      integers(flat, "axes", input: 1) == reduced,
      let again = origin(flat, 0), isMean(again)
    else { return nil }
    func isMean(_ mean: ONNXModel.Node) -> Bool {
      mean.operation == "ReduceMean" && mean.inputs.first.map(realName) == realName(node.inputs[0])
        && self.reduced(mean, 4).map { $0.axes == reduced && $0.keeps } ?? false
    }
    return try normalized(rows, Double(number(node, "epsilon") ?? 1e-5), gain: nil, offset: nil, node)
  }

  /// Whether what a node reads is one number throughout.
  private func isAll(_ value: Double, _ node: ONNXModel.Node, _ index: Int) -> Bool {
    if case .zeros? = meaning(node, index) { return value == 0 }
    if let constant = weight(node, index) { return isAll(value, constant) }
    guard let made = origin(node, index), made.operation == "Expand" else { return false }
    return scalar(made, 0) == value
  }

  func isAll(_ value: Double, _ constant: ONNXConstant) -> Bool {
    constant.tensor.elementCount <= ONNXNumbers.constantLimit
      && (try? constant.value.doubles())?.allSatisfy { $0 == value } ?? false
  }

  /// The layer; one with a gain or an offset has them of constants.
  private mutating func normalized(
    _ rows: ONNXRows, _ epsilon: Double, gain: ONNXConstant?, offset: ONNXConstant?, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows? {
    var kind = Layer.LayerNorm(epsilon: Float(epsilon))
    (kind.hasScale, kind.hasOffset) = (gain != nil, offset != nil)
    var parameters: [ONNXDraft.Key: ONNXDraft.Parameter] = [:]
    for (name, found) in [("weight", gain), ("bias", offset)] {
      guard let found else { continue }
      guard let vector = vector(found, rows.width) else { return nil }
      parameters[.init(name: name)] = parameter(vector)
    }
    return rows.of(try layer(kind, [rows.source], parameters, node))
  }

  // MARK: - Parts

  /// 1 / sqrt(variance + epsilon), or that times a gain for each feature.
  private func normFactor(
    _ name: String, of x: String, _ rows: ONNXRows
  ) -> (epsilon: Double, gain: ONNXConstant?)? {
    guard let node = origin(name) else { return nil }
    if let epsilon = reciprocalDeviation(name, of: x, rows) { return (epsilon, nil) }
    guard node.operation == "Mul", node.inputs.count == 2 else { return nil }
    for (one, other) in [(0, 1), (1, 0)] {
      if let gain = weight(node, other), let epsilon = reciprocalDeviation(node.inputs[one], of: x, rows) {
        return (epsilon, gain)
      }
    }
    return nil
  }

  private func reciprocalDeviation(_ name: String, of x: String, _ rows: ONNXRows) -> Double? {
    guard let node = origin(name), let first = node.inputs.first else { return nil }
    switch node.operation {
    case "Reciprocal": return deviation(first, of: x, rows)
    case "Div" where node.inputs.count == 2 && scalar(node, 0) == 1: return deviation(node.inputs[1], of: x, rows)
    case "Pow" where scalar(node, 1) == -0.5: return varianceAndEpsilon(first, of: x, rows)
    default: return nil
    }
  }

  /// sqrt(variance + epsilon)
  private func deviation(_ name: String, of x: String, _ rows: ONNXRows) -> Double? {
    guard let root = origin(name), root.operation == "Sqrt", let inner = root.inputs.first else { return nil }
    return varianceAndEpsilon(inner, of: x, rows)
  }

  private func varianceAndEpsilon(_ name: String, of x: String, _ rows: ONNXRows) -> Double? {
    guard let sum = origin(name), sum.operation == "Add", sum.inputs.count == 2 else { return nil }
    for (one, other) in [(0, 1), (1, 0)] {
      guard let epsilon = scalar(sum, other), let variance = origin(sum, one), isAverage(variance, rows),
        let squared = square(origin(variance, 0)), let difference = origin(squared), difference.operation == "Sub",
        difference.inputs.count == 2
      else { continue }
      for (a, b) in [(0, 1), (1, 0)]
      where realName(difference.inputs[a]) == realName(x) && isFeatureMean(difference.inputs[b], of: x, rows) {
        return epsilon
      }
    }
    return nil
  }

  /// Whether a value is the mean of each row of another.
  private func isFeatureMean(_ name: String, of x: String, _ rows: ONNXRows) -> Bool {
    guard let node = origin(name), isAverage(node, rows) else { return false }
    return node.inputs.first.map(realName) == realName(x)
  }

  /// Whether a node takes the mean of each row; tf2onnx writes one over the last of three axes as a pooling over all of it.
  private func isAverage(_ node: ONNXModel.Node, _ rows: ONNXRows) -> Bool {
    let last = rows.axes.count - 1
    guard rows.isWholeRow(at: last) else { return false }
    if node.operation == "GlobalAveragePool" { return rows.axes.count == 3 }
    return node.operation == "ReduceMean"
      && reduced(node, rows.axes.count).map { $0.axes == [last] && $0.keeps } ?? false
  }

  /// 1 for mean(x) * factor, -1 for what is taken away so.
  private func isScaledMean(_ name: String, of x: String, _ rows: ONNXRows, _ factor: String) -> Int? {
    guard let node = origin(name) else { return nil }
    if node.operation == "Neg", let inner = node.inputs.first {
      return isScaledMean(inner, of: x, rows, factor) == 1 ? -1 : nil
    }
    guard node.operation == "Mul", node.inputs.count == 2 else { return nil }
    for (one, other) in [(0, 1), (1, 0)] where realName(node.inputs[other]) == realName(factor) {
      if isFeatureMean(node.inputs[one], of: x, rows) { return 1 }
      if let negative = origin(node, one), negative.operation == "Neg", let inner = negative.inputs.first,
        isFeatureMean(inner, of: x, rows)
      {
        return -1
      }
    }
    return nil
  }

  // MARK: - What follows

  /// Gain and offset of a layer normalization that is written out.
  mutating func afterNorm(
    _ rows: ONNXRows, _ affine: ONNXAffineRows, _ constant: ONNXConstant, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows? {
    let entry = draft[rows.source]
    guard var kind = entry.kind as? Layer.LayerNorm, !kind.hasOffset, let vector = vector(constant, rows.width) else {
      return nil
    }
    var parameters = entry.parameters
    guard let name = gainOrOffset(node, &kind.hasScale, &kind.hasOffset) else { return nil }
    parameters[.init(name: name)] = parameter(vector)
    return rows.of(try layer(kind, entry.reads, parameters, node))
  }

  /// Which parameter of a normalization a node that follows it adds; nil for another node, or one that it has already.
  func gainOrOffset(_ node: ONNXModel.Node, _ hasScale: inout Bool, _ hasOffset: inout Bool) -> String? {
    switch node.operation {
    case "Mul" where !hasScale:
      hasScale = true
      return "weight"
    case "Add" where !hasOffset:
      hasOffset = true
      return "bias"
    default: return nil
    }
  }
}
