import FileIO

extension ONNXGraph {
  /// Takes the weights of an LSTM node; what would change numbers is refused.
  mutating func addLSTM(_ node: ONNXModel.Node) throws(CheckpointError) {
    let what = node.description
    guard layers.count <= PlainStack.depthLimit else {
      throw unsupported("has more than \(PlainStack.depthLimit) LSTM layers")
    }
    func refuse(_ detail: Message, _ advice: [Message] = []) -> CheckpointError {
      .unsupported(file: file, detail: "\(what): \(detail)", advice: advice)
    }
    if let clip = number(node, "clip"), clip != 0 {
      throw refuse("it clips its sums at \(clip), which a model here cannot")
    }
    if integer(node, "input_forget") ?? 0 != 0 { throw refuse("it couples the input and the forget gate") }
    let batchFirst = integer(node, "layout") ?? 0 == 1
    let directions: [Bool]
    switch node.attributes["direction"] {
    case .text(let text)?:
      switch text {
      case "forward": directions = [false]
      case "reverse": directions = [true]
      case "bidirectional": directions = [false, true]
      default: throw refuse("its direction is \"\(text)\"")
      }
    default: directions = [false]
    }
    let gates = try gateActivations(node, directions.count)

    func weights(_ index: Int, _ what: String) throws(CheckpointError) -> ONNXConstant? {
      if isAbsent(node, index) { return nil }
      guard let found = constant(node, index), found.tensor.dataType.isFloatingPoint else {
        let type = model.unreadable.first { $0.name == node.inputs[index] }
        throw refuse(
          type.map { "its \(what) \"\($0.name)\" is of ONNX type \($0.typeCode), which is not read" }
            ?? "its \(what) \"\(node.inputs[index])\" is no constant of floating-point numbers",
          ["weights that are computed or quantized cannot be read; export the model before it is quantized"])
      }
      return found
    }
    guard let w = try weights(1, "W"), let r = try weights(2, "R") else { throw refuse("it has no weights") }
    let (b, p) = (try weights(3, "B"), try weights(7, "P"))
    let d = directions.count
    func require(_ constant: ONNXConstant?, _ rank: Int, _ what: String) throws(CheckpointError) {
      guard let constant, constant.shape.count != rank || constant.shape[0] != d else { return }
      throw .misshapen(
        tensor: constant.tensor.name, expected: "\(what) of \(rank) dimensions, the first \(d)",
        found: shapeText(constant.shape))
    }
    try require(w, 3, "W (D, 4H, I)")
    try require(r, 3, "R (D, 4H, H)")
    try require(b, 2, "B (D, 8H)")
    try require(p, 2, "P (D, 3H)")

    var cells: [RecurrentCell] = []
    for (index, _) in directions.enumerated() {
      var peephole = p?.value.element(index)
      if let found = peephole, found.shape[0] % 3 == 0 { peephole = found.reordering([0, 2, 1]) }
      var cell = try RecurrentLayout.onnx.read(
        RecurrentLayout.Parts(
          input: [w.value.element(index)], recurrent: [r.value.element(index)],
          inputBias: b.map { [$0.value.element(index)] } ?? [], peephole: peephole))
      cell.gateActivation = gates[index]
      cells.append(cell)
    }
    let h = cells[0].hiddenSize
    if let said = integer(node, "hidden_size"), said != h {
      throw refuse("its hidden_size is \(said), but its weights are for \(h)")
    }
    if d == 2, gates[0] != gates[1] { throw refuse("its two directions have different gate activations") }
    for constant in [w, r, b, p] { used.formUnion(constant?.sources ?? []) }

    let input = readInput(node, cells[0].inputSize, batchFirst)
    try checkStates(node, reads: layers.first?.input ?? input)
    let layer = place(cells, directions, input, what)
    give(node, layer, directions, h, input, batchFirst)
  }

  // MARK: - What a node says

