import FileIO

extension KerasGraphExport {
  /// Whether a readout is what Keras' layer gives when it gives no sequence.
  private func isFinal(_ readout: Layer.Readout, of kind: Layer.Recurrent) -> Bool {
    switch readout.take {
    // Merged, the directions' own last outputs are gone.
    case .final: !kind.isBidirectional || kind.merge == .concatenate
    case .last: !kind.isBidirectional && !kind.isReversed
    case .first: kind.isReversed && !kind.isBidirectional && configuration.mask == nil
    default: false
    }
  }

  mutating func addRecurrent(_ layer: Layer, _ kind: Layer.Recurrent, _ read: Value) throws(CheckpointError) {
    var input = try rows(read, layer)
    if kind.isBidirectional { input = try inTime(input, layer.name) }
    try check(layer, kind)
    let readers = readers[layer.name] ?? []
    let finals = readers.filter { reader in (reader.kind as? Layer.Readout).map { isFinal($0, of: kind) } ?? false }
    let isOutput =
      configuration.outputs.contains(layer.name)
      || configuration.outputs.isEmpty && readers.isEmpty
        && configuration.layers.last?.name == layer.name
    let givesSteps = isOutput || finals.count < readers.count || finals.isEmpty && !isReferenced(layer)
    let givesState = givesSteps && !finals.isEmpty || isReferenced(layer)
    let goesBack = !kind.isBidirectional && kind.isReversed != input.isReversed
    let className =
      switch kind.cell {
      case .lstm: "LSTM";
      case .gru: "GRU";
      case .rnn: "SimpleRNN"
      }
    guard let activation = KerasActivation.name(kind.activation, isThree: isThree) else {
      throw refused(layer, "the activation \(kind.activation.rawValue)")
    }
    var config: [String: KerasJSON] = [
      "units": .number(Double(kind.size)), "activation": .string(activation),
      "use_bias": .bool(kind.bias != .none), "return_sequences": .bool(givesSteps), "return_state": .bool(givesState),
      "go_backwards": .bool(goesBack),
      // The default, an orthogonal matrix, cannot be made in bfloat16; the weights come from the file anyway.
      "recurrent_initializer": "glorot_uniform",
    ]
    if kind.cell != .rnn {
      guard let gates = KerasActivation.name(kind.gateActivation, isThree: isThree) else {
        throw refused(layer, "\(kind.gateActivation.rawValue) gates")
      }
      config["recurrent_activation"] = .string(gates)
    }
    if !kind.isBidirectional, givesZeros(layer) { config["zero_output_for_mask"] = true }
    if kind.cell == .gru { config["reset_after"] = .bool(kind.resetsAfter) }
    for key in ["dropout", "recurrent_dropout"] {
      if let value = sourceLayer(layer.name)?.values?[key] { config[key] = .number(value) }
    }
    let node: Int
    if kind.isBidirectional {
      let name = name(for: layer, "Bidirectional")
      config["name"] = .string(kerasSnakeCase(className))
      config["dtype"] = "float32"
      let modes: [Layer.Recurrent.DirectionMerge: KerasJSON] = [
        .concatenate: "concat", .sum: "sum", .product: "mul", .average: "ave",
      ]
      let inner: KerasJSON = [
        "module": "keras.layers", "class_name": .string(className), "config": .object(config), "registered_name": nil,
      ]
      node = add(
        "Bidirectional", name, ["layer": inner, "merge_mode": modes[kind.merge] ?? "concat"], reading: [input])
    } else {
      node = add(className, name(for: layer, className), config, reading: [input])
    }
    for isReverse in kind.isBidirectional ? [false, true] : [false] { try put(layer, kind, node, isReverse: isReverse) }
    let steps = Value(
      node: node, axes: KerasValue.steps, shape: [input.shape.first ?? nil, kind.outputSize],
      isReversed: kind.isReversed && !kind.isBidirectional)
    if let other = kind.initialFrom { try start(node, kind, from: other) }
    if givesSteps { values[layer.name] = steps }
    for readout in finals {
      values[readout.name] =
        givesSteps
        ? try state(layer, kind, node)
        : Value(node: node, axes: KerasValue.row, shape: [kind.outputSize])
    }
    states[layer.name] = node
  }

  private func isReferenced(_ layer: Layer) -> Bool {
    configuration.layers.contains { $0.kind.references.contains(layer.name) }
  }

  /// The last output, from the states that a layer gives beside its sequence.
  private mutating func state(_ layer: Layer, _ kind: Layer.Recurrent, _ node: Int) throws(CheckpointError) -> Value {
    let each = kind.cell == .lstm ? 2 : 1
    let parts = (0..<kind.directions).map { direction in
      Value(node: node, output: 1 + direction * each, axes: KerasValue.row, shape: [kind.stateSize])
    }
    if parts.count == 1 { return parts[0] }
    let className =
      switch kind.merge {
      case .concatenate: "Concatenate"
      case .sum: "Add"
      case .product: "Multiply"
      case .average: "Average"
      }
    let merge = add(className, fresh("\(kerasSnakeCase(className))_states"), [:], reading: parts, isList: true)
    return Value(node: merge, axes: KerasValue.row, shape: [kind.outputSize])
  }

