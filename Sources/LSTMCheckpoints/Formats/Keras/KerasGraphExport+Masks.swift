import FileIO

/// A model whose mask Keras carries to the same layers.
extension KerasGraphExport {
  /// Keras carries a mask only as far as its layers do, and its layers give rows at hidden steps by themselves.
  func checkMask() throws(CheckpointError) {
    for (index, layer) in configuration.layers.enumerated() {
      let read = configuration.inputs(ofLayer: index).filter(\.isPerStep)
      if configuration.mask != nil, read.contains(where: { $0.clock == 0 }), !carriesMask(layer) {
        throw refused(layer, "a mask over what it reads")
      }
      if configuration.mask != nil, read.contains(where: { $0.clock == 0 }), usesMask(layer),
        let reversed = reversedLayer(below: layer)
      {
        throw refused(layer, "a mask over what \(reversed.name) gives from the last step to the first")
      }
      guard read.contains(where: { $0.clock == LayerValue.everyStep }), configuration.mask != nil else { continue }
      switch layer.kind {
      case is Layer.Recurrent, is Layer.Attention, is Layer.DotAttention, is Layer.SelfAttention:
        throw refused(layer, "steps that are hidden from others, and would be from it")
      case let readout as Layer.Readout where readout.take == .mean:
        throw refused(layer, "steps that are hidden from others, and would be from it")
      case is Layer.Remask:
        if let lost = lostMask(below: layer) { throw refused(lost, "a mask over what it reads") }
      default: break
      }
    }
  }

  private func carriesMask(_ layer: Layer) -> Bool {
    switch layer.kind {
    case is Layer.Embedding, is Layer.Recurrent, is Layer.Dense, is Layer.BatchNorm, is Layer.LayerNorm,
      is Layer.ActivationLayer, is Layer.Dropout, is Layer.Merge, is Layer.L2, is Layer.DotAttention,
      is Layer.SelfAttention, is Layer.Unmask, is Layer.Remask:
      true
    case is Layer.Rescale: isThree
    case let readout as Layer.Readout: [.all, .mean, .last, .final].contains(readout.take)
    default: false
    }
  }

  private func usesMask(_ layer: Layer) -> Bool {
    switch layer.kind {
    case is Layer.Recurrent, is Layer.DotAttention, is Layer.SelfAttention: true
    case let readout as Layer.Readout: readout.take == .mean
    default: false
    }
  }

  /// A layer below whose steps Keras gives in another order than its mask.
  private func reversedLayer(below layer: Layer) -> Layer? {
    var open = [layer.name]
    var seen = Set<String>()
    while let name = open.popLast() {
      guard seen.insert(name).inserted, let index = configuration.index(of: name) else { continue }
      for source in configuration.sources[index].map(configuration.name(ofValue:)) {
        guard let place = configuration.index(of: source) else { continue }
        let below = configuration.layers[place]
        if let recurrent = below.kind as? Layer.Recurrent {
          if recurrent.isReversed { return below }
        } else if configuration.values[configuration.inputs.count + place].clock == 0 {
          open.append(source)
        }
      }
    }
    return nil
  }

  /// A layer below, up to where every step is given, that loses a mask.
  private func lostMask(below layer: Layer) -> Layer? {
    var open = [layer.name]
    while let name = open.popLast() {
      guard let index = configuration.index(of: name) else { continue }
      let layer = configuration.layers[index]
      if layer.kind is Layer.Unmask { continue }
      if !carriesMask(layer) { return layer }
      open += configuration.sources[index].map(configuration.name(ofValue:))
    }
    return nil
  }

  /// What Keras' layers give at hidden steps by themselves.
  mutating func addUnmask(_ layer: Layer, _ kind: Layer.Unmask, _ read: Value, _ index: Int) throws(CheckpointError) {
    let below = configuration.sources[index][0] - configuration.inputs.count
    let source = below >= 0 ? configuration.layers[below].kind : nil
    let fits: Bool =
      switch source {
      case let recurrent as Layer.Recurrent: kind.fill == (recurrent.isBidirectional ? .zero : kind.fill)
      case is Layer.Embedding: kind.fill == .token
      case is Layer.DotAttention: kind.fill == .zero
      case nil: kind.fill == .zero
      default: false
      }
    guard fits, kind.fill != .token || source is Layer.Embedding else {
      throw refused(layer, "rows of the form \(kind.fill.rawValue) at hidden steps")
    }
    values[layer.name] = read
  }

  /// Whether a recurrent layer of one direction gives zeros where a step is hidden.
  func givesZeros(_ layer: Layer) -> Bool {
    (readers[layer.name] ?? []).contains { ($0.kind as? Layer.Unmask)?.fill == .zero }
  }
}
