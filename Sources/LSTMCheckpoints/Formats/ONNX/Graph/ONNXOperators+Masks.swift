import FileIO

extension ONNXTranslator {
  private func mask(_ node: ONNXModel.Node, _ index: Int = 0) -> ONNXMask? {
    if case .mask(let mask)? = meaning(node, index) { mask } else { nil }
  }

  /// An input compared with the number that hidden steps hold.
  func comparedMask(_ node: ONNXModel.Node) -> ONNXMeaning? {
    guard node.operation == "Equal", node.inputs.count == 2 else { return nil }
    for (one, other) in [(0, 1), (1, 0)] {
      guard case .rows(let rows)? = meaning(node, one), draft[rows.source].input != nil, rows.factors.count <= 1,
        rows.hasTime, let number = scalar(node, other)
      else { continue }
      var mask = ONNXMask(input: rows.source, number: number, isOfTokens: rows.isWhole, axes: rows.axes)
      mask.isOfFeatures = !rows.isWhole
      return .mask(mask)
    }
    return nil
  }

  /// A mask after a node that moves, counts, negates or converts it.
  func movedMask(_ node: ONNXModel.Node) -> ONNXMeaning? {
    guard var mask = mask(node) else { return nil }
    let rank = mask.axes.count
    switch node.operation {
    case "Identity": break
    case "Cast":
      if mask.isCount, integer(node, "to") == 9 { mask.isCount = false }
    case "Not":
      guard !mask.isCount else { return nil }
      mask.isHidden.toggle()
    case "Transpose":
      let order = integers(node, "perm") ?? Array((0..<rank).reversed())
      guard order.sorted() == Array(0..<rank) else { return nil }
      mask.axes = order.map { mask.axes[$0] }
    case "Unsqueeze":
      guard let axes = integers(node, "axes", input: 1), rank + axes.count <= ONNXTensor.rankLimit else { return nil }
      let places = axes.compactMap { axis($0, rank + axes.count) }.sorted()
      guard Set(places).count == axes.count else { return nil }
      for place in places { mask.axes.insert(.one, at: place) }
    case "Squeeze":
      guard let axes = integers(node, "axes", input: 1) else { return nil }
      for place in Set(axes.compactMap { axis($0, rank) }).sorted(by: >) {
        guard mask.axes[place] == .one, !mask.isOfFeatures else { return nil }
        mask.axes.remove(at: place)
      }
    case "ReduceMax", "ReduceSum":
      // Whether any feature differs.
      guard mask.isOfFeatures, !mask.isHidden, let (axes, keeps) = reduced(node, rank), axes.count == 1,
        mask.axes[axes[0]].isRow
          || mask.axes[axes[0]] == .one && axes[0] == rank - 1
            && draft[mask.input].value.width == 1
      else { return nil }
      (mask.isOfFeatures, mask.isCount) = (false, node.operation == "ReduceSum")
      if keeps { mask.axes[axes[0]] = .one } else { mask.axes.remove(at: axes[0]) }
    case "Greater":
      guard mask.isCount, scalar(node, 1) == 0 else { return nil }
      mask.isCount = false
    default: return nil
    }
    return .mask(mask)
  }

  /// The mask of one step after the other.
  func stepOfMask(_ node: ONNXModel.Node) -> ONNXMeaning? {
    guard var mask = mask(node), case .loopIndex? = meaning(node, 1), !mask.isCount, !mask.isOfFeatures,
      let place = axis(integer(node, "axis") ?? 0, mask.axes.count), mask.axes[place] == .time,
      size(of: .time, ONNXRows(source: mask.input, axes: [.time], factors: [])) == loopCount
    else { return nil }
    mask.axes.remove(at: place)
    mask.isStep = true
    return .mask(mask)
  }

  func sizes(_ mask: ONNXMask) -> [ONNXSize?] {
    let rows = ONNXRows(source: mask.input, axes: [], factors: [])
    return mask.axes.map { axis in
      if axis.isRow { return ONNXSize(factor: draft[mask.input].value.width) }
      return size(of: axis, rows)
    }
  }

  // MARK: - What is chosen by a mask

  /// Rows times the mask: zeros at hidden steps.
  mutating func maskedProduct(_ node: ONNXModel.Node) -> ONNXMeaning? {
    for (one, other) in [(0, 1), (1, 0)] {
      guard node.inputs.count == 2, let mask = mask(node, one), !mask.isHidden, let rows = rows(node, other) else {
        continue
      }
      return cleared(rows, mask)
    }
    return nil
  }

  private mutating func cleared(_ rows: ONNXRows, _ mask: ONNXMask) -> ONNXMeaning? {
    guard !mask.isStep, !mask.isReversed, !mask.isCount, !mask.isOfFeatures, isOfSteps(mask, rows) else { return nil }
    guard rows.source == mask.input else { return .visible(rows, mask) }
    masks.cleared = mask
    return .rows(rows)
  }

  /// Whether a mask's axes lie where those of the steps do.
  private func isOfSteps(_ mask: ONNXMask, _ rows: ONNXRows) -> Bool {
    let value = draft[rows.source].value
    return mask.axes.count <= rows.axes.count && value.isPerStep && value.clock == draft[mask.input].value.clock
      && zip(mask.axes.reversed(), rows.axes.reversed()).allSatisfy { $0 == $1 || $0 == .one && $1.isRow }
      && mask.axes.contains(.time)
  }

