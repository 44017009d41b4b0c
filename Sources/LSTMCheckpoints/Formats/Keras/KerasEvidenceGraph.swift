import FileIO

/// A graph of layers from a file of weights: a line of layers as their names, order and shapes tell, with Keras' defaults
/// for what they do not.
struct KerasEvidenceGraph: FileReading {
  /// What a file of weights does not say and no default is good enough for.
  struct Choices {
    var convolution: Activation = .none
    var padding = Layer.Convolution.Padding.valid
    var inner: Activation = .none
    var recurrent: Activation = .tanh
    /// Of layers that only say that they are an activation.
    var function: Activation = .relu
    var last: Activation = .none
    var merge = "concat"
    /// Whether token 0 is hidden.
    var masks = false
    /// Whether the last recurrent layer gives every step.
    var givesAll = false
    /// Whether the maximum lies before the mean.
    var maximumFirst = false
  }

  /// Stands for how often a `RepeatVector` repeats.
  static let unknownCount = 10

  let file: String
  private let structure: KerasStructure
  private let candidates: [Candidate]
  let options: LoadOptions
  private(set) var layers: [KerasFoundLayer]
  /// Other orders that are as likely.
  private var others: [[KerasFoundLayer]] = []

  /// nil for what is a plain stack, or has a layer whose place or class is not known.
  /// - Parameter acceptsPlain: whether a plain stack is read, too.
  init?(
    _ structure: KerasStructure, _ candidates: [Candidate], file: String, options: LoadOptions,
    acceptsPlain: Bool = false
  ) {
    (self.structure, self.candidates, self.file, self.options) = (structure, candidates, file, options)
    guard options.given == nil, options.configuration == nil, options.prefix == nil, options.allowedUnexpected.isEmpty,
      structure.version.major != 1, options.stack == nil, options.readoutActivation == nil,
      options.readout != .attention
    else { return nil }
    let shapes = Dictionary(candidates.map { ($0.tensor.name, $0.shape) }) { first, _ in first }
    guard let found = structure.foundLayers(shapes), found.contains(where: \.isRecurrent) else { return nil }
    let isPlain = found.allSatisfy { layer in
      ["LSTM", "CuDNNLSTM", "Dense", "Embedding"].contains(layer.className)
        || layer.className == "Bidirectional" && layer.cell == "LSTM"
        || layer.className == "TimeDistributed" && layer.cell == "Dense"
        || KerasLayerKinds.idle.contains(layer.className)
    }
    var hasDenseBefore = false
    if case .layers = structure.weights, found.count(where: { $0.className == "InputLayer" }) < 2 {
      hasDenseBefore = found.lastIndex(where: \.isRecurrent).map { found[..<$0].contains(where: \.isDense) } ?? false
    }
    if isPlain, !acceptsPlain, !hasDenseBefore { return nil }
    layers = found
    if case .objects = structure.weights {
      let orders = KerasFoundOrder.orders(of: found)
      guard let first = orders.first else { return nil }
      (layers, others) = (first, Array(orders.dropFirst()))
    }
    layers.removeAll { KerasLayerKinds.idle.contains($0.className) }
    // A pooling that somebody says.
    if let last = layers.lastIndex(where: \.isRecurrent), openReadout(of: layers) != nil || options.readout != nil,
      !layers.contains(where: \.isGlobalPooling), options.readout == .mean || options.readout == .max
    {
      let className = options.readout == .mean ? "GlobalAveragePooling1D" : "GlobalMaxPooling1D"
      layers.insert(KerasFoundLayer(name: "readout", className: className), at: last + 1)
    }
  }

  /// The orders that its layers may come in.
  var orders: [[KerasFoundLayer]] { [layers] + others }

  /// - Throws: `CheckpointError.ambiguous` with the models that it may be; nil where the layers make no line.
  func translation() throws(CheckpointError) -> Translation? {
    guard var translation = try? read(layers, usual) else { return nil }
    try ask()
    settle(&translation)
    assume(&translation)
    return translation
  }

  // MARK: - Asking

  var usual: Choices {
    var choices = Choices()
    choices.inner = options.activation ?? .none
    choices.last = options.outputActivation ?? .none
    return choices
  }

  /// Dense layers that another one follows.
  private func inner(_ layers: [KerasFoundLayer]) -> [KerasFoundLayer] {
    layers.enumerated().compactMap { index, layer in
      guard layer.isDense else { return nil }
      let next = layers[(index + 1)...].first { !$0.isNormalization }
      return next.map { $0.isDense || $0.isRecurrent } ?? false ? layer : nil
    }
  }

