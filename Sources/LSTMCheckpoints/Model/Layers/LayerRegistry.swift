/// The kinds of layers, each a value with its usual settings that a description fills in.
///
/// In the one-line form the one of the longest words that fit is taken: `max pool` before `max`.
enum LayerRegistry {
  static let standard: [any LayerKind] = [
    Layer.Embedding(),
    Layer.Recurrent(.lstm),
    Layer.Recurrent(.gru),
    Layer.Recurrent(.rnn),
    Layer.Convolution(),
    Layer.Pooling(.max),
    Layer.Pooling(.average),
    Layer.BatchNorm(),
    Layer.LayerNorm(),
    Layer.GroupNorm(),
    Layer.Rescale(),
    Layer.SelfAttention(),
    Layer.DotAttention(),
    Layer.Attention(),
    Layer.Readout(),
    Layer.Dense(),
    Layer.Repeat(),
    Layer.Flatten(),
    Layer.Reshape(),
    Layer.Slice(),
    Layer.ZeroPadding(),
    Layer.Unmask(),
    Layer.Remask(),
    Layer.Merge(.concatenate),
    Layer.Merge(.add),
    Layer.Merge(.multiply),
    Layer.Merge(.average),
    Layer.Merge(.maximum),
    Layer.Merge(.subtract),
    Layer.L2(),
    Layer.Magnitude(),
    Layer.Dropout(),
    Layer.CRF(),
    Layer.PReLU(),
    Layer.ActivationLayer(),
  ]

  static func prototype(_ kind: String) -> (any LayerKind)? { standard.first { $0.kind == kind } }
}

extension Layer {
  /// Every kind of layer, by its name in JSON, with a model that has one as a line.
  public static var examples: [(kind: String, line: String)] { LayerRegistry.standard.map { ($0.kind, $0.example) } }
}
