import FileIO

/// LSTM, GRU and plain recurrent layers, in one direction or two.
extension KerasGraphReading {
  static let recurrents: Set<String> = [
    "LSTM", "GRU", "SimpleRNN", "CuDNNLSTM", "CuDNNGRU", "Bidirectional", "RNN",
  ]

  private static let cells: [String: Layer.Recurrent.Cell] = [
    "LSTM": .lstm, "LSTMCell": .lstm, "CuDNNLSTM": .lstm, "GRU": .gru, "GRUCell": .gru, "CuDNNGRU": .gru,
    "SimpleRNN": .rnn, "SimpleRNNCell": .rnn,
  ]

  private static let directionMerges: [String: Layer.Recurrent.DirectionMerge] = [
    "concat": .concatenate, "sum": .sum, "mul": .product, "ave": .average,
  ]

  mutating func readRecurrent(_ use: KerasUse) throws(CheckpointError) -> [KerasValue] {
    let layer = use.layer
    var directions = [layer]
    var merge = Layer.Recurrent.DirectionMerge.concatenate
    var isApart = false
    if layer.className == "Bidirectional" {
      guard let forward = layer.inner("layer") else { throw unsupported(layer, "wraps nothing") }
      directions = [forward, layer.inner("backward_layer") ?? forward]
      if let mode = layer.config["merge_mode"]?.string {
        guard let known = Self.directionMerges[mode] else {
          throw unsupported(layer, "merges its directions by \(mode)")
        }
        merge = known
      } else {
        isApart = true
      }
    }
    let outer = directions[0]
    // Each cell of a stack is a layer of its own.
    let isCellular = outer.className == "RNN"
    let stack: [[KerasLayer]]
    if isCellular {
      let cells = directions.map(\.cells)
      guard let count = cells.first?.count, count > 0, cells.allSatisfy({ $0.count == count }) else {
        throw unsupported(layer, "has no cells, or others backward than forward")
      }
      stack = (0..<count).map { place in cells.map { $0[place] } }
      guard directions.count == 1 || count == 1 else {
        throw unsupported(layer, "runs a stack of cells in two directions")
      }
    } else {
      stack = [directions]
    }
    guard let first = use.read.first else { throw unsupported(layer, "reads nothing") }
    if outer.config["time_major"]?.bool == true { throw unsupported(layer, "reads time before batch (time_major)") }
    let goesBack = outer.config["go_backwards"]?.bool ?? false
    if directions.count == 2, goesBack { throw unsupported(layer, "goes backwards in its forward direction") }
    if outer.config["stateful"]?.bool == true {
      notes.append("layer \"\(layer.name)\" is stateful: here each batch begins from zeros unless a state is given")
    }
    let isSequence = outer.config["return_sequences"]?.bool ?? false
    let givesState = outer.config["return_state"]?.bool == true
    // What each direction ends with is only there side by side.
    let joinsLater = merge != .concatenate && (givesState || !isSequence)
    let states = Array(use.read.dropFirst()) + (use.keywords["initial_state"] ?? [])
    var rest = layer.weights[...]
    var value = first
    var name = ""
    var kind = Layer.Recurrent(.lstm)
    for (depth, part) in stack.enumerated() {
      var weights: [[String]] = []
      for cell in part {
        guard let count = cell.weightCount(keras1: isKeras1), Self.cells[cell.className] != nil else {
          throw unsupported(layer, "is made of \(cell.className), which has no counterpart here")
        }
        guard rest.count >= count else {
          throw .corrupt(tensor: layer.name, detail: "\(layer.text) has too few weights (\(layer.weights.count))")
        }
        weights.append(Array(rest.prefix(count)))
        rest = rest.dropFirst(count)
      }
      var list: [Named] = []
      kind = try recurrent(part[0], layer)
      if part.count == 2, try recurrent(part[1], layer) != kind {
        throw unsupported(layer, "is another backward than forward")
      }
      var sizes: [Int] = []
      for (direction, names) in weights.enumerated() {
        let (size, bias, found) = try cell(kind, names, layer, isReverse: direction == 1)
        sizes.append(size)
        kind.bias = bias
        list += found
      }
      kind.size = sizes[0]
      kind.isBidirectional = part.count == 2
      kind.merge = joinsLater ? .concatenate : merge
      guard sizes.allSatisfy({ $0 == sizes[0] }) else {
        throw unsupported(layer, "is of another size backward than forward")
      }
      if let units = (part[0].config["units"] ?? part[0].config["output_dim"])?.integer, units != sizes[0] {
        throw .corrupt(
          tensor: weights[0].first ?? layer.name,
          detail: "\(layer.text) has \(units) units, but the weights are those of \(sizes[0])")
      }
      let read = list.first { $0.name == "weight_ih" }?.tensor.shape[1] ?? 0
      let input = try steps(value, layer, width: read)
      if let width = values[input.name]?.width, width != read {
        throw .misshapen(
          tensor: weights[0].first ?? layer.name,
          expected: "(\(width), G), because \(layer.text) reads \(width) values",
          found: "(\(read), G)")
      }
      if input.isReversed, part.count == 2 {
        throw unsupported(layer, "has no counterpart here: it reads steps that come from the last to the first")
      }
      passesOverHiddenSteps(input, layer)
      if goesBack, input.hasMask, outer.config["return_sequences"]?.bool == true {
        throw unsupported(layer, "gives masked steps in another order than its mask, which has no counterpart here")
      }
      // The steps within a stack of cells are in the order that the first has them.
      kind.isReversed = part.count == 1 && (depth == 0 ? input.isReversed != goesBack : input.isReversed)
      if !states.isEmpty {
        guard stack.count == 1 else {
          throw unsupported(layer, "has a stack of cells, and is given their first states")
        }
        kind.initialFrom = try initial(states, of: kind, layer)
      }
      name = try add(
        kind, layer.name, of: layer, reading: [input.name], key: use.path + (depth > 0 ? "/\(depth)" : ""),
        parameters: list)
      value = KerasValue(name: name, axes: KerasValue.steps, isReversed: kind.isReversed, hasMask: input.hasMask)
      if part.count == 1, input.hasMask, outer.config["zero_output_for_mask"]?.bool == true { zeroed.insert(name) }
    }
    guard rest.isEmpty else {
      throw .corrupt(tensor: layer.name, detail: "\(layer.text) has \(rest.count) weights too many")
    }
    var numbers: [String: Double] = [:]
    for key in ["dropout", "recurrent_dropout"] {
      if let number = outer.config[key]?.number, number > 0 { numbers[key] = number }
    }
    remember(layer, name, numbers)
    let sequence = value
    var results: [KerasValue]
    if isApart {
      results = []
      for direction in 0..<2 {
        if isSequence {
          let half = try add(
            Layer.Slice(first: direction * kind.stateSize, count: kind.stateSize),
            "\(layer.name)_\(direction == 0 ? "forward" : "backward")", of: layer, reading: [name], key: "")
          results.append(sequence.given(by: half))
        } else {
          results.append(KerasValue(special: .state(layer: name, part: .hidden, direction: direction)))
        }
      }
    } else if joinsLater {
      let both = isSequence ? sequence : KerasValue(name: try final(of: name, layer), axes: KerasValue.row)
      results = [try joined(both, kind, merge, layer)]
    } else {
      results = [isSequence ? sequence : KerasValue(special: .final(layer: name))]
    }
    guard givesState else { return results }
    guard stack.count == 1 else { throw unsupported(layer, "gives the states of a stack of cells") }
    for direction in 0..<kind.directions {
      results.append(KerasValue(special: .state(layer: name, part: .hidden, direction: direction)))
      if kind.cell == .lstm {
        results.append(KerasValue(special: .state(layer: name, part: .cell, direction: direction)))
      }
    }
    return results
  }