  private func ask() throws(CheckpointError) {
    let gated = layers.filter { ["LSTM", "GRU"].contains($0.cell) }
    if !structure.version.defaultsToSigmoid, options.gates == nil, !gated.isEmpty {
      throw .ambiguous(
        file: file,
        detail: "it holds no model, and Keras \(structure.version.text) gave its layers hard_sigmoid gates unless told "
          + "otherwise: the gates of \(nameList(gated.map(\.name))) are not known",
        advice: ["say them with \(.gates, "hard_sigmoid") or \(.gates, "sigmoid")"])
    }
    if let readout = options.readout, let pooling = layers.first(where: \.isGlobalPooling), pooling.name != "readout",
      readout != (pooling.className.contains("Max") ? .max : .mean)
    {
      throw .invalid(.readout, readout.rawValue, "\(pooling.text) of \(file) is another")
    }
    func choosing(_ detail: Message) -> CheckpointError {
      .ambiguous(file: file, detail: detail, advice: kerasModelAdvice(usualLines(isAsked: true)))
    }
    let convolutions = layers.filter(\.isConvolution)
    if !convolutions.isEmpty {
      throw choosing(
        "\(nameList(convolutions.map(\.name))) convolve over the steps, and a file of weights tells neither their "
          + "padding and stride nor their activation")
    }
    if !others.isEmpty {
      throw choosing("the file does not say in which order its layers come, and their sizes fit in several")
    }
    if let layer = layers.first(where: { $0.className == KerasFoundLayer.pools }) {
      throw choosing(
        "a file of weights does not say what \(layer.name) (Concatenate) puts side by side, nor in which order")
    }
    if let layer = layers.first(where: { $0.className == "Attention" }) {
      throw choosing("a file of weights does not say what \(layer.text) reads")
    }
    if let layer = layers.first(where: { $0.className == "RepeatVector" }) {
      throw choosing(
        "a file of weights does not say how often \(layer.text) repeats (N stands for the number), nor the activation "
          + "of its recurrent layers")
    }
    if let layer = layers.first(where: { $0.className == "Activation" }) {
      throw choosing("\(layer.text) applies a function that a file of weights does not say")
    }
    let inner = inner(layers)
    if options.activation == nil, !inner.isEmpty {
      throw choosing("the tensors do not show which activation is after \(nameList(inner.map(\.name)))")
    }
    if let openMerge {
      throw choosing(
        "what \(openMerge) gives is half as wide as its two directions: a file of weights does not say how they are "
          + "merged")
    }
  }

  /// A bidirectional layer whose reader takes half of what it gives.
  var openMerge: String? {
    for (index, layer) in layers.enumerated() where layer.className == "Bidirectional" {
      if let reads = layers[(index + 1)...].compactMap(\.reads).first, reads * 2 == layer.gives {
        return layer.name
      }
    }
    return nil
  }

  // MARK: - The line of layers

  func read(_ order: [KerasFoundLayer], _ choices: Choices) throws(CheckpointError) -> Translation {
    let described = KerasStructure(
      weights: .layers(order.map { .init(name: $0.name, weights: $0.weights) }), version: version,
      model: model(order, choices))
    return try KerasGraphReading(described, candidates, file: file, timeAxis: 0).reading.translation
  }

  private var version: KerasVersion { structure.version.isKnown ? structure.version : KerasVersion("3.0.0") }

  private func model(_ order: [KerasFoundLayer], _ choices: Choices) -> KerasJSON {
    var list: [KerasJSON] = []
    let isTokens = order.first { $0.className != "InputLayer" }?.className == "Embedding"
    let width = order.compactMap(\.reads).first
    let steps = inputSteps(order, choices)
    let shape: [KerasJSON] =
      [.null, steps.map { .number(Double($0)) } ?? .null]
      + (isTokens ? [] : [width.map { .number(Double($0)) } ?? .null])
    list.append(["class_name": "InputLayer", "config": ["name": "input of all", "batch_shape": .array(shape)]])
    let inner = Set(inner(order).map(\.name))
    for (index, layer) in order.enumerated() where layer.className != "InputLayer" {
      var config = layer.config
      config["name"] = .string(layer.name)
      func activation(_ function: Activation) -> KerasJSON {
        .string(KerasActivation.name(function, isThree: true) ?? "linear")
      }
      func change(_ body: (inout [String: KerasJSON]) -> Void) {
        guard case .object(var wrapped)? = config["layer"], case .object(var own)? = wrapped["config"] else {
          return body(&config)
        }
        body(&own)
        wrapped["config"] = .object(own)
        config["layer"] = .object(wrapped)
      }
      let isLast = index == order.count - 1
      if layer.isRecurrent {
        change {
          if $0["activation"] != nil { $0["activation"] = activation(choices.recurrent) }
          $0["return_sequences"] = .bool(givesSteps(order, index, choices))
        }
        if layer.className == "Bidirectional" { config["merge_mode"] = .string(mode(order, index, choices)) }
      } else if layer.isDense {
        let function = inner.contains(layer.name) ? choices.inner : isLast ? choices.last : .none
        change { $0["activation"] = activation(function) }
      } else if layer.isConvolution {
        config["activation"] = activation(choices.convolution)
        config["padding"] = .string(choices.padding.rawValue)
      } else if layer.className == "Activation" {
        config["activation"] = activation(isLast ? choices.last : choices.function)
      } else if layer.className == "RepeatVector" {
        config["n"] = .number(Double(Self.unknownCount))
      } else if layer.className == "Embedding" {
        config["mask_zero"] = .bool(choices.masks)
      } else if layer.className == "Masking" {
        config["mask_value"] = 0
      } else if layer.className == "ZeroPadding1D" {
        config["padding"] = 1
      } else if layer.className == "Attention" {
        config["use_scale"] = .bool(false)
      }
      list.append(["class_name": .string(layer.className), "config": .object(config)])
    }
    let isLine = !order.contains { $0.isAttention || $0.className == KerasFoundLayer.pools }
    return isLine ? ["class_name": "Sequential", "config": ["layers": .array(list)]] : graph(list, choices)
  }

