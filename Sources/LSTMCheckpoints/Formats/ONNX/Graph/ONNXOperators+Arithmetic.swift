import FileIO

/// What constants do to each value of a row, or to all alike: (x - center) * scale + offset.
struct ONNXAffineRows {
  var scale: [Double]
  var offset: [Double]
  /// What is taken away first: of numbers far from zero that leaves more digits than an offset.
  var center: [Double]?
  /// What it is done to, of which it is a layer.
  var below = -1

  func after(_ first: ONNXAffineRows) -> ONNXAffineRows {
    let count = [scale, offset, first.scale, first.offset].map(\.count).max() ?? 1
    func pick(_ list: [Double], _ index: Int) -> Double { list[list.count == 1 ? 0 : index] }
    return ONNXAffineRows(
      scale: (0..<count).map { pick(first.scale, $0) * pick(scale, $0) },
      offset: (0..<count).map { pick(first.offset, $0) * pick(scale, $0) + pick(offset, $0) }, center: first.center,
      below: first.below)
  }
}

extension ONNXOperators {
  static let sums = Family(["Add", "Sub", "Sum", "Mean", "Max", "Min"]) { t, node throws(ONNXRefusal) in
    if let known = t.computed(node) ?? t.folded(node) { return [known] }
    if let known = try t.selected(node) { return [known] }
    if let known = try t.gruOutput(node) { return [known] }
    if let rows = try t.normalizedAsSum(node) { return [.rows(rows)] }
    if let pairs = t.pairs(node) { return [.scores(pairs)] }
    if let known = t.biasedPairs(node) { return [known] }
    if let known = try t.maskedScores(node) { return [known] }
    if let known = t.wrapped(node) { return [known] }
    if node.operation == "Max", let bounded = t.boundedNorm(node) { return [bounded] }
    if node.operation == "Add", let other = t.besideZeros(node) { return [other] }
    if node.operation == "Add", let rows = try t.withBias(node) { return [.rows(rows)] }
    if node.operation == "Add" || node.operation == "Sub", let rows = try t.scaled(node) { return [.rows(rows)] }
    if node.operation == "Max" || node.operation == "Min", let rows = try t.clamped(node) { return [.rows(rows)] }
    let operation: Layer.Merge.Operation
    switch node.operation {
    case "Add", "Sum": operation = .add
    case "Sub": operation = .subtract
    case "Mean": operation = .average
    case "Max": operation = .maximum
    default: return nil
    }
    return try t.merged(operation, node).map { [.rows($0)] }
  }

  /// scikit-learn's, (x - offset) * scale.
  static let scalers = Family(["Scaler"], domains: ["ai.onnx.ml"]) { t, node throws(ONNXRefusal) in
    guard let rows = t.rows(node), case .floats(let offset)? = node.attributes["offset"],
      case .floats(let scale)? = node.attributes["scale"], !offset.isEmpty, !scale.isEmpty,
      // It takes the second axis for features.
      [offset.count, scale.count].allSatisfy({ $0 == 1 || $0 == rows.width && rows.axes.count == 2 }),
      rows.isWholeRow(at: rows.axes.count - 1)
    else { return nil }
    var affine = ONNXAffineRows(scale: scale.map(Double.init), offset: [0])
    let first = offset.map(Double.init)
    if t.affines[rows.source] != nil {
      let count = max(first.count, scale.count)
      func pick(_ list: [Double], _ index: Int) -> Double { list[list.count == 1 ? 0 : index] }
      affine.offset = (0..<count).map { -pick(first, $0) * pick(affine.scale, $0) }
    } else {
      affine.center = first
    }
    guard (scale + offset).allSatisfy(\.isFinite) else {
      throw ONNXRefusal(detail: "its constants are beyond single precision")
    }
    return [.rows(try t.scaled(rows, by: affine, sources: [], node))]
  }

