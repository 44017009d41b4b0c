import FileIO

extension ONNXNetworkWriter {
  mutating func recurrent(_ kind: Layer.Recurrent, _ place: ONNXPlace) throws(CheckpointError) -> String {
    if kind.projectionSize != nil { throw refused(place, "a projection") }
    if kind.cellClip != nil { throw refused(place, "a clip of the cell's state") }
    let (d, h, gates) = (kind.directions, kind.size, kind.cell.gateCount)
    let order = [Layer.Recurrent.Cell.lstm: [0, 3, 1, 2], .gru: [1, 0, 2], .rnn: [0]][kind.cell] ?? [0]
    var (w, r, b, p) = ([StoredTensor](), [StoredTensor](), [StoredTensor](), [StoredTensor]())
    var sources: [RecurrentPart: [String]] = [:]
    var bias = kind.bias
    if kind.forgetOffset != 0, bias == .none { bias = .single }
    if bias == .dual, options.bias == .single { bias = .single }
    for isReverse in kind.isBidirectional ? [false, true] : [kind.isReversed] {
      func part(_ part: RecurrentPart) -> StoredTensor? {
        let reverse = isReverse && kind.isBidirectional
        guard let found = tensor(part.rawValue, place, isReverse: reverse) else { return nil }
        sources[part, default: []].append(place.layer.parameterName(part.rawValue, isReverse: reverse))
        return found
      }
      guard let input = part(.inputWeight), let state = part(.recurrentWeight) else { continue }
      w.append(input.reordering(order))
      r.append(state.reordering(order))
      if let peephole = part(.peephole) { p.append(peephole.reordering([0, 2, 1])) }
      guard bias != .none else { continue }
      var one = part(.inputBias) ?? .zeros("bias", shape: [gates * h], like: input)
      var other = part(.recurrentBias)
      // The sum acts, but where a GRU's reset gate stands between the two.
      if bias == .single, let second = other, kind.cell != .gru || !kind.resetsAfter {
        one = one.adding(second)
        other = nil
      } else if bias == .single, other != nil {
        bias = .dual
      }
      if kind.forgetOffset != 0 { one = one.adding(kind.forgetOffset, to: h..<2 * h) }
      b.append(.concatenating([one.reordering(order), (other ?? .zeros(one.name, like: one)).reordering(order)]))
    }
    var described = kind
    (described.bias, described.forgetOffset) = (bias, 0)
    written[place.index].kind = described

    func joined(_ letter: String, _ list: [StoredTensor], _ parts: [RecurrentPart]) -> String {
      guard !list.isEmpty else { return "" }
      let stacked = StoredTensor.concatenating(list.map { $0.reshaped([1] + $0.shape) })
      let source = parts.flatMap { sources[$0] ?? [] }.joined(separator: " + ")
      return builder.weight("\(place.layer.name).\(letter)", stacked, source: source)
    }
    var inputs = [
      transposed(place.input, [1, 0, 2]), joined("W", w, [.inputWeight]), joined("R", r, [.recurrentWeight]),
      joined("B", b, [.inputBias, .recurrentBias]), "",
    ]
    inputs += try startStates(kind, place, inputs[0])
    if kind.cell == .lstm { inputs.append(joined("P", p, [.peephole])) }
    inputs = Array(inputs[...(inputs.lastIndex { !$0.isEmpty } ?? 0)])
    let outputs = (kind.cell == .lstm ? ["Y", "Y_h", "Y_c"] : ["Y", "Y_h"]).map { "\(place.layer.name).\($0)" }
    builder.node(
      kind.cell.rawValue.uppercased(), inputs, outputs: outputs, attributes(kind, try activations(kind, place)))
    states[place.layer.name] = (outputs[1], outputs.last ?? "")
    return merged(outputs[0], kind, d * h)
  }

  private func attributes(
    _ kind: Layer.Recurrent, _ activations: (names: [String], alphas: [Float], betas: [Float])
  ) -> [(String, ONNXGraphBuilder.Attribute)] {
    let direction = kind.isBidirectional ? "bidirectional" : kind.isReversed ? "reverse" : "forward"
    var list: [(String, ONNXGraphBuilder.Attribute)] = [
      ("hidden_size", .integer(kind.size)), ("direction", .text(direction)),
    ]
    if let clip = kind.inputClip { list.append(("clip", .float(clip))) }
    if kind.cell == .gru { list.append(("linear_before_reset", .integer(kind.resetsAfter ? 1 : 0))) }
    if !activations.names.isEmpty {
      list.append(("activations", .texts(activations.names)))
      if !activations.alphas.isEmpty { list.append(("activation_alpha", .floats(activations.alphas))) }
      if !activations.betas.isEmpty { list.append(("activation_beta", .floats(activations.betas))) }
    }
    return list
  }

