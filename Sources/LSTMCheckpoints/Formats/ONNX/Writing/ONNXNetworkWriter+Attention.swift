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
    if kind.heads > 1 { throw refused(place, "attention of several heads by products") }
    let key = place.inputs.count > 2 ? place.inputs[2] : place.inputs[1]
    let query = place.isPerStep ? place.input : builder.node("Unsqueeze", [place.input, builder.integers([1])])
    var scores: String
    if kind.isAdditive {
      // Each query beside each key: (B, T, 1, S) and (B, 1, U, S).
      let sum = builder.node(
        "Add",
        [
          builder.node("Unsqueeze", [query, builder.integers([2])]),
          builder.node("Unsqueeze", [key, builder.integers([1])]),
        ])
      var squashed = builder.node("Tanh", [sum])
      if kind.hasScale { squashed = builder.node("Mul", [squashed, try weight("scale", place)]) }
      scores = builder.node("ReduceSum", [squashed, builder.integers([-1])], ["keepdims": .integer(0)])
    } else {
      scores = builder.node("MatMul", [query, transposed(key, [0, 2, 1])])
      if kind.hasScale { scores = builder.node("Mul", [scores, try weight("scale", place)]) }
      if kind.isScaled {
        let factor = builder.floats([1 / Float(place.value.width).squareRoot()], isScalar: true)
        scores = builder.node("Mul", [scores, factor])
      }
    }
    if kind.isCausal { scores = withoutLater(scores) }
    let shares = builder.node("Softmax", [scores], ["axis": .integer(-1)])
    let result = builder.node("MatMul", [shares, place.inputs[1]])
    return place.isPerStep ? result : builder.node("Squeeze", [result, builder.integers([1])])
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