  static let products = Family(["Mul", "Div"]) { t, node throws(ONNXRefusal) in
    if let known = t.computed(node) ?? t.folded(node) ?? t.quantizedScale(node) ?? t.scaledScores(node) {
      return [known]
    }
    if node.operation == "Mul", let known = t.summedPairs(node) ?? t.maskedProduct(node) { return [known] }
    if let known = try t.visibleMean(node) { return [known] }
    if node.operation == "Mul", t.isZeroed(node) { return [.zeros()] }
    if let rows = try t.normalized(node) { return [.rows(rows)] }
    if let rows = try t.rootMeanSquared(node) { return [.rows(rows)] }
    if node.operation == "Div" {
      if let rows = try t.softsign(node) { return [.rows(rows)] }
    } else {
      if let known = try t.cellOutput(node) { return [known] }
      if let known = try t.written(node) { return [known] }
      if let weighted = t.weighted(node) { return [weighted] }
    }
    if let rows = try t.scaled(node) { return [.rows(rows)] }
    return node.operation == "Mul" ? try t.merged(.multiply, node).map { [.rows($0)] } : nil
  }
}

extension ONNXTranslator {
  /// Whether a number of the caller's is multiplied with 0: exporters keep an input alive so.
  fileprivate func isZeroed(_ node: ONNXModel.Node) -> Bool {
    [(0, 1), (1, 0)].contains { one, other in
      if case .choice? = meaning(node, one) { scalar(node, other) == 0 } else { false }
    }
  }

  /// What zeros are added to.
  fileprivate func besideZeros(_ node: ONNXModel.Node) -> ONNXMeaning? {
    guard node.inputs.count == 2 else { return nil }
    for (one, other) in [(0, 1), (1, 0)] {
      if case .zeros? = meaning(node, other) { return meaning(node, one) }
    }
    return nil
  }

  // MARK: - Constants

  /// One value, or one for each of a row's; nil for a constant along other axes.
  func spread(_ constant: ONNXConstant, over rows: ONNXRows) -> [Double]? {
    var shape = constant.shape
    while shape.count > rows.axes.count, shape.first == 1 { shape.removeFirst() }
    guard shape.count <= rows.axes.count, constant.tensor.elementCount <= 1 << 20,
      rows.width <= 1 << 20, let list = try? constant.value.doubles(), !list.isEmpty
    else { return nil }
    if list.count == 1 { return list }
    var strides = [Int](repeating: 0, count: rows.factors.count)
    var step = 1
    for (size, axis) in zip(shape.reversed(), rows.axes.reversed()) {
      if size != 1 {
        guard case .row(let factor) = axis, rows.factors[factor] == size else { return nil }
        strides[factor] = step
      }
      step *= size
    }
    return (0..<rows.width).map { place in
      var (rest, from) = (place, 0)
      for factor in rows.factors.indices.reversed() {
        from += rest % rows.factors[factor] * strides[factor]
        rest /= rows.factors[factor]
      }
      return list[from]
    }
  }