  /// Names and numbers of the activations, of each direction; none where they are the usual ones.
  private func activations(
    _ kind: Layer.Recurrent, _ place: ONNXPlace
  ) throws(CheckpointError) -> (names: [String], alphas: [Float], betas: [Float]) {
    var list = [kind.gateActivation, kind.activation]
    switch kind.cell {
    case .lstm: list.append(kind.outputActivation ?? kind.activation)
    case .gru: break
    case .rnn: list.removeFirst()
    }
    let usual: [Activation] =
      kind.cell == .lstm ? [.sigmoid, .tanh, .tanh] : kind.cell == .gru ? [.sigmoid, .tanh] : [.tanh]
    if list == usual { return ([], [], []) }
    var result = (names: [String](), alphas: [Float](), betas: [Float]())
    for _ in 0..<kind.directions {
      for activation in list {
        let known: (String, Float?, Float?)? =
          switch activation {
          case .sigmoid: ("Sigmoid", nil, nil)
          case .tanh: ("Tanh", nil, nil)
          case .relu: ("Relu", nil, nil)
          case .softsign: ("Softsign", nil, nil)
          case .softplus: ("Softplus", nil, nil)
          case .leakyReLU: ("LeakyRelu", 0.01, nil)
          case .elu: ("Elu", 1, nil)
          case .none: ("Affine", 1, 0)
          case .hardSigmoid: ("HardSigmoid", 0.2, 0.5)
          case .hardSigmoidKeras3: ("HardSigmoid", 1 / 6, 0.5)
          default: nil
          }
        guard let (name, alpha, beta) = known else { throw refused(place, "the activation \(activation.rawValue)") }
        result.names.append(name)
        if let alpha { result.alphas.append(alpha) }
        if let beta { result.betas.append(beta) }
      }
    }
    return result
  }

  /// h and c before the first step; "" for zeros.
  private mutating func startStates(
    _ kind: Layer.Recurrent, _ place: ONNXPlace, _ steps: String
  ) throws(CheckpointError) -> [String] {
    if let given = carried[place.layer.name] { return given }
    if let other = kind.initialFrom, let state = states[other] {
      if let source = configuration.layers.first(where: { $0.name == other })?.kind as? Layer.Recurrent,
        kind.directionsJoined(from: source) == 2
      {
        // (2, B, H) as (1, B, 2H).
        return (kind.cell == .lstm ? [state.hidden, state.cell] : [state.hidden]).enumerated().map { part, name in
          reshaped(transposed(name, [1, 0, 2]), [1, -1, part == 0 ? kind.stateSize : kind.size])
        }
      }
      return kind.cell == .lstm ? [state.hidden, state.cell] : [state.hidden]
    }
    guard kind.initial != .zero else { return kind.cell == .lstm ? ["", ""] : [""] }
    let shape = builder.node("Shape", [steps])
    let batch = builder.node(
      "Slice", [shape, builder.integers([1]), builder.integers([2]), builder.integers([0])])
    let sizes = builder.node(
      "Concat", [builder.integers([kind.directions]), batch, builder.integers([kind.size])], ["axis": .integer(0)])
    var result: [String] = []
    for part in kind.cell == .lstm ? [RecurrentPart.initialHidden, .initialCell] : [.initialHidden] {
      let list = (kind.isBidirectional ? [false, true] : [false]).compactMap {
        tensor(part.rawValue, place, isReverse: $0)
      }
      let stacked = StoredTensor.concatenating(list.map { $0.reshaped([1, 1] + $0.shape) })
      let name = builder.weight(
        "\(place.layer.name).\(part.rawValue)", stacked,
        source: (kind.isBidirectional ? [false, true] : [false])
          .map { place.layer.parameterName(part.rawValue, isReverse: $0) }.joined(separator: " + "))
      result.append(builder.node("Expand", [name, sizes]))
    }
    return result
  }

  /// (T, D, B, H) as (B, T, ...).
  private mutating func merged(_ steps: String, _ kind: Layer.Recurrent, _ width: Int) -> String {
    guard kind.isBidirectional else {
      return transposed(builder.node("Squeeze", [steps, builder.integers([1])]), [1, 0, 2])
    }
    switch kind.merge {
    case .concatenate: return reshaped(transposed(steps, [2, 0, 1, 3]), [0, 0, width])
    case .sum:
      return transposed(
        builder.node("ReduceSum", [steps, builder.integers([1])], ["keepdims": .integer(0)]), [1, 0, 2])
    case .average:
      return transposed(
        builder.node("ReduceMean", [steps], ["axes": .integers([1]), "keepdims": .integer(0)]), [1, 0, 2])
    case .product:
      let parts = [steps + ".forward", steps + ".reverse"]
      builder.node("Split", [steps], outputs: parts, ["axis": .integer(1)])
      return transposed(
        builder.node("Squeeze", [builder.node("Mul", parts), builder.integers([1])]), [1, 0, 2])
    }
  }

  mutating func readout(_ take: Layer.Readout.Take, _ place: ONNXPlace) throws(CheckpointError) -> String {
    func one(_ index: Int) -> String {
      builder.node("Gather", [place.input, builder.integers([index], isScalar: true)], ["axis": .integer(1)])
    }
    switch take {
    case .all, .undecided: return place.input
    case .last: return one(-1)
    case .first: return one(0)
    case .mean: return builder.node("ReduceMean", [place.input], ["axes": .integers([1]), "keepdims": .integer(0)])
    case .max: return builder.node("ReduceMax", [place.input], ["axes": .integers([1]), "keepdims": .integer(0)])
    case .sum: return builder.node("ReduceSum", [place.input, builder.integers([1])], ["keepdims": .integer(0)])
    case .final:
      let below = configuration.layers.first { $0.name == place.reads[0] }?.kind as? Layer.Recurrent
      guard let below, let state = states[place.reads[0]] else {
        let parts = configuration.finalParts(ofLayer: place.index).map { part in
          let row = one(part.isFirstStep ? 0 : -1)
          return part.columns.count == place.value.width ? row : slice(row, part.columns.lowerBound, part.columns.count)
        }
        return parts.count == 1 ? parts[0] : builder.node("Concat", parts, ["axis": .integer(-1)])
      }
      if !below.isBidirectional { return builder.node("Squeeze", [state.hidden, builder.integers([0])]) }
      guard below.merge == .concatenate else { throw refused(place, "the last states of merged directions") }
      return reshaped(transposed(state.hidden, [1, 0, 2]), [0, below.outputSize])
    }
  }
}