  /// Of a line of layers one in which an attention reads its sequence twice, and a mean and a maximum lie side by side.
  private func graph(_ line: [KerasJSON], _ choices: Choices) -> KerasJSON {
    var layers: [KerasJSON] = []
    func reference(_ name: String) -> KerasJSON { [.string(name), 0, 0, .object([:])] }
    func add(_ className: KerasJSON, _ config: KerasJSON, _ name: String, _ reads: [String]) {
      layers.append([
        "class_name": className, "config": config, "name": .string(name),
        "inbound_nodes": reads.isEmpty ? .array([]) : .array([.array(reads.map(reference))]),
      ])
    }
    var last: String?
    for entry in line {
      let name = entry["config"]?["name"]?.string ?? ""
      let className = entry["class_name"]?.string ?? ""
      let reads = last.map { [$0] } ?? []
      if className == KerasFoundLayer.pools {
        var pools: [String] = []
        for (key, pooling) in [("mean", "GlobalAveragePooling1D"), ("max", "GlobalMaxPooling1D")] {
          let own = entry["config"]?[key]?.string ?? key
          add(.string(pooling), ["name": .string(own)], own, reads)
          pools.append(own)
        }
        add(
          "Concatenate", ["name": .string(name), "axis": -1], name, choices.maximumFirst ? pools.reversed() : pools)
      } else {
        add(
          .string(className), entry["config"] ?? .object([:]), name,
          className.hasSuffix("Attention") ? reads + reads : reads)
      }
      last = name
    }
    let first = layers.first?["name"] ?? ""
    return [
      "class_name": "Functional",
      "config": [
        "layers": .array(layers), "input_layers": [[first, 0, 0]],
        "output_layers": [[.string(last ?? ""), 0, 0]],
      ],
    ]
  }

  /// Steps of the input where a dense layer reads a fixed number of them further on.
  private func inputSteps(_ order: [KerasFoundLayer], _ choices: Choices) -> Int? {
    guard var count = steps(order), let flatten = order.firstIndex(where: { $0.className == "Flatten" }) else {
      return nil
    }
    for layer in order[..<flatten].reversed() {
      if layer.className == "RepeatVector" { return nil }
      if layer.isPooling { count *= 2 }
      if layer.className == "ZeroPadding1D" { count -= 2 }
      guard layer.isConvolution, choices.padding == .valid else { continue }
      count += (layer.config["kernel_size"]?.array?.first?.integer ?? 1) - 1
    }
    return count > 0 ? count : nil
  }

  /// Steps that a dense layer reads one after the other.
  private func steps(_ order: [KerasFoundLayer]) -> Int? {
    guard let flatten = order.firstIndex(where: { $0.className == "Flatten" }),
      let width = order[..<flatten].last(where: { $0.gives != nil })?.gives,
      let reads = order[flatten...].first(where: \.isDense)?.reads, width > 0, reads % width == 0
    else { return nil }
    return reads / width
  }

  /// Whether a recurrent layer gives every step, by what reads it.
  private func givesSteps(_ order: [KerasFoundLayer], _ index: Int, _ choices: Choices) -> Bool {
    for (place, layer) in order.enumerated().dropFirst(index + 1) {
      if layer.className == "RepeatVector" { return false }
      if layer.className == "Flatten" { return (steps(order) ?? 1) > 1 }
      if layer.isStepwise { return true }
      // A dense layer between two recurrent ones is one of each step.
      if layer.isDense, order[place...].contains(where: \.isRecurrent) {
        return !order[place...].contains { $0.className == "RepeatVector" }
      }
      if layer.isDense { break }
    }
    return options.readout == .all || choices.givesAll
  }

