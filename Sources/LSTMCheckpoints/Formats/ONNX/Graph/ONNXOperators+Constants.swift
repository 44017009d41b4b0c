import FileIO

extension ONNXOperators {
  static let constants = Family(["Constant", "ConstantOfShape", "Cast", "CastLike", "Identity", "Dropout"]) {
    t, node throws(ONNXRefusal) in
    switch node.operation {
    // A dropout that does something is for training.
    case "Identity", "Dropout": return t.meaning(node).map { [$0] }
    case "Cast", "CastLike": return (t.movedMask(node) ?? t.cast(node)).map { [$0] }
    default: return t.made(node).map { [$0] }
    }
  }
}

extension ONNXTranslator {
  fileprivate func cast(_ node: ONNXModel.Node) -> ONNXMeaning? {
    guard let value = meaning(node) else { return nil }
    let isWhole = integer(node, "to").map { [2, 3, 4, 5, 6, 7, 9, 12, 13].contains($0) } ?? false
    switch value {
    case .rows(var rows):
      // What was cut to whole numbers stays so.
      rows.isWhole = rows.isWhole || isWhole
      return .rows(rows)
    // Rounded numbers are others.
    case .constant(let constant) where constant.tensor.dataType.isFloatingPoint && isWhole:
      guard let numbers = try? constant.value.integers(), numbers.count <= ONNXNumbers.limit else { return nil }
      return .numbers(ONNXNumbers(numbers.map { ONNXSize(factor: $0) }, shape: constant.shape))
    case .constant, .numbers, .zeros, .state, .choice, .finalState, .finalStates, .integerProduct, .norm, .loopIndex,
      .reversed,
      .scores:
      return value
    default: return nil
    }
  }

  /// Constants that are no tensors.
  fileprivate func made(_ node: ONNXModel.Node) -> ONNXMeaning? {
    if node.operation == "ConstantOfShape" {
      var value = 0.0
      var isWhole = false
      if case .tensor(let tensor)? = node.attributes["value"] {
        guard tensor.elementCount == 1, let found = try? tensor.stored(in: bytes, file: file).doubles().first else {
          return nil
        }
        (value, isWhole) = (found, !tensor.dataType.isFloatingPoint)
      }
      if !isWhole, value == 0 { return .zeros(numbers(node, 0)?.values) }
      // One number for each sequence of a batch.
      if isWhole, let sizes = numbers(node, 0), sizes.values.count == 1, sizes.known == nil,
        let whole = Int(exactly: value)
      {
        return .numbers(ONNXNumbers([ONNXSize(factor: whole)], shape: [1]))
      }
      guard let shape = numbers(node, 0)?.known, shape.allSatisfy({ 0...ONNXNumbers.limit ~= $0 }),
        let count = elementCount(shape), count <= ONNXNumbers.limit
      else { return nil }
      if isWhole, let whole = Int(exactly: value) {
        return .numbers(ONNXNumbers([ONNXSize?](repeating: ONNXSize(factor: whole), count: count), shape: shape))
      }
      let tensor = StoredTensor(
        name: node.outputs[0], shape: shape, values: [Float](repeating: Float(value), count: count))
      return .constant(ONNXConstant(tensor: tensor, sources: []))
    }
    if case .integer(let one)? = node.attributes["value_int"] { return .numbers(ONNXNumbers(one)) }
    if case .integers(let list)? = node.attributes["value_ints"] { return .numbers(ONNXNumbers(list)) }
    func constant(_ shape: [Int], _ values: [Float]) -> ONNXMeaning {
      .constant(ONNXConstant(tensor: StoredTensor(name: node.outputs[0], shape: shape, values: values), sources: []))
    }
    if let value = number(node, "value_float") { return constant([], [value]) }
    if case .floats(let list)? = node.attributes["value_floats"] { return constant([list.count], list) }
    return nil
  }

