/// A model from Keras' own description of it: every layer means something that is known here, or reading stops.
struct KerasModelReading {
  private var reading: KerasReading
  private let options: LoadOptions
  private let keras1: Bool
  private var input: ModelConfiguration.Input?
  private var layers: [ModelConfiguration.Layer] = []
  private var head: [ModelConfiguration.Dense] = []
  private var readout: ModelConfiguration.Readout?
  private var readoutActivation = ModelConfiguration.Activation.none
  /// The last LSTM layer gives every step.
  private var givesSequences = true
  private var notes: [String] = []

  /// Layers without weights that change nothing when a model is used.
  private static let idle: Set<String> = [
    "InputLayer", "Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout",
    "ActivityRegularization", "Identity", "NotEqual", "Masking",
  ]
  private static let readouts: [String: ModelConfiguration.Readout] = [
    "GlobalAveragePooling1D": .mean, "GlobalMaxPooling1D": .max, "GlobalMaxPool1D": .max, "GlobalAvgPool1D": .mean,
  ]
  static let weightless = idle.union(readouts.keys).union([
    "Activation", "ReLU", "Softmax", "Flatten", "Reshape", "Permute", "RepeatVector", "Lambda", "Concatenate", "Add",
    "Multiply", "Average", "Maximum", "Subtract", "Dot", "Merge", "LeakyReLU", "ELU",
  ])

  init(
    _ structure: KerasStructure, _ candidates: [Translation.Candidate], file: String, options: LoadOptions
  ) throws(CheckpointError) {
    reading = KerasReading(structure, candidates, file: file)
    self.options = options
    keras1 = structure.version.major == 1
    for layer in try KerasGraph(structure: structure, file: file).layers() { try read(layer) }
    guard let input, let last = layers.last else {
      throw .ambiguous(file: file, detail: "its model has no LSTM layer", advice: [])
    }
    let final: ModelConfiguration.Readout = last.isBidirectional ? .final : .last
    let configuration = ModelConfiguration(
      input: input, layers: layers, readout: readout ?? (givesSequences ? .all : final), head: head,
      readoutActivation: readoutActivation)
    if readoutActivation != .none, head.isEmpty {
      throw .unsupported(
        file: file, detail: "its model ends in \(readoutActivation.rawValue) behind the LSTM, with no dense layer",
        advice: [])
    }
    reading.leaveOutTheRest(candidates, because: "no layer of the model's configuration has it")
    reading.translation.configuration = configuration
    reading.translation.layout = reading.layout
    reading.translation.notes += notes
  }

  var translation: Translation { reading.translation }

  private func unsupported(_ layer: KerasLayer, _ what: String) -> CheckpointError {
    .unsupported(file: reading.file, detail: "\(layer.text) \(what)", advice: [kerasConfigAdvice])
  }

  private mutating func read(_ layer: KerasLayer) throws(CheckpointError) {
    switch layer.className {
    case "Embedding": try readEmbedding(layer)
    case "LSTM", "CuDNNLSTM", "Bidirectional", "RNN": try readRecurrent(layer)
    case "Dense": try readDense(layer, layer)
    case "TimeDistributed":
      guard let inner = layer.inner("layer"), inner.className == "Dense" else {
        throw unsupported(layer, "applies something else than a dense layer to each step")
      }
      try readDense(inner, layer)
    case "Activation": try apply(layer.config["activation"]?.functionName ?? "linear", layer)
    case "ReLU":
      guard layer.config["max_value"] == nil, (layer.config["negative_slope"]?.number ?? 0) == 0,
        (layer.config["threshold"]?.number ?? 0) == 0
      else { throw unsupported(layer, "is not the plain relu") }
      try apply("relu", layer)
    case "Softmax": try apply("softmax", layer)
    case "Masking":
      notes.append(
        "layer \"\(layer.name)\" masks steps; here padded steps count unless the lengths of the sequences are given")
    default:
      if let kind = Self.readouts[layer.className] { return try pool(layer, kind) }
      guard Self.idle.contains(layer.className) else {
        throw unsupported(layer, "has no counterpart here")
      }
    }
  }

