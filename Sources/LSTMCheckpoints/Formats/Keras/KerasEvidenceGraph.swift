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
    /// Whether what is merged has a number of steps that is not known.
    var hasSteps = false
    /// Whether the maximum lies before the mean.
    var maximumFirst = false
  }

  /// Keras' default of a group normalization.
  static let usualGroups = 32
  /// Stands for how often a `RepeatVector` repeats.
  static let unknownCount = 10

  let file: String
  let structure: KerasStructure
  let candidates: [Candidate]
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
    let lines = Self.lines(found, structure)
    let isMerged = lines.contains { Self.openMerge(of: $0) != nil }
    let isLine =
      !lines.isEmpty && !found.contains(where: \.isMerge) && found.count { $0.className == "InputLayer" } < 2
      && !Self.attendsToAnother(found)
    var isOrdered = false
    if case .layers = structure.weights { isOrdered = true }
    layers = found.filter { !KerasLayerKinds.idle.contains($0.className) }
    let joins = isLine ? [] : KerasFoundJoins.orders(of: found, isOrdered: isOrdered, isValid: makesSense)
    if joins.isEmpty, found.contains(where: \.isMerge) { return nil }
    if isPlain, !acceptsPlain, !hasDenseBefore, !isMerged, joins.isEmpty { return nil }
    if let first = joins.first {
      (layers, others) = (first, Array(joins.dropFirst()))
      return
    }
    if case .objects = structure.weights {
      guard let first = lines.first else { return nil }
      (layers, others) = (first, Array(lines.dropFirst()))
    }
    // A pooling that somebody says.
    if let last = layers.lastIndex(where: \.isRecurrent), openReadout(of: layers) != nil || options.readout != nil,
      !layers.contains(where: \.isGlobalPooling), options.readout == .mean || options.readout == .max
    {
      let className = options.readout == .mean ? "GlobalAveragePooling1D" : "GlobalMaxPooling1D"
      layers.insert(KerasFoundLayer(name: "readout", className: className), at: last + 1)
    }
  }

  /// Whether an attention may read two sequences.
  private static func attendsToAnother(_ layers: [KerasFoundLayer]) -> Bool {
    let recurrent = layers.filter(\.isRecurrent)
    return layers.contains { ["Attention", "AdditiveAttention"].contains($0.className) }
      && layers.contains { $0.className == "InputLayer" } && recurrent.count > 1
      && recurrent.dropFirst().contains { $0.gives == recurrent[0].gives }
  }

  /// The orders in which the layers make one line.
  private static func lines(_ layers: [KerasFoundLayer], _ structure: KerasStructure) -> [[KerasFoundLayer]] {
    guard case .layers = structure.weights else { return KerasFoundOrder.orders(of: layers) }
    var width: Int?
    for (index, layer) in layers.enumerated() {
      if layer.className == "Flatten" || layer.className == KerasFoundLayer.pools { width = nil }
      if let reads = layer.reads, let known = width, reads != known {
        let isHalf = layers[..<index].last { $0.gives != nil }?.className == "Bidirectional" && reads * 2 == known
        guard isHalf else { return [] }
      }
      width = layer.gives ?? width
    }
    return [layers]
  }

  /// Whether a graph of layers can be read, with some padding and number of steps.
  private func makesSense(_ order: [KerasFoundLayer]) -> Bool {
    guard KerasFoundRanks(order, givesAll: false).isConsistent else { return false }
    return [Layer.Convolution.Padding.valid, .same].contains { padding in
      [false, true].contains { hasSteps in
        var choices = usual
        (choices.padding, choices.hasSteps) = (padding, hasSteps)
        return (try? read(order, choices)) != nil
      }
    }
  }

  /// Whether its layers make more than a line.
  var isJoined: Bool { layers.contains { $0.calls != nil } }

  /// The orders that its layers may come in.
  var orders: [[KerasFoundLayer]] { [layers] + others }

  /// - Throws: `CheckpointError.ambiguous` with the models that it may be; nil where the layers make no line.
  func translation() throws(CheckpointError) -> Translation? {
    guard var translation = try? read(layers, usual) else {
      if isJoined { try ask() }
      return nil
    }
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
  func inner(_ layers: [KerasFoundLayer]) -> [KerasFoundLayer] {
    layers.enumerated().compactMap { index, layer in
      guard layer.isDense else { return nil }
      let next = layers[(index + 1)...].first { !$0.isNormalization }
      return next.map { $0.isDense || $0.isRecurrent } ?? false ? layer : nil
    }
  }

  private func standsForGroups(_ layer: KerasFoundLayer) -> String {
    layer.groups == Self.usualGroups ? "" : " (N stands for the number)"
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
    let within = structure.foundModels
    func choosing(_ detail: Message, _ lines: [String]? = nil) -> CheckpointError {
      let detail =
        within.isEmpty
        ? detail : detail + "; of \(nameList(within)), a model within it, only layers with weights are named"
      return .ambiguous(file: file, detail: detail, advice: kerasModelAdvice(lines ?? usualLines(isAsked: true)))
    }
    if isJoined {
      let merges = layers.filter { $0.isMerge || $0.isAttention }.map(\.text)
      let lines = usualLines(isAsked: true)
      let isOpen = lines.first?.contains(" N steps") ?? false
      throw choosing(
        "a file of weights does not say how its layers are joined"
          + (merges.isEmpty ? ", and they are not one straight line" : ": what \(nameList(merges)) reads")
          + (isOpen ? " (N stands for the number of steps)" : ""), lines)
    }
    let zeros: Message =
      layers.first { $0.className == "ZeroPadding1D" }.map {
        ", nor how many zeros \($0.name) puts around the steps (N stands for the number)"
      } ?? ""
    let convolutions = layers.filter(\.isConvolution)
    if !convolutions.isEmpty {
      throw choosing(
        "\(nameList(convolutions.map(\.name))) convolve over the steps, and a file of weights tells neither their "
          + "padding and stride nor their activation"
          + (layers.first { $0.className == "GroupNormalization" }.map {
            ", nor how many groups \($0.name) has\(standsForGroups($0))"
          } ?? "") + zeros)
    }
    if !zeros.isEmpty { throw choosing("a file of weights does not say what each of its layers does\(zeros)") }
    if !others.isEmpty {
      throw choosing("the file does not say in which order its layers come, and their sizes fit in several")
    }
    if let layer = layers.first(where: { $0.className == KerasFoundLayer.pools }) {
      throw choosing(
        "a file of weights does not say what \(layer.name) (Concatenate) puts side by side, nor in which order")
    }
    if let layer = layers.first(where: { $0.className == "GroupNormalization" }) {
      throw choosing("a file of weights does not say how many groups \(layer.text) has\(standsForGroups(layer))")
    }
    if let layer = layers.first(where: { ["Attention", "AdditiveAttention"].contains($0.className) }) {
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
  var openMerge: String? { Self.openMerge(of: layers) }

  private static func openMerge(of layers: [KerasFoundLayer]) -> String? {
    for (index, layer) in layers.enumerated() where layer.className == "Bidirectional" {
      if let reads = layers[(index + 1)...].compactMap(\.reads).first, reads * 2 == layer.gives {
        return layer.name
      }
    }
    return nil
  }

  // MARK: - What is said

  /// The last recurrent layer's readout, where nothing tells it.
  var openReadout: KerasFoundLayer? { options.readout == nil ? openReadout(of: layers) : nil }

  func openReadout(of layers: [KerasFoundLayer]) -> KerasFoundLayer? {
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
    let within = structure.foundModels
    if !within.isEmpty {
      translation.assumed.add(
        "no layer without weights computes within \(nameList(within)), a model within it: the file names none",
        change: model)
    }
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
      ("UpSampling1D", "repeats each step twice"), ("Masking", "hides steps of 0"),
      ("MultiHeadAttention", "of one sequence with itself"),
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
