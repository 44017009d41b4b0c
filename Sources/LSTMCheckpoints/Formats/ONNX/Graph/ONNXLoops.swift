import FileIO

// `Loop` over the steps of a sequence, as Keras' exporter and scripted modules have it: its body is a cell.

extension ONNXTranslator {
  /// A loop from the first step to the last, whose body reads step after step and carries states.
  mutating func loop(_ node: ONNXModel.Node) throws(CheckpointError) {
    do throws(ONNXRefusal) {
      guard case .graph(let body)? = node.attributes["body"], node.inputs.count >= 2,
        body.inputs.count == node.inputs.count, body.outputs.count >= body.inputs.count - 1,
        node.outputs.count <= body.outputs.count - 1
      else { throw ONNXRefusal(detail: "its body cannot be read") }
      guard loops == 0 else { throw ONNXRefusal(detail: "it is a loop within a loop") }
      try enter(node, body)
      loops = 1
      defer {
        loops = 0
        loopStates = [:]
        forget(body)
      }
      for inner in body.nodes {
        do throws(CheckpointError) {
          try run(inner)
        } catch {
          throw ONNXRefusal(detail: error.message)
        }
      }
      try leave(node, body)
    } catch {
      let found = ONNXMeaning.deferred(reason(node, error))
      for name in node.outputs where !name.isEmpty && values[name] == nil { values[name] = found }
    }
  }

  /// What the body's inputs are.
  private mutating func enter(_ node: ONNXModel.Node, _ body: ONNXModel.Subgraph) throws(ONNXRefusal) {
    for tensor in body.constants {
      guard values[tensor.name] == nil else { throw ONNXRefusal(detail: "it gives \"\(tensor.name)\" twice") }
      if case .external = tensor.elements { continue }
      values[tensor.name] = .constant(
        ONNXConstant(tensor: tensor.stored(in: bytes, file: file), sources: [tensor.name]))
    }
    var inner: [String: ONNXModel.Node] = [:]
    for node in body.nodes { for name in node.outputs { inner[name] = node } }
    func real(_ name: String) -> String {
      var name = name
      for _ in 0..<16 {
        guard let node = inner[name], ["Identity", "Cast"].contains(node.operation), let below = node.inputs.first
        else {
          return name
        }
        name = below
      }
      return name
    }
    guard let count = isAbsent(node, 0) ? whileCount(node, body, inner, real) : numbers(node, 0)?.values.first ?? nil
    else {
      throw ONNXRefusal(detail: "how often it runs is not the number of steps")
    }
    loopCount = count
    guard body.inputs.allSatisfy({ values[$0] == nil }) else { throw ONNXRefusal(detail: "its names are given twice") }
    values[body.inputs[0]] = .loopIndex
    values[body.inputs[1]] = .choice("condition")
    for place in 2..<body.inputs.count {
      let (name, next) = (body.inputs[place], real(body.outputs[place - 1]))
      if next == name {
        // The same in every round.
        values[name] = values[node.inputs[place]] ?? .choice(name)
        producers[name] = producers[node.inputs[place]]
        continue
      }
      if let start = numbers(node, place)?.known, start.count == 1 {
        // A counter of rounds.
        guard let step = inner[next], step.operation == "Add", step.inputs.count == 2, start[0] == 0,
          Set(step.inputs.map(real)).contains(name),
          step.inputs.contains(where: { real($0) != name && isOne($0, body) })
        else { throw ONNXRefusal(detail: "it counts otherwise than from one step to the next") }
        values[name] = .loopIndex
        continue
      }
      loopStates[name] = node.inputs[place]
      masks.next[name] = next
      values[name] = .state(name)
    }
    // Whether it stops is a matter of counting alone.
    var (open, seen) = ([body.outputs[0]], Set<String>())
    while let name = open.popLast(), seen.count < 4096 {
      guard seen.insert(name).inserted else { continue }
      if let node = inner[name] {
        open += node.inputs
      } else if loopStates[name] != nil {
        throw ONNXRefusal(detail: "it stops when what it computes says so")
      }
      if case .rows? = values[name] { throw ONNXRefusal(detail: "it stops when what it reads says so") }
    }
  }

  /// How often a loop runs that goes on while a counter of its rounds, which begins at 0, is less than a size.
  private func whileCount(
    _ node: ONNXModel.Node, _ body: ONNXModel.Subgraph, _ inner: [String: ONNXModel.Node], _ real: (String) -> String
  ) -> ONNXSize? {
    guard let test = inner[real(body.outputs[0])], test.operation == "Less", test.inputs.count == 2,
      let counter = inner[real(test.inputs[0])], counter.operation == "Add", counter.inputs.count == 2,
      // What the body reads as the number before: its own input, which the next round has from this sum.
      let place = body.outputs.indices.dropFirst().first(where: {
        real(body.outputs[$0]) == real(test.inputs[0]) && body.inputs.indices.contains($0 + 1)
          && counter.inputs.map(real).contains(body.inputs[$0 + 1])
      }), numbers(node, place + 1)?.known == [0],
      counter.inputs.contains(where: { real($0) != body.inputs[place + 1] && isOne($0, body) })
    else { return nil }
    // The size is given from outside, the same in every round.
    let name = real(test.inputs[1])
    var outer = name
    if let index = body.inputs.firstIndex(of: name) {
      guard index >= 2, real(body.outputs[index - 1]) == name else { return nil }
      outer = node.inputs[index]
    } else if inner[name] != nil {
      return nil
    }
    guard let count = whole(values[outer]), begins(node, count) else { return nil }
    return count
  }

