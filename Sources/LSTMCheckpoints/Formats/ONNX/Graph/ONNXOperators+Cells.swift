import FileIO

/// A recurrent cell that is written out, in the project's order of gates.
struct ONNXWrittenCell {
  var cell: Layer.Recurrent.Cell
  var x: String
  var hidden: String
  /// An LSTM's c, and the node that gives the next one.
  var carried: (name: String, sum: ONNXModel.Node)?
  var input: [ONNXPiece]
  var recurrent: [ONNXPiece]
  /// Of each gate, what is added.
  var inputBiases: [[ONNXPiece]]
  var recurrentBiases: [[ONNXPiece]]
  var gates = Activation.sigmoid
  var activation = Activation.tanh
  var outputActivation: Activation?
  var resetsAfter = true

  /// What tells its weights from those of another cell.
  var weights: String {
    let lists = [input, recurrent] + inputBiases + recurrentBiases
    return lists.map { $0.map(\.identity).joined(separator: " ") }.joined(separator: "; ")
  }
}

extension ONNXTranslator {
  /// h' = o * tanh(c'), with c' = f * c + i * g: the step of an LSTM, at its last node.
  mutating func cellOutput(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    for (one, other) in [(0, 1), (1, 0)] {
      guard node.inputs.count == 2, let output = gate(node.inputs[one]), let squash = gate(node.inputs[other]),
        let sum = origin(squash.inner), sum.operation == "Add", sum.inputs.count == 2,
        let o = linearForm(output.inner)
      else { continue }
      for (kept, written) in [(0, 1), (1, 0)] {
        guard let keep = origin(sum, kept), keep.operation == "Mul", keep.inputs.count == 2,
          let write = origin(sum, written), write.operation == "Mul", write.inputs.count == 2
        else { continue }
        for (gateAt, stateAt) in [(0, 1), (1, 0)] {
          guard let forget = gate(keep.inputs[gateAt]), forget.activation == output.activation,
            let f = linearForm(forget.inner), isCarried(keep.inputs[stateAt]),
            let parts = halves(write, output.activation)
          else { continue }
          let ended = endedLayer(keep.inputs[stateAt])
          guard
            var cell = cell(
              .lstm, [parts.input, f, parts.candidate, o],
              startsFrom: { name in ended != nil && readLayer(name) == ended })
          else { continue }
          cell.carried = (keep.inputs[stateAt], sum)
          (cell.gates, cell.activation) = (output.activation, parts.activation)
          if squash.activation != parts.activation { cell.outputActivation = squash.activation }
          if let found = try take(cell, node) { return found }
        }
      }
    }
    return nil
  }

  /// i and g of i * g.
  private func halves(
    _ node: ONNXModel.Node, _ activation: Activation
  ) -> (input: ONNXLinearForm, candidate: ONNXLinearForm, activation: Activation)? {
    for (one, other) in [(0, 1), (1, 0)] {
      guard let input = gate(node.inputs[one]), input.activation == activation,
        let candidate = gate(node.inputs[other]), candidate.activation != activation || one == 0,
        let i = linearForm(input.inner), let g = linearForm(candidate.inner)
      else { continue }
      return (i, g, candidate.activation)
    }
    return nil
  }

  private func isCarried(_ name: String) -> Bool {
    isWrittenState(name) || unrolled.cells[realName(name)] != nil || endedLayer(name) != nil
  }

  /// h' = z * h + (1 - z) * n or n + z * (h - n): the step of a GRU, at its last node.
  mutating func gruOutput(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    guard node.operation == "Add", node.inputs.count == 2 else { return nil }
    for (one, other) in [(0, 1), (1, 0)] {
      guard let product = origin(node, other), product.operation == "Mul", product.inputs.count == 2 else { continue }
      for (a, b) in [(0, 1), (1, 0)] {
        guard let difference = origin(product, a), difference.operation == "Sub", difference.inputs.count == 2 else {
          continue
        }
        let rest = product.inputs[b]
        // n + (h - n) * z
        if realName(difference.inputs[1]) == realName(node.inputs[one]), let update = gate(rest),
          let found = try gru(update, new: node.inputs[one], hidden: difference.inputs[0], node)
        {
          return found
        }
        // z * h + (1 - z) * n
        guard scalar(difference, 0) == 1, let update = gate(difference.inputs[1]), let keep = origin(node, one),
          keep.operation == "Mul", keep.inputs.count == 2
        else { continue }
        for (z, h) in [(0, 1), (1, 0)] where realName(keep.inputs[z]) == realName(difference.inputs[1]) {
          if let found = try gru(update, new: rest, hidden: keep.inputs[h], node) { return found }
        }
      }
    }
    return nil
  }

