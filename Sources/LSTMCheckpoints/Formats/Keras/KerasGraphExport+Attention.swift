import FileIO

extension KerasGraphExport {
  /// Scores of the steps, their softmax over time, and the product of both with the steps.
  mutating func addAttention(
    _ layer: Layer, _ kind: Layer.Attention, _ read: Value, _ value: LayerValue
  ) throws(CheckpointError) {
    func dense(
      _ parts: (weight: String, bias: String?), _ size: Int, _ activation: Activation, _ input: Value, _ stem: String
    )
      throws(CheckpointError) -> Value
    {
      guard let function = inside(activation) else { throw refused(layer, "the activation \(activation.rawValue)") }
      let node = add(
        "Dense", sourceLayer("\(layer.name).\(stem)")?.name ?? fresh("\(layer.name)_\(stem)"),
        [
          "units": .number(Double(size)), "use_bias": .bool(parts.bias != nil), "activation": .string(function),
        ], reading: [input])
      put(try tensor(layer, parts.weight).transposed(), node, "kernel", 0, source: [layer.parameterName(parts.weight)])
      if let bias = parts.bias { put(try tensor(layer, bias), node, "bias", 1, source: [layer.parameterName(bias)]) }
      return Value(node: node, axes: KerasValue.steps, shape: [input.shape[0], size])
    }
    let bias = kind.hasBias ? "bias" : nil
    var scores: Value
    switch kind.form {
    case .vector: scores = try dense(("weight", bias), 1, kind.scoreActivation, read, "score")
    case .feature: scores = try dense(("weight", bias), value.width, kind.scoreActivation, read, "score")
    case .tanh:
      let inner = try dense(("weight", bias), kind.size, .tanh, read, "hidden")
      scores = try dense(("score", kind.hasScoreBias ? "score_bias" : nil), 1, kind.scoreActivation, inner, "score")
    }
    scores.node = add("Softmax", fresh("\(layer.name)_weights"), ["axis": 1], reading: [scores])
    if kind.form == .feature {
      scores.node = add("Multiply", fresh("\(layer.name)_products"), [:], reading: [scores, read], isList: true)
      return addSum(layer, scores)
    }
    let product = add(
      "Dot", fresh("\(layer.name)_sum"), ["axes": 1, "normalize": false], reading: [scores, read], isList: true)
    let sum = Value(node: product, axes: KerasValue.steps, shape: [1, value.width])
    let node = add("Flatten", fresh(layer.name), [:], reading: [sum])
    values[layer.name] = Value(node: node, axes: KerasValue.row, shape: [value.width])
  }

  mutating func addDotAttention(
    _ layer: Layer, _ kind: Layer.DotAttention, _ given: [Value], _ value: LayerValue
  ) throws(CheckpointError) {
    var read: [Value] = []
    for one in given { read.append(try rows(one, layer)) }
    guard read.dropFirst().allSatisfy({ $0.axes == KerasValue.steps && (!$0.isReversed || !kind.isCausal) }) else {
      throw refused(layer, "keys or values that are no steps")
    }
    // One row a sequence is a query of one step.
    let isRow = read[0].axes == KerasValue.row
    if isRow {
      let node = add("RepeatVector", fresh("\(layer.name)_query"), ["n": 1], reading: [read[0]])
      read[0] = Value(node: node, axes: KerasValue.steps, shape: [1] + read[0].shape)
    }
    var made = read[0]
    if kind.heads == 1 {
      made.node = try addProducts(layer, kind, read, name: { writer, className in writer.name(for: layer, className) })
    } else {
      // Each head has its own part of the features.
      let heads = (0..<kind.heads).map { head in
        read.map { one in
          let width = (one.shape.last.flatMap { $0 } ?? 0) / kind.heads
          return part(of: one, features: head * width..<(head + 1) * width)
        }
      }
      var parts: [Value] = []
      for head in heads {
        var result = head[0]
        result.node = try addProducts(layer, kind, head, name: { writer, _ in writer.fresh("\(layer.name)_head") })
        (result.output, result.shape) = (0, [head[0].shape[0], value.width / kind.heads])
        parts.append(result)
      }
      made.node = add("Concatenate", fresh(layer.name), ["axis": -1], reading: parts, isList: true)
    }
    (made.output, made.shape) = (0, [read[0].shape[0], value.width])
    if isRow {
      made.node = add("Flatten", fresh("\(layer.name)_row"), [:], reading: [made])
      (made.axes, made.shape) = (KerasValue.row, [value.width])
    }
    values[layer.name] = made
  }

  /// Keras' Attention of one head.
  private mutating func addProducts(
    _ layer: Layer, _ kind: Layer.DotAttention, _ read: [Value], name: (inout KerasGraphExport, String) -> String
  ) throws(CheckpointError) -> Int {
    let className = kind.isAdditive ? "AdditiveAttention" : "Attention"
    let node = add(
      className, name(&self, className), ["use_scale": .bool(kind.hasScale || kind.isScaled), "dropout": 0],
      reading: read, isList: true)
    if kind.isCausal { change(node) { $0.keywords["use_causal_mask"] = true } }
    if kind.isScaled {
      // Keras has the divisor as a scale that is learned.
      guard !kind.hasScale, let width = read[0].shape.last.flatMap({ $0 }) else {
        throw refused(layer, "a learned scale beside the usual one")
      }
      let scale = StoredTensor(name: "scale", shape: [], values: [1 / Float(width).squareRoot()])
      put(scale, node, "scale", 0, source: [])
    } else if kind.hasScale {
      put(try tensor(layer, "scale"), node, "scale", 0, source: [layer.parameterName("scale")])
    }
    return node
  }
}
