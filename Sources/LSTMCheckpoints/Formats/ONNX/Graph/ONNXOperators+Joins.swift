import FileIO

extension ONNXOperators {
  /// What puts values side by side.
  static let joins = Family(["Concat"]) { t, node throws(ONNXRefusal) in
    guard let at = t.integer(node, "axis"), !node.inputs.isEmpty else { return nil }
    if let lists = t.all(node, { $0.numbers($1, $2) }) {
      return t.axis(at, lists[0].shape.count).flatMap { ONNXNumbers.joined(lists, axis: $0) }.map { [.numbers($0)] }
    }
    if let constants = t.all(node, { $0.weight($1, $2) }) {
      return t.joinedConstants(constants, at).map { [.constant($0)] }
    }
    if let rows = t.all(node, { $0.rows($1, $2) }) { return try t.joined(rows, at, node).map { [.rows($0)] } }
    return t.keptStates(node, at).map { [$0] }
  }

  /// What repeats values along an axis.
  static let repeats = Family(["Expand", "Tile"]) { t, node throws(ONNXRefusal) in
    if let kept = t.keptState(node) { return [kept] }
    if case .norm? = t.meaning(node) { return t.meaning(node).map { [$0] } }
    if case .attention? = t.meaning(node) { return t.spread(node).map { [$0] } }
    return try t.repeated(node).map { [$0] }
  }
}

extension ONNXTranslator {
  fileprivate func all<Value>(
    _ node: ONNXModel.Node, _ get: (ONNXTranslator, ONNXModel.Node, Int) -> Value?
  ) -> [Value]? {
    let list = node.inputs.indices.compactMap { get(self, node, $0) }
    return list.count == node.inputs.count ? list : nil
  }

  /// States side by side, of which one at least nothing else reads.
  fileprivate func keptStates(_ node: ONNXModel.Node, _ at: Int) -> ONNXMeaning? {
    var found: ONNXMeaning?
    var layers: [[Int]] = []
    var hasRows = false
    for index in node.inputs.indices {
      switch meaning(node, index) {
      case .finalState(let layer):
        layers.append([layer])
        found = meaning(node, index)
      case .finalStates(let list): layers.append(list)
      case .state: found = meaning(node, index)
      case .zeros: found = .zeros()
      case .rows: hasRows = true
      default: return nil
      }
    }
    if layers.count == node.inputs.count, at == 0 { return .finalStates(Array(layers.joined())) }
    if case .zeros? = found, hasRows { return nil }
    return found
  }

  fileprivate func joinedConstants(_ list: [ONNXConstant], _ at: Int) -> ONNXConstant? {
    let shape = list[0].shape
    guard let place = axis(at, shape.count),
      list.allSatisfy({ other in
        other.shape.count == shape.count && shape.indices.allSatisfy { $0 == place || other.shape[$0] == shape[$0] }
      }), let depth = list.map(\.depth).max(), depth < ONNXConstant.depthLimit,
      list.reduce(0, { $0 + $1.tensor.elementCount }) <= 1 << 34
    else { return nil }
    return ONNXConstant(
      tensor: .concatenating(list.map(\.value), axis: place),
      sources: list.reduce(into: Set()) { $0.formUnion($1.sources) }, depth: depth + 1)
  }

