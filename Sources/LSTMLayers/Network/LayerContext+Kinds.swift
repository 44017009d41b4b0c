import LSTMCheckpoints

extension LayerContext {
  /// The kinds of layers that can be computed, one line each.
  func makeLayer() -> NetworkLayer {
    switch layer.kind {
    case let kind as Layer.Embedding: EmbeddingLayer(kind, self)
    case let kind as Layer.Recurrent: RecurrentLayer(kind, self)
    case let kind as Layer.Dense: DenseLayer(kind, self)
    case let kind as Layer.Readout where kind.take == .all || kind.take == .undecided: IdentityLayer(self)
    case let kind as Layer.Readout: ReadoutLayer(kind, self)
    case let kind as Layer.Attention where kind.form == .feature: FeatureAttentionLayer(kind, self)
    case let kind as Layer.Attention: AttentionLayer(kind, self)
    case let kind as Layer.Merge: MergeLayer(kind, self)
    case let kind as Layer.Convolution: ConvolutionLayer(kind, self)
    case let kind as Layer.Pooling: PoolingLayer(kind, self)
    case is Layer.Repeat: RepeatLayer(self)
    case let kind as Layer.Flatten: FlattenLayer(kind, self)
    case let kind as Layer.Reshape: ReshapeLayer(kind, self)
    case let kind as Layer.Slice: SliceLayer(kind, self)
    case let kind as Layer.ZeroPadding: ZeroPaddingLayer(kind, self)
    case let kind as Layer.Unmask: UnmaskLayer(kind, self)
    case is Layer.Remask: RemaskLayer(self)
    case let kind as Layer.ActivationLayer: ActivationLayer(kind, self)
    case is Layer.L2: L2Layer(self)
    case let kind as Layer.PReLU: PReLULayer(kind, self)
    case let kind as Layer.BatchNorm: BatchNormLayer(kind, self)
    case let kind as Layer.LayerNorm: LayerNormLayer(kind, self)
    case let kind as Layer.GroupNorm: GroupNormLayer(kind, self)
    case is Layer.Rescale: RescaleLayer(self)
    case let kind as Layer.Dropout: DropoutLayer(kind, self)
    case let kind as Layer.DotAttention: DotAttentionLayer(kind, self)
    case let kind as Layer.SelfAttention: SelfAttentionLayer(kind, self)
    case is Layer.CRF: CRFLayer(self)
    case is Layer.Magnitude: MagnitudeLayer(self)
    default: fatalError("layers of the kind \(layer.kind.kind) are not computed")
    }
  }
}