  private func mode(_ order: [KerasFoundLayer], _ index: Int, _ choices: Choices) -> String {
    guard let reads = order[(index + 1)...].compactMap(\.reads).first, reads * 2 == order[index].gives else {
      return "concat"
    }
    return choices.merge == "concat" ? "sum" : choices.merge
  }

  // MARK: - What is said

  /// The last recurrent layer's readout, where nothing tells it.
  private var openReadout: KerasFoundLayer? { options.readout == nil ? openReadout(of: layers) : nil }

  private func openReadout(of layers: [KerasFoundLayer]) -> KerasFoundLayer? {
    guard let last = layers.lastIndex(where: \.isRecurrent), !layers[(last + 1)...].contains(where: \.isStepwise),
      !layers.contains(where: { $0.className == "Flatten" })
    else { return nil }
    return layers[last]
  }

  /// What a user said, and what nobody did.
  private func settle(_ translation: inout Translation) {
    guard let graph = translation.graph else { return }
    var list = graph.layers
    for (index, layer) in list.enumerated() {
      guard var kind = layer.kind as? Layer.Recurrent, kind.cell != .rnn, let gates = options.gates else { continue }
      kind.gateActivation = gates.general
      list[index].kind = kind
    }
    let place = list.lastIndex { ($0.kind as? Layer.Readout).map { [.last, .final].contains($0.take) } ?? false }
    if let place, openReadout != nil, place < list.count - 1 {
      list[place].kind = Layer.Readout(.undecided)
    } else if let place, let said = options.readout, said == .last || said == .final {
      list[place].kind = Layer.Readout(said == .last ? .last : .final)
    }
    if let changed = try? graph.with(layers: list) { translation.graph = changed }
  }

  private func assume(_ translation: inout Translation) {
    let line = translation.graph?.line ?? ""
    let model: Message = "\(.model, line)"
    func said(_ list: [KerasFoundLayer]) -> String { nameList(list.map(\.name)) }
    translation.assumed.add("the layers make one line: \(layers.map(\.name).joined(separator: ", "))", change: model)
    translation.assumed.add(
      "tanh, sigmoid in the gates, and steps from the first to the last, of \(said(layers.filter(\.isRecurrent))): "
        + "Keras' defaults",
      change: "a word such as relu or reversed after its size in \(.model, "LINE")")
    let grus = layers.filter { $0.cell == "GRU" && $0.hasNoBias }
    if !grus.isEmpty {
      translation.assumed.add(
        "the reset gate of \(said(grus)) acts on the product (reset_after), as since Keras 2.3",
        change: "without reset after in \(.model, "LINE")")
    }
    if layers.contains(where: { $0.className == "Bidirectional" }) {
      translation.assumed.add("the outputs of two directions side by side (merge_mode concat)")
    }
    let norms = layers.filter(\.isNormalization)
    if !norms.isEmpty { translation.assumed.add("\(said(norms)) add 0.001 to variances, Keras' default") }
    let settings: [(String, String)] = [
      ("MaxPooling1D", "over 2 steps"), ("AveragePooling1D", "over 2 steps"), ("LeakyReLU", "with a slope of 0.3"),
      ("ELU", "with alpha 1"), ("ReLU", "without limits"), ("Softmax", "over features"),
      ("Masking", "hides steps of 0"), ("MultiHeadAttention", "of one sequence with itself"),
    ]
    for (className, what) in settings {
      let list = layers.filter { $0.className == className }
      if !list.isEmpty {
        translation.assumed.add("\(said(list)) (\(className)) \(what), Keras' default", change: model)
      }
    }
    if layers.contains(where: { $0.className == "Embedding" }) {
      translation.assumed.add(
        "token 0 is one like any other (no mask_zero)", change: "masked 0 after the tokens in \(.model, "LINE")")
    }
    if openReadout != nil {
      translation.assumed.add(
        "what of the steps is read on is left open: finetune and evaluate settle it from the data",
        change: "\(.readout, "last"), final, all, mean or max")
    }
    if let steps = steps(layers) {
      translation.assumed.add("the head reads \(steps) steps one after the other: every sequence has \(steps)")
    }
    let lines = usualLines(isAsked: false)
    if !lines.isEmpty { translation.assumed.add(kerasIsNoOther, change: kerasOthers(lines)) }
    if let last = layers.last, last.isDense, options.outputActivation == nil {
      translation.assumed.add(
        "no activation after \(last.name)", change: "\(.outputActivation) sigmoid, softmax, log_softmax, relu or tanh")
    }
  }
}

extension KerasFoundLayer {
  /// `LSTM`, `GRU` or `SimpleRNN`, also of a layer in two directions.
  var cell: String { config["layer"]?["class_name"]?.string ?? className }

  fileprivate var hasNoBias: Bool { (config["layer"]?["config"]?["use_bias"] ?? config["use_bias"])?.bool == false }
}