  private mutating func start(_ node: Int, _ kind: Layer.Recurrent, from other: String) throws(CheckpointError) {
    guard let source = states[other] else { throw refused("first state of a layer that has none") }
    let each = kind.cell == .lstm ? 2 : 1
    if let other = configuration.layers.first(where: { $0.name == other })?.kind as? Layer.Recurrent,
      kind.directionsJoined(from: other) == 2
    {
      var joined: [Value] = []
      for part in 0..<each {
        let halves = (0..<2).map { direction in
          Value(node: source, output: 1 + direction * each + part, axes: KerasValue.row, shape: [other.stateSize])
        }
        let merge = add("Concatenate", fresh("concatenate_states"), [:], reading: halves, isList: true)
        joined.append(Value(node: merge, axes: KerasValue.row, shape: [kind.stateSize]))
      }
      return change(node) { $0.states = joined }
    }
    let list = (0..<kind.directions * each).map {
      Value(node: source, output: 1 + $0, axes: KerasValue.row, shape: [kind.stateSize])
    }
    change(node) { $0.states = list }
  }

  private func check(_ layer: Layer, _ kind: Layer.Recurrent) throws(CheckpointError) {
    if kind.projectionSize != nil { throw refused(layer, "a projection") }
    if kind.hasPeepholes { throw refused(layer, "peepholes") }
    if kind.cellClip != nil || kind.projectionClip != nil || kind.inputClip != nil { throw refused(layer, "a clip") }
    if kind.initial != .zero { throw refused(layer, "a stored first state") }
    if let output = kind.outputActivation, output != kind.activation {
      throw refused(layer, "another output activation")
    }
    let one = kind.cell != .gru || !kind.resetsAfter
    if kind.bias == .dual, one, options.bias != .single {
      throw .refused(
        file: file, detail: "layer \(layer.name) has two biases, Keras' has one",
        advice: ["write their sum with \(.bias, "single"): the same outputs, but training on moves it half as fast"])
    }
  }

  /// The tensors of one direction in Keras' order.
  private mutating func put(
    _ layer: Layer, _ kind: Layer.Recurrent, _ node: Int, isReverse: Bool
  ) throws(CheckpointError) {
    func parameter(_ part: RecurrentPart) throws(CheckpointError) -> StoredTensor {
      try tensor(layer, part.rawValue, isReverse: isReverse)
    }
    func name(_ part: RecurrentPart) -> String { layer.parameterName(part.rawValue, isReverse: isReverse) }
    let isGRU = kind.cell == .gru
    func ordered(_ tensor: StoredTensor) -> StoredTensor { isGRU ? tensor.reordering([1, 0, 2]) : tensor }
    let className = kind.cell == .rnn ? "simple_rnn" : kind.cell.rawValue
    let cell = "\(className)_cell"
    let under: (legacy: [String], object: [String]) =
      kind.isBidirectional
      ? (
        [(isReverse ? "backward_" : "forward_") + className, cell],
        [isReverse ? "backward_layer" : "forward_layer", "cell"]
      )
      : ([cell], ["cell"])
    put(
      ordered(try parameter(.inputWeight)).transposed(), node, "kernel", 0, under: under, source: [name(.inputWeight)])
    put(
      ordered(try parameter(.recurrentWeight)).transposed(), node, "recurrent_kernel", 1, under: under,
      source: [name(.recurrentWeight)])
    guard kind.bias != .none else {
      if kind.forgetOffset != 0 { throw refused(layer, "an offset of its forget gate without a bias") }
      return
    }
    let input = try parameter(.inputBias)
    var bias: StoredTensor
    var sources = [name(.inputBias)]
    if isGRU, kind.resetsAfter {
      let recurrent = kind.bias == .dual ? try parameter(.recurrentBias) : StoredTensor.zeros(input.name, like: input)
      if kind.bias == .dual { sources.append(name(.recurrentBias)) }
      let both = StoredTensor.concatenating([ordered(input), ordered(recurrent)])
      bias = both.reshaped([2, 3 * kind.size])
    } else if kind.bias == .dual {
      sources.append(name(.recurrentBias))
      bias = ordered(input.adding(try parameter(.recurrentBias)))
    } else {
      bias = ordered(input)
    }
    if kind.cell == .lstm { bias = bias.adding(kind.forgetOffset, to: kind.size..<2 * kind.size) }
    put(bias, node, "bias", 2, under: under, source: sources)
  }
}
