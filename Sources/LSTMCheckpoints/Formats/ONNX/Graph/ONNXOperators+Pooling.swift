import FileIO

extension ONNXOperators {
  static let pooling = Family(["MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"]) {
    t, node throws(ONNXRefusal) in
    switch node.operation {
    case "GlobalAveragePool": return try t.overAll(node, .average).map { [.rows($0)] }
    case "GlobalMaxPool": return try t.overAll(node, .max).map { [.rows($0)] }
    case "MaxPool": return try t.pooledAnyway(node, .max).map { [.rows($0)] }
    default: return try t.pooledAnyway(node, .average).map { [.rows($0)] }
    }
  }

  static let reductions = Family(["ReduceMean", "ReduceMax", "ReduceSum", "ReduceL2"]) { t, node throws(ONNXRefusal) in
    if case .weighted(let rows, let scores)? = t.meaning(node), node.operation == "ReduceSum" {
      return try t.attended(rows, scores, node).map { [.rows($0)] }
    }
    if node.operation == "ReduceSum", let known = t.summedPairs(node) { return [known] }
    if let known = try t.visibleSum(node) ?? t.movedMask(node) { return [known] }
    guard let rows = t.rows(node), let (axes, keeps) = t.reduced(node, rows.axes.count) else { return nil }
    if node.operation == "ReduceL2" {
      return keeps && axes.count == 1 && rows.isWholeRow(at: axes[0]) ? [.norm(rows)] : nil
    }
    return [.rows(try t.reduced(rows, axes, keeps, node))]
  }
}

extension ONNXTranslator {
  /// The axes that a reduction goes over, and whether they stay with size 1.
  func reduced(_ node: ONNXModel.Node, _ rank: Int) -> (axes: [Int], keeps: Bool)? {
    let given = integers(node, "axes", input: 1)
    if given == nil, !isAbsent(node, 1) || integer(node, "noop_with_empty_axes") ?? 0 != 0 { return nil }
    let axes = (given ?? Array(0..<rank)).compactMap { axis($0, rank) }.sorted()
    guard axes.count == given?.count ?? rank, Set(axes).count == axes.count else { return nil }
    return (axes, integer(node, "keepdims") ?? 1 != 0)
  }

  fileprivate mutating func reduced(
    _ input: ONNXRows, _ axes: [Int], _ keeps: Bool, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    var rows = input
    // Height first, while there are steps.
    for place in axes.sorted(by: { rows.axes[$0].isRow && !rows.axes[$1].isRow }) {
      switch rows.axes[place] {
      case .one: break
      case .time:
        let take: Layer.Readout.Take =
          node.operation == "ReduceMean" ? .mean : node.operation == "ReduceMax" ? .max : .sum
        rows = rows.of(try layer(Layer.Readout(take), [rows.source], node))
        rows.axes[place] = .one
      case .row(let factor): rows = try reduced(rows, place, factor, node)
      default: throw ONNXRefusal(detail: "it goes over the batch")
      }
    }
    if !keeps { rows.axes = rows.axes.indices.filter { !axes.contains($0) }.map { rows.axes[$0] } }
    return rows
  }

  /// Over an axis of a row: the height of a grid, or what few parts lie one after the other.
  private mutating func reduced(
    _ rows: ONNXRows, _ place: Int, _ factor: Int, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    var axes = rows.axes
    axes[place] = .one
    if factor == 0, rows.factors.count > 1, rows.factors[0] <= 16 {
      var parts: [Int] = []
      for index in 0..<rows.factors[0] { parts.append(try slice(rows, place, index..<index + 1, node).source) }
      let operation: Layer.Merge.Operation =
        node.operation == "ReduceMean" ? .average : node.operation == "ReduceMax" ? .maximum : .add
      let source = try together(parts, operation, node)
      let others = axes.map { axis -> ONNXRows.Axis in if case .row(let other) = axis { .row(other - 1) } else { axis }
      }
      return ONNXRows(source: source, axes: others, factors: Array(rows.factors.dropFirst()))
    }
    guard factor == rows.factors.count - 1, factor == 1, node.operation != "ReduceSum",
      draft[rows.source].value.isPerStep
    else { throw ONNXRefusal(detail: "it goes over the features of a row") }
    let grid = try grid(rows.source, channels: rows.factors[0], node)
    let pooling = Layer.Pooling(node.operation == "ReduceMean" ? .average : .max, window: [1, rows.factors[1]])
    let source = try plain(try layer(pooling, [grid], node), node)
    return ONNXRows(source: source, axes: axes, factors: [rows.factors[0]])
  }