  private mutating func readEmbedding(_ layer: KerasLayer) throws(CheckpointError) {
    guard input == nil, layers.isEmpty else { throw unsupported(layer, "is not the first layer") }
    let weight = try reading.addEmbedding(layer.weights, of: layer.text)
    input = .tokens(vocabulary: weight.shape[0], size: weight.shape[1])
    if layer.config["mask_zero"]?.bool == true {
      notes.append(
        "layer \"\(layer.name)\" masks token 0; here it counts unless the lengths of the sequences are given")
    }
  }

  private mutating func readRecurrent(_ layer: KerasLayer) throws(CheckpointError) {
    guard head.isEmpty, readout == nil, givesSequences, readoutActivation == .none else {
      throw unsupported(layer, "comes after a layer that does not give every step of an LSTM")
    }
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
        try check(cell, in: layer, isReverse: index == 1)
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
      layers.append(
        .init(
          hiddenSize: cells[0].hiddenSize, isBidirectional: part.count == 2, bias: cells[0].bias,
          gateActivation: gates))
    }
    if directions[0].config["stateful"]?.bool == true {
      notes.append("layer \"\(layer.name)\" is stateful: here each batch begins from zeros unless a state is given")
    }
    givesSequences = directions[0].config["return_sequences"]?.bool ?? false
  }

  /// Refuses what an LSTM here does not do.
  private func check(_ cell: KerasLayer, in layer: KerasLayer, isReverse: Bool) throws(CheckpointError) {
    guard ["LSTM", "LSTMCell", "CuDNNLSTM"].contains(cell.className) else {
      throw unsupported(layer, "is a \(cell.className), not an LSTM")
    }
    let activation = cell.config["activation"]?.functionName ?? "tanh"
    guard activation == "tanh" else { throw unsupported(layer, "has the activation \(activation), not tanh") }
    // The backward layer of a wrapper says that it goes backwards, or is the forward one again.
    let runsBackwards = cell.config["go_backwards"]?.bool ?? false
    if runsBackwards, !isReverse { throw unsupported(layer, "goes backwards") }
    if layer.config["go_backwards"]?.bool == true { throw unsupported(layer, "goes backwards") }
    if cell.config["time_major"]?.bool == true { throw unsupported(layer, "reads time before batch (time_major)") }
  }

  private func gates(_ cell: KerasLayer, in layer: KerasLayer) throws(CheckpointError)
    -> ModelConfiguration.GateActivation
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

  private mutating func readDense(_ dense: KerasLayer, _ layer: KerasLayer) throws(CheckpointError) {
    guard !layers.isEmpty else { throw unsupported(layer, "comes before the first LSTM") }
    let tensors = try reading.addDense(layer.weights, of: layer.text)
    let name = dense.config["activation"]?.functionName ?? "linear"
    guard let activation = Self.activation(name) else { throw unsupported(layer, "has the activation \(name)") }
    head.append(.init(size: tensors[0].shape[1], hasBias: tensors.count == 2, activation: activation))
  }

  private mutating func apply(_ name: String, _ layer: KerasLayer) throws(CheckpointError) {
    guard let activation = Self.activation(name) else { throw unsupported(layer, "is \(name)") }
    if activation == .none { return }
    // Between the LSTM's output and the head.
    if head.isEmpty, !layers.isEmpty, readoutActivation == .none,
      ModelConfiguration.Activation.elementwise.contains(activation)
    {
      readoutActivation = activation
      return
    }
    guard let last = head.indices.last, head[last].activation == .none else {
      throw unsupported(layer, "applies \(name) to something else than a dense layer's output")
    }
    head[last].activation = activation
  }

  private static func activation(_ name: String) -> ModelConfiguration.Activation? {
    name == "linear" ? ModelConfiguration.Activation.none : name == "none" ? nil : .init(rawValue: name)
  }

  private mutating func pool(_ layer: KerasLayer, _ kind: ModelConfiguration.Readout) throws(CheckpointError) {
    guard !layers.isEmpty, head.isEmpty, readout == nil, givesSequences, readoutActivation == .none else {
      throw unsupported(layer, "does not pool over the steps of the last LSTM")
    }
    guard layer.config["keepdims"]?.bool != true,
      (layer.config["data_format"]?.string ?? "channels_last") == "channels_last"
    else { throw unsupported(layer, "keeps the dimension of time, or pools over another") }
    readout = kind
  }
}
