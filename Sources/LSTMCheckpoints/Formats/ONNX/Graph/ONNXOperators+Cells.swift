import FileIO

/// An LSTM cell that is written out: one step from the states that the caller gives.
private struct ONNXWrittenCell {
  /// Dense layers that make the sum of the gates; one of them reads the caller's h.
  var input: (x: String, weight: ONNXConstant, bias: ONNXConstant?)
  var recurrent: (weight: ONNXConstant, bias: ONNXConstant?)
  /// The name of the caller's h, or of the last step's.
  var hidden: String

  /// What tells its weights from those of another cell.
  var weights: String {
    [input.weight, input.bias, recurrent.weight, recurrent.bias]
      .map { $0.map { "\($0.tensor.name) \($0.isTransposed)" } ?? "" }.joined(separator: " ")
  }
}

extension ONNXTranslator {
  /// h' = sigmoid(o) * tanh(c'), with c' = sigmoid(f) * c + sigmoid(i) * tanh(g) of one sum of two matrix products: the
  /// step of an LSTM, at its last node.
  mutating func cellOutput(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    for (one, other) in [(0, 1), (1, 0)] {
      guard node.inputs.count == 2, let gate = origin(node, one), gate.operation == "Sigmoid",
        let squash = origin(node, other), squash.operation == "Tanh", let sum = origin(squash, 0),
        sum.operation == "Add",
        sum.inputs.count == 2, let (output, sumName) = gatePart(gate), output == 3
      else { continue }
      guard let carried = carriedCell(sum, sumName), let linear = linears(sumName) else { continue }
      if let next = try nextStep(node, linear, c: carried, sum) { return next }
      return try cell(node, linear, c: carried, sum)
    }
    return nil
  }

  /// Which quarter of a sum a gate squashes, and the sum's name.
  private func gatePart(_ node: ONNXModel.Node) -> (Int, String)? {
    guard let name = node.inputs.first, let part = origin(name), let whole = part.inputs.first else { return nil }
    let real = realName(name)
    switch part.operation {
    case "Split":
      guard part.outputs.count == 4, let index = part.outputs.firstIndex(of: real) else { return nil }
      if let sizes = integers(part, "split", input: 1), Set(sizes).count != 1 { return nil }
      return (index, realName(whole))
    case "Slice":
      guard let starts = integers(part, "starts", input: 1), let ends = integers(part, "ends", input: 2),
        starts.count == 1, ends.count == 1, let linear = linears(realName(whole)), starts[0] >= 0
      else { return nil }
      let quarter = linear.recurrent.weight.shape[0] / 4
      guard quarter > 0, starts[0] % quarter == 0, min(ends[0], 4 * quarter) - starts[0] == quarter else { return nil }
      return (starts[0] / quarter, realName(whole))
    default: return nil
    }
  }

  /// Past nodes that change nothing.
  private func realName(_ name: String) -> String {
    var name = name
    for _ in 0..<16 {
      guard let node = producers[name], ["Identity", "Cast", "Dropout"].contains(node.operation),
        let below = node.inputs.first
      else { return name }
      name = below
    }
    return name
  }

  /// c of sigmoid(f) * c + sigmoid(i) * tanh(g).
  private func carriedCell(_ sum: ONNXModel.Node, _ gates: String) -> String? {
    for (one, other) in [(0, 1), (1, 0)] {
      guard let keep = origin(sum, one), keep.operation == "Mul", keep.inputs.count == 2,
        let write = origin(sum, other),
        write.operation == "Mul", write.inputs.count == 2
      else { continue }
      var state: String?
      for (gate, value) in [(0, 1), (1, 0)] {
        if let forget = origin(keep, gate), forget.operation == "Sigmoid", let part = gatePart(forget),
          part == (1, gates)
        {
          state = keep.inputs[value]
        }
      }
      let isWritten = [(0, 1), (1, 0)].contains { gate, value in
        guard let input = origin(write, gate), input.operation == "Sigmoid", let first = gatePart(input),
          first == (0, gates),
          let candidate = origin(write, value), candidate.operation == "Tanh", let second = gatePart(candidate)
        else { return false }
        return second == (2, gates)
      }
      if let state, isWritten { return state }
    }
    return nil
  }

  /// The two matrix products of a sum: of what is read, and of the state.
  private func linears(_ name: String) -> ONNXWrittenCell? {
    guard let sum = origin(name), sum.operation == "Add", sum.inputs.count == 2 else { return nil }
    for (one, other) in [(0, 1), (1, 0)] {
      guard let recurrent = linear(sum.inputs[one]), let input = linear(sum.inputs[other]) else { continue }
      let cell = ONNXWrittenCell(input: input, recurrent: (recurrent.weight, recurrent.bias), hidden: recurrent.x)
      if isState(recurrent.x), !isState(input.x) { return cell }
      if let step = step(recurrent.x), unrolled.weights[step.layer] == cell.weights { return cell }
    }
    return nil
  }

  private func isState(_ name: String) -> Bool {
    switch values[name] {
    case .state, .zeros: true
    case .constant(let constant): isZero(constant)
    default: false
    }
  }

  /// Which step of which layer a value is.
  private func step(_ name: String) -> ONNXUnrolled.Step? { rows(named: name).flatMap { unrolled.steps[$0.source] } }