  /// The activation of the gates, by direction.
  private func gateActivations(_ node: ONNXModel.Node, _ count: Int) throws(CheckpointError)
    -> [PlainStack.GateActivation]
  {
    func refuse(_ detail: String) -> CheckpointError { unsupported("\(node.description): \(detail)") }
    guard case .texts(let names)? = node.attributes["activations"] else {
      return [PlainStack.GateActivation](repeating: .sigmoid, count: count)
    }
    guard names.count == 3 * count else { throw refuse("it names \(names.count) activations for \(count) directions") }
    func list(_ key: String) -> [Float] { if case .floats(let list)? = node.attributes[key] { list } else { [] } }
    var (alphas, betas) = (list("activation_alpha"), list("activation_beta"))
    var result: [PlainStack.GateActivation] = []
    for direction in 0..<count {
      let (gate, cell, output) = (
        names[3 * direction].lowercased(), names[3 * direction + 1].lowercased(), names[3 * direction + 2].lowercased()
      )
      guard cell == "tanh", output == "tanh" else {
        throw refuse("its activations are \(names.joined(separator: ", ")); those of cell and output can be Tanh only")
      }
      switch gate {
      case "sigmoid": result.append(.sigmoid)
      case "hardsigmoid":
        let alpha = alphas.isEmpty ? 0.2 : alphas.removeFirst()
        let beta = betas.isEmpty ? 0.5 : betas.removeFirst()
        if beta == 0.5, abs(alpha - 0.2) < 1e-6 {
          result.append(.hardSigmoid)
        } else if beta == 0.5, abs(alpha - 1 / 6) < 1e-6 {
          result.append(.hardSigmoidKeras3)
        } else {
          throw refuse("its gates are clip(\(alpha) x + \(beta), 0, 1); known are 0.2 x + 0.5 and x / 6 + 0.5")
        }
      default: throw refuse("its gates are \(names[3 * direction]); known are Sigmoid and HardSigmoid")
      }
    }
    // Values for functions that take none would make it unclear whose the others are.
    guard alphas.isEmpty, betas.isEmpty else { throw refuse("it has more activation_alpha or _beta than it can use") }
    return result
  }

  /// Lengths and initial states, which the caller gives here.
  /// - Parameter reads: what the first LSTM reads, of which no state is made.
  private mutating func checkStates(_ node: ONNXModel.Node, reads: ONNXFlow?) throws(CheckpointError) {
    let data = (reads?.parts ?? []).compactMap { if case .input(let name) = $0.source { name } else { nil } }
    /// Whether it is an input's own numbers, beside those that the LSTM reads.
    func isGiven(_ flow: ONNXFlow) -> Bool {
      flow.activation == .none && !flow.isNormalized
        && flow.parts.allSatisfy { part in
          guard case .input(let name) = part.source else { return false }
          return part.affine == nil && part.pick == .every && !data.contains(name)
        }
    }
    for (index, what) in [(4, "sequence_lens"), (5, "initial_h"), (6, "initial_c")] where !isAbsent(node, index) {
      let name = node.inputs[index]
      switch values[name] {
      case .zeros where index > 4: continue
      case .fromInput(let input)? where !data.contains(input):
        note("\(what) comes from the input \"\(input)\"; here it is given when it is run")
      case .flow(let flow)? where isGiven(flow):
        note("\(what) comes from an input of the graph; here it is given when it is run")
      case .constant(let constant)?
      where index > 4 && (constant.sources.allSatisfy({ harmless[$0] != nil }) || isZero(constant)):
        for source in constant.sources { harmless[source] = "an initial state of zeros" }
      case .numbers(let sizes, _)? where index == 4 && sizes.allSatisfy({ isTime($0) }): continue
      default:
        throw unsupported(
          "\(node.description): its \(what) \"\(name)\" is neither absent, zero nor an input",
          "a model here starts from zeros and reads every step unless it is told otherwise when it is run")
      }
    }
  }

  private mutating func note(_ text: Message) { if !notes.contains(text) { notes.append(text) } }

  /// Whether a length is that of every sequence, whole.
  private func isTime(_ size: ONNXSize?) -> Bool {
    guard let size, let timeAxis else { return false }
    return axisSizes[timeAxis].map { size.known == $0 } ?? (size == ONNXSize(factor: 1, symbols: [timeAxis]))
  }

  // MARK: - Its place

