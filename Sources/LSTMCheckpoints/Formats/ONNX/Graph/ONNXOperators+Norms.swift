import FileIO

extension ONNXOperators {
  static let batchNorm = Family(["BatchNormalization"]) { t, node throws(ONNXRefusal) in
    guard let rows = t.rows(node), node.inputs.count == 5, rows.axes.count >= 2 else { return nil }
    if t.integer(node, "training_mode") ?? 0 != 0 { throw ONNXRefusal(detail: "it is in training mode") }
    if let normalized = try t.normalizedAsBatch(rows, node) { return [.rows(normalized)] }
    let names = ["weight", "bias", "running_mean", "running_var"]
    var parameters: [ONNXDraft.Key: ONNXDraft.Parameter] = [:]
    var count = 1
    for (index, name) in names.enumerated() {
      guard let found = t.weight(node, index + 1), found.shape.count == 1 else { return nil }
      parameters[.init(name: name)] = t.parameter(found)
      count = found.shape[0]
    }
    guard parameters.values.allSatisfy({ $0.constant.shape == [count] }) else {
      throw ONNXRefusal(detail: "its statistics differ in size")
    }
    var source: Int
    switch rows.axes[1] {
    case .row(0) where rows.factors.count == 1: source = try t.plain(rows.source, node)
    case .row(0): source = try t.grid(rows.source, channels: rows.factors[0], node)
    case .one where rows.factors.isEmpty: source = rows.source
    case .one: source = try t.grid(rows.source, channels: 1, node)
    default: throw ONNXRefusal(detail: "it normalizes along another axis than that of features")
    }
    guard count == (rows.axes[1] == .row(0) ? rows.factors[0] : 1) else {
      throw ONNXRefusal(detail: "its statistics are of \(count) features")
    }
    let momentum = 1 - (t.number(node, "momentum") ?? 0.9)
    let kind = Layer.BatchNorm(epsilon: t.number(node, "epsilon") ?? 1e-5, momentum: (momentum * 1e6).rounded() / 1e6)
    source = try t.layer(kind, [source], parameters, node)
    return [.rows(rows.of(source))]
  }

  static let layerNorm = Family(["LayerNormalization", "SkipLayerNormalization"], domains: ["", "com.microsoft"]) {
    t, node throws(ONNXRefusal) in
    if node.operation == "SkipLayerNormalization" { return try t.skipNorm(node) }
    guard let rows = t.rows(node), let place = t.axis(t.integer(node, "axis") ?? -1, rows.axes.count) else {
      return nil
    }
    guard place == rows.axes.count - 1, rows.isWholeRow(at: place) else {
      throw ONNXRefusal(detail: "it normalizes over other axes than that of features")
    }
    var kind = Layer.LayerNorm(epsilon: t.number(node, "epsilon") ?? 1e-5)
    kind.hasOffset = !t.isAbsent(node, 2)
    if case .zeros? = t.meaning(node, 2) { kind.hasOffset = false }
    guard let scale = t.weight(node, 1), let gain = t.vector(scale, rows.width) else { return nil }
    // Ones that no tensor of the file holds.
    kind.hasScale = !(gain.sources.isEmpty && t.isAll(1, gain))
    var parameters: [ONNXDraft.Key: ONNXDraft.Parameter] = [:]
    if kind.hasScale { parameters[.init(name: "weight")] = t.parameter(gain) }
    if kind.hasOffset {
      guard let found = t.weight(node, 2), let bias = t.vector(found, rows.width) else { return nil }
      parameters[.init(name: "bias")] = t.parameter(bias)
    }
    return [.rows(rows.of(try t.layer(kind, [rows.source], parameters, node)))]
  }
}

extension ONNXTranslator {
  /// ONNX Runtime's sum of two values and its layer normalization in one.
  fileprivate mutating func skipNorm(_ node: ONNXModel.Node) throws(ONNXRefusal) -> [ONNXMeaning]? {
    guard let one = rows(node), let other = rows(node, 1), let axes = common([one, other]),
      one.isWholeRow(at: one.axes.count - 1), let scale = weight(node, 2), let gain = vector(scale, one.width),
      isAbsent(node, 4), node.outputs.dropFirst().prefix(2).allSatisfy(\.isEmpty)
    else { return nil }
    let sum = one.under(axes).of(try together([one.source, other.source], .add, node))
    var kind = Layer.LayerNorm(epsilon: number(node, "epsilon") ?? 1e-12)
    var parameters = [ONNXDraft.Key(name: "weight"): parameter(gain)]
    kind.hasOffset = !isAbsent(node, 3)
    if kind.hasOffset {
      guard let found = weight(node, 3), let bias = vector(found, one.width) else { return nil }
      parameters[.init(name: "bias")] = parameter(bias)
    }
    let made = ONNXMeaning.rows(sum.of(try layer(kind, [sum.source], parameters, node)))
    return [made, .zeros(), .zeros(), .rows(sum)]
  }

  /// A norm kept from being zero.
  func boundedNorm(_ node: ONNXModel.Node) -> ONNXMeaning? {
    guard node.inputs.count == 2 else { return nil }
    for (one, other) in [(0, 1), (1, 0)] {
      if case .norm(let rows)? = meaning(node, one), let least = scalar(node, other), 0...1e-6 ~= least {
        return .norm(rows)
      }
    }
    return nil
  }
}
