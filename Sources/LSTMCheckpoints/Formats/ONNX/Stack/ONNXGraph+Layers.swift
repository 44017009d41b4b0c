// What has weights or reads the steps: dense layers, activations, readouts, norms.

extension ONNXGraph {
  mutating func layerResult(of node: ONNXModel.Node) -> ONNXValue? {
    switch node.operation {
    case "MatMul": return matrixProduct(node)
    case "Gemm": return generalProduct(node)
    case "Add":
      if let known = withBias(node) { return known }
      return scaled(node)
    case "Sub": return scaled(node)
    case "Relu": return activated(node, .relu)
    case "Tanh": return activated(node, .tanh)
    case "Sigmoid": return activated(node, .sigmoid)
    case "Softmax": return softmax(node)
    case "ReduceMean": return pooled(node, .mean)
    case "ReduceMax": return pooled(node, .max)
    case "ReduceSum": return summed(node)
    case "ReduceL2": return norm(node)
    case "Clip", "Max": return bounded(node)
    case "Div":
      if let known = divided(node) { return known }
      return scaled(node)
    case "LpNormalization": return lpNormalized(node)
    default: return nil
    }
  }

  // MARK: - Dense layers

  private mutating func matrixProduct(_ node: ONNXModel.Node) -> ONNXValue? {
    guard node.inputs.count == 2, var weight = constant(node, 1), weight.shape.count == 2,
      weight.tensor.dataType.isFloatingPoint
    else { return nil }
    weight.isTransposed.toggle()
    return dense(flow(node, mayBeActivated: true), weight, bias: nil)
  }

  private mutating func generalProduct(_ node: ONNXModel.Node) -> ONNXValue? {
    guard node.inputs.count >= 2, var weight = constant(node, 1), weight.shape.count == 2,
      weight.tensor.dataType.isFloatingPoint, number(node, "alpha") ?? 1 == 1, integer(node, "transA") ?? 0 == 0
    else { return nil }
    if integer(node, "transB") ?? 0 == 0 { weight.isTransposed.toggle() }
    var bias: ONNXConstant?
    if !isAbsent(node, 2) {
      guard number(node, "beta") ?? 1 == 1, let found = constant(node, 2), let vector = vector(found, weight.shape[0])
      else { return nil }
      bias = vector
    }
    return dense(flow(node, mayBeActivated: true), weight, bias: bias)
  }

  /// A bias of (O), perhaps with axes of 1 before.
  private func vector(_ constant: ONNXConstant, _ size: Int) -> ONNXConstant? {
    let shape = constant.shape
    guard shape.last == size, shape.dropLast().allSatisfy({ $0 == 1 }), constant.tensor.dataType.isFloatingPoint
    else { return nil }
    return shape.count == 1 ? constant : constant.with(constant.value.reshaped([size]))
  }

  private mutating func dense(_ input: ONNXFlow?, _ weight: ONNXConstant, bias: ONNXConstant?) -> ONNXValue? {
    guard denses.count < 4 * PlainStack.depthLimit,
      weight.shape.allSatisfy({ 1...PlainStack.sizeLimit ~= $0 })
    else { return nil }
    let readable = input.flatMap { flow -> ONNXFlow? in
      guard flow.axes.last == .features, !flow.axes.contains(.stack), !flow.isNormalized, !flow.isWhole,
        !layers.isEmpty,
        flow.featureCount == weight.shape[1]
      else { return nil }
      return flow
    }
    denses.append(Dense(input: readable, weight: weight, bias: bias))
    guard var flow = readable else { return nil }
    flow.parts = [.init(source: .dense(denses.count - 1, .none), size: weight.shape[0])]
    flow.activation = .none
    return .flow(flow)
  }

  private mutating func withBias(_ node: ONNXModel.Node) -> ONNXValue? {
    guard node.inputs.count == 2 else { return nil }
    for (one, other) in [(0, 1), (1, 0)] {
      guard var flow = flow(node, one), let constant = constant(node, other), flow.parts.count == 1,
        case .dense(let index, .none) = flow.parts[0].source, flow.parts[0].pick == .every, denses[index].bias == nil,
        flow.axes.last == .features, let bias = vector(constant, denses[index].weight.shape[0])
      else { continue }
      var dense = denses[index]
      dense.bias = bias
      denses.append(dense)
      flow.parts[0].source = .dense(denses.count - 1, .none)
      return .flow(flow)
    }
    return nil
  }

  private func activated(_ node: ONNXModel.Node, _ activation: PlainStack.Activation) -> ONNXValue? {
    guard var flow = flow(node), !flow.isNormalized, !flow.isWhole else { return nil }
    if flow.parts.count == 1, case .dense(let index, .none) = flow.parts[0].source {
      flow.parts[0].source = .dense(index, activation)
      return .flow(flow)
    }
    // Each value of the LSTM's output is independent, so that steps may be taken before it or after it.
    let isOutput = flow.parts.allSatisfy { if case .hidden = $0.source { true } else { false } }
    guard isOutput, PlainStack.Activation.elementwise.contains(activation) else { return nil }
    flow.activation = activation
    return .flow(flow)
  }

