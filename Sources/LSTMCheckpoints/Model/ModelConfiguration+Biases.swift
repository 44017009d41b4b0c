extension ModelConfiguration {
  /// With one bias where PyTorch has two and other frameworks one: a description that does not think of it means the
  /// same.
  var withOneBias: ModelConfiguration {
    let layers = layers.map { layer in
      guard var kind = layer.kind as? Layer.Recurrent, kind.bias == .dual, kind.cell != .gru || !kind.resetsAfter else {
        return layer
      }
      kind.bias = .single
      return Layer(layer.name, kind, from: layer.from)
    }
    return (try? with(layers: layers)) ?? self
  }
}