  /// Over time and height at once.
  fileprivate mutating func overAll(
    _ node: ONNXModel.Node, _ operation: Layer.Pooling.Operation
  ) throws(ONNXRefusal) -> ONNXRows? {
    guard let rows = rows(node), 3...4 ~= rows.axes.count else { return nil }
    var reduction = node
    reduction.operation = operation == .max ? "ReduceMax" : "ReduceMean"
    return try reduced(rows, Array(2..<rows.axes.count), true, reduction)
  }

  /// Steps before channels are pooled over height as if they stood behind them.
  fileprivate mutating func pooledAnyway(
    _ node: ONNXModel.Node, _ operation: Layer.Pooling.Operation
  ) throws(ONNXRefusal) -> ONNXRows? {
    guard let rows = rows(node), rows.axes.count == 4, rows.axes[1] == .time, rows.axes[2].isRow,
      integers(node, "kernel_shape")?.first == 1, integers(node, "strides")?.first ?? 1 == 1,
      (integers(node, "pads") ?? [0, 0, 0, 0]).allSatisfy({ $0 == 0 })
    else { return try pooled(node, operation) }
    func swapped(_ rows: ONNXRows) -> ONNXRows {
      var axes = rows.axes
      axes.swapAt(1, 2)
      return rows.under(axes)
    }
    var made = node
    made.inputs[0] = "\(node.inputs[0]) with its channels first"
    values[made.inputs[0]] = .rows(swapped(rows))
    return try pooled(made, operation).map(swapped)
  }

  fileprivate mutating func pooled(
    _ node: ONNXModel.Node, _ operation: Layer.Pooling.Operation
  ) throws(ONNXRefusal) -> ONNXRows? {
    guard let input = rows(node), let kernel = integers(node, "kernel_shape"), 1...2 ~= kernel.count,
      kernel.allSatisfy({ 1...ModelConfiguration.sizeLimit ~= $0 })
    else { return nil }
    let spans = try spans(node, kernel)
    guard spans.dilation.allSatisfy({ $0 == 1 }) else { throw ONNXRefusal(detail: "its window has gaps") }
    let window = try window(input, spatial: kernel.count, node)
    for place in kernel.indices where place != window.time && place != window.height {
      guard kernel[place] == 1 else { throw ONNXRefusal(detail: "it pools an axis of size 1") }
    }
    guard window.time != nil || window.height != nil else { return input }
    func along(_ place: Int?, _ list: [Int], _ usual: Int) -> Int { place.map { list[$0] } ?? usual }
    let places = [window.time] + (window.height == nil ? [] : [window.height])
    var kind = Layer.Pooling(operation, window: places.map { along($0, kernel, 1) })
    kind.stride = places.map { along($0, spans.stride, 1) }
    kind.isSame = spans.isSame
    let pad = places.flatMap { [along($0, spans.before, 0), along($0, spans.after, 0)] }
    if pad.contains(where: { $0 != 0 }) { kind.pad = pad }
    kind.isCeiling = integer(node, "ceil_mode") ?? 0 != 0
    kind.countsPad = operation == .average && integer(node, "count_include_pad") ?? 0 != 0 && !kind.pad.isEmpty
    let made = try layer(kind, [window.source], node)
    return given(made, window)
  }
}
