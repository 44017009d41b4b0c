import FileIO

// Where the activations go that a user says.

extension GraphDraft {
  /// What an activation at the output has no place for.
  var outputActivationObstacle: Message? {
    if outputs.count > 1 { return "the model has \(outputs.count) outputs, and it does not say which" }
    return steps.last?.kind is Layer.CRF ? "the model ends in a CRF, which reads scores as they are" : nil
  }

  /// The same with an activation behind its output.
  func ending(in activation: Activation) -> GraphDraft {
    guard activation != .none, outputActivationObstacle == nil, let last = steps.indices.last else { return self }
    var copy = self
    if var dense = steps[last].kind as? Layer.Dense {
      dense.activation = activation
      copy.steps[last].kind = dense
    } else {
      copy.steps.append(.init(Layer.ActivationLayer(activation)))
    }
    return copy
  }

  /// The step that gives what the head reads: a readout, several side by side, an attention in place of one, or the last
  /// recurrent layer.
  var readoutEnd: Int? {
    if let at = steps.lastIndex(where: { $0.kind is Layer.DotAttention || $0.kind is Layer.Attention }) {
      // A readout above it, or the last state beside it.
      let next = at + 1 < steps.count ? steps[at + 1] : nil
      return next?.kind is Layer.Readout || next?.kind is Layer.Merge ? at + 1 : at
    }
    if let at = steps.lastIndex(where: { $0.kind is Layer.Readout }) {
      guard at + 1 < steps.count, steps[at + 1].kind is Layer.Merge, let reads = steps[at + 1].reads,
        reads.allSatisfy({ $0 >= 0 && steps[$0].kind is Layer.Readout })
      else { return at }
      return at + 1
    }
    return steps.lastIndex { $0.kind is Layer.Flatten } ?? steps.lastIndex(where: \.isRecurrent)
  }
}