  /// Rows beside rows.
  fileprivate mutating func joined(
    _ list: [ONNXRows], _ at: Int, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows? {
    if list.count == 1 { return list[0] }
    if let all = allSteps(list, at) { return all }
    // Single steps side by side.
    let single = list.map { rows -> ONNXRows? in
      guard let place = axis(at, rows.axes.count), rows.axes[place] == .time, steps(of: rows.source) == 1 else {
        return nil
      }
      var rows = rows
      rows.axes[place] = .one
      return rows
    }
    let list = single.contains { $0 == nil } ? list : single.compactMap { $0 }
    let first = list[0]
    guard let place = axis(at, first.axes.count), let main = list.first(where: { $0.hasTime }) ?? list.first else {
      return nil
    }
    let axes = main.axes
    guard list.allSatisfy({ $0.axes.count == axes.count }) else { return nil }
    // All but the axis that they are joined along are alike.
    for other in list {
      for index in axes.indices where index != place {
        let isSame = key(axes[index], main, but: place) == key(other.axes[index], other, but: place)
        guard isSame || other.axes[index] == .one && axes[index] == .time else {
          throw ONNXRefusal(detail: "what it joins has its axes in different orders")
        }
      }
    }
    let sizes = list.map { rows -> Int? in
      switch rows.axes[place] {
      case .one: 1
      case .row(0): rows.factors[0]
      default: nil
      }
    }
    // Along the outer axis of a row, its parts lie one after the other.
    guard sizes.allSatisfy({ $0 != nil }) else { throw ONNXRefusal(detail: "it joins along time, or inside of rows") }
    let count = sizes.reduce(0) { $0 + ($1 ?? 0) }
    if let whole = wholeOf(list) {
      return under(whole, axes, place, count)
    }
    let sources = list.map(\.source)
    let source: Int
    if let both = try bothDirections(sources, node) {
      source = both
    } else {
      source = try layer(Layer.Merge(.concatenate), sources, node)
    }
    return under(main.of(source), axes, place, count)
  }

  /// All steps of a layer one after the other are the layer's own.
  private func allSteps(_ list: [ONNXRows], _ at: Int) -> ONNXRows? {
    guard let place = axis(at, list[0].axes.count), list.allSatisfy({ $0.axes == list[0].axes }),
      list[0].axes[place] == .one, let first = unrolled.steps[list[0].source], steps(of: first.layer) == list.count
    else { return nil }
    for (index, rows) in list.enumerated() where unrolled.steps[rows.source] != .init(layer: first.layer, step: index) {
      return nil
    }
    var axes = list[0].axes
    axes[place] = .time
    return ONNXRows(source: first.layer, axes: axes, factors: list[0].factors)
  }

  /// An axis by what it is, the joined factor apart.
  private func key(_ axis: ONNXRows.Axis, _ rows: ONNXRows, but place: Int) -> ONNXRows.Axis {
    guard case .row(let factor) = axis else { return axis }
    let before = rows.axes[place] == .row(0) ? factor - 1 : factor
    return .merged([.row(before), .row(rows.factors[factor])])
  }

  private func under(_ rows: ONNXRows, _ axes: [ONNXRows.Axis], _ place: Int, _ count: Int) -> ONNXRows {
    if case .row = axes[place] {
      return ONNXRows(source: rows.source, axes: axes, factors: [count] + rows.factors.dropFirst())
    }
    var made = axes.map { axis -> ONNXRows.Axis in if case .row(let factor) = axis { .row(factor + 1) } else { axis } }
    made[place] = .row(0)
    return ONNXRows(source: rows.source, axes: made, factors: [count] + rows.factors)
  }

  /// The rows that parts were taken of, where they are all of them in order.
  private func wholeOf(_ list: [ONNXRows]) -> ONNXRows? {
    var (at, below) = (0, -1)
    for part in list {
      guard let slice = draft[part.source].kind as? Layer.Slice, let source = draft[part.source].reads.first,
        slice.first == at, below < 0 || below == source
      else { return nil }
      (at, below) = (at + slice.count, source)
    }
    guard below >= 0, draft[below].value.width == at else { return nil }
    return list[0].of(below)
  }

  // MARK: - Repeating

  /// Attention's share of each step, one for each of its values, where that is all that it is read for.
  fileprivate func spread(_ node: ONNXModel.Node) -> ONNXMeaning? {
    guard let output = node.outputs.first, case .attention(let scores)? = meaning(node),
      let target = numbers(node, 1)?.values
    else { return nil }
    // How many of each there are: as many as a step has values, or ONNX would not multiply them.
    var counts = Set<Int>()
    guard target.count == scores.axes.count else { return nil }
    for (axis, size) in zip(scores.axes, target) where size?.known != 1 {
      if axis == .one {
        guard let count = size?.known, count > 0 else { return nil }
        counts.insert(count)
      } else if node.operation == "Tile" {
        return nil
      }
    }
    guard let count = counts.first else { return meaning(node) }
    return counts.count == 1 && isMultipliedAlone(output, with: count) ? meaning(node) : nil
  }

  /// Whether all that reads a value multiplies rows of `width` values with it, its axes in whatever order.
  private func isMultipliedAlone(_ name: String, with width: Int, depth: Int = 0) -> Bool {
    guard depth < 4, !model.outputs.contains(name) else { return false }
    return model.nodes.allSatisfy { reader in
      guard reader.inputs.contains(name) else { return true }
      switch reader.operation {
      case "Transpose", "Identity":
        return reader.outputs.first.map { isMultipliedAlone($0, with: width, depth: depth + 1) } ?? false
      case "Mul":
        guard let other = reader.inputs.first(where: { $0 != name }), let rows = rows(named: other) else {
          return false
        }
        return rows.factors.count <= 1 && rows.width == width
      default: return false
      }
    }
  }

  fileprivate mutating func repeated(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    guard let target = numbers(node, 1) else { return nil }
    if let list = numbers(node, 0), node.operation == "Expand" {
      guard let shape = target.known else {
        return list.values.count == 1 ? .numbers(ONNXNumbers(list.values, shape: [1])) : nil
      }
      guard let ones = elementCount(shape), ones <= ONNXNumbers.limit else { return nil }
      return ONNXNumbers.combined(
        list, ONNXNumbers([ONNXSize?](repeating: ONNXSize(factor: 0), count: ones), shape: shape)
      ) { one, _ in one }.map { .numbers($0) }
    }
    if let constant = weight(node, 0) {
      // One state for every sequence of a batch, or zeros of whatever shape.
      if isZero(constant) { return .zeros(repeatedSizes(node, constant.shape.map { ONNXSize(factor: $0) })) }
      let sizes = target.values
      if constant.tensor.elementCount == 1, let shape = target.known, let value = try? constant.value.floats().first,
        let count = elementCount(shape), 1...ONNXNumbers.constantLimit ~= count, shape.allSatisfy({ $0 > 0 })
      {
        let tensor = StoredTensor(
          name: node.outputs[0], shape: shape, values: [Float](repeating: value, count: count))
        return .constant(ONNXConstant(tensor: tensor, sources: constant.sources))
      }
      guard constant.shape.count == sizes.count,
        zip(constant.shape, sizes).allSatisfy({ size, wanted in
          size == 1 || wanted?.known == 1 || wanted?.known == (node.operation == "Expand" ? size : 1)
        })
      else { return nil }
      return .constant(constant)
    }
    guard let rows = rows(node) else { return nil }
    var sizes: [ONNXSize?] = target.values
    if node.operation == "Tile" {
      sizes = zip(rows.axes, target.values).map { axis, times in
        times.flatMap { times in size(of: axis, rows).flatMap { times * $0 } }
      }
    }
    guard sizes.count >= rows.axes.count else { return .rows(rows) }
    var made = rows.under([ONNXRows.Axis](repeating: .one, count: sizes.count - rows.axes.count) + rows.axes)
    for (place, size) in sizes.enumerated() {
      guard let size, size.known != 1, size != self.size(of: made.axes[place], made) else { continue }
      guard made.axes[place] == .one, !made.hasTime else { throw ONNXRefusal(detail: "it repeats more than one axis") }
      if let count = size.known, !draft[rows.source].value.isPerStep, count != batchSize {
        made = made.of(try layer(Layer.Repeat(count: count), [rows.source], node))
      } else if size.symbols.contains(0) || batchSize != nil && size.known == batchSize {
        made.axes[place] = .batch
        continue
      }
      if size.factor == 1, size.symbols.count == 1, size.symbols[0] > 0, !draft[made.source].value.isPerStep {
        let clock = size.symbols[0] - 1
        unrolled.repeated[made.source] = unrolled.repeated[made.source].map { $0 == clock ? clock : nil } ?? clock
      }
      // What is given once goes with each step.
      made.axes[place] = .time
    }
    return .rows(made)
  }

  /// Whether a constant is zero throughout; large ones are gone through in pieces.
  func isZero(_ constant: ONNXConstant) -> Bool {
    guard constant.tensor.dataType.isFloatingPoint else { return false }
    var isZero = true
    let width = constant.tensor.dataType.byteCount
    do {
      try constant.tensor.forEachPiece { piece in
        // The sign of a zero is in the last byte of an element.
        isZero = isZero && piece.indices.allSatisfy { piece[$0] == 0 || $0 % width == width - 1 && piece[$0] == 0x80 }
      }
    } catch {
      return false
    }
    return isZero
  }
}
