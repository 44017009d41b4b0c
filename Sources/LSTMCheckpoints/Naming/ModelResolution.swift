/// Finds in a set of named tensors the parts of one model: the LSTM stack, its embedding and its head.
///
/// Recurrent tensors are known by name; embedding and head by shape and position, with names to break ties. What
/// stays ambiguous is an error that names the flag that decides.
struct ModelResolution {
  /// A tensor of the file under its dotted name, after prefix and rules.
  struct Candidate {
    /// Dotted, rewritten.
    let name: String
    let tensor: StoredTensor
    var shape: [Int] { tensor.shape }
  }

  var configuration: ModelConfiguration
  /// The project's name -> the candidate.
  var mapping: [String: Candidate] = [:]
  var leftOver: [(candidate: Candidate, reason: String)] = []
  var notes: [String] = []

  init(file: String, candidates: [Candidate], options: LoadOptions) throws {
    let allowed = { (name: String) in options.allowedUnexpected.contains { matches(name, glob: $0) } }
    var layers: [FoundLayer] = []
    var others: [Candidate] = []
    Self.collectLayers(candidates.filter { !allowed($0.name) && !allowed($0.tensor.name) }, &layers, &others, &leftOver)
    guard !layers.isEmpty else { throw Self.noLSTM(file: file, candidates: candidates) }
    try Self.order(&layers, file: file)

    let given = options.configuration
    configuration = given ?? Self.configuration(of: layers)
    if let readout = options.readout { configuration.readout = readout }
    for (index, layer) in layers.enumerated() {
      for (kind, directions) in layer.tensors {
        for (isReverse, candidate) in directions {
          mapping["lstm.\(kind.rawValue)_l\(index)" + (isReverse ? "_reverse" : "")] = candidate
        }
      }
    }
    if Set(layers.map(\.module)).count > 1 {
      notes.append("one stack of \(layers.count) layers from the modules " + Self.list(layers.map(\.module)))
    }
    takeExactNames(&others)
    takeEmbedding(&others, isGiven: given != nil)
    takeAttention(&others)
    try takeHead(&others, file: file, options: options)
    leftOver += others.map { ($0, reason(for: $0)) }
    leftOver += candidates.filter { allowed($0.name) || allowed($0.tensor.name) }.map { ($0, "left out as allowed") }
  }

  // MARK: - The stack

  private static func collectLayers(
    _ candidates: [Candidate], _ layers: inout [FoundLayer], _ others: inout [Candidate],
    _ leftOver: inout [(candidate: Candidate, reason: String)]
  ) {
    for candidate in candidates {
      guard let name = PyTorchName(candidate.name) else {
        others.append(candidate)
        continue
      }
      let place =
        layers.firstIndex { $0.module == name.module && $0.index == name.layer }
        ?? {
          layers.append(FoundLayer(module: name.module, index: name.layer))
          return layers.count - 1
        }()
      if let earlier = layers[place].tensors[name.kind]?[name.isReverse] {
        // Weight drop stores the true weight as `_raw` and a dropped copy beside it.
        let copy = "a copy with dropout applied; weight_hh_raw has the true weight"
        if name.isRaw {
          leftOver.append((earlier, copy))
        } else {
          leftOver.append((candidate, copy))
          continue
        }
      }
      layers[place].tensors[name.kind, default: [:]][name.isReverse] = candidate
    }
  }

  /// Puts the layers in order: within a module by number; modules that differ in a number alone are one stack.
  private static func order(_ layers: inout [FoundLayer], file: String) throws {
    layers.sort { $0.module == $1.module ? $0.index < $1.index : isNaturallyBefore($0.module, $1.module) }
    let modules = layers.reduce(into: [String]()) { if $0.last != $1.module { $0.append($1.module) } }
    guard modules.count > 1 else { return }
    let stems = Set(modules.map { $0.filter { !$0.isNumber } })
    let chains = zip(layers, layers.dropFirst()).allSatisfy { below, above in
      guard let width = above.tensors[.inputWeight]?[false]?.shape.last else { return true }
      return width == below.outputSize
    }
    guard stems.count == 1, chains else {
      throw CheckpointError.ambiguous(
        file: file, detail: "holds \(modules.count) LSTMs that do not make one stack: " + list(modules),
        advice: ["choose one with --prefix, for example --prefix \(modules[0])"])
    }
  }