  /// What it reads, with the axes in the places that its layout calls for; nil when that is not understood.
  private mutating func readInput(_ node: ONNXModel.Node, _ size: Int, _ batchFirst: Bool) -> ONNXFlow? {
    guard var flow = flow(node, mayBeScaled: true), flow.axes.count == 3, !flow.isNormalized, !flow.isWhole else {
      return nil
    }
    let (time, batch) = batchFirst ? (1, 0) : (0, 1)
    guard case .sequence(let times) = flow.axes[time], times.count == 1 else { return nil }
    switch flow.axes[batch] {
    case .sequence(let ids) where ids.count == 1: break
    case .one: break
    default: return nil
    }
    if let timeAxis, timeAxis != times[0] { return nil }
    switch flow.axes[2] {
    case .features: break
    case .sequence(let ids) where ids.count == 1 && layers.isEmpty:
      featureAxis = ids[0]
      flow = normalized(flow)
    default: return nil
    }
    if let affine = flow.parts.first(where: { $0.affine != nil })?.affine {
      // Each feature has its own: the axis that the constants went along is that of the features.
      guard flow.parts.count == 1, case .input = flow.parts[0].source, affine.axis == nil || affine.axis == featureAxis
      else { return nil }
    }
    if flow.parts.count == 1, flow.parts[0].size == nil { flow.parts[0].size = size }
    guard flow.featureCount == size else { return nil }
    if timeAxis == nil, case .sequence(let ids) = flow.axes[batch], times[0] < ids[0] {
      note("the graph's input is (time, batch, ...); here sequences are (batch, time, ...)")
    }
    timeAxis = times[0]
    return flow
  }

  /// The layer that cells belong to: a new one, or, for the other direction over the same input, the last.
  private mutating func place(
    _ cells: [RecurrentCell], _ directions: [Bool], _ input: ONNXFlow?, _ what: String
  ) -> Int {
    let h = cells[0].hiddenSize
    let how = "gates i o f c put in order"
    if directions.count == 1, let last = layers.last, last.cells.count == 1, last.cells[directions[0]] == nil,
      input != nil, last.input == input, last.hiddenSize == h,
      last.cells.values.allSatisfy({ $0.gateActivation == cells[0].gateActivation && $0.bias == cells[0].bias })
    {
      layers[layers.count - 1].cells[directions[0]] = cells[0]
      layers[layers.count - 1].how[directions[0]] = how
      return layers.count - 1
    }
    var layer = Layer(input: input, node: what, hiddenSize: h)
    for (cell, reverse) in zip(cells, directions) {
      layer.cells[reverse] = cell
      layer.how[reverse] =
        how + (directions.count == 2 ? ", \(reverse ? "second" : "first") of the two directions" : "")
    }
    layers.append(layer)
    return layers.count - 1
  }

  private mutating func give(
    _ node: ONNXModel.Node, _ layer: Int, _ directions: [Bool], _ h: Int, _ input: ONNXFlow?, _ batchFirst: Bool
  ) {
    guard let input else {
      misunderstood.append((node.description, "what it reads is not the layer before, nor an input or an embedding"))
      for name in node.outputs where !name.isEmpty { values[name] = .unknown }
      return
    }
    let (first, second) = (input.axes[0], input.axes[1])
    let batch = batchFirst ? first : second
    func parts(_ pick: ONNXFlow.Pick, isCell: Bool = false) -> [ONNXFlow.Part] {
      directions.map { reverse in
        .init(
          source: isCell ? .cell(layer: layer, reverse: reverse) : .hidden(layer: layer, reverse: reverse), size: h,
          pick: pick)
      }
    }
    let steps: [ONNXFlow.Axis] = batchFirst ? [first, second, .stack, .features] : [first, .stack, second, .features]
    let state: [ONNXFlow.Axis] = batchFirst ? [batch, .stack, .features] : [.stack, batch, .features]
    let results = [
      ONNXFlow(axes: steps, parts: parts(.every)), ONNXFlow(axes: state, parts: parts(.final)),
      ONNXFlow(axes: state, parts: parts(.final, isCell: true)),
    ]
    for (name, flow) in zip(node.outputs, results) where !name.isEmpty { values[name] = .flow(flow) }
  }
}
