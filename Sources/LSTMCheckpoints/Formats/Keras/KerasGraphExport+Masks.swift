import FileIO

/// A model whose mask Keras carries to the same layers.
extension KerasGraphExport {
  /// Keras carries a mask only as far as its layers do, and its layers give rows at hidden steps by themselves.
  func checkMask() throws(CheckpointError) {
    guard configuration.mask != nil else { return }
    let reached = reachOfMask()
    for (index, layer) in configuration.layers.enumerated() {
      let parts = configuration.sources[index].filter { configuration.values[$0].isPerStep }
      let hidden = parts.filter { configuration.values[$0].clock == 0 }
      let shown = parts.filter { configuration.values[$0].clock == LayerValue.everyStep }
      if !hidden.isEmpty, !carriesMask(layer), !isStepByStep(layer) {
        throw refused(layer, "a mask over what it reads")
      }
      if !hidden.isEmpty, usesMask(layer) {
        if let reversed = reversedLayer(below: layer) {
          throw refused(layer, "a mask over what \(reversed.name) gives from the last step to the first")
        }
        if hidden.contains(where: { !reached[$0] }) {
          throw refused(lostMask(below: layer, reached) ?? layer, "a mask over what it gives")
        }
      }
      switch layer.kind {
      // Keras' layers hide steps as soon as a mask reaches them.
      case _ where usesMask(layer) || layer.kind is Layer.Attention:
        if shown.contains(where: { reached[$0] }) {
          throw refused(layer, "steps that are hidden from others, and would be from it")
        }
      case let merge as Layer.Merge where isThree && [.multiply, .maximum].contains(merge.operation):
        if shown.contains(where: { reached[$0] }) {
          throw refused(layer, "steps that are hidden from others, where Keras 3 gives other values")
        }
      case is Layer.Remask where !reached[configuration.sources[index][0]]:
        throw refused(lostMask(below: layer, reached) ?? layer, "a mask over what it gives")
      default: break
      }
    }
    if isThree, let product = productInOutputs() {
      throw refused(product, "rows at hidden steps that outputs have, where Keras 3 gives other values")
    }
  }

  /// A product or maximum of masked steps whose rows at hidden steps reach an output.
  private func productInOutputs() -> Layer? {
    var products = [Layer?](repeating: nil, count: configuration.values.count)
    for (index, layer) in configuration.layers.enumerated() {
      let value = configuration.inputs.count + index
      guard configuration.values[value].isPerStep, configuration.values[value].clock == 0 else { continue }
      switch layer.kind {
      case let merge as Layer.Merge where [.multiply, .maximum].contains(merge.operation): products[value] = layer
      case is Layer.Recurrent: break
      default: products[value] = configuration.sources[index].lazy.compactMap { products[$0] }.first
      }
    }
    let last = configuration.layers.last.map { [$0.name] } ?? []
    let outputs = configuration.outputs.isEmpty ? last : configuration.outputs
    return outputs.lazy.compactMap(configuration.index(of:)).compactMap { products[configuration.inputs.count + $0] }
      .first
  }

  /// Whether Keras carries a mask up to each value, though every step of it may be given.
  private func reachOfMask() -> [Bool] {
    var reached = configuration.values.map { $0.isPerStep && $0.clock == 0 }
    for (index, layer) in configuration.layers.enumerated() {
      let value = configuration.inputs.count + index
      let parts = configuration.sources[index].map { reached[$0] }
      let isOnClock = [0, LayerValue.everyStep].contains(configuration.values[value].clock)
      guard configuration.values[value].isPerStep, isOnClock, carriesMask(layer) else {
        reached[value] = false
        continue
      }
      reached[value] =
        switch layer.kind {
        // Since Keras 3 a step that one of them does not hide is not hidden.
        case is Layer.Merge: isThree ? !parts.contains(false) : parts.contains(true)
        // A layer has the mask of what it reads first: attention that of its query.
        default: parts[0]
        }
    }
    return reached
  }

  private func carriesMask(_ layer: Layer) -> Bool {
    switch layer.kind {
    case is Layer.Embedding, is Layer.Recurrent, is Layer.Dense, is Layer.BatchNorm, is Layer.LayerNorm,
      is Layer.ActivationLayer, is Layer.PReLU, is Layer.Dropout, is Layer.Merge, is Layer.L2, is Layer.DotAttention,
      is Layer.SelfAttention, is Layer.Unmask, is Layer.Remask:
      true
    case is Layer.Rescale: isThree
    case let readout as Layer.Readout: [.all, .mean, .last, .final].contains(readout.take)
    default: false
    }
  }

  /// Whether a layer that loses a mask gives each step what it would with it.
  private func isStepByStep(_ layer: Layer) -> Bool {
    (layer.kind as? Layer.Convolution).map { $0.kernel == [1] && $0.stride.allSatisfy { $0 == 1 } } ?? false
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

  /// The layer at or below which Keras loses a mask.
  private func lostMask(below layer: Layer, _ reached: [Bool]) -> Layer? {
    var place = configuration.index(of: layer.name)
    while let index = place {
      guard let part = configuration.sources[index].first(where: { !reached[$0] }) else {
        return configuration.layers[index]
      }
      place = part < configuration.inputs.count ? nil : part - configuration.inputs.count
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