  /// Constants computed from constants; nil when they are not all of floating-point numbers.
  func folded(_ node: ONNXModel.Node) -> ONNXMeaning? {
    let list = node.inputs.indices.compactMap { weight(node, $0) }
    guard list.count == node.inputs.count, list.count == 2 else { return nil }
    let (a, b) = (list[0], list[1])
    guard let shape = Self.broadcast(a.shape, b.shape), let count = elementCount(shape), count <= 1 << 22,
      max(a.depth, b.depth) < ONNXConstant.depthLimit
    else { return nil }
    let operation: @Sendable (Double, Double) -> Double
    switch node.operation {
    case "Add": operation = { $0 + $1 }
    case "Sub": operation = { $0 - $1 }
    case "Mul": operation = { $0 * $1 }
    case "Div": operation = { $0 / $1 }
    default: return nil
    }
    let (x, y) = (a.value, b.value)
    let names = [x.name, y.name].filter { !$0.isEmpty }.joined(separator: " + ")
    let tensor = StoredTensor(name: names, shape: shape, dataType: .float32) {
      let (left, right) = (try x.doubles(), try y.doubles())
      let (i, j) = (Self.spread(x.shape, over: shape), Self.spread(y.shape, over: shape))
      return littleEndianBytes((0..<count).map { Float(operation(left[i($0)], right[j($0)])) })
    }
    return .constant(
      ONNXConstant(tensor: tensor, sources: a.sources.union(b.sources), depth: max(a.depth, b.depth) + 1))
  }

  static func broadcast(_ a: [Int], _ b: [Int]) -> [Int]? {
    let rank = max(a.count, b.count)
    let pairs = zip([Int](repeating: 1, count: rank - a.count) + a, [Int](repeating: 1, count: rank - b.count) + b)
    var shape: [Int] = []
    for (x, y) in pairs {
      guard x == y || x == 1 || y == 1 else { return nil }
      shape.append(x == 1 ? y : x)
    }
    return shape
  }

  /// The place in a tensor that a place in a larger one is broadcast from.
  private static func spread(_ own: [Int], over shape: [Int]) -> (Int) -> Int {
    let padded = [Int](repeating: 1, count: shape.count - own.count) + own
    return { place in
      var (rest, step, found) = (place, 1, 0)
      for axis in shape.indices.reversed() {
        if padded[axis] != 1 { found += rest % shape[axis] * step }
        rest /= shape[axis]
        step *= padded[axis]
      }
      return found
    }
  }
}

extension StoredTensor {
  /// Axes in another order.
  func permuted(_ order: [Int]) -> StoredTensor {
    if order == Array(shape.indices) { return self }
    if order == [1, 0] { return transposed() }
    let (one, width, shape) = (self, dataType.byteCount, self.shape)
    let made = order.map { shape[$0] }
    var strides = shape
    var step = 1
    for axis in shape.indices.reversed() {
      strides[axis] = step
      step *= shape[axis]
    }
    let taken = order.map { strides[$0] }
    return StoredTensor(name: name, shape: made, dataType: dataType, isBigEndian: isBigEndian) {
      let bytes = try one.bytes()
      var result = [UInt8]()
      result.reserveCapacity(bytes.count)
      for place in 0..<bytes.count / width {
        var (rest, from) = (place, 0)
        for axis in made.indices.reversed() {
          from += rest % made[axis] * taken[axis]
          rest /= made[axis]
        }
        result += bytes[from * width..<(from + 1) * width]
      }
      return result
    }
  }

  /// (values - zero) * scale of a quantized tensor, in float32; scale and zero are one number, or one for each place of an
  /// axis.
  func dequantized(scale: StoredTensor, zero: StoredTensor?, axis: Int) -> StoredTensor {
    let (one, shape) = (self, self.shape)
    let inner = shape.indices.contains(axis) ? shape[(axis + 1)...].reduce(1, *) : 1
    let length = shape.indices.contains(axis) ? shape[axis] : 1
    return StoredTensor(name: name, shape: shape, dataType: .float32) {
      let (values, scales) = (try one.doubles(), try scale.floats())
      let zeros = try zero?.doubles() ?? [0]
      return littleEndianBytes(
        values.indices.map { place in
          let at = place / inner % length
          return Float(values[place] - zeros[zeros.count == 1 ? 0 : at]) * scales[scales.count == 1 ? 0 : at]
        })
    }
  }
}
