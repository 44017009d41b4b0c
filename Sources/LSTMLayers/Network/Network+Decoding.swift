import LSTMCheckpoints

/// Decoders that are fed their own output, step by step.
extension Network {
  /// For each value whether it depends on an input.
  private func dependents(ofInput place: Int) -> [Bool] {
    var depends = [Bool](repeating: false, count: nodes.count)
    depends[place] = true
    for (index, sources) in configuration.sources.enumerated() where sources.contains(where: { depends[$0] }) {
      depends[index + inputs.count] = true
    }
    return depends
  }

  /// Whether what depends on a further input can go on from its last step: recurrent layers can, and what looks at no other
  /// step; attention of a decoder to its own steps cannot.
  package func canStep(input place: Int) -> Bool {
    guard inputs[place].value.steps == nil else { return false }
    let depends = dependents(ofInput: place)
    return !configuration.layers.indices.contains { index in
      guard depends[index + inputs.count] else { return false }
      switch configuration.layers[index].kind {
      case is Layer.SelfAttention: return true
      case is Layer.DotAttention: return configuration.sources[index].dropFirst().contains { depends[$0] }
      default: return false
      }
    }
  }

  /// After `forward` with one step of a further input: runs what depends on it for the next step, and nothing else.
  /// - Parameter next: one step of each sequence.
  /// - Throws: `ShapeError` when it does not fit.
  package func step(input place: Int, _ next: SequenceBatch) throws(ShapeError) {
    let computing = Computing()
    defer { computing.end() }
    guard isComplete, canStep(input: place), next.count == shape.count, next.steps == 1 else {
      throw ShapeError(
        what: inputs[place].name, expected: "the next step of \(shape.count) sequences",
        found: "\(next.steps) of \(next.count)")
    }
    let depends = dependents(ofInput: place)
    for (index, layer) in recurrentLayers.enumerated() where depends[recurrentPlaces[index]] { layer.goOn() }
    try next.withRows { source throws(ShapeError) in try inputs[place].gather(source) }
    for place in inputs.count..<nodes.count where depends[place] { run(place, LayerPass()) }
  }
}