  /// A cell that goes on where another of the same weights ended: the next step of one layer.
  private mutating func nextStep(
    _ node: ONNXModel.Node, _ linear: ONNXWrittenCell, c: String, _ sum: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXMeaning? {
    guard let before = step(linear.hidden), unrolled.weights[before.layer] == linear.weights,
      unrolled.cells[realName(c)] == before, let read = step(linear.input.x), read.step == before.step + 1,
      draft[before.layer].reads == [read.layer], let rows = rows(named: linear.hidden)
    else { return nil }
    for name in sum.outputs {
      values[name] = .finalState(before.layer)
      unrolled.cells[name] = .init(layer: before.layer, step: read.step)
    }
    return .rows(try stepOf(before.layer, read.step, rows, node))
  }

  /// One step of a layer, under the axes of other rows of one step.
  private mutating func stepOf(
    _ layer: Int, _ step: Int, _ rows: ONNXRows, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    let all = ONNXRows(
      source: layer, axes: [.time] + rows.axes.dropLast() + [.row(0)], factors: [draft[layer].value.width])
    return try pick(all, 0, step, node)
  }

  /// A dense layer with its weight as (O, I).
  private func linear(_ name: String) -> (x: String, weight: ONNXConstant, bias: ONNXConstant?)? {
    guard let node = origin(name), node.inputs.count >= 2 else { return nil }
    switch node.operation {
    case "Gemm":
      guard var matrix = weight(node, 1), number(node, "alpha") ?? 1 == 1, number(node, "beta") ?? 1 == 1,
        integer(node, "transA") ?? 0 == 0, matrix.shape.count == 2
      else { return nil }
      if integer(node, "transB") ?? 0 == 0 { matrix.isTransposed.toggle() }
      let bias = isAbsent(node, 2) ? nil : weight(node, 2).flatMap { vector($0, matrix.shape[0]) }
      return bias == nil && !isAbsent(node, 2) ? nil : (node.inputs[0], matrix, bias)
    case "MatMul":
      guard var matrix = weight(node, 1), matrix.shape.count == 2 else { return nil }
      matrix.isTransposed.toggle()
      return (node.inputs[0], matrix, nil)
    case "Add":
      for (one, other) in [(0, 1), (1, 0)] {
        guard let found = weight(node, other), let product = origin(node, one), product.operation == "MatMul",
          let inner = linear(node.inputs[one]), let bias = vector(found, inner.weight.shape[0])
        else { continue }
        return (inner.x, inner.weight, bias)
      }
      return nil
    default: return nil
    }
  }

  private mutating func cell(
    _ node: ONNXModel.Node, _ linear: ONNXWrittenCell, c: String, _ sum: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXMeaning? {
    guard isState(c) else { return nil }
    guard var rows = rows(named: linear.input.x), !rows.hasTime else {
      throw ONNXRefusal(detail: "it is an LSTM cell, but what it reads is not one step")
    }
    let (matrix, square) = (linear.input.weight, linear.recurrent.weight)
    guard square.shape.count == 2, square.shape[0] == 4 * square.shape[1], matrix.shape[0] == square.shape[0],
      let last = rows.axes.indices.last, rows.isWholeRow(at: last), rows.width == matrix.shape[1]
    else { throw ONNXRefusal(detail: "it is an LSTM cell whose weights do not go together") }
    let h = square.shape[1]
    var kind = Layer.Recurrent(.lstm, size: h)
    var parameters = [
      ONNXDraft.Key(name: RecurrentPart.inputWeight.rawValue): parameter(matrix),
      .init(name: RecurrentPart.recurrentWeight.rawValue): parameter(square),
    ]
    let zeros = StoredTensor(name: "zeros", shape: [4 * h], values: [Float](repeating: 0, count: 4 * h))
    let none = ONNXDraft.Parameter(
      constant: ONNXConstant(tensor: zeros, sources: []), how: "zeros, as the graph has none")
    let biases = [linear.input.bias, linear.recurrent.bias].map { $0.map { parameter($0) } }
    kind.bias = biases[0] == nil && biases[1] == nil ? .none : biases[1] == nil ? .single : .dual
    if kind.bias != .none { parameters[.init(name: RecurrentPart.inputBias.rawValue)] = biases[0] ?? none }
    if kind.bias == .dual { parameters[.init(name: RecurrentPart.recurrentBias.rawValue)] = biases[1] ?? none }
    // The first step of several: a loop that is written out.
    if let first = unrolled.steps[rows.source], first.step == 0, draft[first.layer].value.isPerStep,
      steps(of: first.layer) ?? 1 > 1, draft[first.layer].value.vocabulary == nil
    {
      let source = try layer(kind, [first.layer], parameters, node)
      unrolled.weights[source] = linear.weights
      note("LSTM cells of the same weights, one for each step, are taken as one LSTM")
      for name in sum.outputs {
        values[name] = .finalState(source)
        unrolled.cells[name] = .init(layer: source, step: 0)
      }
      return .rows(try stepOf(source, 0, rows, node))
    }
    if !draft[rows.source].value.isPerStep {
      rows = rows.of(try layer(Layer.Reshape(.steps, steps: 1), [rows.source], node))
    }
    let read = try plain(rows.source, node)
    let source = try layer(kind, [read], parameters, node)
    note(
      "\(node.description) ends an LSTM cell: one step from states that the caller gives; here it is run over all steps"
    )
    // The new cell state, which a caller takes back.
    for name in sum.outputs {
      values[name] = .finalState(source)
      carried.ends[name] = .init(layer: source, isCell: true, hasDirections: false)
    }
    for name in node.outputs { carried.ends[name] = .init(layer: source, isCell: false, hasDirections: false) }
    carried.starts[source] = [linear.hidden, c]
    return .rows(ONNXRows(source: source, axes: rows.axes.dropLast() + [.row(0)], factors: [h]))
  }
}
