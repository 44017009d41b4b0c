import FileIO

extension KerasModelReading {
  mutating func readRecurrent(_ layer: KerasLayer) throws(CheckpointError) {
    var directions = [layer]
    if layer.className == "Bidirectional" {
      let mode = layer.config["merge_mode"]?.string
      guard mode == "concat" else {
        throw unsupported(layer, "merges its directions by \(mode ?? "nothing"), not concat")
      }
      guard let forward = layer.inner("layer") else { throw unsupported(layer, "wraps nothing") }
      directions = [forward, layer.inner("backward_layer") ?? forward]
    }
    let isCellular = directions[0].className == "RNN"
    if isCellular, directions.count == 2 { throw unsupported(layer, "runs cells in two directions") }
    // Each cell of a stack is a layer of its own.
    let stack = isCellular ? directions[0].cells.map { [$0] } : [directions]
    guard !stack.isEmpty else { throw unsupported(layer, "has no cells") }
    var rest = layer.weights[...]
    let count = layer.weights.count / (stack.count * directions.count)
    guard layer.weights.count == count * stack.count * directions.count, count > 0 || rest.isEmpty else {
      throw .corrupt(tensor: layer.name, detail: "\(layer.weights.count) weights for \(stack.count) cells")
    }
    for part in stack {
      var weights: [[String]] = []
      for (index, cell) in part.enumerated() {
        if let what = Self.refusal(of: cell, in: layer, isReverse: index == 1) { throw unsupported(layer, what) }
        let expected = cell.weightCount(keras1: keras1) ?? 0
        let take = min(rest.count, isCellular ? expected : count)
        weights.append(Array(rest.prefix(take)))
        rest = rest.dropFirst(take)
      }
      let gates = try gates(part[0], in: layer)
      if part.count == 2, try self.gates(part[1], in: layer) != gates {
        throw unsupported(layer, "has other gates backward than forward")
      }
      let cells = try reading.addLayer(weights, of: layer.text, gates: gates)
      let units = part[0].config["units"]?.integer ?? part[0].config["output_dim"]?.integer
      guard cells.allSatisfy({ $0.hiddenSize == cells[0].hiddenSize && $0.bias == cells[0].bias }) else {
        throw unsupported(layer, "is of another shape backward than forward")
      }
      guard units == nil || units == cells[0].hiddenSize else {
        throw .corrupt(
          tensor: weights[0].first ?? layer.name,
          detail: "\(layer.text) has \(units ?? 0) units, but the weights are those of \(cells[0].hiddenSize)")
      }
      if input == nil { input = .features(size: cells[0].inputSize) }
      if !isCellular {
        var values: [String: Double] = [:]
        for key in ["dropout", "recurrent_dropout"] {
          if let value = part[0].config[key]?.number, value > 0 { values[key] = value }
        }
        remember(layer, "layer\(layers.count)", values)
      }
      layers.append(
        .init(
          hiddenSize: cells[0].hiddenSize, isBidirectional: part.count == 2, bias: cells[0].bias,
          gateActivation: gates))
    }
    if directions[0].config["stateful"]?.bool == true {
      notes.append("layer \"\(layer.name)\" is stateful: here each batch begins from zeros unless a state is given")
    }
    givesSequences = directions[0].config["return_sequences"]?.bool ?? false
    givesZeros = directions[0].config["zero_output_for_mask"]?.bool ?? false
  }

  /// What an LSTM here does not do; nil when it does everything.
  static func refusal(of cell: KerasLayer, in layer: KerasLayer, isReverse: Bool) -> String? {
    guard ["LSTM", "LSTMCell", "CuDNNLSTM"].contains(cell.className) else {
      return "is a \(cell.className), not an LSTM"
    }
    let activation = cell.config["activation"]?.functionName ?? "tanh"
    guard activation == "tanh" else { return "has the activation \(activation), not tanh" }
    // The backward layer of a wrapper says that it goes backwards, or is the forward one again.
    let runsBackwards = cell.config["go_backwards"]?.bool ?? false
    if runsBackwards, !isReverse { return "goes backwards" }
    if layer.config["go_backwards"]?.bool == true { return "goes backwards" }
    if cell.config["time_major"]?.bool == true { return "reads time before batch (time_major)" }
    return nil
  }

  private func gates(_ cell: KerasLayer, in layer: KerasLayer) throws(CheckpointError)
    -> PlainStack.GateActivation
  {
    if cell.className == "CuDNNLSTM" { return .sigmoid }
    let name = (cell.config["recurrent_activation"] ?? cell.config["inner_activation"])?.functionName
    switch name {
    case "sigmoid": return .sigmoid
    case "hard_sigmoid": return reading.version.hardSigmoid
    case nil:
      throw unsupported(layer, "does not say its recurrent_activation")
    case let other?:
      throw unsupported(layer, "has the recurrent_activation \(other), not sigmoid or hard_sigmoid")
    }
  }
}
