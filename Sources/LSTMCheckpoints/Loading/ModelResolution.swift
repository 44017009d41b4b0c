import FileIO

/// Finds in a set of named tensors the parts of one model: the LSTM stack, its embedding and its head.
///
/// Recurrent tensors are known by name; embedding and head by shape and position, with names to break ties. What
/// stays ambiguous is an error that names the flag that decides.
struct ModelResolution: FileReading {
  let file: String
  var configuration: PlainStack
  /// The project's name -> the candidate.
  var mapping: [String: Candidate] = [:]
  var leftOver: [LeftOver] = []
  var notes: [Message] = []
  var assumed: [Assumption] = []
  /// The project's name of an LSTM parameter -> the name it would have in the file.
  private(set) var expectedNames: [String: String] = [:]
  /// False when the first layer's input weight is missing, so that only a user can tell.
  private(set) var knowsInputSize = true
  let kinds: TensorKinds
  /// Tensors that lie before the LSTM's in a file that keeps the order in which a model names its parts.
  let preceding: Set<String>

  /// - Parameters:
  ///   - prefix: what ``LoadOptions/prefix`` took off the names.
  ///   - keepsOrder: whether the file's tensors are in the model's own order.
  ///   - sharing: groups of names whose tensors are one in the file.
  init(
    file: String, translation: Translation, prefix: String, options: LoadOptions, keepsOrder: Bool,
    sharing: [[String]] = []
  ) throws(CheckpointError) {
    let candidates = translation.candidates
    let kinds = TensorKinds(candidates)
    (self.file, self.kinds) = (file, kinds)
    preceding =
      keepsOrder && translation.layout == .pytorch
      ? Set(candidates.prefix { PyTorchName($0.name) == nil }.map(\.name)) : []
    func isAllowed(_ candidate: Candidate) -> Bool {
      options.allowedUnexpected.contains {
        // Another layout's candidates have the project's names, which are not what a user means.
        translation.layout == .pytorch && matches(candidate.name, glob: $0) || matches(candidate.tensor.name, glob: $0)
      }
    }
    var stackOptions = options
    // A translation has put its cells in order already.
    if !translation.layers.isEmpty { stackOptions.stack = nil }
    let stack = try LSTMStack(
      candidates.filter { !isAllowed($0) }, kinds: kinds, file: file, prefix: prefix, options: stackOptions)
    notes = translation.notes + stack.notes
    assumed = translation.assumed + stack.assumed
    leftOver = translation.leftOver + stack.leftOver
    let given = options.given
    if let given {
      configuration = given
    } else {
      configuration = try Self.configuration(of: stack.layers, translation.layers, file)
    }
    knowsInputSize = given != nil || stack.layers.first?.inputSize != nil
    if let readout = options.readout { configuration.readout = readout }
    if let gates = options.gates {
      guard given == nil || configuration.layers.allSatisfy({ $0.gateActivation == gates }) else {
        throw .invalid(.gates, nil, "the model's configuration already says how the gates are squashed")
      }
      for index in configuration.layers.indices { configuration.layers[index].gateActivation = gates }
    }
    take(stack.layers)

    var others = stack.others
    takeExactNames(&others, headCount: given?.head.count)
    takeEmbedding(&others, isGiven: given != nil, sharing)
    takeAttention(&others)
    if given == nil { setAsideWhatComesBefore(&others) }
    try takeHead(&others, options: options, keepsOrder: keepsOrder)
    leftOver += others.map { other in
      other.isLoneNumber
        ? LeftOver(candidate: other, reason: "a single number that no layer reads", isHarmless: true)
        : LeftOver(
          candidate: other, reason: reason(for: other),
          kind: PyTorchName.isWeightNormFactor(other.name) ? .lstm : kinds.kind(of: other))
    }
    for candidate in candidates where isAllowed(candidate) {
      let found = kinds.kind(of: candidate)
      let kind = found == .unknown && PyTorchName(candidate.name) != nil ? .lstm : found
      let what = kind == .unknown ? "" : kind.noun + "; "
      leftOver.append(LeftOver(candidate: candidate, reason: "\(what)left out as allowed", kind: kind))
    }
    if given == nil { assume(options, tellsGates: translation.tellsGates) }
  }