  private mutating func gru(
    _ update: (activation: Activation, inner: String), new: String, hidden: String, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXMeaning? {
    guard let z = linearForm(update.inner), let candidate = gate(new) else { return nil }
    func isHidden(_ name: String) -> Bool {
      realName(name) == realName(hidden) || isZeroState(name) && isZeroState(hidden)
    }
    func isEnd(_ name: String) -> Bool { isHidden(name) && readLayer(name) != nil }
    /// r of r * something.
    func reset(_ name: String) -> (form: ONNXLinearForm, other: String)? {
      guard let product = origin(name), product.operation == "Mul", product.inputs.count == 2 else { return nil }
      for (a, b) in [(0, 1), (1, 0)] {
        if let found = gate(product.inputs[a]), found.activation == update.activation,
          let form = linearForm(found.inner)
        {
          return (form, product.inputs[b])
        }
      }
      return nil
    }
    var made: ONNXWrittenCell?
    if let sum = origin(candidate.inner), sum.operation == "Add", sum.inputs.count == 2 {
      // n = tanh(Wx + r * (Uh))
      for (a, b) in [(0, 1), (1, 0)] {
        guard let x = linearForm(sum.inputs[a]), let (r, inner) = reset(sum.inputs[b]), let h = linearForm(inner),
          h.parts.count == 1, isHidden(h.parts[0].x), x.size == h.size
        else { continue }
        let both = ONNXLinearForm(parts: x.parts + h.parts, biases: x.biases)
        made = cell(.gru, [r, z, both], recurrentBiases: [2: h.biases], startsFrom: isEnd)
      }
    }
    if made == nil, var n = linearForm(candidate.inner),
      let place = n.parts.firstIndex(where: { reset($0.x).map { isHidden($0.other) } ?? false }),
      let (r, _) = reset(n.parts[place].x)
    {
      // n = tanh(Wx + U(r * h))
      n.parts[place].x = hidden
      made = cell(.gru, [r, z, n], startsFrom: isEnd)
      made?.resetsAfter = false
    }
    guard var cell = made, isHidden(cell.hidden) else { return nil }
    (cell.gates, cell.activation) = (update.activation, candidate.activation)
    return try take(cell, node)
  }

  /// h' = tanh(Wx + Uh): the step of a plain recurrent layer.
  mutating func rnnOutput(_ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    guard let name = node.outputs.first, let (activation, inner) = gate(name), let form = linearForm(inner),
      form.parts.count == 2,
      // A part of the rows is a gate of another cell.
      form.parts.allSatisfy({ $0.weight.rows == 0..<($0.weight.constant.shape.first ?? 0) }),
      var cell = cell(.rnn, [form])
    else { return nil }
    cell.activation = activation
    return try take(cell, node)
  }

  /// Gates as sums of one product of what is read and one of the state.
  /// - Parameter startsFrom: whether a value is the last state of another layer, which this one starts from.
  private func cell(
    _ kind: Layer.Recurrent.Cell, _ forms: [ONNXLinearForm], recurrentBiases: [Int: [ONNXPiece]] = [:],
    startsFrom: (String) -> Bool = { _ in false }
  ) -> ONNXWrittenCell? {
    guard let first = forms.first, first.parts.count == 2, forms.allSatisfy({ $0.parts.count == 2 }) else { return nil }
    let names = first.parts.map { realName($0.x) }
    var found: ONNXWrittenCell?
    for (x, h) in [(0, 1), (1, 0)] {
      guard names[x] != names[h] else { continue }
      let both = forms.map { form -> (x: ONNXLinearForm.Part, h: ONNXLinearForm.Part)? in
        guard let one = form.parts.first(where: { realName($0.x) == names[x] }),
          let other = form.parts.first(where: { realName($0.x) == names[h] })
        else { return nil }
        return (one, other)
      }
      let parts = both.compactMap { $0 }
      guard parts.count == forms.count, let size = first.size, forms.allSatisfy({ $0.size == size }),
        parts.allSatisfy({ $0.h.weight.constant.shape.last == size })
      else { continue }
      let made = ONNXWrittenCell(
        cell: kind, x: first.parts[x].x, hidden: first.parts[h].x, input: parts.map(\.x.weight),
        recurrent: parts.map(\.h.weight),
        inputBiases: zip(parts, forms).map { [$0.x.bias].compactMap { $0 } + $1.biases },
        recurrentBiases: parts.enumerated().map { [$1.h.bias].compactMap { $0 } + (recurrentBiases[$0] ?? []) })
      // What is known to be the state is none of the other.
      if startsFrom(made.hidden) { return made }
      let isNext = step(made.hidden).map { unrolled.weights[$0.layer] == made.weights } ?? false
      if found == nil, isNext || isWrittenState(made.hidden) && !isWrittenState(made.x) { found = made }
    }
    return found
  }

  /// Which step of which layer a value is.
  private func step(_ name: String) -> ONNXUnrolled.Step? { rows(named: name).flatMap { unrolled.steps[$0.source] } }

  private mutating func take(_ cell: ONNXWrittenCell, _ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    if let next = try nextStep(node, cell) { return next }
    return try begin(cell, node)
  }

  /// A cell that goes on where another of the same weights ended: the next step of one layer.
  private mutating func nextStep(
    _ node: ONNXModel.Node, _ cell: ONNXWrittenCell
  ) throws(ONNXRefusal) -> ONNXMeaning? {
    guard let before = step(cell.hidden), unrolled.weights[before.layer] == cell.weights,
      cell.carried.map({ unrolled.cells[realName($0.name)] == before }) ?? true, let read = step(cell.x),
      read.step == before.step + 1, draft[before.layer].reads == [read.layer], let rows = rows(named: cell.hidden)
    else { return nil }
    for name in cell.carried?.sum.outputs ?? [] {
      values[name] = .finalState(before.layer)
      unrolled.cells[name] = .init(layer: before.layer, step: read.step)
    }
    return .rows(try stepOf(before.layer, read.step, rows, node))
  }

  /// One step of a layer, under the axes of other rows of one step.
  mutating func stepOf(
    _ layer: Int, _ step: Int, _ rows: ONNXRows, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    let all = ONNXRows(
      source: layer, axes: [.time] + rows.axes.dropLast() + [.row(0)], factors: [draft[layer].value.width])
    let taken = try pick(all, 0, step, node)
    if loops > 0 { unrolled.steps[taken.source] = .init(layer: layer, step: step) }
    return taken
  }

  /// The pieces of all gates as one parameter.
  func stacked(_ pieces: [ONNXPiece]) -> ONNXDraft.Parameter? {
    guard let first = pieces.first, pieces.allSatisfy({ $0.constant.depth < ONNXConstant.depthLimit }) else {
      return nil
    }
    let isOne = pieces.allSatisfy { $0.text == first.text }
    var next = 0
    let isWhole =
      isOne
      && pieces.allSatisfy { piece in
        defer { next = piece.rows.upperBound }
        return piece.rows.lowerBound == next
      }
    if isWhole, next == first.constant.shape[0] { return parameter(first.constant) }
    let tensor =
      isOne
      ? first.constant.value.gathering(pieces.map(\.rows))
      : StoredTensor.concatenating(pieces.map { $0.constant.value.gathering([$0.rows]) })
    return .init(
      constant: ONNXConstant(
        tensor: tensor, sources: pieces.reduce(into: Set()) { $0.formUnion($1.constant.sources) },
        depth: (pieces.map(\.constant.depth).max() ?? 0) + 1),
      how: "gates put in order")
  }

  /// The sum of the biases of all gates; nil where there are none.
  private func stacked(_ lists: [[ONNXPiece]], size: Int) -> ONNXDraft.Parameter? {
    guard let count = lists.map(\.count).max(), count > 0 else { return nil }
    let zeros = ONNXPiece(
      ONNXConstant(
        tensor: StoredTensor(name: "zeros", shape: [size], values: [Float](repeating: 0, count: size)), sources: []))
    var sum: ONNXDraft.Parameter?
    for index in 0..<count {
      guard let next = stacked(lists.map { $0.indices.contains(index) ? $0[index] : zeros }) else { return nil }
      guard let known = sum else {
        sum = next
        continue
      }
      let (one, other) = (known.constant.value, next.constant.value)
      sum = .init(
        constant: ONNXConstant(
          tensor: one.adding(other), sources: known.constant.sources.union(next.constant.sources),
          depth: max(known.constant.depth, next.constant.depth) + 1), how: "the sum of two")
    }
    return sum
  }

  private mutating func begin(_ cell: ONNXWrittenCell, _ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXMeaning? {
    let other = startingLayer(cell)
    guard other != nil || isWrittenState(cell.hidden) && cell.carried.map({ isWrittenState($0.name) }) ?? true else {
      return nil
    }
    let name = cell.cell.rawValue.uppercased()
    var found = rows(named: cell.x)
    if found == nil { found = try rowsOfZeros(cell, node) }
    guard var rows = found, !rows.hasTime else {
      throw ONNXRefusal(detail: "it is a cell (\(name)), but what it reads is not one step")
    }
    let h = cell.input[0].rows.count
    guard let last = rows.axes.indices.last, rows.isWholeRow(at: last), rows.width == cell.input[0].constant.shape.last,
      let matrix = stacked(cell.input), let square = stacked(cell.recurrent)
    else { throw ONNXRefusal(detail: "it is a cell (\(name)) whose weights do not go together") }
    var kind = Layer.Recurrent(cell.cell, size: h)
    if cell.cell != .rnn { kind.gateActivation = cell.gates }
    kind.activation = cell.activation
    kind.outputActivation = cell.outputActivation
    if cell.cell == .gru { kind.resetsAfter = cell.resetsAfter }
    var parameters = [
      ONNXDraft.Key(name: RecurrentPart.inputWeight.rawValue): matrix,
      .init(name: RecurrentPart.recurrentWeight.rawValue): square,
    ]
    let count = cell.cell.gateCount * h
    let zeros = StoredTensor(name: "zeros", shape: [count], values: [Float](repeating: 0, count: count))
    let none = ONNXDraft.Parameter(
      constant: ONNXConstant(tensor: zeros, sources: []), how: "zeros, as the graph has none")
    let biases = [stacked(cell.inputBiases, size: h), stacked(cell.recurrentBiases, size: h)]
    kind.bias = biases[0] == nil && biases[1] == nil ? .none : biases[1] == nil ? .single : .dual
    if kind.bias != .none { parameters[.init(name: RecurrentPart.inputBias.rawValue)] = biases[0] ?? none }
    if kind.bias == .dual { parameters[.init(name: RecurrentPart.recurrentBias.rawValue)] = biases[1] ?? none }
    kind.isReversed = reversedSteps.contains(rows.source)
    if other != nil { kind.initialFrom = "" } else { try startLoop(&kind, &parameters, cell) }
    // The first step of several: a loop, or one that is written out.
    if let first = unrolled.steps[rows.source], first.step == 0, draft[first.layer].value.isPerStep,
      loops > 0 || steps(of: first.layer) ?? 1 > 1, draft[first.layer].value.vocabulary == nil
    {
      let source = try layer(kind, [first.layer], parameters, startsFrom: other, node)
      unrolled.weights[source] = cell.weights
      if loops > 0 {
        masks.cells[source] = [realName(cell.hidden)] + (cell.carried.map { [realName($0.name)] } ?? [])
      }
      if loops == 0 { note("\(name) cells of the same weights, one for each step, are taken as one \(name)") }
      for name in cell.carried?.sum.outputs ?? [] {
        values[name] = .finalState(source)
        unrolled.cells[name] = .init(layer: source, step: 0)
      }
      let isReversed = reversedSteps.contains(rows.source)
      let taken = try stepOf(source, 0, rows, node)
      if isReversed { reversedSteps.insert(taken.source) }
      return .rows(taken)
    }
    guard loops == 0 else { return nil }
    if !draft[rows.source].value.isPerStep {
      rows = rows.of(try layer(Layer.Reshape(.steps, steps: 1), [rows.source], node))
    }
    let read = try plain(rows.source, node)
    let source = try layer(kind, [read], parameters, startsFrom: other, node)
    if other != nil { return try oneStep(source, cell, rows, node) }
    note(
      "\(node.description) ends a cell (\(name)): one step from states that the caller gives; here it is run over all steps"
    )
    // The new cell state, which a caller takes back.
    for name in cell.carried?.sum.outputs ?? [] {
      values[name] = .finalState(source)
      carried.ends[name] = .init(layer: source, isCell: true, hasDirections: false)
    }
    for name in node.outputs { carried.ends[name] = .init(layer: source, isCell: false, hasDirections: false) }
    carried.starts[source] = [cell.hidden] + (cell.carried.map { [$0.name] } ?? [])
    return .rows(ONNXRows(source: source, axes: rows.axes.dropLast() + [.row(0)], factors: [h]))
  }
}
