import FileIO

extension PyTorchSource {
  /// The layers that are one `nn.LSTM` of several, by the first's.
  private struct Module {
    let path: String
    let kind: Layer.Recurrent
    let inputSize: Int
    let count: Int
  }

  mutating func write(_ kind: Layer.Recurrent, _ use: Use) throws(CheckpointError) {
    switch try place(of: kind, use) {
    case .inside: break
    case .module(let module): try write(module, kind, use)
    case .cells: try writeCells(kind, use)
    }
  }

  private enum Place {
    case module(Module)
    /// Of a module that an earlier layer has written.
    case inside
    /// By itself, step by step.
    case cells
  }

  /// Where the parameters lie: all of one module's own names, in a module that PyTorch can compute.
  private func place(of kind: Layer.Recurrent, _ use: Use) throws(CheckpointError) -> Place {
    guard let own = try name(kind, use) else { return .cells }
    var members: [(Int, Layer.Recurrent, Int)] = []
    for index in configuration.layers.indices {
      guard let other = configuration.layers[index].kind as? Layer.Recurrent,
        let name = try name(other, self.use(index)), name.path == own.path
      else { continue }
      members.append((index, other, name.layer))
    }
    guard let first = members.first, let firstKind = members.first?.1, isPlain(members.map(\.1)) else { return .cells }
    let isChain = members.enumerated().allSatisfy { offset, member in
      guard member.2 == offset, member.1 == firstKind else { return false }
      guard offset > 0 else { return true }
      let below = configuration.inputs.count + members[offset - 1].0
      let readers = configuration.sources.count { $0.contains(below) }
      return configuration.sources[member.0] == [below] && readers == 1
        && !configuration.outputs.contains(configuration.name(ofValue: below)) && member.0 == members[offset - 1].0 + 1
    }
    guard isChain else { return .cells }
    if members.count > 1, firstKind.merge != .concatenate || firstKind.isReversed { return .cells }
    // States of several layers are given together.
    if members.count > 1, members.contains(where: { $0.1.initial != .zero || $0.1.initialFrom != nil }) {
      return .cells
    }
    if members.count > 1, members.contains(where: { isStartedFrom(configuration.layers[$0.0].name) }) { return .cells }
    if use.index != first.0 { return .inside }
    return .module(
      Module(path: own.path, kind: firstKind, inputSize: use.value.width, count: members.count))
  }

  private func isStartedFrom(_ layer: String) -> Bool {
    configuration.layers.contains { ($0.kind as? Layer.Recurrent)?.initialFrom == layer }
  }

  /// Whether PyTorch's modules compute these.
  private func isPlain(_ kinds: [Layer.Recurrent]) -> Bool {
    // Its projections are smaller than the state.
    guard kinds.allSatisfy({ ($0.projectionSize ?? 0) < $0.size }) else { return false }
    return kinds.allSatisfy { kind in
      kind.bias != .single && kind.gateActivation == .sigmoid && !kind.hasPeepholes && kind.cellClip == nil
        && kind.projectionClip == nil && kind.inputClip == nil && (kind.cell != .gru || kind.resetsAfter)
        && (kind.outputActivation == nil || kind.outputActivation == kind.activation)
        && (kind.activation == .tanh || kind.cell == .rnn && kind.activation == .relu)
    }
      || kinds.allSatisfy { kind in
        // A single bias has zeros beside it in the file.
        kind.bias == .single && kind.gateActivation == .sigmoid && kind.activation == .tanh && !kind.hasPeepholes
          && kind.cellClip == nil && kind.projectionClip == nil && kind.inputClip == nil && kind.outputActivation == nil
          && (kind.cell != .gru || kind.resetsAfter) && zeroBias != nil
      }
  }

  /// The name of a second bias that the file has for a single one; nil when there is none.
  private var zeroBias: String? { tensors.values.first { $0.how == "zeros, there was one bias" }?.name }

  /// The module that a layer's tensors are of, by their names; nil when those are not all PyTorch's of one module.
  private func name(_ kind: Layer.Recurrent, _ use: Use) throws(CheckpointError) -> (path: String, layer: Int)? {
    var found: (path: String, layer: Int)?
    for parameter in kind.parameters(use.values) {
      guard case .cell(let part) = parameter.part, part != .initialHidden, part != .initialCell else { continue }
      let own = try tensor(use, parameter.name, isReverse: parameter.isReverse).name
      guard let name = PyTorchName(own), name.kind == part, name.isReverse == parameter.isReverse, !name.isCell,
        !name.module.isEmpty,
        own == PyTorchName.text(module: name.module, kind: part, layer: name.layer, isReverse: name.isReverse),
        found == nil || found?.path == name.module && found?.layer == name.layer
      else { return nil }
      found = (name.module, name.layer)
    }
    return found
  }