  /// What was found.
  var resolved: ResolvedModel {
    ResolvedModel(
      configuration: ModelConfiguration(configuration), mapping: mapping, leftOver: leftOver, notes: notes,
      assumed: assumed, expectedNames: expectedNames, knowsInputSize: knowsInputSize)
  }

  /// - Parameter facts: what a layout says of a layer beside its tensors.
  private static func configuration(
    of layers: [FoundLayer], _ facts: [Int: Translation.CellFacts], _ file: String
  ) throws(CheckpointError) -> PlainStack {
    let stack = try layers.enumerated().map { index, layer throws(CheckpointError) in
      var configuration = layer.configuration
      if let facts = facts[index] {
        guard facts.forgetOffset == 0 || facts.bias != .none else {
          throw .unsupported(
            file: file,
            detail: "layer \(index) has no bias, to which its layout adds \(facts.forgetOffset) for the forget gate")
        }
        configuration.bias = facts.bias
        configuration.gateActivation = facts.gateActivation
        configuration.forgetOffset = facts.forgetOffset
      }
      return configuration
    }
    return PlainStack(input: .features(size: layers.first?.inputSize ?? 1), layers: stack)
  }

  private mutating func take(_ layers: [FoundLayer]) {
    for (index, layer) in layers.enumerated() {
      for kind in RecurrentPart.allCases {
        for isReverse in [false, true] {
          let target = PyTorchName.parameter(kind, layer: index, isReverse: isReverse)
          expectedNames[target] = layer.name(kind, isReverse: isReverse)
          if let candidate = layer.tensors[kind]?[isReverse] { mapping[target] = candidate }
        }
      }
    }
  }

  // MARK: - Embedding and attention

  /// A file that already uses the project's names for the other parts is taken at its word.
  /// - Parameter headCount: dense layers of a head that is given. An `nn.Sequential` called `head` counts its
  ///   activations too, so that its numbers are not the project's.
  private mutating func takeExactNames(_ others: inout [Candidate], headCount: Int?) {
    let known = Set(configuration.parameters.map(\.name))
    let isSequential = others.contains { candidate in
      guard let headCount, candidate.name.dropping(module: "head") != nil else { return false }
      let parts = candidate.name.split(separator: ".")
      guard parts.count == 3, let number = Int(parts[1]) else { return false }
      return number >= headCount || parts[2] == "weight" && candidate.shape.count == 1
    }
    others.removeAll { candidate in
      guard known.contains(candidate.name), mapping[candidate.name] == nil,
        !(isSequential && candidate.name.dropping(module: "head") != nil)
      else { return false }
      mapping[candidate.name] = candidate
      return true
    }
  }

  private mutating func takeEmbedding(_ others: inout [Candidate], isGiven: Bool, _ sharing: [[String]]) {
    if mapping["embedding.weight"] != nil { return }
    if isGiven, case .features = configuration.input { return }
    let width = configuration.input.size
    func says(_ name: String, _ words: [String]) -> Bool {
      let name = name.lowercased()
      return words.contains { name.contains($0) }
    }
    let names = Set(others.map(\.name))
    let candidates = others.filter { candidate in
      candidate.isLinearWeight && candidate.shape[1] == width && !names.contains(candidate.siblingBias)
        && !says(candidate.name, Self.headWords) && [.embedding, .dense].contains(kinds.kind(of: candidate))
    }
    let named = candidates.filter { says($0.name, ["emb", "wte", "token", "lookup", "encoder.weight"]) }
    // Without a telling name a matrix that could as well read the LSTM's output stays for the head, unless the file has
    // it before the LSTM, or has the head's as well and both are one.
    let matrices = Set(others.filter { $0.isLinearWeight }.map(\.tensor.name))
    func isTied(_ name: String) -> Bool {
      sharing.contains { $0.contains(name) && $0.contains { $0 != name && matrices.contains($0) } }
    }
    let unnamed =
      configuration.readoutSize == width
      ? candidates.filter {
        preceding.contains($0.name) && $0.shape[0] != width || isTied($0.tensor.name)
      } : candidates
    guard let found = named.count == 1 ? named.first : named.isEmpty && unnamed.count == 1 ? unnamed.first : nil else {
      return
    }
    mapping["embedding.weight"] = found
    if !isGiven { configuration.input = .tokens(vocabulary: found.shape[0], size: width) }
    notes.append("embedding is \(found.tensor.name): \(shapeText(found.shape)), the width the LSTM reads, and no bias")
    others.removeAll { $0.name == found.name }
  }

