// Operators that move values without changing them.

extension ONNXGraph {
  /// What a node gives; nil when it is not understood.
  mutating func results(of node: ONNXModel.Node) -> [ONNXValue]? {
    guard node.domain.isEmpty, !node.outputs.isEmpty else { return nil }
    switch node.operation {
    case "Identity", "Dropout":
      // A dropout that does something is for training.
      return node.inputs.first.flatMap { values[$0] }.map { [$0] }
    case "Cast": return cast(node).map { [$0] }
    case "Constant", "ConstantOfShape": return made(node).map { [$0] }
    case "Shape": return shape(node).map { [$0] }
    case "Mul":
      if let known = product(node) ?? weighted(node) { return [known] }
      return scaled(node).map { [$0] }
    case "Equal": return compared(node).map { [$0] }
    case "Expand": return expanded(node).map { [$0] }
    case "Transpose": return transposed(node).map { [$0] }
    case "Squeeze", "Unsqueeze": return squeezed(node).map { [$0] }
    case "Reshape", "Flatten": return reshaped(node).map { [$0] }
    case "Gather": return gathered(node).map { [$0] }
    case "Slice": return sliced(node).map { [$0] }
    case "Split": return split(node)
    case "Concat": return concatenated(node).map { [$0] }
    default: return layerResult(of: node).map { [$0] }
    }
  }

  private func cast(_ node: ONNXModel.Node) -> ONNXValue? {
    guard let name = node.inputs.first, let value = values[name] else { return nil }
    // Weights may only widen; float64 is computed with as float32 all the same.
    if case .constant(let constant) = value, constant.tensor.dataType.isFloatingPoint {
      guard let type = integer(node, "to"), type == 1 || type == 11 else { return nil }
    }
    if case .flow(var flow) = value {
      // To a number of fewer digits a whole one does not fit, either.
      guard let type = integer(node, "to") else { return nil }
      flow.isWhole = flow.isWhole || [2, 3, 4, 5, 6, 7, 9, 12, 13].contains(type)
      return .flow(flow)
    }
    return value
  }

  /// Constants that are no tensors.
  private func made(_ node: ONNXModel.Node) -> ONNXValue? {
    if node.operation == "ConstantOfShape" {
      guard case .tensor(let tensor)? = node.attributes["value"] else { return .zeros }
      guard tensor.shape.count <= 1, tensor.elementCount == 1,
        let value = try? tensor.stored(in: source, file: file).doubles().first
      else { return nil }
      return value == 0 ? .zeros : nil
    }
    for key in ["value_int", "value_ints"] {
      guard let list = integers(node, attribute: key) else { continue }
      return .numbers(list.map { ONNXSize(factor: $0) }, isScalar: key == "value_int")
    }
    return number(node, "value_float").map { value in
      value == 0
        ? .zeros
        : .constant(ONNXConstant(tensor: StoredTensor(name: node.outputs[0], shape: [], values: [value]), sources: []))
    }
  }

  private func shape(_ node: ONNXModel.Node) -> ONNXValue? {
    var sizes: [ONNXSize?]
    if let flow = flow(node, mayBeScaled: true, mayBeActivated: true) {
      sizes = flow.axes.map { size(of: $0, flow) }
    } else if let constant = constant(node, 0) {
      sizes = constant.shape.map { ONNXSize(factor: $0) }
    } else {
      return nil
    }
    let count = sizes.count
    func clamped(_ value: Int) -> Int { min(max(value < 0 ? value + count : value, 0), count) }
    let (start, end) = (clamped(integer(node, "start") ?? 0), clamped(integer(node, "end") ?? count))
    sizes = start < end ? Array(sizes[start..<end]) : []
    return .numbers(sizes, isScalar: false)
  }

  private func product(_ node: ONNXModel.Node) -> ONNXValue? {
    guard node.inputs.count == 2, let a = numbers(node.inputs[0]), let b = numbers(node.inputs[1]),
      a.values.count == b.values.count || a.values.count == 1 || b.values.count == 1
    else { return nil }
    let count = max(a.values.count, b.values.count)
    let sizes = (0..<count).map { index -> ONNXSize? in
      guard let x = a.values[a.values.count == 1 ? 0 : index], let y = b.values[b.values.count == 1 ? 0 : index] else {
        return nil
      }
      return x * y
    }
    return .numbers(sizes, isScalar: a.isScalar && b.isScalar)
  }