  /// A constant that is added to, taken from, multiplied with or divided into rows.
  fileprivate mutating func scaled(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXRows? {
    guard node.inputs.count == 2 else { return nil }
    for (one, other) in [(0, 1), (1, 0)] {
      guard let rows = rows(node, one), let constant = operand(node, other) else { continue }
      guard let values = spread(constant, over: rows) else {
        throw ONNXRefusal(detail: "its constant is not one for each feature")
      }
      var affine = ONNXAffineRows(scale: [1], offset: [0])
      switch (node.operation, one) {
      case ("Add", _): affine.offset = values
      case ("Mul", _): affine.scale = values
      case ("Sub", 0) where affines[rows.source] == nil: affine.center = values
      case ("Sub", 0): affine.offset = values.map { -$0 }
      case ("Sub", _): (affine.scale, affine.offset) = ([-1], values)
      case ("Div", 0): affine.scale = values.map { 1 / $0 }
      default: return nil
      }
      guard (affine.scale + affine.offset + (affine.center ?? [])).allSatisfy({ Float($0).isFinite }) else {
        throw ONNXRefusal(detail: "its constants are beyond single precision")
      }
      if let normalized = try afterNorm(rows, affine, constant, node) { return normalized }
      if let normalized = try afterGroupNorm(rows, constant, node) { return normalized }
      return try scaled(rows, by: affine, sources: constant.sources, node)
    }
    return nil
  }

  /// A constant of floating-point numbers, or one number.
  private func operand(_ node: ONNXModel.Node, _ index: Int) -> ONNXConstant? {
    if let constant = weight(node, index) { return constant }
    return scalar(node, index).map {
      ONNXConstant(tensor: StoredTensor(name: node.inputs[index], shape: [], values: [Float($0)]), sources: [])
    }
  }

  mutating func scaled(
    _ rows: ONNXRows, by affine: ONNXAffineRows, sources: Set<String>, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    var all = affine
    all.below = rows.source
    var names = sources
    if let known = affines[rows.source] {
      all = affine.after(known)
      for parameter in draft[rows.source].parameters.values { names.formUnion(parameter.constant.sources) }
    }
    let width = draft[all.below].value.width
    let kept = all
    // Nothing but a difference is an offset.
    if let center = all.center, all.scale.allSatisfy({ $0 == 1 }), all.offset == [0] {
      (all.center, all.offset) = (nil, center.map { -$0 })
    }
    let name = names.sorted().joined(separator: " + ")
    func parameter(_ values: [Double]) -> ONNXDraft.Parameter {
      let list = values.count == 1 ? [Double](repeating: values[0], count: width) : values
      let tensor = StoredTensor(name: name, shape: [width], values: list.map { Float($0) })
      return .init(constant: ONNXConstant(tensor: tensor, sources: names), how: "constants of the graph")
    }
    guard [all.scale, all.offset, all.center ?? [0]].allSatisfy({ [1, width].contains($0.count) }) else {
      throw ONNXRefusal(detail: "its constants are not as many as the features")
    }
    var parameters = [
      ONNXDraft.Key(name: "scale"): parameter(all.scale), .init(name: "offset"): parameter(all.offset),
    ]
    if let center = all.center { parameters[.init(name: "center")] = parameter(center) }
    let source = try layer(Layer.Rescale(hasCenter: all.center != nil), [all.below], parameters, node)
    affines[source] = kept
    return rows.of(source)
  }

  /// The bias of a dense layer or a convolution that has none.
  fileprivate mutating func withBias(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXRows? {
    for (one, other) in [(0, 1), (1, 0)] {
      guard let rows = rows(node, one), let constant = weight(node, other) else { continue }
      if let closed = try closingBias(rows, constant, node) { return rows.of(closed) }
      let entry = draft[rows.source]
      let kind: any LayerKind
      let size: Int
      switch entry.kind {
      case var dense as Layer.Dense where !dense.hasBias:
        dense.hasBias = true
        (kind, size) = (dense, dense.size)
      case var convolution as Layer.Convolution where !convolution.hasBias:
        convolution.hasBias = true
        (kind, size) = (convolution, convolution.size)
      default: continue
      }
      guard constant.tensor.elementCount == size, let values = spread(constant, over: rows), values.count == rows.width,
        size == rows.width || constant.shape.contains(size) && rows.factors.first == size,
        let vector = constant.shape == [size] ? constant : constant.with(constant.value.reshaped([size]))
      else { continue }
      var parameters = entry.parameters
      parameters[.init(name: "bias")] = parameter(vector)
      return rows.of(try layer(kind, entry.reads, parameters, node))
    }
    return nil
  }

  /// max(x, 0) and the like.
  fileprivate mutating func clamped(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXRows? {
    for (one, other) in [(0, 1), (1, 0)] {
      guard node.inputs.count == 2, let rows = rows(node, one), let bound = scalar(node, other) else { continue }
      if node.operation == "Max", bound == 0 {
        return rows.of(try layer(Layer.ActivationLayer(.relu), [rows.source], node))
      }
      if node.operation == "Min", bound == 6, let below = draft[rows.source].kind as? Layer.ActivationLayer,
        below.activation == .relu
      {
        return rows.of(try layer(Layer.ActivationLayer(.relu6), draft[rows.source].reads, node))
      }
      return node.operation == "Max" ? try bounded(rows, bound, nil, node) : try bounded(rows, nil, bound, node)
    }
    return nil
  }

  // MARK: - Rows with rows

  fileprivate mutating func merged(
    _ operation: Layer.Merge.Operation, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows? {
    var list = node.inputs.indices.compactMap { rows(node, $0) }
    guard list.count == node.inputs.count, list.count >= 2 else { return nil }
    if let wide = list.first(where: { $0.factors.count == 1 }) {
      for index in list.indices { list[index] = widened(list[index], like: wide) }
    }
    guard let axes = common(list) else {
      throw ONNXRefusal(detail: "what it puts together has different axes, or sizes that are repeated")
    }
    if operation == .subtract, !list[0].hasTime, list[1].hasTime {
      throw ONNXRefusal(detail: "it takes steps from what is given once")
    }
    let sources = list.map(\.source)
    let source = try together(sources, operation, node)
    return ONNXRows(source: source, axes: axes, factors: list[0].factors)
  }

  /// One value that goes with each of a row's.
  private func widened(_ rows: ONNXRows, like wide: ONNXRows) -> ONNXRows {
    guard rows.factors.isEmpty, let place = wide.axes.firstIndex(of: .row(0)), wide.width > 1 else { return rows }
    let own = rows.axes.count - (wide.axes.count - place)
    guard rows.axes.indices.contains(own), rows.axes[own] == .one else { return rows }
    return rows.replacingRow(at: own, with: rows.source, width: wide.width)
  }

  /// Rows put together value by value.
  mutating func together(
    _ parts: [Int], _ operation: Layer.Merge.Operation, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> Int {
    if let merged = try directions(parts, operation, node) { return merged }
    return try layer(Layer.Merge(operation), parts, node)
  }

  /// The two directions of a recurrent layer put together: the same layer, which merges them.
  private mutating func directions(
    _ parts: [Int], _ operation: Layer.Merge.Operation, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> Int? {
    let merges: [Layer.Merge.Operation: Layer.Recurrent.DirectionMerge] = [
      .add: .sum, .multiply: .product, .average: .average,
    ]
    guard parts.count == 2, let merge = merges[operation], let below = draft[parts[0]].reads.first,
      draft[parts[1]].reads == [below], var kind = draft[below].kind as? Layer.Recurrent, kind.isBidirectional,
      kind.merge == .concatenate, let one = draft[parts[0]].kind as? Layer.Slice,
      let other = draft[parts[1]].kind as? Layer.Slice, one.count == kind.stateSize, other.count == one.count,
      Set([one.first, other.first]) == [0, one.count]
    else { return nil }
    kind.merge = merge
    return try layer(
      kind, draft[below].reads, draft[below].parameters, startsFrom: draft[below].startsFrom, node)
  }

  /// The axes of rows that go together value by value; one without time goes with each step.
  func common(_ list: [ONNXRows]) -> [ONNXRows.Axis]? {
    let rank = list.map(\.axes.count).max() ?? 0
    guard let first = list.first, list.allSatisfy({ $0.factors == first.factors }) else { return nil }
    var axes = [ONNXRows.Axis](repeating: .one, count: rank)
    for rows in list {
      let shift = rank - rows.axes.count
      for (place, axis) in rows.axes.enumerated() where axis != .one {
        guard axes[shift + place] == .one || axes[shift + place] == axis else { return nil }
        axes[shift + place] = axis
      }
    }
    return Set(axes.filter { $0 != .one }).count == axes.filter { $0 != .one }.count ? axes : nil
  }
}
