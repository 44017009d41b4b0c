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
    /// What its layout did to it: `transposed`, `gates i o f c put in order`.
    var how: String?
    var shape: [Int] { tensor.shape }
  }

  struct LeftOver {
    let candidate: Candidate
    let reason: String
    /// Nothing is lost by it: it need not be allowed.
    var isHarmless = false
  }

  var configuration: ModelConfiguration
  /// The project's name -> the candidate.
  var mapping: [String: Candidate] = [:]
  var leftOver: [LeftOver] = []
  var notes: [String] = []
  var assumed: [LoadReport.Assumption] = []
  /// The project's name of an LSTM parameter -> the name it would have in the file.
  private(set) var expectedNames: [String: String] = [:]
  /// False when the first layer's input weight is missing, so that only a user can tell.
  private(set) var knowsInputSize = true

  /// - Parameter prefix: what `--prefix` took off the names.
  init(
    file: String, translation: Translation, prefix: String, options: LoadOptions
  ) throws(CheckpointError) {
    let candidates = translation.candidates
    func isAllowed(_ candidate: Candidate) -> Bool {
      options.allowedUnexpected.contains {
        // Another layout's candidates have the project's names, which are not what a user means.
        translation.layout == .pytorch && matches(candidate.name, glob: $0) || matches(candidate.tensor.name, glob: $0)
      }
    }
    let stack = try LSTMStack(candidates.filter { !isAllowed($0) }, file: file, prefix: prefix)
    notes = translation.notes + stack.notes
    assumed = translation.assumed
    leftOver = translation.leftOver + stack.leftOver
    let given = options.configuration
    configuration = given ?? Self.configuration(of: stack.layers, translation.layers)
    knowsInputSize = given != nil || stack.layers.first?.inputSize != nil
    if let readout = options.readout { configuration.readout = readout }
    if let gates = options.gates {
      guard given == nil || configuration.layers.allSatisfy({ $0.gateActivation == gates }) else {
        throw .invalidOption("--gates: the model's configuration already says how the gates are squashed", advice: [])
      }
      for index in configuration.layers.indices { configuration.layers[index].gateActivation = gates }
    }
    take(stack.layers)

    var others = stack.others
    takeExactNames(&others)
    takeEmbedding(&others, isGiven: given != nil)
    takeAttention(&others)
    try takeHead(&others, file: file, options: options)
    leftOver += others.map { other in
      other.isLoneNumber
        ? LeftOver(candidate: other, reason: "a single number that no layer reads", isHarmless: true)
        : LeftOver(candidate: other, reason: reason(for: other))
    }
    leftOver += candidates.filter(isAllowed).map { LeftOver(candidate: $0, reason: "left out as allowed") }
  }

  /// - Parameter facts: what a layout says of a layer beside its tensors.
  private static func configuration(
    of layers: [FoundLayer], _ facts: [Int: Translation.CellFacts]
  ) -> ModelConfiguration {
    let stack = layers.enumerated().map { index, layer in
      var configuration = layer.configuration
      if let facts = facts[index] {
        configuration.bias = facts.bias
        configuration.gateActivation = facts.gateActivation
        configuration.forgetOffset = facts.forgetOffset
      }
      return configuration
    }
    return ModelConfiguration(input: .features(size: layers.first?.inputSize ?? 1), layers: stack)
  }

  private mutating func take(_ layers: [FoundLayer]) {
    for (index, layer) in layers.enumerated() {
      for kind in PyTorchName.Kind.allCases {
        for isReverse in [false, true] {
          let target = PyTorchName.text(module: "lstm", kind: kind, layer: index, isReverse: isReverse)
          expectedNames[target] = layer.name(kind, isReverse: isReverse)
          if let candidate = layer.tensors[kind]?[isReverse] { mapping[target] = candidate }
        }
      }
    }
  }

  // MARK: - Embedding and attention

  /// A file that already uses the project's names for the other parts is taken at its word.
  private mutating func takeExactNames(_ others: inout [Candidate]) {
    let known = Set(configuration.parameters.map(\.name))
    others.removeAll { candidate in
      guard known.contains(candidate.name), mapping[candidate.name] == nil else { return false }
      mapping[candidate.name] = candidate
      return true
    }
  }

  private mutating func takeEmbedding(_ others: inout [Candidate], isGiven: Bool) {
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
        && !says(candidate.name, Self.headWords)
    }
    let named = candidates.filter { says($0.name, ["emb", "wte", "token", "lookup", "encoder.weight"]) }
    // Without a telling name a matrix that could as well read the LSTM's output stays for the head.
    let unnamed = configuration.readoutSize == width ? [] : candidates
    guard let found = named.count == 1 ? named.first : named.isEmpty && unnamed.count == 1 ? unnamed.first : nil else {
      return
    }
    mapping["embedding.weight"] = found
    if !isGiven { configuration.input = .tokens(vocabulary: found.shape[0], size: width) }
    notes.append(
      "embedding is \(found.tensor.name): \(shapeText(found.shape)), the width the LSTM reads, and no bias")
    others.removeAll { $0.name == found.name }
  }

  private mutating func takeAttention(_ others: inout [Candidate]) {
    let wanted = configuration.readout == nil || configuration.readout == .attention
    let names = Set(others.map(\.name))
    guard wanted, mapping["attention.weight"] == nil,
      let found = others.first(where: {
        $0.name.lowercased().contains("att") && $0.isLinearWeight && $0.shape == [1, configuration.readoutSize]
          && !names.contains($0.siblingBias)
      })
    else { return }
    mapping["attention.weight"] = found
    configuration.readout = .attention
    notes.append("attention readout from \(found.tensor.name): \(shapeText(found.shape))")
    others.removeAll { $0.name == found.name }
  }

  // MARK: - Words

  private static let headWords = [
    "fc", "linear", "head", "out", "decoder", "dense", "proj", "classif", "regress", "logit", "pred",
  ]

  private func reason(for candidate: Candidate) -> String {
    if PyTorchName.isWeightNormFactor(candidate.name) {
      return "one of the two factors of a weight-normalised tensor; " + LSTMStack.weightNormAdvice
    }
    guard candidate.shape.count == 2, candidate.name.hasSuffix("weight") else { return "no part of this model" }
    let (width, given) = (candidate.shape[1], configuration.readoutSize)
    if width == given { return "the configuration has no place for it" }
    let mismatch = "reads \(width) values, but the LSTM gives \(given)"
    if candidate.shape[0] == given { return mismatch + "; this may be the transpose" }
    let all = configuration.input.size + configuration.layers.reduce(0) { $0 + $1.outputSize }
    return width == all
      ? mismatch + "; it would fit \"skip\": true in --config, which joins the input and every layer's output"
      : mismatch
  }
}

extension ModelResolution.Candidate {
  /// Whether it can be the weight of a dense layer or an embedding, of a size that a model may have.
  var isLinearWeight: Bool {
    shape.count == 2 && shape.allSatisfy { 1...ModelConfiguration.sizeLimit ~= $0 }
      && (name == "weight" || name.hasSuffix(".weight"))
  }

  /// Whether it is one value under a name that no layer's parameter has: a counter, or what a loss has learnt.
  var isLoneNumber: Bool {
    (shape.isEmpty || shape == [1]) && !["weight", "bias"].contains(name.split(separator: ".").last)
      && PyTorchName(name) == nil
  }

  /// The name of the bias that goes with a weight.
  var siblingBias: String { name.dropLast(6) + "bias" }
}