  /// Two directions that lie side by side, as one.
  private mutating func joined(
    _ value: KerasValue, _ kind: Layer.Recurrent, _ merge: Layer.Recurrent.DirectionMerge, _ layer: KerasLayer
  ) throws(CheckpointError) -> KerasValue {
    var halves: [String] = []
    for (direction, word) in ["forward", "backward"].enumerated() {
      halves.append(
        try add(
          Layer.Slice(first: direction * kind.stateSize, count: kind.stateSize), "\(layer.name)_\(word)", of: layer,
          reading: [value.name], key: ""))
    }
    let operation: Layer.Merge.Operation = merge == .sum ? .add : merge == .product ? .multiply : .average
    let name = try add(Layer.Merge(operation), "\(layer.name)_merged", of: layer, reading: halves, key: "")
    return value.given(by: name)
  }

  /// The layer whose last state is this one's first.
  private func initial(
    _ states: [KerasValue], of kind: Layer.Recurrent, _ layer: KerasLayer
  ) throws(CheckpointError) -> String {
    var source: String?
    let parts: [KerasValue.State] = kind.cell == .lstm ? [.hidden, .cell] : [.hidden]
    let wanted = (0..<kind.directions).flatMap { direction in parts.map { ($0, direction) } }
    var fits = states.count == wanted.count
    for (state, (part, direction)) in zip(states, wanted) {
      switch state.special {
      case .state(let name, let found, let place) where found == part && place == direction:
        fits = fits && (source == nil || source == name); source = name
      case .joinedStates(let name, let found, _) where found == part && kind.directions == 1:
        fits = fits && (source == nil || source == name)
        source = name
      case .final(let name) where part == .hidden && recurrentKind(name)?.isBidirectional == false:
        fits = fits && (source == nil || source == name)
        source = name
      default: fits = false
      }
    }
    guard fits, let source else {
      throw unsupported(layer, "has no counterpart here: its first state is not the last of one other layer")
    }
    guard let other = recurrentKind(source), other.cell == kind.cell else {
      throw unsupported(layer, "begins from the state of a layer of another kind")
    }
    let joined = kind.directionsJoined(from: other)
    guard other.directions == joined * kind.directions, joined * other.size == kind.size else {
      throw unsupported(layer, "begins from the state of a layer of another size")
    }
    return source
  }