  /// One size, or a number that is one.
  private func whole(_ meaning: ONNXMeaning?) -> ONNXSize? {
    if case .numbers(let numbers)? = meaning, numbers.values.count == 1 { return numbers.values[0] }
    return scalar(meaning).flatMap { Int(exactly: $0) }.map { ONNXSize(factor: $0) }
  }

  /// Whether the first round is run: the same is asked of 0.
  private func begins(_ node: ONNXModel.Node, _ count: ONNXSize) -> Bool {
    if isAbsent(node, 1) || numbers(node, 1)?.known == [1] { return true }
    guard let test = origin(node, 1), test.operation == "Less", scalar(test, 0) == 0 else { return false }
    return whole(meaning(test, 1)) == count
  }

  private func isOne(_ name: String, _ body: ONNXModel.Subgraph) -> Bool {
    if let known = scalar(values[name]) { return known == 1 }
    guard let tensor = body.constants.first(where: { $0.name == name }), tensor.elementCount == 1 else { return false }
    return (try? tensor.stored(in: bytes, file: file).doubles().first) == 1
  }

  /// One step after the other of what lies along an axis.
  mutating func loopStep(
    _ rows: ONNXRows, _ place: Int, isReversed: Bool, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXRows {
    guard rows.axes[place] == .time, size(of: .time, rows) == loopCount else {
      throw ONNXRefusal(detail: "it takes something else than one step after the other")
    }
    var axes = rows.axes
    axes.remove(at: place)
    let source = try layer(Layer.Readout(.first), [rows.source], node)
    unrolled.steps[source] = .init(layer: rows.source, step: 0)
    if isReversed { reversedSteps.insert(source) }
    return rows.under(axes).of(source)
  }

  /// Exporters give all loops the same names inside.
  private mutating func forget(_ body: ONNXModel.Subgraph) {
    for name in body.inputs + body.constants.map(\.name) + body.nodes.flatMap(\.outputs) where !name.isEmpty {
      values[name] = nil
      producers[name] = nil
      unrolled.cells[name] = nil
    }
    (masks.next, masks.cells, masks.kept, masks.givesZeros) = ([:], [:], [:], [:])
  }

  /// Each cell's states are what it goes on with, but where a mask leaves them as they are.
  private func checkStates() throws(ONNXRefusal) {
    for (layer, names) in masks.cells {
      for (index, name) in names.enumerated() where loopStates[name] != nil {
        let next = masks.next[name].flatMap { values[$0] }
        let isOwn: Bool
        switch next {
        case .rows(let rows)?: isOwn = index == 0 && unrolled.steps[rows.source] == .init(layer: layer, step: 0)
        case .finalState(let other)?: isOwn = index == 1 && other == layer
        default: isOwn = false
        }
        guard isOwn else { throw ONNXRefusal(detail: "it goes on with something else than its cell's state") }
        guard masks.layers[layer] == nil || masks.kept[layer]?.contains(name) ?? false else {
          throw ONNXRefusal(detail: "its mask is for some of its cell's states alone")
        }
      }
    }
  }

  /// What the loop gives: last states, and what each round gave.
  private mutating func leave(_ node: ONNXModel.Node, _ body: ONNXModel.Subgraph) throws(ONNXRefusal) {
    try checkStates()
    for (index, name) in node.outputs.enumerated() where !name.isEmpty {
      let isScan = index >= body.inputs.count - 2
      let result = body.outputs[index + 1]
      switch values[result] {
      case .rows(let rows)?:
        guard let step = unrolled.steps[rows.source], step.step == 0, draft[step.layer].kind is Layer.Recurrent else {
          throw ONNXRefusal(detail: "it gives \"\(result)\", which is no recurrent layer's state")
        }
        let all = ONNXRows(source: step.layer, axes: [.time] + rows.axes, factors: rows.factors)
        if masks.layers[step.layer] != nil {
          let given = realName(result)
          guard let isZero = masks.givesZeros[given] else {
            throw ONNXRefusal(detail: "it gives what its cell computes of hidden steps")
          }
          if isZero {
            masks.zeroed.insert(step.layer)
          } else if !isScan {
            // The state itself, which hidden steps leave as it is.
            let last = try pick(all, 0, reversedSteps.contains(rows.source) ? 0 : -1, node)
            masks.respecting.insert(last.source)
            values[name] = .rows(last)
            continue
          }
        }
        if reversedSteps.contains(rows.source) {
          values[name] = isScan ? .reversed(all) : .rows(try pick(all, 0, 0, node))
        } else {
          values[name] = .rows(isScan ? all : try pick(all, 0, -1, node))
        }
      case .finalState(let layer)? where !isScan: values[name] = .finalState(layer)
      case .loopIndex?: values[name] = .choice(name)
      case let other? where !isScan: values[name] = other.asDeferred ?? .choice(name)
      default: throw ONNXRefusal(detail: "it gives \"\(result)\", which is not understood here")
      }
    }
  }

  /// What a cell in a loop starts from.
  mutating func startLoop(
    _ kind: inout Layer.Recurrent, _ parameters: inout [ONNXDraft.Key: ONNXDraft.Parameter], _ cell: ONNXWrittenCell
  ) throws(ONNXRefusal) {
    guard loops > 0 else { return }
    let names = [(cell.hidden, RecurrentPart.initialHidden)] + (cell.carried.map { [($0.name, .initialCell)] } ?? [])
    for (name, part) in names {
      switch values[loopStates[realName(name)] ?? ""] {
      case .zeros?: continue
      case .constant(let constant)? where isZero(constant): continue
      case .state(let input)?, .choice(let input)?:
        note("\(part.rawValue) comes from the input \"\(input)\"; here it is given when it is run")
      default:
        throw ONNXRefusal(
          detail: "its loop starts from \"\(loopStates[realName(name)] ?? name)\", which is neither zero nor an input")
      }
    }
  }
}