  private static func configuration(of layers: [FoundLayer]) -> ModelConfiguration {
    let input = layers[0].tensors[.inputWeight]?[false]?.shape.last ?? 1
    return ModelConfiguration(
      input: .features(size: max(input, 1)),
      layers: layers.map { layer in
        ModelConfiguration.Layer(
          hiddenSize: layer.hiddenSize, isBidirectional: layer.isBidirectional,
          projectionSize: layer.has(.projection) ? layer.stateSize : nil,
          bias: layer.has(.recurrentBias) ? .dual : layer.has(.inputBias) ? .dual : .none,
          hasPeepholes: layer.has(.peephole))
      })
  }

  // MARK: - Embedding, attention, head

  /// A file that already uses the project's names for the other parts is taken at its word.
  private mutating func takeExactNames(_ others: inout [Candidate]) {
    let known = Set(configuration.parameters.map(\.name))
    for candidate in others where known.contains(candidate.name) && mapping[candidate.name] == nil {
      mapping[candidate.name] = candidate
    }
    others.removeAll { mapping[$0.name]?.tensor.name == $0.tensor.name }
  }

  private mutating func takeEmbedding(_ others: inout [Candidate], isGiven: Bool) {
    if mapping["embedding.weight"] != nil { return }
    if isGiven, case .features = configuration.input { return }
    let width = configuration.input.size
    func words(_ name: String, _ hints: [String]) -> Bool { hints.contains { name.lowercased().contains($0) } }
    let candidates = others.filter { candidate in
      candidate.shape.count == 2 && candidate.shape[1] == width && candidate.name.hasSuffix("weight")
        && !others.contains { $0.name == Self.sibling(candidate.name) } && !words(candidate.name, Self.headWords)
    }
    let named = candidates.filter { words($0.name, ["emb", "wte", "token", "lookup", "encoder.weight"]) }
    // Without a telling name a matrix that could as well read the LSTM's output stays for the head.
    let unnamed = candidates.filter { _ in configuration.readoutSize != width }
    guard let found = named.count == 1 ? named.first : named.isEmpty && unnamed.count == 1 ? unnamed.first : nil else {
      return
    }
    mapping["embedding.weight"] = found
    if !isGiven { configuration.input = .tokens(vocabulary: found.shape[0], size: width) }
    notes.append(
      "embedding is \(found.tensor.name): \(shapeText(found.shape)), the width the LSTM reads, and no bias")
    others.removeAll { $0.tensor.name == found.tensor.name }
  }

  private mutating func takeAttention(_ others: inout [Candidate]) {
    let wanted = configuration.readout == nil || configuration.readout == .attention
    guard wanted, mapping["attention.weight"] == nil,
      let found = others.first(where: {
        $0.name.lowercased().contains("att") && $0.name.hasSuffix("weight")
          && $0.shape == [1, configuration.readoutSize]
      }), !others.contains(where: { $0.name == Self.sibling(found.name) })
    else { return }
    mapping["attention.weight"] = found
    configuration.readout = .attention
    notes.append("attention readout from \(found.tensor.name): \(shapeText(found.shape))")
    others.removeAll { $0.tensor.name == found.tensor.name }
  }