  // MARK: - Cells

  /// What the configuration of a cell says, but for its size and biases.
  private func recurrent(_ cell: KerasLayer, _ layer: KerasLayer) throws(CheckpointError) -> Layer.Recurrent {
    guard let type = Self.cells[cell.className] else {
      throw unsupported(layer, "is made of \(cell.className), which has no counterpart here")
    }
    var kind = Layer.Recurrent(type)
    if cell.className.hasPrefix("CuDNN") { return kind }
    func function(_ json: KerasJSON?, _ key: String) throws(CheckpointError) -> Activation {
      guard let found = KerasActivation(json, version), found.alpha == nil, found.activation.isElementwise else {
        throw unsupported(layer, "has the \(key) \(json?.functionName ?? "?"), which has no counterpart here")
      }
      return found.activation
    }
    if let json = cell.config["activation"] { kind.activation = try function(json, "activation") }
    if type != .rnn {
      guard let json = cell.config["recurrent_activation"] ?? cell.config["inner_activation"] else {
        throw unsupported(layer, "does not say its recurrent_activation")
      }
      kind.gateActivation = try function(json, "recurrent_activation")
    }
    if type == .gru { kind.resetsAfter = cell.config["reset_after"]?.bool ?? false }
    return kind
  }

  /// The tensors of one cell in the project's orientation.
  private mutating func cell(
    _ kind: Layer.Recurrent, _ names: [String], _ layer: KerasLayer, isReverse: Bool
  ) throws(CheckpointError) -> (size: Int, bias: PlainStack.Bias, parts: [Named]) {
    if kind.cell == .lstm {
      let (cell, how) = try reading.cell(names, of: layer.text)
      let parts = cell.parts.map { part, tensor -> Named in
        (part.rawValue, isReverse, tensor, part == .inputBias || part == .recurrentBias ? how.biases : how.matrices)
      }
      return (cell.hiddenSize, cell.bias, parts)
    }
    let count = kind.cell.gateCount
    var tensors = try reading.take(names, of: layer.text)
    if isKeras1, kind.cell == .gru, tensors.count == 9 {
      for tensor in tensors { try tensor.requireRank(tensor.shape.count == 1 ? 1 : 2, "a gate's weight") }
      func each(_ first: Int, _ axis: Int) throws(CheckpointError) -> StoredTensor {
        let parts = stride(from: first, to: 9, by: 3).map { tensors[$0] }
        for part in parts where part.shape != parts[0].shape || part.shape.count != axis + 1 {
          throw .misshapen(
            tensor: part.name, expected: "\(shapeText(parts[0].shape)) as of the other gates",
            found: shapeText(part.shape))
        }
        return .concatenating(parts, axis: axis)
      }
      tensors = [try each(0, 1), try each(1, 1), try each(2, 0)]
    }
    guard 2...3 ~= tensors.count else {
      throw unsupported(layer, "has \(tensors.count) weights; such a layer has 2 or 3")
    }
    let letter = kind.cell == .gru ? "3H" : "H"
    try tensors[1].requireRank(2, "\(layer.text)'s recurrent weight")
    let size = tensors[1].shape[0]
    try tensors[1].require(
      [size, count * size], "the recurrent weight (H, \(letter)) of \(layer.text)", "hidden size \(size)")
    try tensors[0].require(
      [nil, count * size], "the input weight (I, \(letter)) of \(layer.text)", "hidden size \(size)")
    let isCuDNN = layer.isCuDNN
    func matrix(_ tensor: StoredTensor) -> StoredTensor {
      let rows = isCuDNN ? tensor.fromCuDNNBlocks(count) : tensor.transposed()
      return kind.cell == .gru ? rows.reordering([1, 0, 2]) : rows
    }
    func vector(_ tensor: StoredTensor) -> StoredTensor { kind.cell == .gru ? tensor.reordering([1, 0, 2]) : tensor }
    let order = kind.cell == .gru ? ", gates z r n put in order" : ""
    let how = (isCuDNN ? "CuDNN's blocks turned" : "transposed") + order
    var parts: [Named] = [
      (RecurrentPart.inputWeight.rawValue, isReverse, matrix(tensors[0]), how),
      (RecurrentPart.recurrentWeight.rawValue, isReverse, matrix(tensors[1]), how),
    ]
    guard tensors.count == 3 else { return (size, .none, parts) }
    let bias = tensors[2]
    guard kind.cell == .gru, kind.resetsAfter else {
      try bias.require([count * size], "the bias (\(letter)) of \(layer.text)", "hidden size \(size)")
      parts.append(
        (RecurrentPart.inputBias.rawValue, isReverse, vector(bias), order.isEmpty ? nil : "gates put in order"))
      return (size, .single, parts)
    }
    let both: StoredTensor
    if isCuDNN {
      try bias.require([6 * size], "the bias (6H) of \(layer.text)", "hidden size \(size)")
      both = bias.reshaped([2, 3 * size])
    } else {
      try bias.require([2, 3 * size], "the bias (2, 3H) of \(layer.text), which resets after", "hidden size \(size)")
      both = bias
    }
    parts.append(
      (RecurrentPart.inputBias.rawValue, isReverse, vector(both.element(0)), "the first row, gates put in order"))
    parts.append(
      (RecurrentPart.recurrentBias.rawValue, isReverse, vector(both.element(1)), "the second row, gates put in order"))
    return (size, .dual, parts)
  }
}

extension KerasLayer {
  fileprivate var isCuDNN: Bool {
    className.hasPrefix("CuDNN") || inner("layer")?.className.hasPrefix("CuDNN") ?? false
  }
}
