import FileIO

extension PlainStack {
  /// What a file says of its model, with what a person says where the file says nothing.
  /// - Parameter given: a person's description; it may only fill gaps.
  /// - Throws: `CheckpointError.invalidOption` naming the first key in which the two contradict each other.
  func filled(by given: PlainStack?, file: String) throws(CheckpointError) -> PlainStack {
    guard let given else { return self }
    if let other = contradiction(by: given) {
      throw .invalid(
        .configuration, nil, "\(other.key) is \(other.said), but \(file) itself says \(other.found)",
        advice: ["leave \(.configuration) away: the file describes its model"])
    }
    var filled = self
    filled.readout = readout ?? given.readout
    return filled
  }

  private struct Contradiction {
    let key: String
    let said: String
    let found: String
  }

  /// How many biases a layer has is told by its tensors; a description that leaves it out says nothing.
  private func contradiction(by given: PlainStack) -> Contradiction? {
    func compare<Value: Equatable>(_ key: String, _ said: Value, _ found: Value) -> Contradiction? {
      said == found ? nil : Contradiction(key: key, said: "\(said)", found: "\(found)")
    }
    func optional<Value: Equatable>(_ key: String, _ said: Value?, _ found: Value?) -> Contradiction? {
      compare(key, said.map { "\($0)" } ?? "none", found.map { "\($0)" } ?? "none")
    }
    var all: [Contradiction?] = [
      given.input == input ? nil : Contradiction(key: "input", said: given.input.summary, found: input.summary),
      compare("the number of layers", given.layers.count, layers.count),
    ]
    for (index, (said, found)) in zip(given.layers, layers).enumerated() {
      let place = "layers[\(index)]."
      all += [
        compare(place + "hidden", said.hiddenSize, found.hiddenSize),
        compare(place + "bidirectional", said.isBidirectional, found.isBidirectional),
        optional(place + "projection", said.projectionSize, found.projectionSize),
        compare(place + "gates", said.gateActivation.rawValue, found.gateActivation.rawValue),
        compare(place + "peepholes", said.hasPeepholes, found.hasPeepholes),
        compare(place + "forget_offset", said.forgetOffset, found.forgetOffset),
      ]
    }
    all.append(compare("skip", given.skip, skip))
    if let said = given.readout, let readout, !isSame(said, readout) {
      all.append(Contradiction(key: "readout", said: said.rawValue, found: readout.rawValue))
    }
    all += [
      compare("readout_activation", given.readoutActivation.rawValue, readoutActivation.rawValue),
      compare("the number of dense layers in head", given.head.count, head.count),
    ]
    for (index, (said, found)) in zip(given.head, head).enumerated() {
      let place = "head[\(index)]."
      all += [
        compare(place + "size", said.size, found.size), compare(place + "bias", said.hasBias, found.hasBias),
        compare(place + "activation", said.activation.rawValue, found.activation.rawValue),
      ]
    }
    all.append(compare("normalize", given.normalizesOutput ? "l2" : "none", normalizesOutput ? "l2" : "none"))
    if given.mask != nil { all.append(optional("mask", given.mask?.summary, mask?.summary)) }
    return all.lazy.compactMap { $0 }.first
  }

  /// Of a layer that runs forward alone, the last step's output is its final state.
  private func isSame(_ a: Readout, _ b: Readout) -> Bool {
    a == b || Set([a, b]) == [.last, .final] && layers.last?.isBidirectional == false && !skip
  }
}

extension PlainStack.Input {
  fileprivate var summary: String {
    switch self {
    case .features(let size): "\(size) feature\(size == 1 ? "" : "s")"
    case .tokens(let vocabulary, let size): "\(vocabulary) tokens of \(size) values"
    }
  }
}
