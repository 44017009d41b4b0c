import FileIO

// What stands before the LSTM, and what a file says of order.

extension ModelResolution {
  /// Whether a tensor can be the weight of a dense layer of the head: others go by what they are.
  func isHeadWeight(_ candidate: Candidate) -> Bool {
    candidate.isLinearWeight && [.dense, .embedding].contains(kinds.kind(of: candidate))
      && !(kinds.kind(of: candidate) == .embedding && mapping["embedding.weight"] != nil)
  }

  /// A dense layer gives what the LSTM reads, and lies before it in the file or says that it reads the input.
  mutating func setAsideWhatComesBefore(_ others: inout [Candidate]) {
    let width = configuration.input.size
    var found = Set<String>()
    for candidate in others where isHeadWeight(candidate) && candidate.shape[0] == width {
      let isNamedSo = Self.saysInput(candidate.name)
      guard preceding.contains(candidate.name) || isNamedSo else { continue }
      found.formUnion([candidate.name, candidate.siblingBias])
      leftOver.append(
        LeftOver(
          candidate: candidate,
          reason: "a dense layer before the LSTM, by "
            + (isNamedSo ? "its name" : "the order of the file")
            + ": it changes the output; describe the whole model with \(.model, "LINE")", kind: .dense))
    }
    guard !found.isEmpty else { return }
    let taken = Set(leftOver.map(\.candidate.name))
    for other in others where found.contains(other.name) && !taken.contains(other.name) {
      leftOver.append(LeftOver(candidate: other, reason: "a dense layer's", kind: .dense))
    }
    others.removeAll { found.contains($0.name) }
  }

  /// A head of several layers of which the first might as well stand before the LSTM, in a file that does not tell.
  func askWhetherItComesBefore(_ chain: [Candidate]) throws(CheckpointError) {
    guard chain.count > 1, let first = chain.first, first.shape[0] == configuration.input.size else { return }
    // `head.0` and `head.3` belong together; `fc1` and `fc2` may have the LSTM between them.
    func stem(_ candidate: Candidate) -> String { candidate.name.filter { !$0.isNumber } }
    let modules = chain.prefix(2).map(\.name.moduleAndLeaf.module)
    if stem(first) == stem(chain[1]), LSTMStack.isList(modules) { return }
    throw ambiguous(
      "\(first.tensor.name) \(shapeText(first.shape)) fits before the LSTM and behind it, and the file does not "
        + "keep the order of its tensors",
      "say where it stands by describing the model: \(.model, "LINE")"
    )
  }

  private static func saysInput(_ name: String) -> Bool {
    let words = TensorKinds.words(name)
    let before: Set = ["inp", "input", "inputs", "pre", "stem"]
    return words.dropLast().contains { before.contains($0) }
  }
}
