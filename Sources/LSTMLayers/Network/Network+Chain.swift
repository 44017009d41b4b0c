import LSTMCheckpoints

extension Network {
  /// The sequences of the last pass's output, which has a row for each step.
  package var outputSequences: OutputSequences { OutputSequences(shape: outputLayer.shape.packed) }

  /// The CRF that the model ends in.
  private var outputCRF: CRFLayer? {
    var layer = outputLayer
    while layer is IdentityLayer { layer = layer.sources[0] }
    return layer as? CRFLayer
  }

  /// The scores of neighboring tags, of a model that ends in a CRF.
  package var outputChain: TagChain? { outputCRF?.chain }

  /// For a loss, between a pass and `backward`: where the gradient of the chain's scores is to be written, every value of
  /// it; `backward` adds it to the gradients of the parameters.
  package func makeChainGradient() -> TagChain.Gradient? { outputCRF?.makeChainGradient() }
}
