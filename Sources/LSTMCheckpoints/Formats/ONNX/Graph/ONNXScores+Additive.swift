import FileIO

extension ONNXTranslator {
  /// Rows (N, T, 1, S) and (N, 1, U, S); nil where it is another sum.
  func pairs(_ node: ONNXModel.Node) -> ONNXScores? {
    guard node.operation == "Add", node.inputs.count == 2, let a = rows(node), let b = rows(node, 1),
      a.axes.count == b.axes.count, a.factors == b.factors, a.factors.count == 1
    else { return nil }
    let axes = zip(a.axes, b.axes).map { one, other -> ONNXScores.Axis? in
      switch (one, other) {
      case (.time, .one): .first
      case (.one, .time): .second
      case (.row(0), .row(0)): .row
      case (.one, .one): .one
      default: one == other && one != .time ? .lead(one) : nil
      }
    }
    let known = axes.compactMap { $0 }
    guard known.count == axes.count, known.last == .row, known.filter({ $0 == .first }).count == 1,
      known.filter({ $0 == .second }).count == 1
    else { return nil }
    return ONNXScores(first: a, second: b, axes: known, additive: ONNXAdditiveScores())
  }

  private func additive(_ node: ONNXModel.Node, _ input: Int = 0) -> (ONNXScores, ONNXAdditiveScores)? {
    guard case .scores(let scores)? = meaning(node, input), let additive = scores.additive, scores.soft == nil else {
      return nil
    }
    return (scores, additive)
  }

  /// tanh
  func squashed(_ node: ONNXModel.Node) -> ONNXMeaning? {
    guard node.operation == "Tanh", var (scores, additive) = additive(node), !additive.isSquashed else { return nil }
    additive.isSquashed = true
    scores.additive = additive
    return .scores(scores)
  }

  /// A product with a vector, value by value (`Mul`) or as a matrix of one column (`MatMul`), or the sum after the former.
  func summedPairs(_ node: ONNXModel.Node) -> ONNXMeaning? {
    if node.operation == "ReduceSum" {
      guard var (scores, additive) = additive(node), additive.isSquashed, !additive.isSummed,
        let (axes, keeps) = reduced(node, scores.axes.count), axes.count == 1, scores.axes[axes[0]] == .row
      else { return nil }
      additive.isSummed = true
      scores.additive = additive
      if keeps { scores.axes[axes[0]] = .one } else { scores.axes.remove(at: axes[0]) }
      return .scores(scores)
    }
    for (one, other) in node.operation == "Mul" ? [(0, 1), (1, 0)] : [(0, 1)] {
      guard node.inputs.count == 2, var (scores, additive) = additive(node, one), additive.isSquashed,
        !additive.isSummed, additive.scale == nil, scores.axes.last == .row, let vector = weight(node, other)
      else { continue }
      let size = scores.first.width
      guard vector.shape.reduce(1, *) == size,
        node.operation == "Mul" ? vector.shape.last == size : vector.shape == [size, 1]
      else { return nil }
      additive.scale = vector.with { $0.reshaped([size]) }
      if node.operation == "MatMul" {
        additive.isSummed = true
        scores.axes[scores.axes.count - 1] = .one
      }
      scores.additive = additive
      return .scores(scores)
    }
    return nil
  }

  /// One number beside every score, which the softmax takes out again.
  func biasedPairs(_ node: ONNXModel.Node) -> ONNXMeaning? {
    for (one, other) in [(0, 1), (1, 0)] {
      guard node.operation == "Add", node.inputs.count == 2, var (scores, additive) = additive(node, one),
        additive.isSummed, additive.bias == nil, let bias = weight(node, other), bias.shape.reduce(1, *) == 1
      else { continue }
      additive.bias = bias.with { $0.reshaped([1]) }
      scores.additive = additive
      return .scores(scores)
    }
    return nil
  }

  /// The layer's kind and parameters. A vector of ones is none.
  func additiveAttention(
    _ scale: ONNXConstant?, _ bias: ONNXConstant?
  ) -> (kind: Layer.DotAttention, parameters: [ONNXDraft.Key: ONNXDraft.Parameter]) {
    var kind = Layer.DotAttention()
    kind.isAdditive = true
    var parameters: [ONNXDraft.Key: ONNXDraft.Parameter] = [:]
    if let scale, (try? scale.value.floats().allSatisfy { $0 == 1 }) != true {
      kind.hasScale = true
      parameters[.init(name: "scale")] = parameter(scale)
    }
    if let bias {
      kind.hasBias = true
      parameters[.init(name: "bias")] = parameter(bias)
    }
    return (kind, parameters)
  }
}
