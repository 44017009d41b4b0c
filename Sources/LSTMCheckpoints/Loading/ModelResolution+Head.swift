import FileIO

extension ModelResolution {
  /// The dense layers that follow the readout, by width: each reads what the one before gives.
  mutating func takeHead(_ others: inout [Candidate], options: LoadOptions, keepsOrder: Bool) throws(CheckpointError) {
    let given = options.given?.head
    guard given == nil || options.activation == nil else {
      throw .invalid(
        .activation, nil, "the model's configuration already gives the activation between the dense layers")
    }
    for (setting, activation) in [
      (Setting.readoutActivation, options.readoutActivation), (.outputActivation, options.outputActivation),
    ] where given != nil && activation != nil {
      throw .invalid(setting, nil, "the model's configuration already says it")
    }
    if given?.isEmpty == true { return }
    if let last = given?.indices.last, mapping["head.\(last).weight"] != nil { return }
    let chain = try headChain(others, given: given)
    if given == nil, !keepsOrder { try askWhetherItComesBefore(chain) }
    let dense = takeChain(chain, &others)
    if given != nil { return }
    configuration.head = dense
    try setActivations(options)
    guard dense.count > 1 else {
      if options.activation != nil { notes.append("\(.activation) has no effect: the head has no two dense layers") }
      return
    }
    guard let activation = options.activation.flatMap(PlainStack.Activation.init) else {
      throw ambiguous(
        "the head has \(dense.count) dense layers (\(nameList(chain.map(\.tensor.name)))"
          + ") and the tensors do not show which activation is between them",
        "say it with \(.activation) none, relu, tanh or sigmoid, or describe the model with \(.configuration, "FILE")")
    }
    for index in dense.indices.dropLast() { configuration.head[index].activation = activation }
  }

  /// - Parameter given: the head of a configuration that is known, whose sizes choose among layers of equal width.
  private func headChain(
    _ others: [Candidate], given: [PlainStack.Dense]?
  ) throws(CheckpointError) -> [Candidate] {
    let weights = others.filter(isHeadWeight).sorted { isNaturallyBefore($0.name, $1.name) }
    var byWidth = Dictionary(grouping: weights) { $0.shape[1] }
    var chain: [Candidate] = []
    var width = configuration.readoutSize
    // A longer chain of square matrices is no head; what is left of it is reported.
    while chain.count < 64, var next = byWidth[width], !next.isEmpty {
      if let given {
        guard chain.count < given.count else { break }
        let size = given[chain.count].size
        let fitting = next.filter { $0.shape[0] == size }
        if !fitting.isEmpty { next = fitting }
      }
      // Square layers come first, in the order of their names; two that end the chain are a choice for the user.
      let ends = next.filter { $0.shape[0] != width }
      guard ends.count <= 1, let chosen = next.first(where: { $0.shape[0] == width }) ?? next.first else {
        throw ambiguous(
          "\(next.count) linear layers read the same \(width) values: \(nameList(next.map(\.tensor.name)))",
          "if they are heads side by side, keep one, whose output is then all there is, for example "
            + "\(.allowedUnexpected, "\(next[next.count - 1].tensor.name.dropLast(6))*")")
      }
      chain.append(chosen)
      byWidth[width]?.removeAll { $0.name == chosen.name }
      width = chosen.shape[0]
    }
    return chain
  }

  private mutating func takeChain(_ chain: [Candidate], _ others: inout [Candidate]) -> [PlainStack.Dense] {
    var taken = Set(chain.map(\.name))
    let byName = Dictionary(others.map { ($0.name, $0) }) { first, _ in first }
    let dense = chain.enumerated().map { index, weight in
      mapping["head.\(index).weight"] = weight
      let bias = byName[weight.siblingBias]
      if let bias {
        mapping["head.\(index).bias"] = bias
        taken.insert(bias.name)
      }
      notes.append(
        "head.\(index) is \(weight.tensor.name): \(shapeText(weight.shape)), it reads the "
          + (index == 0 ? "\(configuration.readoutSize) values that the LSTM gives" : "layer before"))
      return PlainStack.Dense(size: weight.shape[0], hasBias: bias != nil)
    }
    others.removeAll { taken.contains($0.name) }
    return dense
  }
}