  // MARK: - As a module

  private mutating func write(_ module: Module, _ kind: Layer.Recurrent, _ use: Use) throws(CheckpointError) {
    var settings = ["\(module.inputSize)", "\(kind.size)"]
    if module.count > 1 { settings.append("num_layers=\(module.count)") }
    if kind.bias == .none { settings.append("bias=False") }
    settings.append("batch_first=True")
    if kind.isBidirectional { settings.append("bidirectional=True") }
    if let projection = kind.projectionSize { settings.append("proj_size=\(projection)") }
    if kind.cell == .rnn, kind.activation == .relu { settings.append("nonlinearity=\"relu\"") }
    var names: [String] = []
    for layer in 0..<module.count {
      for parameter in kind.parameters(use.values) {
        guard case .cell(let part) = parameter.part, part != .initialHidden, part != .initialCell else { continue }
        names.append(PyTorchName.text(module: "", kind: part, layer: layer, isReverse: parameter.isReverse))
        if part == .inputBias, kind.bias == .single {
          names.append(PyTorchName.text(module: "", kind: .recurrentBias, layer: layer, isReverse: parameter.isReverse))
        }
      }
    }
    tree.add(
      module: module.path, "nn.\(kind.cell.rawValue.uppercased())(\(settings.joined(separator: ", ")))", names: names)
    let made = tree.expression(module.path)
    let last = self.use(use.index + module.count - 1)
    let target = last.target
    let input = kind.isReversed ? "\(use.input).flip(1)" : use.input
    var state = ""
    if let initial = try initial(kind, use) {
      let hidden = initial.hidden.count == 1 ? initial.hidden[0] : nil
      let h = hidden ?? "torch.stack([\(initial.hidden.joined(separator: ", "))])"
      let whole = hidden == nil ? h : h + ".unsqueeze(0)"
      if kind.cell == .lstm {
        let c =
          initial.cell.count == 1
          ? "\(initial.cell[0]).unsqueeze(0)" : "torch.stack([\(initial.cell.joined(separator: ", "))])"
        state = ", (\(whole), \(c))"
      } else {
        state = ", \(whole)"
      }
    }
    let isKept = isStartedFrom(use.layer.name)
    let own = pythonName(use.layer.name)
    if isKept {
      say("\(target), \(kind.cell == .lstm ? "(\(own)_h, \(own)_c)" : "\(own)_h") = \(made)(\(input)\(state))")
      states[use.layer.name] =
        (0..<kind.directions).map { "\(own)_h[\($0)]" }
        + (kind.cell == .lstm ? (0..<kind.directions).map { "\(own)_c[\($0)]" } : [])
    } else {
      say("\(target), _ = \(made)(\(input)\(state))")
    }
    if kind.isReversed { say("\(target) = \(target).flip(1)") }
    merge(kind, target)
  }

  private mutating func merge(_ kind: Layer.Recurrent, _ target: String) {
    guard kind.isBidirectional, kind.merge != .concatenate else { return }
    let halves = "\(target)[..., :\(kind.stateSize)]", others = "\(target)[..., \(kind.stateSize):]"
    switch kind.merge {
    case .concatenate: break
    case .sum: say("\(target) = \(halves) + \(others)")
    case .product: say("\(target) = \(halves) * \(others)")
    case .average: say("\(target) = (\(halves) + \(others)) / 2")
    }
  }

  // MARK: - States

  private struct State {
    var hidden: [String] = []
    var cell: [String] = []
  }

  /// (N, H) of each direction; nil for zeros.
  private mutating func initial(_ kind: Layer.Recurrent, _ use: Use) throws(CheckpointError) -> State? {
    if let other = kind.initialFrom {
      guard let known = states[other] else {
        throw refused(use, "starts from the state of \(other), which is not kept")
      }
      let source = configuration.layers.first { $0.name == other }?.kind as? Layer.Recurrent
      guard let source, kind.directionsJoined(from: source) == 2 else {
        return State(
          hidden: Array(known.prefix(kind.directions)), cell: Array(known.dropFirst(kind.directions)))
      }
      func joined(_ names: some Collection<String>) -> [String] {
        names.isEmpty ? [] : ["torch.cat((\(names.joined(separator: ", "))), -1)"]
      }
      return State(hidden: joined(known.prefix(2)), cell: joined(known.dropFirst(2)))
    }
    guard kind.initial != .zero else { return nil }
    var state = State()
    for isReverse in kind.isBidirectional ? [false, true] : [false] {
      for part in kind.cell == .lstm ? [RecurrentPart.initialHidden, .initialCell] : [.initialHidden] {
        let place = use.layer.parameterName(part.rawValue, isReverse: isReverse)
        guard let found = tensors[place] else { throw refused(use, "has no \(place)") }
        let rows = found.source.components(separatedBy: " + ")
        let row = rows.firstIndex(of: place) ?? 0
        let width = part == .initialCell ? kind.size : kind.stateSize
        let name = parameter(found)
        let text = "\(name).reshape(-1, \(width))[\(row)].expand(\(use.input).shape[0], -1)"
        if part == .initialHidden { state.hidden.append(text) } else { state.cell.append(text) }
      }
    }
    return state
  }