  private mutating func takeHead(_ others: inout [Candidate], file: String, options: LoadOptions) throws {
    if options.configuration?.head.isEmpty == true { return }
    if let last = options.configuration?.head.indices.last, mapping["head.\(last).weight"] != nil { return }
    let linear = others.filter { $0.shape.count == 2 && $0.name.hasSuffix("weight") }
      .sorted { isNaturallyBefore($0.name, $1.name) }
    var chain: [Candidate] = []
    var width = configuration.readoutSize
    while true {
      let next = linear.filter { candidate in
        candidate.shape[1] == width && !chain.contains { $0.tensor.name == candidate.tensor.name }
      }
      guard !next.isEmpty else { break }
      // Square layers come first, in the order of their names; two that end the chain are a choice for the user.
      let squares = next.filter { $0.shape == [width, width] }
      guard let chosen = squares.first ?? next.first, next.count - squares.count <= 1 else {
        throw CheckpointError.ambiguous(
          file: file,
          detail: "\(next.count) linear layers read the same \(width) values: " + Self.list(next.map(\.tensor.name)),
          advice: ["leave all but one out, for example --allow unexpected='\(Self.glob(next[next.count - 1]))'"])
      }
      chain.append(chosen)
      width = chosen.shape[0]
    }
    guard !chain.isEmpty else { return }
    var dense: [ModelConfiguration.Dense] = []
    for (index, weight) in chain.enumerated() {
      mapping["head.\(index).weight"] = weight
      others.removeAll { $0.tensor.name == weight.tensor.name }
      let bias = others.first { $0.name == Self.sibling(weight.name) && $0.shape == [weight.shape[0]] }
      if let bias {
        mapping["head.\(index).bias"] = bias
        others.removeAll { $0.tensor.name == bias.tensor.name }
      }
      dense.append(.init(size: weight.shape[0], hasBias: bias != nil))
      notes.append(
        "head.\(index) is \(weight.tensor.name): \(shapeText(weight.shape)), it reads the "
          + (index == 0 ? "\(configuration.readoutSize) values that the LSTM gives" : "layer before"))
    }
    guard options.configuration == nil else { return }
    if dense.count > 1 {
      guard let activation = options.activation else {
        throw CheckpointError.ambiguous(
          file: file,
          detail: "the head has \(dense.count) dense layers (" + Self.list(chain.map(\.tensor.name))
            + ") and tensors do not tell what stands between them",
          advice: ["say it with --activation none, relu, tanh or sigmoid, or describe the model with --config FILE"])
      }
      for index in dense.indices.dropLast() { dense[index].activation = activation }
    }
    configuration.head = dense
  }

  // MARK: - Words

  private static let headWords = [
    "fc", "linear", "head", "out", "decoder", "dense", "proj", "classif", "regress", "logit", "pred",
  ]

  private func reason(for candidate: Candidate) -> String {
    if candidate.shape.count == 2, candidate.name.hasSuffix("weight") {
      return "reads \(candidate.shape[1]) values, but the LSTM gives \(configuration.readoutSize)"
    }
    if candidate.name.hasSuffix("_g") || candidate.name.hasSuffix("_v") {
      return "a part of a weight-normalised tensor; fold it with torch.nn.utils.remove_weight_norm before saving"
    }
    return "no part of this model"
  }

  private static func noLSTM(file: String, candidates: [Candidate]) -> CheckpointError {
    let names = candidates.prefix(4).map(\.tensor.name)
    let keras = candidates.contains { $0.name.contains("recurrent_kernel") }
    let detail =
      candidates.isEmpty
      ? "holds no tensors" : "holds no LSTM: expected names like weight_ih_l0 and weight_hh_l0, found " + list(names)
    return .ambiguous(
      file: file, detail: detail,
      advice: [
        keras
          ? "this looks like Keras, whose layout is not read yet; save the weights from PyTorch under its own names"
          : "rename tensors with --map 'REGEX=REPLACEMENT', for example --map '^rnn_(.*)$=lstm.$1'"
      ])
  }

  private static func sibling(_ name: String) -> String { String(name.dropLast(6)) + "bias" }

  private static func glob(_ candidate: Candidate) -> String { String(candidate.tensor.name.dropLast(6)) + "*" }

  static func list(_ names: [String]) -> String {
    let unique = names.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    return unique.prefix(4).map { $0.isEmpty ? "(root)" : $0 }.joined(separator: ", ")
      + (unique.count > 4 ? ", ..." : "")
  }
}
