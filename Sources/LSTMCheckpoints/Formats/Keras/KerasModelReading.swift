import FileIO

/// A model from Keras' own description of it: every layer means something that is known here, or reading stops.
struct KerasModelReading: FileReading {
  var reading: KerasReading
  var file: String { reading.file }
  private let options: LoadOptions
  let keras1: Bool
  var input: PlainStack.Input?
  var layers: [PlainStack.Layer] = []
  private var head: [PlainStack.Dense] = []
  private var readout: PlainStack.Readout?
  private var readoutActivation = PlainStack.Activation.none
  private var mask: PlainStack.Mask?
  private var joinsAll = false
  /// What scales the input.
  private var affine: KerasAffine?
  /// What scales the output.
  private var outputAffine: KerasAffine?
  /// The last LSTM layer gives every step.
  var givesSequences = true
  /// The last LSTM layer gives zeros where a step is hidden.
  var givesZeros = false
  var notes: [Message] = []
  private var idle: [String] = []
  /// Layers that Keras computes with 16 bits.
  private var half: [String] = []
  var source: [Provenance.SourceLayer] = []

  private static let readouts: [String: PlainStack.Readout] = [
    "GlobalAveragePooling1D": .mean, "GlobalMaxPooling1D": .max, "GlobalMaxPool1D": .max, "GlobalAvgPool1D": .mean,
  ]

  init(
    _ structure: KerasStructure, _ candidates: [Candidate], file: String, options: LoadOptions
  ) throws(CheckpointError) {
    reading = KerasReading(structure, candidates, file: file)
    self.options = options
    keras1 = structure.version.major == 1
    for layer in try KerasGraph(structure: structure, file: file).layers() { try read(layer) }
    guard let input, let last = layers.last else { throw ambiguous("its model has no LSTM layer") }
    let final: PlainStack.Readout = last.isBidirectional ? .final : .last
    let configuration = PlainStack(
      input: input, layers: layers, skip: joinsAll, readout: readout ?? (givesSequences ? .all : final), head: head,
      readoutActivation: readoutActivation, mask: mask)
    if readoutActivation != .none, head.isEmpty {
      throw unsupported("its model ends in \(readoutActivation.rawValue) behind the LSTM, with no dense layer")
    }
    if mask != nil, givesZeros || configuration.readout == .max {
      throw unsupported("something reads the steps that the mask hides")
    }
    if let affine { reading.translation.inputScaler = try affine.scaler(width: input.size, file: file) }
    if let outputAffine {
      reading.translation.outputScaler = try outputAffine.undone.scaler(width: configuration.outputSize, file: file)
    }
    if !half.isEmpty { notes.append(kerasComputesInHalf(half)) }
    if !idle.isEmpty { notes.append("in training only, and without effect here: \(idle.joined(separator: ", "))") }
    reading.leaveOutTheRest(candidates, because: "no layer of the model's configuration has it")
    reading.translation.configuration = configuration
    reading.translation.layout = reading.layout
    reading.translation.notes += notes
    reading.translation.sourceLayers = source
  }

  var translation: Translation { reading.translation }

  func unsupported(_ layer: KerasLayer, _ what: String) -> CheckpointError {
    unsupported("\(layer.text) \(what)")
  }

  /// Whether the value has one row a sequence.
  private var isVector: Bool { !layers.isEmpty && (!givesSequences || readout != nil) }

  mutating func remember(
    _ layer: KerasLayer, _ part: String? = nil, _ values: [String: Double] = [:], lists: [String: [Double]]? = nil
  ) {
    source.append(
      .init(name: layer.name, kind: layer.className, part: part, values: values.isEmpty ? nil : values, lists: lists))
  }

  private mutating func read(_ layer: KerasLayer) throws(CheckpointError) {
    if layer.computesInHalf { half.append(layer.name) }
    if outputAffine != nil, !KerasLayerKinds.idle.contains(layer.className), layer.className != "Rescaling" {
      throw unsupported(layer, "comes after a layer that scales the output")
    }
    switch layer.className {
    case "Embedding": try readEmbedding(layer)
    case "LSTM", "CuDNNLSTM", "Bidirectional", "RNN":
      guard head.isEmpty, readout == nil, givesSequences, !joinsAll else {
        throw unsupported(layer, "comes after a layer that does not give every step of an LSTM")
      }
      try readRecurrent(layer)
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
    case "Softmax": try readSoftmax(layer)
    case "Masking": try readMasking(layer)
    case "Normalization", "Rescaling": try readAffine(layer)
    // One row a sequence is flat already.
    case "Flatten" where isVector: remember(layer)
    case "Concatenate" where layer.joinsAll, "Merge" where layer.joinsAll:
      guard !layers.isEmpty, head.isEmpty, readout == nil, givesSequences else {
        throw unsupported(layer, "joins what is not every step of each LSTM")
      }
      joinsAll = true
      remember(layer)
    default:
      if let kind = Self.readouts[layer.className] { return try pool(layer, kind) }
      if KerasLayerKinds.idle.contains(layer.className) { return readIdle(layer) }
      if let what = KerasLayerKinds.computing(layer.className) {
        throw unsupported(layer, "has no counterpart here: \(what)")
      }
      throw unsupported(
        "\(layer.text) has no counterpart here: its class is none of Keras' own, and the file does not say what "
          + "it computes", kerasConfigAdvice)
    }
  }

  // MARK: - Before the stack