  /// `Where` by a mask, or the sum of two products with a mask and its contrary.
  mutating func selected(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    if node.operation == "Where" {
      guard node.inputs.count == 3, let mask = mask(node), !mask.isOfFeatures, !mask.isCount else { return nil }
      let (new, old) = mask.isHidden ? (2, 1) : (1, 2)
      return try select(mask, new: node.inputs[new], old: node.inputs[old], node)
    }
    guard node.operation == "Add", node.inputs.count == 2 else { return nil }
    func half(_ index: Int) -> (mask: ONNXMask, value: String)? {
      guard let product = origin(node, index), product.operation == "Mul", product.inputs.count == 2 else { return nil }
      for (one, other) in [(0, 1), (1, 0)] {
        if let mask = mask(product, one), !mask.isOfFeatures, !mask.isCount { return (mask, product.inputs[other]) }
      }
      return nil
    }
    guard let a = half(0), let b = half(1), a.mask.isOfSameSteps(as: b.mask), a.mask.isHidden != b.mask.isHidden,
      a.mask.isReversed == b.mask.isReversed, a.mask.isStep == b.mask.isStep
    else { return nil }
    return a.mask.isHidden
      ? try select(b.mask, new: b.value, old: a.value, node) : try select(a.mask, new: a.value, old: b.value, node)
  }

  private func isZero(_ name: String) -> Bool { isZeroState(name) || scalar(values[name]) == 0 }

  private mutating func select(
    _ mask: ONNXMask, new: String, old: String, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXMeaning? {
    guard mask.isStep else {
      guard isZero(old), let rows = rows(named: new) else { return nil }
      return cleared(rows, mask)
    }
    guard loops > 0, let output = node.outputs.first else { return nil }
    let layer: Int
    let isCell: Bool
    switch values[new] {
    case .rows(let rows)?:
      guard let step = unrolled.steps[rows.source], step.step == 0 else { return nil }
      (layer, isCell) = (step.layer, false)
    case .finalState(let found)?: (layer, isCell) = (found, true)
    default: return nil
    }
    guard let kind = draft[layer].kind as? Layer.Recurrent, let states = masks.cells[layer] else { return nil }
    guard kind.isReversed == mask.isReversed, draft[layer].value.clock == draft[mask.input].value.clock else {
      throw ONNXRefusal(detail: "its mask is of other steps than those that the loop goes through")
    }
    if let known = masks.layers[layer], !known.isOfSameSteps(as: mask) {
      throw ONNXRefusal(detail: "it has two masks in one loop")
    }
    masks.layers[layer] = mask
    if isZero(old) {
      guard !isCell else { return nil }
      masks.givesZeros[output] = true
      return values[new]
    }
    let state = realName(old)
    guard loopStates[state] != nil, masks.next[state] == output else {
      throw ONNXRefusal(detail: "at hidden steps it gives something else than zeros or the step before")
    }
    if states.indices.contains(isCell ? 1 : 0), states[isCell ? 1 : 0] == state {
      masks.kept[layer, default: []].insert(state)
    } else {
      guard !isCell else { return nil }
      if !isZero(loopStates[state] ?? "") {
        throw ONNXRefusal(detail: "before the first step that it reads it gives something else than zeros")
      }
    }
    if !isCell { masks.givesZeros[output] = false }
    return values[new]
  }

  /// Sums over the steps that a mask leaves, and how many those are.
  mutating func visibleSum(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    guard node.operation == "ReduceSum" else { return nil }
    switch meaning(node) {
    case .visible(let rows, let mask)?:
      guard let (axes, keeps) = reduced(node, rows.axes.count), axes.count == 1, rows.axes[axes[0]] == .time else {
        return nil
      }
      var sum = rows.of(try layer(Layer.Readout(.sum), [rows.source], node))
      masks.respecting.insert(sum.source)
      if keeps { sum.axes[axes[0]] = .one } else { sum.axes.remove(at: axes[0]) }
      return .visible(sum, mask)
    case .mask(var mask)?:
      guard !mask.isOfFeatures, !mask.isCount, !mask.isHidden, !mask.isStep,
        let (axes, keeps) = reduced(node, mask.axes.count), axes.count == 1, mask.axes[axes[0]] == .time
      else { return nil }
      if keeps { mask.axes[axes[0]] = .one } else { mask.axes.remove(at: axes[0]) }
      return .visibleCount(mask)
    default: return nil
    }
  }

  /// The mean over the steps that a mask leaves.
  mutating func visibleMean(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    guard node.operation == "Div", case .visible(let sum, let mask)? = meaning(node),
      case .visibleCount(let count)? = meaning(node, 1), count.isOfSameSteps(as: mask),
      let below = draft[sum.source].reads.first, masks.respecting.contains(sum.source),
      zip(count.axes.reversed(), sum.axes.reversed()).allSatisfy({ $0 == $1 || $0 == .one })
    else { return nil }
    let mean = try layer(Layer.Readout(.mean), [below], node)
    masks.respecting.insert(mean)
    return .rows(sum.of(mean))
  }
}