  private func softmax(_ node: ONNXModel.Node) -> ONNXValue? {
    // Before version 13 the axis was 1 and all that follows it was one.
    guard var flow = flow(node),
      let place = axis(integer(node, "axis") ?? (model.opset < 13 ? 1 : -1), rank: flow.axes.count)
    else { return nil }
    if flow.axes[place] == .features, place == flow.axes.count - 1 { return activated(node, .softmax) }
    guard model.opset >= 13, flow.axes[place] == timeAxis.map({ .sequence([$0]) }), flow.parts.count == 1,
      flow.parts[0].size == 1, flow.parts[0].pick == .every, case .dense(let index, .none) = flow.parts[0].source,
      denses[index].bias == nil
    else { return nil }
    flow.parts[0].source = .attention(index)
    return .flow(flow)
  }

  // MARK: - Readouts

  /// The axes that a reduction goes over, and whether they stay.
  private func reduction(_ node: ONNXModel.Node, _ flow: ONNXFlow) -> (axes: [Int], keeps: Bool)? {
    guard let given = integers(node, attribute: "axes", input: 1) else { return nil }
    let axes = given.compactMap { axis($0, rank: flow.axes.count) }
    guard axes.count == given.count, !axes.isEmpty else { return nil }
    return (axes, integer(node, "keepdims") ?? 1 != 0)
  }

  private func overTime(_ node: ONNXModel.Node, _ pick: (ONNXFlow.Part) -> ONNXFlow.Pick?) -> ONNXValue? {
    guard var flow = flow(node), let (axes, keeps) = reduction(node, flow), axes.count == 1, !flow.isNormalized,
      let timeAxis, flow.axes[axes[0]] == .sequence([timeAxis])
    else { return nil }
    for index in flow.parts.indices {
      // A dense layer on every step does not go before a mean.
      if case .dense = flow.parts[index].source { return nil }
      guard let pick = pick(flow.parts[index]) else { return nil }
      flow.parts[index].pick = pick
    }
    if keeps { flow.axes[axes[0]] = .one } else { flow.axes.remove(at: axes[0]) }
    return .flow(flow)
  }

  private func pooled(_ node: ONNXModel.Node, _ pick: ONNXFlow.Pick) -> ONNXValue? {
    overTime(node) { $0.pick == .every ? pick : nil }
  }

  private func summed(_ node: ONNXModel.Node) -> ONNXValue? {
    overTime(node) { part in
      if case .weighted(let index) = part.pick { .attention(index) } else { nil }
    }
  }

  /// Every step times what attention gives it.
  func weighted(_ node: ONNXModel.Node) -> ONNXValue? {
    for (one, other) in [(0, 1), (1, 0)] {
      guard node.inputs.count == 2, let flow = flow(node, one), let weights = flow2(node, other),
        case .attention(let index) = weights.parts[0].source, weights.axes == flow.axes,
        denses[index].input == flow
      else { continue }
      return flow.picking(.weighted(index)).map { .flow($0) }
    }
    return nil
  }

  private func flow2(_ node: ONNXModel.Node, _ index: Int) -> ONNXFlow? {
    flow(node, index).flatMap { $0.parts.count == 1 ? $0 : nil }
  }

  // MARK: - L2 normalization

  private func norm(_ node: ONNXModel.Node) -> ONNXValue? {
    guard let flow = flow(node), let (axes, keeps) = reduction(node, flow), keeps, axes == [flow.axes.count - 1],
      flow.axes.last == .features, !flow.axes.contains(.stack)
    else { return nil }
    return .norm(flow)
  }

  /// A norm kept from being zero.
  private func bounded(_ node: ONNXModel.Node) -> ONNXValue? {
    guard let name = node.inputs.first, case .norm(let flow)? = values[name], isAbsent(node, 2),
      let least = constant(node, 1).flatMap({ floats($0) }), least.allSatisfy({ 0...1e-6 ~= $0 })
    else { return nil }
    return .norm(flow)
  }

  private func divided(_ node: ONNXModel.Node) -> ONNXValue? {
    guard node.inputs.count == 2, var flow = flow(node), case .norm(let of)? = values[node.inputs[1]], of == flow,
      !flow.isNormalized
    else { return nil }
    flow.isNormalized = true
    return .flow(flow)
  }

  private func lpNormalized(_ node: ONNXModel.Node) -> ONNXValue? {
    guard var flow = flow(node), integer(node, "p") ?? 2 == 2, !flow.isNormalized, flow.axes.last == .features,
      !flow.axes.contains(.stack), axis(integer(node, "axis") ?? -1, rank: flow.axes.count) == flow.axes.count - 1
    else { return nil }
    flow.isNormalized = true
    return .flow(flow)
  }
}