  private mutating func readEmbedding(_ layer: KerasLayer) throws(CheckpointError) {
    guard input == nil, layers.isEmpty, mask == nil, affine == nil else {
      throw unsupported(layer, "is not the first layer")
    }
    let weight = try reading.addEmbedding(layer.weights, of: layer.text)
    input = .tokens(vocabulary: weight.shape[0], size: weight.shape[1])
    if layer.config["mask_zero"]?.bool == true {
      mask = .token(0)
      notes.append("layer \(layer.name) masks token 0: such steps are passed over wherever they lie, as in Keras")
    }
    remember(layer, "embedding")
  }

  private mutating func readMasking(_ layer: KerasLayer) throws(CheckpointError) {
    guard layers.isEmpty, input == nil, mask == nil else {
      throw unsupported(layer, "hides steps of what another layer gives, which has no counterpart here")
    }
    guard affine == nil else {
      throw unsupported(layer, "hides steps after they were scaled, which has no counterpart here")
    }
    let value = Float(layer.config["mask_value"]?.number ?? 0)
    guard value.isFinite else { throw unsupported(layer, "masks \(value)") }
    mask = .value(value)
    notes.append("layer \(layer.name) masks steps of \(value): they are passed over wherever they lie, as in Keras")
    remember(layer, "mask", ["mask_value": Double(value)])
  }

  private mutating func readAffine(_ layer: KerasLayer) throws(CheckpointError) {
    if layer.className == "Rescaling", !head.isEmpty {
      outputAffine = try KerasAffine(layer, [], file: reading.file).after(outputAffine, layer, reading.file)
      return remember(layer, "target scaler")
    }
    guard layers.isEmpty, input == nil else {
      throw unsupported(layer, "has no counterpart here: it scales values that are no input")
    }
    guard mask == nil else {
      throw unsupported(layer, "has no counterpart here: it scales values of which a mask hides steps")
    }
    let tensors = layer.weights.isEmpty ? [] : try reading.take(layer.weights, of: layer.text)
    // Alone, its numbers are those of the scaler, and can be written back.
    let statistics = affine == nil ? try KerasScaling(layer, tensors, axes: 2, file: file).statistics : nil
    affine = try KerasAffine(layer, tensors, file: reading.file).after(affine, layer, reading.file)
    let isScalar = !tensors.isEmpty && tensors[0].shape.isEmpty
    remember(layer, "scaler", isScalar ? ["is_scalar": 1] : [:], lists: statistics?.lists)
  }

  private mutating func readIdle(_ layer: KerasLayer) {
    let numbers = ["rate", "p", "stddev", "sigma", "l1", "l2"]
    var values: [String: Double] = [:]
    for key in numbers { if let value = layer.config[key]?.number { values[key] = value } }
    if !["InputLayer", "NotEqual", "Any", "Identity"].contains(layer.className) {
      idle.append("\(layer.name) (\(layer.className))")
    }
    remember(layer, nil, values)
  }

  // MARK: - After the stack

  private mutating func readDense(_ dense: KerasLayer, _ layer: KerasLayer) throws(CheckpointError) {
    guard !layers.isEmpty else { throw unsupported(layer, "comes before the first LSTM") }
    let tensors = try reading.addDense(layer.weights, of: layer.text)
    let name = dense.config["activation"]?.functionName ?? "linear"
    guard let activation = Self.activation(name) else { throw unsupported(layer, "has the activation \(name)") }
    remember(layer, "head.\(head.count)")
    head.append(.init(size: tensors[0].shape[1], hasBias: tensors.count == 2, activation: activation))
  }

  private mutating func apply(_ name: String, _ layer: KerasLayer) throws(CheckpointError) {
    guard let activation = Self.activation(name) else { throw unsupported(layer, "is \(name)") }
    if activation == .none { return }
    // Between the LSTM's output and the head.
    if head.isEmpty, !layers.isEmpty, readoutActivation == .none,
      PlainStack.Activation.elementwise.contains(activation)
    {
      readoutActivation = activation
      return
    }
    guard let last = head.indices.last, head[last].activation == .none else {
      throw unsupported(layer, "applies \(name) to something else than a dense layer's output")
    }
    head[last].activation = activation
  }

  private mutating func readSoftmax(_ layer: KerasLayer) throws(CheckpointError) {
    let rank = isVector ? 2 : 3
    let axis = layer.config["axis"]?.integer ?? layer.config["axis"]?.array?.first?.integer ?? -1
    let isOne = (layer.config["axis"]?.array?.count ?? 1) == 1
    guard isOne, axis == -1 || axis == rank - 1 else {
      let what = isOne && axis == 1 ? "over the steps" : "over other values than a row's own"
      throw unsupported(layer, "has no counterpart here: it is a softmax \(what) (axis \(axis))")
    }
    try apply("softmax", layer)
  }

  static func activation(_ name: String) -> PlainStack.Activation? {
    name == "linear" ? PlainStack.Activation.none : name == "none" ? nil : .init(rawValue: name)
  }

  private mutating func pool(_ layer: KerasLayer, _ kind: PlainStack.Readout) throws(CheckpointError) {
    guard !layers.isEmpty, head.isEmpty, readout == nil, givesSequences, readoutActivation == .none else {
      throw unsupported(layer, "does not pool over the steps of the last LSTM")
    }
    guard layer.config["keepdims"]?.bool != true,
      (layer.config["data_format"]?.string ?? "channels_last") == "channels_last"
    else { throw unsupported(layer, "keeps the dimension of time, or pools over another") }
    readout = kind
    remember(layer, "readout")
  }
}
