import FileIO

extension ONNXNetworkWriter {
  mutating func attention(_ kind: Layer.Attention, _ place: ONNXPlace) throws(CheckpointError) -> String {
    var scores = builder.node("MatMul", [place.input, transposed(try weight("weight", place), [1, 0])])
    if kind.hasBias { scores = builder.node("Add", [scores, try weight("bias", place)]) }
    if kind.form == .tanh {
      scores = builder.node(
        "MatMul", [builder.node("Tanh", [scores]), transposed(try weight("score", place), [1, 0])])
      if kind.hasScoreBias { scores = builder.node("Add", [scores, try weight("score_bias", place)]) }
    }
    let shares = builder.node("Softmax", [activated(scores, kind.scoreActivation, nil)], ["axis": .integer(1)])
    let weighted = builder.node("Mul", [place.input, shares])
    return builder.node("ReduceSum", [weighted, builder.integers([1])], ["keepdims": .integer(0)])
  }

  mutating func dotAttention(_ kind: Layer.DotAttention, _ place: ONNXPlace) throws(CheckpointError) -> String {
    let key = place.inputs.count > 2 ? place.inputs[2] : place.inputs[1]
    if kind.isAdditive { return try additiveAttention(kind, place, key) }
    let query = place.isPerStep ? place.input : builder.node("Unsqueeze", [place.input, builder.integers([1])])
    /// (B, T, S) as (B, heads, T, S / heads), or (B, heads, S / heads, T).
    func heads(_ value: String, isTurned: Bool = false) -> String {
      guard kind.heads > 1 else { return isTurned ? transposed(value, [0, 2, 1]) : value }
      return transposed(reshaped(value, [0, 0, kind.heads, -1]), isTurned ? [0, 2, 3, 1] : [0, 2, 1, 3])
    }
    var scores = builder.node("MatMul", [heads(query), heads(key, isTurned: true)])
    if kind.hasScale { scores = builder.node("Mul", [scores, try weight("scale", place)]) }
    if kind.isScaled {
      let factor = 1 / Float(place.values[0].width / kind.heads).squareRoot()
      scores = builder.node("Mul", [scores, builder.floats([factor], isScalar: true)])
    }
    if kind.isCausal { scores = withoutLater(scores) }
    let shares = builder.node("Softmax", [scores], ["axis": .integer(-1)])
    var result = builder.node("MatMul", [shares, heads(place.inputs[1])])
    if kind.heads > 1 { result = reshaped(transposed(result, [0, 2, 1, 3]), [0, 0, place.value.width]) }
    return place.isPerStep ? result : builder.node("Squeeze", [result, builder.integers([1])])
  }

  private mutating func additiveAttention(
    _ kind: Layer.DotAttention, _ place: ONNXPlace, _ key: String
  ) throws(CheckpointError) -> String {
    let size = place.values[0].width
    // Each query beside each key: (B, T, 1, S) and (B, 1, U, S); one query beside each key: (B, 1, S) and (B, U, S).
    let query = builder.node("Unsqueeze", [place.input, builder.integers([place.isPerStep ? 2 : 1])])
    let keys = place.isPerStep ? builder.node("Unsqueeze", [key, builder.integers([1])]) : key
    let squashed = builder.node("Tanh", [builder.node("Add", [query, keys])])
    let vector =
      kind.hasScale ? try weight("scale", place) : builder.floats([Float](repeating: 1, count: size))
    var scores = builder.node("MatMul", [squashed, builder.node("Unsqueeze", [vector, builder.integers([1])])])
    if kind.hasBias { scores = builder.node("Add", [scores, try weight("bias", place)]) }
    guard place.isPerStep else {
      let shares = builder.node("Softmax", [scores], ["axis": .integer(1)])
      let result = builder.node("MatMul", [transposed(shares, [0, 2, 1]), place.inputs[1]])
      return builder.node("Squeeze", [result, builder.integers([1])])
    }
    scores = builder.node("Squeeze", [scores, builder.integers([-1])])
    if kind.isCausal { scores = withoutLater(scores) }
    let shares = builder.node("Softmax", [scores], ["axis": .integer(-1)])
    return builder.node("MatMul", [shares, place.inputs[1]])
  }

  /// Scores of steps that come later than their query's are as low as can be.
  private mutating func withoutLater(_ scores: String) -> String {
    let shape = builder.node(
      "Slice",
      [builder.node("Shape", [scores]), builder.integers([-2]), builder.integers([1 << 40]), builder.integers([0])])
    let all = builder.node("Expand", [builder.floats([-1e30], isScalar: true), shape])
    let later = builder.node("Trilu", [all, builder.integers([1], isScalar: true)], ["upper": .integer(1)])
    return builder.node("Add", [scores, later])
  }

  /// (B, T, E) -> (B, T, E), with heads between batch and time.
  mutating func selfAttention(_ kind: Layer.SelfAttention, _ place: ONNXPlace) throws(CheckpointError) -> String {
    let size = place.value.width
    let each = size / kind.heads
    var value = builder.node("MatMul", [place.input, transposed(try weight("in_proj_weight", place), [1, 0])])
    if kind.hasBias { value = builder.node("Add", [value, try weight("in_proj_bias", place)]) }
    var parts: [String] = []
    for part in 0..<3 {
      let apart = reshaped(slice(value, part * size, size), [0, 0, kind.heads, each])
      parts.append(transposed(apart, part == 1 ? [0, 2, 3, 1] : [0, 2, 1, 3]))
    }
    var scores = builder.node("MatMul", [parts[0], parts[1]])
    scores = builder.node("Mul", [scores, builder.floats([1 / Float(each).squareRoot()], isScalar: true)])
    if kind.isCausal { scores = withoutLater(scores) }
    let shares = builder.node("Softmax", [scores], ["axis": .integer(-1)])
    let heads = transposed(builder.node("MatMul", [shares, parts[2]]), [0, 2, 1, 3])
    let joined = reshaped(heads, [0, 0, size])
    value = builder.node("MatMul", [joined, transposed(try weight("out_proj.weight", place), [1, 0])])
    return kind.hasBias ? builder.node("Add", [value, try weight("out_proj.bias", place)]) : value
  }
}
