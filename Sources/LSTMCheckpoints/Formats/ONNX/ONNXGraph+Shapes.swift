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
    case "Mul": return (product(node) ?? weighted(node)).map { [$0] }
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
    return number(node, "value_float").map { $0 == 0 ? .zeros : .unknown }
  }

  private func shape(_ node: ONNXModel.Node) -> ONNXValue? {
    var sizes: [ONNXSize?]
    if let flow = flow(node) {
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

  private func expanded(_ node: ONNXModel.Node) -> ONNXValue? {
    guard let name = node.inputs.first, let value = values[name] else { return nil }
    switch value {
    case .zeros, .norm: return value
    case .constant(let constant): return floats(constant)?.allSatisfy { $0 == 0 } == true ? .zeros : nil
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
    if var flow = flow(node) {
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
    if let flow = flow(node) {
      return (isSqueeze ? squeeze(flow, axes) : unsqueeze(flow, axes ?? [])).map { .flow($0) }
    }
    if let constant = constant(node, 0), constant.tensor.dataType.isFloatingPoint {
      let shape = constant.shape
      guard let made = isSqueeze ? squeeze(shape, axes) : unsqueeze(shape, axes ?? []) else { return nil }
      return constant.with(constant.value.reshaped(made)).map { .constant($0) }
    }
    guard let numbers = numbers(name), numbers.values.count == 1 else { return nil }
    return .numbers(numbers.values, isScalar: isSqueeze)
  }

  private func squeeze(_ flow: ONNXFlow, _ axes: [Int]?) -> ONNXFlow? {
    let rank = flow.axes.count
    var copy = flow
    func canGo(_ axis: ONNXFlow.Axis) -> Bool { axis == .one || axis == .stack && flow.parts.count == 1 }
    let places =
      axes.map { $0.compactMap { axis($0, rank: rank) } } ?? flow.axes.indices.filter { canGo(flow.axes[$0]) }
    guard places.count == axes?.count ?? places.count, places.allSatisfy({ canGo(flow.axes[$0]) }) else { return nil }
    copy.axes = flow.axes.indices.filter { !places.contains($0) }.map { flow.axes[$0] }
    return copy
  }

  private func unsqueeze(_ flow: ONNXFlow, _ axes: [Int]) -> ONNXFlow? {
    let rank = flow.axes.count + axes.count
    let places = axes.compactMap { axis($0, rank: rank) }.sorted()
    guard places.count == axes.count, Set(places).count == places.count, rank <= ONNXTensor.rankLimit else {
      return nil
    }
    var copy = flow
    for place in places { copy.axes.insert(.one, at: place) }
    return copy
  }

  private func squeeze(_ shape: [Int], _ axes: [Int]?) -> [Int]? {
    let places =
      axes.map { $0.compactMap { axis($0, rank: shape.count) } } ?? shape.indices.filter { shape[$0] == 1 }
    guard places.count == axes?.count ?? places.count, places.allSatisfy({ shape[$0] == 1 }) else { return nil }
    return shape.indices.filter { !places.contains($0) }.map { shape[$0] }
  }

  private func unsqueeze(_ shape: [Int], _ axes: [Int]) -> [Int]? {
    let rank = shape.count + axes.count
    let places = axes.compactMap { axis($0, rank: rank) }.sorted()
    guard places.count == axes.count, Set(places).count == places.count, rank <= ONNXTensor.rankLimit else {
      return nil
    }
    var made = shape
    for place in places { made.insert(1, at: place) }
    return made
  }

  // MARK: - Taking parts

  private func sliced(_ node: ONNXModel.Node) -> ONNXValue? {
    guard let name = node.inputs.first else { return nil }
    if case .zeros? = values[name] { return .zeros }
    guard let starts = integers(node, attribute: "starts", input: 1),
      let ends = integers(node, attribute: "ends", input: 2), starts.count == ends.count
    else { return nil }
    let axes = integers(node, attribute: "axes", input: 3) ?? Array(starts.indices)
    let steps = integers(node, attribute: "steps", input: 4) ?? starts.map { _ in 1 }
    guard axes.count == starts.count, steps.count == starts.count, steps.allSatisfy({ $0 == 1 }) else { return nil }

    if var flow = flow(node) {
      for (index, axis) in axes.enumerated() {
        guard let place = self.axis(axis, rank: flow.axes.count),
          let cut = cut(flow, place, start: starts[index], end: ends[index])
        else { return nil }
        flow = cut
      }
      return .flow(flow)
    }
    if let constant = constant(node, 0), constant.tensor.dataType.isFloatingPoint {
      var tensor = constant.value
      for (index, axis) in axes.enumerated() {
        guard let place = self.axis(axis, rank: tensor.shape.count) else { return nil }
        let range = Self.range(starts[index], ends[index], count: tensor.shape[place])
        tensor = tensor.gathering([range], axis: place)
      }
      return constant.with(tensor).map { .constant($0) }
    }
    guard let numbers = numbers(name), axes == [0], !numbers.isScalar else { return nil }
    let range = Self.range(starts[0], ends[0], count: numbers.values.count)
    return .numbers(Array(numbers.values[range]), isScalar: false)
  }

  /// Places from `start` to `end`, which may count from the end and lie beyond it.
  private static func range(_ start: Int, _ end: Int, count: Int) -> Range<Int> {
    func clamped(_ value: Int) -> Int { min(max(value < 0 ? value &+ count : value, 0), count) }
    let (start, end) = (clamped(start), clamped(end))
    return start..<max(start, end)
  }

  private func cut(_ flow: ONNXFlow, _ place: Int, start: Int, end: Int) -> ONNXFlow? {
    if let known = size(of: flow.axes[place], flow)?.known {
      return taking(flow, place, Self.range(start, end, count: known), keepsAxis: true)
    }
    let isOpen = end >= 1 << 30
    if start == 0, isOpen { return flow }
    guard flow.axes[place] == timeAxis.map({ .sequence([$0]) }) else { return nil }
    let pick: ONNXFlow.Pick? = start == -1 && isOpen ? .last : start == 0 && end == 1 ? .first : nil
    guard let pick, var copy = flow.picking(pick) else { return nil }
    copy.axes[place] = .one
    return copy
  }

  /// Some places of an axis whose size is known.
  func taking(_ flow: ONNXFlow, _ place: Int, _ range: Range<Int>, keepsAxis: Bool) -> ONNXFlow? {
    guard let count = size(of: flow.axes[place], flow)?.known, range.upperBound <= count else { return nil }
    var copy = flow
    if !keepsAxis { copy.axes.remove(at: place) }
    if range.count == count, keepsAxis { return flow }
    switch flow.axes[place] {
    case .one: return range.count == 1 ? copy : nil
    case .stack:
      guard !range.isEmpty else { return nil }
      copy.parts = Array(flow.parts[range])
      return copy
    case .features:
      guard keepsAxis, !flow.axes.contains(.stack) else { return nil }
      // Whole parts only.
      var (at, kept) = (0, [ONNXFlow.Part]())
      for part in flow.parts {
        guard let size = part.size else { return nil }
        if range.lowerBound <= at, at + size <= range.upperBound {
          kept.append(part)
        } else if at < range.upperBound, range.lowerBound < at + size {
          return nil
        }
        at += size
      }
      copy.parts = kept
      return kept.isEmpty ? nil : copy
    case .sequence(let ids):
      guard ids == timeAxis.map({ [$0] }), range.count == 1 else { return nil }
      // A sequence of one step has its first and last in one; which is meant cannot be told, nor does it matter.
      let pick: ONNXFlow.Pick? = range.lowerBound == count - 1 ? .last : range.lowerBound == 0 ? .first : nil
      guard let pick, var picked = flow.picking(pick) else { return nil }
      if keepsAxis { picked.axes[place] = .one } else { picked.axes.remove(at: place) }
      return picked
    }
  }

  private mutating func gathered(_ node: ONNXModel.Node) -> ONNXValue? {
    guard node.inputs.count == 2 else { return nil }
    let along = integer(node, "axis") ?? 0
    if case .zeros? = values[node.inputs[0]] { return .zeros }
    if let table = constant(node, 0), table.tensor.dataType.isFloatingPoint { return embedded(table, node, along) }
    guard let indices = numbers(node.inputs[1]) else { return nil }
    if let sizes = numbers(node.inputs[0]) {
      guard along == 0 || along == -1, !sizes.isScalar else { return nil }
      var taken: [ONNXSize?] = []
      for index in indices.values {
        guard let known = index?.known, let place = axis(known, rank: sizes.values.count) else { return nil }
        taken.append(sizes.values[place])
      }
      return .numbers(taken, isScalar: indices.isScalar)
    }
    guard let flow = flow(node), let place = axis(along, rank: flow.axes.count) else { return nil }
    if flow.axes[place] == .stack {
      var parts: [ONNXFlow.Part] = []
      for index in indices.values {
        guard let known = index?.known, let at = axis(known, rank: flow.parts.count) else { return nil }
        parts.append(flow.parts[at])
      }
      guard !parts.isEmpty else { return nil }
      var copy = flow
      copy.parts = parts
      if indices.isScalar { copy.axes.remove(at: place) }
      return .flow(copy)
    }
    guard indices.values.count == 1, let index = indices.values[0]?.known else { return nil }
    if let count = size(of: flow.axes[place], flow)?.known {
      guard let at = axis(index, rank: count) else { return nil }
      return taking(flow, place, at..<at + 1, keepsAxis: !indices.isScalar).map { .flow($0) }
    }
    guard flow.axes[place] == timeAxis.map({ .sequence([$0]) }), index == -1 || index == 0,
      var copy = flow.picking(index == -1 ? .last : .first)
    else { return nil }
    if indices.isScalar { copy.axes.remove(at: place) } else { copy.axes[place] = .one }
    return .flow(copy)
  }

  /// Tokens looked up in a table.
  private mutating func embedded(_ table: ONNXConstant, _ node: ONNXModel.Node, _ axis: Int) -> ONNXValue? {
    guard axis == 0, table.shape.count == 2, case .flow(let tokens)? = values[node.inputs[1]], layers.isEmpty,
      embedding == nil || embedding?.sources == table.sources, tokens.parts.count == 1,
      case .input = tokens.parts[0].source, table.shape.allSatisfy({ 1...ModelConfiguration.sizeLimit ~= $0 })
    else { return nil }
    embedding = table
    used.formUnion(table.sources)
    return .flow(
      ONNXFlow(axes: tokens.axes + [.features], parts: [.init(source: .embedding, size: table.shape[1])]))
  }

  private func split(_ node: ONNXModel.Node) -> [ONNXValue]? {
    guard let flow = flow(node) else {
      if case .zeros? = values[node.inputs.first ?? ""] { return node.outputs.map { _ in .zeros } }
      return nil
    }
    guard let place = axis(integer(node, "axis") ?? 0, rank: flow.axes.count),
      let count = size(of: flow.axes[place], flow)?.known, count > 0
    else { return nil }
    let pieces = node.outputs.count
    let sizes = integers(node, attribute: "split", input: 1) ?? node.outputs.map { _ in count / pieces }
    guard sizes.count == pieces, sizes.allSatisfy({ 0..<(count + 1) ~= $0 }), sizes.reduce(0, +) == count else {
      return nil
    }
    var (at, results) = (0, [ONNXValue]())
    for size in sizes {
      guard let part = taking(flow, place, at..<at + size, keepsAxis: true) else { return nil }
      results.append(.flow(part))
      at += size
    }
    return results
  }

  private func concatenated(_ node: ONNXModel.Node) -> ONNXValue? {
    guard let along = integer(node, "axis"), !node.inputs.isEmpty else { return nil }
    let given = node.inputs.map { values[$0] }
    if given.allSatisfy({ if case .zeros? = $0 { true } else { false } }) { return .zeros }
    if given.allSatisfy({ if case .flow? = $0 { true } else { false } }) {
      let flows = node.inputs.indices.compactMap { flow(node, $0) }
      guard var joined = flows.first, let place = axis(along, rank: joined.axes.count),
        flows.allSatisfy({ $0.axes == joined.axes && !$0.isNormalised })
      else { return nil }
      let isStack = joined.axes[place] == .stack
      guard isStack || joined.axes[place] == .features && !joined.axes.contains(.stack) else { return nil }
      joined.parts = flows.flatMap(\.parts)
      guard joined.parts.count <= 2 * layers.count + 2,
        !isStack || joined.parts.allSatisfy({ $0.size == joined.parts[0].size })
      else { return nil }
      return .flow(joined)
    }
    let constants = node.inputs.indices.compactMap { constant(node, $0) }
    if constants.count == node.inputs.count, constants.allSatisfy({ $0.tensor.dataType.isFloatingPoint }),
      let first = constants.first, let place = axis(along, rank: first.shape.count)
    {
      func others(_ shape: [Int]) -> [Int] { shape.indices.filter { $0 != place }.map { shape[$0] } }
      let depth = constants.reduce(0) { max($0, $1.depth) }
      let bytes = constants.reduce(0.0) { $0 + Double($1.tensor.elementCount) * 8 }
      guard constants.allSatisfy({ $0.shape.count == first.shape.count && others($0.shape) == others(first.shape) }),
        depth < ONNXConstant.depthLimit, bytes <= 4 * Double(constantBytes)
      else { return nil }
      return .constant(
        ONNXConstant(
          tensor: .concatenating(constants.map(\.value), axis: place),
          sources: constants.reduce(into: []) { $0.formUnion($1.sources) }, depth: depth + 1))
    }
    var sizes: [ONNXSize?] = []
    for name in node.inputs {
      guard let numbers = numbers(name), !numbers.isScalar, sizes.count < 64 else { return nil }
      sizes += numbers.values
    }
    return .numbers(sizes, isScalar: false)
  }
}