  /// Sizes that are known, compared.
  private func compared(_ node: ONNXModel.Node) -> ONNXValue? {
    guard node.inputs.count == 2, let a = numbers(node.inputs[0]), let b = numbers(node.inputs[1]),
      a.values.count == 1, b.values.count == 1, let x = a.values[0]?.known, let y = b.values[0]?.known
    else { return nil }
    return .numbers([ONNXSize(factor: x == y ? 1 : 0)], isScalar: a.isScalar && b.isScalar)
  }

  private mutating func expanded(_ node: ONNXModel.Node) -> ONNXValue? {
    guard let name = node.inputs.first, let value = values[name] else { return nil }
    switch value {
    case .zeros, .norm: return value
    case .constant(let constant):
      guard isZero(constant) else { return nil }
      for source in constant.sources { harmless[source] = "zeros, as an initial state has them" }
      return .zeros
    // The length of every sequence, for an LSTM's `sequence_lens`.
    case .numbers(let sizes, _): return sizes.count == 1 ? value : nil
    default: return nil
    }
  }

  private func transposed(_ node: ONNXModel.Node) -> ONNXValue? {
    if case .zeros? = values[node.inputs.first ?? ""] { return .zeros }
    func order(_ rank: Int) -> [Int]? {
      let order = integers(node, attribute: "perm") ?? Array((0..<rank).reversed())
      return order.sorted() == Array(0..<rank) ? order : nil
    }
    if var flow = flow(node, mayBeScaled: true, mayBeActivated: true) {
      guard let order = order(flow.axes.count) else { return nil }
      flow.axes = order.map { flow.axes[$0] }
      return .flow(flow)
    }
    guard var constant = constant(node, 0), let order = order(constant.shape.count) else { return nil }
    if order == Array(order.indices) { return .constant(constant) }
    guard order == [1, 0], constant.tensor.dataType.isFloatingPoint else { return nil }
    constant.isTransposed.toggle()
    return .constant(constant)
  }

  private func squeezed(_ node: ONNXModel.Node) -> ONNXValue? {
    guard let name = node.inputs.first else { return nil }
    let isSqueeze = node.operation == "Squeeze"
    let axes = integers(node, attribute: "axes", input: 1)
    if !isSqueeze, axes == nil { return nil }
    if case .zeros? = values[name] { return .zeros }
    if var flow = flow(node, mayBeScaled: true, mayBeActivated: true) {
      let isAlone = flow.parts.count == 1
      let made =
        isSqueeze
        ? squeeze(flow.axes, axes) { $0 == .one || $0 == .stack && isAlone }
        : unsqueeze(flow.axes, axes ?? [], with: .one)
      guard let made else { return nil }
      flow.axes = made
      return .flow(flow)
    }
    if let constant = constant(node, 0), constant.tensor.dataType.isFloatingPoint {
      let shape = constant.shape
      let made = isSqueeze ? squeeze(shape, axes) { $0 == 1 } : unsqueeze(shape, axes ?? [], with: 1)
      return made.flatMap { constant.with(constant.value.reshaped($0)) }.map { .constant($0) }
    }
    guard let numbers = numbers(name), numbers.values.count == 1 else { return nil }
    return .numbers(numbers.values, isScalar: isSqueeze)
  }

  /// Without axes of size one; nil where one that is to go is none.
  private func squeeze<Axis>(_ list: [Axis], _ axes: [Int]?, canGo: (Axis) -> Bool) -> [Axis]? {
    let places = axes.map { $0.compactMap { axis($0, rank: list.count) } } ?? list.indices.filter { canGo(list[$0]) }
    guard places.count == axes?.count ?? places.count, places.allSatisfy({ canGo(list[$0]) }) else { return nil }
    return list.indices.filter { !places.contains($0) }.map { list[$0] }
  }

  private func unsqueeze<Axis>(_ list: [Axis], _ axes: [Int], with one: Axis) -> [Axis]? {
    let rank = list.count + axes.count
    let places = axes.compactMap { axis($0, rank: rank) }.sorted()
    guard places.count == axes.count, Set(places).count == places.count, rank <= ONNXTensor.rankLimit else {
      return nil
    }
    var made = list
    for place in places { made.insert(one, at: place) }
    return made
  }
}