  private mutating func takeAttention(_ others: inout [Candidate]) {
    let wanted = configuration.readout == nil || configuration.readout == .attention
    // One vector is the form that is computed here; with more beside it, it is another.
    let parts = others.filter { kinds.kind(of: $0) == .attention }
    guard parts.count < 2 else { return }
    let names = Set(others.map(\.name))
    guard wanted, mapping["attention.weight"] == nil,
      let found = others.first(where: {
        $0.isLinearWeight && $0.shape == [1, configuration.readoutSize] && !names.contains($0.siblingBias)
          && $0.name.lowercased().contains("att")
      }), parts.isEmpty || parts[0].name == found.name
    else { return }
    mapping["attention.weight"] = found
    configuration.readout = .attention
    notes.append("attention readout from \(found.tensor.name): \(shapeText(found.shape))")
    assumed.add(
      "attention as the sum of the LSTM's outputs, weighted by the softmax over time of \(found.tensor.name) "
        + "times each")
    others.removeAll { $0.name == found.name }
  }

  // MARK: - Words

  private static let headWords = [
    "fc", "linear", "head", "out", "decoder", "dense", "proj", "classif", "regress", "logit", "pred",
  ]

  private func reason(for candidate: Candidate) -> Message {
    if PyTorchName.isWeightNormFactor(candidate.name) {
      return "one of the two factors of a weight-normalized tensor; \(LSTMStack.weightNormAdvice)"
    }
    let kind = kinds.kind(of: candidate)
    if kind == .embedding, candidate.shape.count == 2 {
      let (found, read) = (candidate.shape[1], configuration.input.size)
      if found != read { return "an embedding of \(found) values, but the LSTM reads \(read)" }
      if mapping["embedding.weight"] == nil { return "an embedding that fits, but for its name" }
    }
    guard kind == .dense else { return kind.reason }
    guard candidate.shape.count == 2, candidate.name.hasSuffix("weight") else { return "a dense layer's" }
    let (width, given) = (candidate.shape[1], configuration.readoutSize)
    if width == given { return "the configuration has no place for it" }
    let mismatch: Message = "reads \(width) values, but the LSTM gives \(given)"
    if candidate.shape[0] == configuration.input.size {
      return mismatch + "; it may be a dense layer before the LSTM"
        + (candidate.shape[0] == given ? ", or the transpose" : "")
    }
    if candidate.shape[0] == given { return mismatch + "; this may be the transpose" }
    let all = configuration.input.size + configuration.layers.reduce(0) { $0 + $1.outputSize }
    if width == all {
      return mismatch
        + "; it would fit \"skip\": true in \(.configuration), which joins the input and every layer's output"
    }
    let (count, rest) = width.quotientAndRemainder(dividingBy: given)
    guard rest == 0, count > 1 else { return mismatch }
    return mismatch + ": \(width) = \(count) x \(given), a head over \(count) "
      + (count == 2 ? "readouts or steps side by side" : "flattened steps")
      + ": describe the model with \(.model, "LINE")"
  }
}
