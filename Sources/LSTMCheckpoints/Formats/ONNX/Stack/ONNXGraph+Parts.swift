// Operators that take parts of a value, or put values together.

extension ONNXGraph {
  func sliced(_ node: ONNXModel.Node) -> ONNXValue? {
    guard let name = node.inputs.first else { return nil }
    if case .zeros? = values[name] { return .zeros }
    guard let starts = integers(node, attribute: "starts", input: 1),
      let ends = integers(node, attribute: "ends", input: 2), starts.count == ends.count
    else { return nil }
    let axes = integers(node, attribute: "axes", input: 3) ?? Array(starts.indices)
    let steps = integers(node, attribute: "steps", input: 4) ?? starts.map { _ in 1 }
    guard axes.count == starts.count, steps.count == starts.count, steps.allSatisfy({ $0 == 1 }) else { return nil }

    if var flow = flow(node, mayBeScaled: true, mayBeActivated: true) {
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

  mutating func gathered(_ node: ONNXModel.Node) -> ONNXValue? {
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
    guard let flow = flow(node, mayBeScaled: true, mayBeActivated: true), let place = axis(along, rank: flow.axes.count)
    else { return nil }
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
      case .input = tokens.parts[0].source, table.shape.allSatisfy({ 1...PlainStack.sizeLimit ~= $0 })
    else { return nil }
    embedding = table
    used.formUnion(table.sources)
    return .flow(ONNXFlow(axes: tokens.axes + [.features], parts: [.init(source: .embedding, size: table.shape[1])]))
  }

  func split(_ node: ONNXModel.Node) -> [ONNXValue]? {
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

  func concatenated(_ node: ONNXModel.Node) -> ONNXValue? {
    guard let along = integer(node, "axis"), !node.inputs.isEmpty else { return nil }
    let given = node.inputs.map { values[$0] }
    if given.allSatisfy({ if case .zeros? = $0 { true } else { false } }) { return .zeros }
    if given.allSatisfy({ if case .flow? = $0 { true } else { false } }) {
      let flows = node.inputs.indices.compactMap { flow(node, $0) }
      guard var joined = flows.first, let place = axis(along, rank: joined.axes.count),
        flows.allSatisfy({ $0.axes == joined.axes && !$0.isNormalized })
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
