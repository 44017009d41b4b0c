import LSTMCheckpoints

extension Network {
  /// The sequences of one of the last pass's outputs, which has a row for each step.
  package func outputSequences(_ index: Int = 0) -> OutputSequences {
    OutputSequences(shape: outputLayers[index].shape.packed)
  }

  /// The CRF that the model ends in.
  private func outputCRF(_ index: Int) -> CRFLayer? {
    var layer = outputLayers[index]
    while layer is IdentityLayer { layer = layer.sources[0] }
    return layer as? CRFLayer
  }

  /// The scores of neighboring tags, of a model that ends in a CRF.
  package func outputChain(_ index: Int = 0) -> TagChain? { outputCRF(index)?.chain }

  /// For a loss, between a pass and `backward`: where the gradient of the chain's scores is to be written, every value of
  /// it; `backward` adds it to the gradients of the parameters.
  package func makeChainGradient(_ index: Int = 0) -> TagChain.Gradient? {
    outputCRF(index)?.makeChainGradient()
  }
}
