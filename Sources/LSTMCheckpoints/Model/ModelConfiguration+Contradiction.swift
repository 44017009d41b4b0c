extension ModelConfiguration {
  /// What another configuration says differently, in the words of the keys: `readout: last here, mean there`; nil when
  /// the two can be of one network. How many biases are stored changes no output, and what is undecided says nothing.
  public func contradiction(with other: ModelConfiguration) -> String? {
    func differ(_ key: String, _ own: some CustomStringConvertible, _ theirs: some CustomStringConvertible) -> String {
      "\(key): \(own) in the file, \(theirs) in the configuration"
    }
    if input != other.input { return differ("input", input.text, other.input.text) }
    if layers.count != other.layers.count { return differ("layers", layers.count, other.layers.count) }
    for (index, (own, theirs)) in zip(layers, other.layers).enumerated() {
      let key = "layers[\(index)]."
      if own.hiddenSize != theirs.hiddenSize { return differ(key + "hidden", own.hiddenSize, theirs.hiddenSize) }
      if own.isBidirectional != theirs.isBidirectional {
        return differ(key + "bidirectional", own.isBidirectional, theirs.isBidirectional)
      }
      if own.projectionSize != theirs.projectionSize {
        return differ(key + "projection", own.projectionSize ?? 0, theirs.projectionSize ?? 0)
      }
      if own.gateActivation != theirs.gateActivation {
        return differ(key + "gates", own.gateActivation.rawValue, theirs.gateActivation.rawValue)
      }
      if own.hasPeepholes != theirs.hasPeepholes {
        return differ(key + "peepholes", own.hasPeepholes, theirs.hasPeepholes)
      }
    }
    if skip != other.skip { return differ("skip", skip, other.skip) }
    if let readout, let theirs = other.readout, readout != theirs {
      return differ("readout", readout.rawValue, theirs.rawValue)
    }
    if readoutActivation != other.readoutActivation {
      return differ("readout_activation", readoutActivation.rawValue, other.readoutActivation.rawValue)
    }
    if head.count != other.head.count { return differ("head", head.count, other.head.count) }
    for (index, (own, theirs)) in zip(head, other.head).enumerated() {
      if own.size != theirs.size { return differ("head[\(index)].size", own.size, theirs.size) }
      if own.activation != theirs.activation {
        return differ("head[\(index)].activation", own.activation.rawValue, theirs.activation.rawValue)
      }
    }
    if normalizesOutput != other.normalizesOutput {
      return differ("normalize", normalizesOutput ? "l2" : "none", other.normalizesOutput ? "l2" : "none")
    }
    return nil
  }
}

extension ModelConfiguration.Input {
  fileprivate var text: String {
    switch self {
    case .features(let size): "\(size) features"
    case .tokens(let vocabulary, let size): "\(vocabulary) tokens of \(size) values"
    }
  }
}