  // MARK: - Step by step

  private mutating func writeCells(_ kind: Layer.Recurrent, _ use: Use) throws(CheckpointError) {
    need("run_" + kind.cell.rawValue)
    let initial = try initial(kind, use)
    let own = pythonName(use.layer.name)
    let isKept = isStartedFrom(use.layer.name)
    var outputs: [String] = []
    var kept = State()
    let directions = kind.isBidirectional ? [false, true] : [kind.isReversed]
    for (direction, isReverse) in directions.enumerated() {
      let isSecond = kind.isBidirectional && isReverse
      func part(_ source: inout PyTorchSource, _ part: RecurrentPart) throws(CheckpointError) -> String {
        try source.parameter(use, part.rawValue, isReverse: isSecond)
      }
      var arguments = [use.input, try part(&self, .inputWeight), try part(&self, .recurrentWeight)]
      let first = kind.bias == .none ? "0" : try part(&self, .inputBias)
      let second = try secondBias(kind, use, isSecond)
      if kind.cell == .gru {
        let zeros = "\(use.input).new_zeros(\(3 * kind.size))"
        arguments += [kind.bias == .none ? zeros : first, second ?? zeros]
      } else {
        arguments.append(second.map { "\(first) + \($0)" } ?? first)
      }
      arguments.append(initial?.hidden[direction] ?? "\(use.input).new_zeros(\(use.input).shape[0], \(kind.stateSize))")
      if kind.cell == .lstm {
        arguments.append(initial?.cell[direction] ?? "\(use.input).new_zeros(\(use.input).shape[0], \(kind.size))")
      }
      if isReverse { arguments.append("reverse=True") }
      if kind.projectionSize != nil { arguments.append("weight_hr=\(try part(&self, .projection))") }
      if kind.hasPeepholes { arguments.append("peephole=\(try part(&self, .peephole))") }
      if kind.cell == .gru, !kind.resetsAfter { arguments.append("reset_after=False") }
      if kind.cell != .rnn, kind.gateActivation != .sigmoid {
        arguments.append("gate=\(kind.gateActivation.pyTorchFunction)")
      }
      if kind.activation != .tanh { arguments.append("cell=\(kind.activation.pyTorchFunction)") }
      let out = kind.outputActivation ?? kind.activation
      if kind.cell == .lstm, out != .tanh { arguments.append("out=\(out.pyTorchFunction)") }
      if let clip = kind.cellClip { arguments.append("cell_clip=\(clip)") }
      if let clip = kind.projectionClip { arguments.append("output_clip=\(clip)") }
      if let clip = kind.inputClip { arguments.append("clip=\(clip)") }
      let output = kind.isBidirectional ? "\(own)_\(isReverse ? "backward" : "forward")" : use.target
      let h = isKept ? "\(own)_h\(direction)" : "_", c = isKept ? "\(own)_c\(direction)" : "_"
      say(
        "\(output), \(h)\(kind.cell == .lstm ? ", \(c)" : "") = run_\(kind.cell.rawValue)", arguments: arguments)
      outputs.append(output)
      kept.hidden.append(h)
      if kind.cell == .lstm { kept.cell.append(c) }
    }
    if isKept { states[use.layer.name] = kept.hidden + kept.cell }
    guard kind.isBidirectional else { return }
    switch kind.merge {
    case .concatenate: say("\(use.target) = torch.cat([\(outputs.joined(separator: ", "))], dim=-1)")
    case .sum: say("\(use.target) = \(outputs.joined(separator: " + "))")
    case .product: say("\(use.target) = \(outputs.joined(separator: " * "))")
    case .average: say("\(use.target) = (\(outputs.joined(separator: " + "))) / 2")
    }
  }

  /// The recurrent bias, or the zeros that stand for it in the file.
  private mutating func secondBias(
    _ kind: Layer.Recurrent, _ use: Use, _ isReverse: Bool
  ) throws(CheckpointError) -> String? {
    if kind.bias == .dual { return try parameter(use, RecurrentPart.recurrentBias.rawValue, isReverse: isReverse) }
    guard kind.bias == .single else { return nil }
    let name = use.layer.parameterName(RecurrentPart.recurrentBias.rawValue, isReverse: isReverse)
    return tensors[name].map { parameter($0) }
  }
}
