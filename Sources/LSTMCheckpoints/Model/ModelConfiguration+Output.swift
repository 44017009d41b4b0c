/// What stands between the recurrent layers and the model's output, as far as tasks need to know.
extension ModelConfiguration {
  /// The last dense layer of the model's output, with nothing above it but activations, a normalization or dropout; nil when
  /// there is none.
  package var lastDense: Int? { outputEnd?.dense }

  /// The last dense layer, and the layers from there to the output, which are not all that come after it in the list:
  /// another output may have its own.
  private var outputEnd: (dense: Int, above: [Int])? {
    var place = outputPlaces[0] - inputs.count
    var above: [Int] = []
    while place >= 0 {
      switch layers[place].kind {
      case is Layer.Dense: return (place, above.reversed())
      case is Layer.ActivationLayer, is Layer.L2, is Layer.Dropout, is Layer.CRF:
        above.append(place)
        place = sources[place][0] - inputs.count
      default: return nil
      }
    }
    return nil
  }

  /// The last dense layer itself, with the activation that its output goes through, be it a layer of its own.
  package var finalDense: Layer.Dense? {
    guard let end = outputEnd, var dense = layers[end.dense].kind as? Layer.Dense else { return nil }
    for case let layer as Layer.ActivationLayer in end.above.map({ layers[$0].kind }) where dense.activation == .none {
      dense.activation = layer.activation
    }
    return dense
  }

  /// Whether the output is divided by its L2 norm.
  package var normalizesOutput: Bool {
    outputPlaces[0] >= inputs.count && layers[outputPlaces[0] - inputs.count].kind is Layer.L2
  }

  /// The names of layers with parameters from which no output is computed.
  var unneededLayers: [String] {
    var needed = Set<String>()
    var waiting = outputPlaces.map(name(ofValue:))
    while let next = waiting.popLast() {
      guard needed.insert(next).inserted, let place = index(of: next) else { continue }
      waiting += sources[place].map(name(ofValue:)) + layers[place].kind.references
    }
    return layers.indices.filter { !needed.contains(layers[$0].name) && !parameters(ofLayer: $0).isEmpty }
      .map { layers[$0].name }
  }

  /// Of the values that the model gives, their places in `values`.
  package var outputPlaces: [Int] {
    outputs.isEmpty ? [values.count - 1] : outputs.compactMap { index(of: $0).map { $0 + inputs.count } }
  }

  /// The layer above the last recurrent one that makes one row a sequence of its steps; nil when there is none.
  private var readoutLayer: Int? {
    let last = layers.lastIndex { $0.kind is Layer.Recurrent } ?? -1
    return layers.indices.first {
      $0 > last && (layers[$0].kind is Layer.Readout || layers[$0].kind is Layer.Attention)
    }
  }

  /// How the steps become what the head reads; nil while undecided. A graph that does it otherwise has `all` if it gives
  /// every step, else `last`.
  package var readout: PlainStack.Readout? {
    if let stack { return stack.readout }
    guard let index = readoutLayer else { return givesSteps ? .all : .last }
    guard let readout = layers[index].kind as? Layer.Readout else { return .attention }
    if readout.take == .undecided { return nil }
    return PlainStack.Readout(rawValue: readout.take.rawValue) ?? .last
  }

  /// The same model with another readout.
  /// - Returns: nil when the model has no place for one.
  package func with(readout: PlainStack.Readout) -> ModelConfiguration? {
    if var stack {
      stack.readout = readout
      return ModelConfiguration(stack)
    }
    guard let index = readoutLayer else { return nil }
    var layers = layers
    layers[index].kind =
      readout == .attention ? Layer.Attention() : Layer.Readout(.init(rawValue: readout.rawValue) ?? .last)
    return try? with(layers: layers)
  }

  /// Whether the last step and each direction's own final state differ in what the readout reads.
  package var readsBothWays: Bool {
    if let stack {
      return stack.skip
        ? stack.layers.contains(where: \.isBidirectional) : stack.layers.last?.isBidirectional == true
    }
    return recurrentLayers.last?.kind.isBidirectional == true
  }
}
