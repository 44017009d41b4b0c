/// A plain stack as the graph that it is, and the graphs that are one.
extension ModelConfiguration {
  /// The graph of a plain stack: `embedding`, `layer0`, ..., `skip`, `readout` or `attention`, `readout_activation`,
  /// `head.0`, ..., `normalize`, as far as it has them.
  /// - Precondition: sizes are from 1 to 2^24, there is a layer, and a mask, a padding row and ties suit the rest. A stack that is
  ///   decoded was checked; for values from elsewhere `init(inputs:layers:outputs:ties:mask:)` throws.
  public init(_ stack: PlainStack) {
    do {
      try self.init(
        inputs: [stack.graphInput], layers: stack.graphLayers, ties: stack.ties, mask: stack.mask)
    } catch {
      fatalError("a plain stack that is no graph: \(error)")
    }
  }

  /// An embedding or features, LSTM layers and, where given, what stands above them.
  /// - Precondition: as that of `init(_:)`.
  public init(
    input: PlainStack.Input, layers: [PlainStack.Layer], skip: Bool = false, readout: PlainStack.Readout? = nil,
    head: [PlainStack.Dense] = [], normalizesOutput: Bool = false, readoutActivation: PlainStack.Activation = .none,
    paddingToken: Int? = nil, ties: [[String]] = [], mask: Mask? = nil
  ) {
    self.init(
      PlainStack(
        input: input, layers: layers, skip: skip, readout: readout, head: head, normalizesOutput: normalizesOutput,
        readoutActivation: readoutActivation, paddingToken: paddingToken, ties: ties, mask: mask))
  }

  /// The plain stack that this graph is; nil when it has anything else.
  public var stack: PlainStack? {
    guard inputs.count == 1, outputs.isEmpty, inputs[0] == Input(inputs[0].content) else { return nil }
    var rest = self.layers[...]
    func take<Kind: LayerKind>(_ name: String, _: Kind.Type) -> Kind? {
      guard let layer = rest.first, layer.name == name, let kind = layer.kind as? Kind, layer.from.isEmpty else {
        return nil
      }
      rest.removeFirst()
      return kind
    }
    let input: PlainStack.Input
    var paddingToken: Int?
    switch inputs[0].content {
    case .features(let size): input = .features(size: size)
    case .tokens(let vocabulary):
      guard let embedding = take("embedding", Layer.Embedding.self) else { return nil }
      input = .tokens(vocabulary: vocabulary, size: embedding.size)
      paddingToken = embedding.paddingToken
    }
    var stack: [PlainStack.Layer] = []
    while let layer = take("layer\(stack.count)", Layer.Recurrent.self) {
      guard let plain = PlainStack.Layer(layer) else { return nil }
      stack.append(plain)
    }
    guard !stack.isEmpty else { return nil }
    var result = PlainStack(input: input, layers: stack, paddingToken: paddingToken, ties: ties, mask: mask)
    if let layer = rest.first, layer == result.graphSkip {
      result.skip = true
      rest.removeFirst()
    }
    if let attention = take("attention", Layer.Attention.self) {
      guard attention == Layer.Attention() else { return nil }
      result.readout = .attention
    } else if let readout = take("readout", Layer.Readout.self) {
      switch readout.take {
      case .undecided: break
      default:
        guard let known = PlainStack.Readout(rawValue: readout.take.rawValue) else { return nil }
        result.readout = known
      }
    }
    if let layer = take("readout_activation", Layer.ActivationLayer.self) {
      guard layer.alpha == nil, let activation = PlainStack.Activation(rawValue: layer.activation.rawValue) else {
        return nil
      }
      result.readoutActivation = activation
    }
    while let dense = take("head.\(result.head.count)", Layer.Dense.self) {
      guard let activation = PlainStack.Activation(rawValue: dense.activation.rawValue) else { return nil }
      result.head.append(.init(size: dense.size, hasBias: dense.hasBias, activation: activation))
    }
    if take("normalize", Layer.L2.self) != nil { result.normalizesOutput = true }
    // Anything else, or in another order, is no plain stack.
    guard rest.isEmpty, result.graphLayers == layers else { return nil }
    return result
  }
}

extension PlainStack {
  fileprivate var graphInput: ModelConfiguration.Input {
    switch input {
    case .features(let size): .init(.features(size: size))
    case .tokens(let vocabulary, _): .init(.tokens(vocabulary: vocabulary))
    }
  }

  fileprivate var graphSkip: LSTMCheckpoints.Layer {
    var below = "input"
    if case .tokens = input { below = "embedding" }
    return .init(
      "skip", LSTMCheckpoints.Layer.Merge(.concatenate), from: [below] + layers.indices.map { "layer\($0)" })
  }

  fileprivate var graphLayers: [LSTMCheckpoints.Layer] {
    typealias Layer = LSTMCheckpoints.Layer
    var list: [Layer] = []
    if case .tokens(_, let size) = input {
      list.append(Layer("embedding", Layer.Embedding(size: size, paddingToken: paddingToken)))
    }
    for (index, layer) in layers.enumerated() { list.append(Layer("layer\(index)", layer.recurrent)) }
    if skip { list.append(graphSkip) }
    switch readout {
    case .attention: list.append(Layer("attention", Layer.Attention()))
    case let readout?:
      list.append(Layer("readout", Layer.Readout(.init(rawValue: readout.rawValue) ?? .undecided)))
    // A model without a head then gives every step.
    case nil where head.isEmpty: break
    case nil: list.append(Layer("readout", Layer.Readout(.undecided)))
    }
    if readoutActivation != .none {
      list.append(Layer("readout_activation", Layer.ActivationLayer(readoutActivation.general)))
    }
    for (index, dense) in head.enumerated() {
      list.append(
        Layer(
          "head.\(index)",
          Layer.Dense(size: dense.size, hasBias: dense.hasBias, activation: dense.activation.general)))
    }
    if normalizesOutput { list.append(Layer("normalize", Layer.L2())) }
    return list
  }
}

extension PlainStack.Layer {
  /// The layer of a graph.
  public var recurrent: Layer.Recurrent {
    var kind = Layer.Recurrent(.lstm, size: hiddenSize)
    kind.isBidirectional = isBidirectional
    kind.projectionSize = projectionSize
    kind.bias = bias
    kind.gateActivation = gateActivation.general
    kind.hasPeepholes = hasPeepholes
    kind.forgetOffset = forgetOffset
    return kind
  }

  /// nil for a layer that is more than a plain LSTM.
  init?(_ kind: Layer.Recurrent) {
    guard let gates = PlainStack.GateActivation(rawValue: kind.gateActivation.rawValue) else { return nil }
    self.init(
      hiddenSize: kind.size, isBidirectional: kind.isBidirectional, projectionSize: kind.projectionSize,
      bias: kind.bias, gateActivation: gates, hasPeepholes: kind.hasPeepholes, forgetOffset: kind.forgetOffset)
    guard recurrent == kind else { return nil }
  }
}

extension PlainStack.Activation {
  /// The same among all activations.
  public var general: Activation { Activation(rawValue: rawValue) ?? .none }

  /// nil for one that a plain stack has not.
  init?(_ general: LSTMCheckpoints.Activation) { self.init(rawValue: general.rawValue) }
}

extension PlainStack.GateActivation {
  /// The same among all activations.
  public var general: Activation { Activation(rawValue: rawValue) ?? .sigmoid }
}
