import FileIO

extension ONNXOperators {
  /// What moves values without changing them.
  static let movers = Family(["Transpose", "Squeeze", "Unsqueeze", "Reshape", "Flatten"]) {
    t, node throws(ONNXRefusal) in
    if let kept = t.keptState(node) ?? t.movedMask(node) ?? t.ungrouped(node) { return [kept] }
    switch node.operation {
    case "Transpose": return t.transposed(node).map { [$0] }
    case "Squeeze", "Unsqueeze": return t.squeezed(node).map { [$0] }
    default: return try t.reshaped(node).map { [$0] }
    }
  }
}

extension ONNXTranslator {
  /// What is given or kept by the caller stays that, however its axes are moved.
  func keptState(_ node: ONNXModel.Node) -> ONNXMeaning? {
    switch meaning(node) {
    case .state, .choice, .finalState, .finalStates, .loopIndex: meaning(node)
    case .zeros(let sizes): .zeros(sizes.flatMap { moved($0, by: node) })
    default: nil
    }
  }

  /// Parts of states: of those of several layers, each layer's own.
  func keptParts(_ node: ONNXModel.Node) -> [ONNXMeaning]? {
    guard case .finalStates(let layers)? = meaning(node) else {
      return keptState(node).map { [ONNXMeaning](repeating: $0, count: node.outputs.count) }
    }
    let directions = Set(layers.map { (draft[$0].kind as? Layer.Recurrent)?.directions ?? 0 })
    guard directions.count == 1, let d = directions.first, d > 0 else { return nil }
    let count = layers.count * d
    func part(_ range: Range<Int>) -> ONNXMeaning? {
      guard range.lowerBound % d == 0, range.upperBound % d == 0, !range.isEmpty, range.upperBound <= count else {
        return nil
      }
      let list = Array(layers[range.lowerBound / d..<range.upperBound / d])
      return list.count == 1 ? .finalState(list[0]) : .finalStates(list)
    }
    switch node.operation {
    case "Gather":
      guard integer(node, "axis") ?? 0 == 0, let index = numbers(node, 1)?.known, index.count == 1,
        let place = axis(index[0], count)
      else { return nil }
      return part(place..<place + 1).map { [$0] }
    case "Slice":
      guard let starts = integers(node, "starts", input: 1), let ends = integers(node, "ends", input: 2),
        starts.count == 1, ends.count == 1, (integers(node, "axes", input: 3) ?? [0]) == [0],
        (integers(node, "steps", input: 4) ?? [1]) == [1]
      else { return nil }
      let range = ONNXNumbers.range(starts[0], ends[0], 1, count: count)
      guard let first = range.first else { return nil }
      return part(first..<first + range.count).map { [$0] }
    default:
      guard integer(node, "axis") ?? 0 == 0, count % node.outputs.count == 0 else { return nil }
      let each = count / node.outputs.count
      if let sizes = integers(node, "split", input: 1), sizes.contains(where: { $0 != each }) { return nil }
      let parts = node.outputs.indices.compactMap { part($0 * each..<($0 + 1) * each) }
      return parts.count == node.outputs.count ? parts : nil
    }
  }

  fileprivate func transposed(_ node: ONNXModel.Node) -> ONNXMeaning? {
    func order(_ rank: Int) -> [Int]? {
      let order = integers(node, "perm") ?? Array((0..<rank).reversed())
      return order.sorted() == Array(0..<rank) ? order : nil
    }
    switch meaning(node) {
    case .rows(let rows): return order(rows.axes.count).map { .rows(rows.under($0.map { rows.axes[$0] })) }
    case .reversed(let rows): return order(rows.axes.count).map { .reversed(rows.under($0.map { rows.axes[$0] })) }
    case .scores(var scores):
      guard let order = order(scores.axes.count) else { return nil }
      scores.axes = order.map { scores.axes[$0] }
      return .scores(scores)
    case .attention(let rows): return order(rows.axes.count).map { .attention(rows.under($0.map { rows.axes[$0] })) }
    case .padded(let rows, let pad):
      return order(rows.axes.count).map { order in
        .padded(
          rows.under(order.map { rows.axes[$0] }),
          ONNXPad(before: order.map { pad.before[$0] }, after: order.map { pad.after[$0] }, reflects: pad.reflects))
      }
    case .constant(var constant):
      guard let order = order(constant.shape.count) else { return nil }
      if order == Array(order.indices) { return .constant(constant) }
      if order == [1, 0] {
        constant.isTransposed.toggle()
        return .constant(constant)
      }
      return constant.with(constant.value.permuted(order)).map { .constant($0) }
    default:
      return numbers(node, 0).flatMap { list in order(list.shape.count).flatMap(list.transposed) }.map { .numbers($0) }
    }
  }

  fileprivate mutating func squeezed(_ node: ONNXModel.Node) -> ONNXMeaning? {
    let isSqueeze = node.operation == "Squeeze"
    let axes = integers(node, "axes", input: 1)
    if !isSqueeze, axes == nil { return nil }
    func moved(_ rows: ONNXRows) -> ONNXRows? {
      func canGo(_ axis: ONNXRows.Axis) -> Bool {
        axis == .one || axis != .batch && size(of: axis, rows)?.known == 1
          || axis == .batch && axes != nil && batchSize == 1
      }
      return (isSqueeze ? squeeze(rows.axes, axes, canGo: canGo) : unsqueeze(rows.axes, axes ?? [], with: .one))
        .map { rows.under($0) }
    }
    if isSqueeze, let axes { oneStep(node, axes) }
    switch meaning(node) {
    case .rows(let rows): return moved(rows).map { .rows($0) }
    case .attention(let rows): return moved(rows).map { .attention($0) }
    case .reversed(let rows): return moved(rows).map { .reversed($0) }
    case .scores(var scores):
      let made = isSqueeze ? squeeze(scores.axes, axes) { $0 == .one } : unsqueeze(scores.axes, axes ?? [], with: .one)
      guard let made else { return nil }
      scores.axes = made
      return .scores(scores)
    case .padded(let rows, let pad):
      guard !isSqueeze, let axes, let made = moved(rows), let before = unsqueeze(pad.before, axes, with: 0),
        let after = unsqueeze(pad.after, axes, with: 0)
      else { return nil }
      return .padded(made, ONNXPad(before: before, after: after, reflects: pad.reflects))
    case .constant(let constant):
      let shape = constant.shape
      let made = isSqueeze ? squeeze(shape, axes) { $0 == 1 } : unsqueeze(shape, axes ?? [], with: 1)
      return made.flatMap { constant.with(constant.value.reshaped($0)) }.map { .constant($0) }
    default:
      guard let list = numbers(node, 0) else { return nil }
      let made = isSqueeze ? squeeze(list.shape, axes) { $0 == 1 } : unsqueeze(list.shape, axes ?? [], with: 1)
      return made.map { .numbers(ONNXNumbers(list.values, shape: $0)) }
    }
  }

  /// Where a program carries the states, a graph that squeezes the axis of its steps away has one of them.
  private mutating func oneStep(_ node: ONNXModel.Node, _ axes: [Int]) {
    guard !hypothesis.states.isEmpty, let rows = rows(node),
      axes.contains(where: { axis($0, rows.axes.count).map { rows.axes[$0] == .time } ?? false }),
      steps(of: rows.source) == nil, let clock = draft[rows.source].value.clock
    else { return }
    stepSizes[clock] = 1
    assumed.add("there is 1 step where \(node.description) asks for it")
  }

  /// Without axes of size one; nil where one that is to go is none.
  private func squeeze<Axis>(_ list: [Axis], _ axes: [Int]?, canGo: (Axis) -> Bool) -> [Axis]? {
    let places = axes.map { $0.compactMap { axis($0, list.count) } } ?? list.indices.filter { canGo(list[$0]) }
    guard places.count == axes?.count ?? places.count, places.allSatisfy({ canGo(list[$0]) }) else { return nil }
    return list.indices.filter { !places.contains($0) }.map { list[$0] }
  }

  private func unsqueeze<Axis>(_ list: [Axis], _ axes: [Int], with one: Axis) -> [Axis]? {
    let rank = list.count + axes.count
    let places = axes.compactMap { axis($0, rank) }.sorted()
    guard places.count == axes.count, Set(places).count == places.count, rank <= ONNXTensor.rankLimit else {
      return nil
    }
    var made = list
    for place in places { made.insert(one, at: place) }
    return made
  }

  fileprivate mutating func reshaped(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    let isFlatten = node.operation == "Flatten"
    if let rows = rows(node) ?? wholeRows(node) {
      if isFlatten {
        guard let at = flattenAxis(node, rows.axes.count) else { return nil }
        let parts = [Array(rows.axes[..<at]), Array(rows.axes[at...])]
        return .rows(try regrouped(rows, parts.map { atoms(rows, of: $0) }, node))
      }
      guard node.inputs.count == 2, let target = numbers(node, 1), target.shape.count <= 1 else { return nil }
      return .rows(try reshaped(rows, target.values, node))
    }
    // Shares of attention under other axes of 1.
    if !isFlatten, case .attention(let rows)? = meaning(node), let target = numbers(node, 1), target.shape.count <= 1 {
      let made = try reshaped(rows, target.values, node)
      return made.source == rows.source ? .attention(made) : nil
    }
    if let list = numbers(node, 0), let target = integers(node, "", input: 1) {
      return list.reshaped(target).map { .numbers($0) }
    }
    guard let constant = constant(node, 0) else { return nil }
    let shape = constant.shape
    var target: [Int]
    if isFlatten {
      guard let at = flattenAxis(node, shape.count) else { return nil }
      target = [shape[..<at].reduce(1, *), shape[at...].reduce(1, *)]
    } else {
      guard let wanted = integers(node, "", input: 1), wanted.count <= ONNXTensor.rankLimit else { return nil }
      target = wanted
    }
    for (index, size) in target.enumerated() where size == 0 {
      guard shape.indices.contains(index) else { return nil }
      target[index] = shape[index]
    }
    let count = constant.tensor.elementCount
    if let wild = target.firstIndex(of: -1) {
      target[wild] = 1
      guard target.allSatisfy({ $0 > 0 }), let rest = elementCount(target), count % rest == 0 else { return nil }
      target[wild] = count / rest
    }
    guard target.allSatisfy({ $0 > 0 }), elementCount(target) == count else { return nil }
    return constant.with(constant.value.reshaped(target)).map { .constant($0) }
  }

  private func wholeRows(_ node: ONNXModel.Node) -> ONNXRows? {
    if case .rows(let rows)? = meaning(node) { rows } else { nil }
  }

  private func flattenAxis(_ node: ONNXModel.Node, _ rank: Int) -> Int? {
    let at = integer(node, "axis") ?? 1
    return at == rank ? rank : axis(at, rank)
  }
}
