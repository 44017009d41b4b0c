import FileIO

/// `MultiHeadAttention`, which has the projections around its products.
extension KerasGraphExport {
  /// The dense layers around the products of an attention.
  struct Heads {
    let products: Layer
    let kind: Layer.DotAttention
    /// Of query, value and key, in the order that the products read them.
    let projections: [Layer]
  }

  /// Attentions with their projections, by the dense layer of what they give.
  static func heads(
    in configuration: ModelConfiguration, _ readers: [String: [Layer]], isSource: (Layer) -> Bool
  ) -> [String: Heads] {
    var found: [String: Heads] = [:]
    func isOpen(_ name: String) -> Bool { configuration.outputs.contains(name) || readers[name]?.count != 1 }
    func dense(_ layer: Layer?) -> Layer.Dense? {
      guard let kind = layer?.kind as? Layer.Dense, kind.activation == .none else { return nil }
      return kind
    }
    for (index, layer) in configuration.layers.enumerated() {
      guard let kind = layer.kind as? Layer.DotAttention, kind.isScaled, !kind.isAdditive, !kind.hasScale,
        !isOpen(layer.name), let out = readers[layer.name]?.first, let last = dense(out),
        kind.heads > 1 || isSource(out)
      else { continue }
      let names = configuration.sources[index].map { configuration.name(ofValue: $0) }
      let projections = names.compactMap { name in configuration.layers.first { $0.name == name } }
      guard projections.count == 3, Set(names).count == 3,
        projections.allSatisfy({ !isOpen($0.name) && dense($0)?.hasBias == last.hasBias })
      else { continue }
      found[out.name] = Heads(products: layer, kind: kind, projections: projections)
    }
    return found
  }

  mutating func addHeads(_ layer: Layer, _ heads: Heads) throws(CheckpointError) {
    var read: [Value] = []
    for projection in heads.projections {
      let index = configuration.index(of: projection.name) ?? 0
      let name = configuration.name(ofValue: configuration.sources[index][0])
      read.append(try inTime(try steps(try value(of: name), layer), layer.name))
    }
    let matrices = try heads.projections.map { projection throws(CheckpointError) in
      try tensor(projection, "weight")
    }
    let last = try tensor(layer, "weight")
    let count = heads.kind.heads
    let (size, valueSize) = (matrices[0].shape[0] / count, matrices[1].shape[0] / count)
    let hasBias = (layer.kind as? Layer.Dense)?.hasBias ?? false
    var config: [String: KerasJSON] = [
      "num_heads": .number(Double(count)), "key_dim": .number(Double(size)), "value_dim": .number(Double(valueSize)),
      "use_bias": .bool(hasBias), "dropout": 0,
    ]
    if last.shape[0] != read[0].shape.last { config["output_shape"] = [.number(Double(last.shape[0]))] }
    let isOneKey = read[1].node == read[2].node && read[1].output == read[2].output
    let node = addMultiHead(layer, config, read, isOneKey: isOneKey, isCausal: heads.kind.isCausal)
    for (place, name) in [(0, "query"), (2, "key"), (1, "value")] {
      let (own, each) = (heads.projections[place], matrices[place].shape[0] / count)
      let under = ([name], ["\(name)_dense"])
      put(
        matrices[place].transposed().reshaped([matrices[place].shape[1], count, each]), node, "kernel", 0, under: under,
        source: [own.parameterName("weight")])
      guard hasBias else { continue }
      put(
        try tensor(own, "bias").reshaped([count, each]), node, "bias", 1, under: under,
        source: [own.parameterName("bias")])
    }
    let under = (["attention_output"], ["output_dense"])
    put(
      last.transposed().reshaped([count, valueSize, last.shape[0]]), node, "kernel", 0, under: under,
      source: [layer.parameterName("weight")])
    if hasBias { put(try tensor(layer, "bias"), node, "bias", 1, under: under, source: [layer.parameterName("bias")]) }
    var made = read[0]
    (made.node, made.output, made.shape) = (node, 0, [read[0].shape[0], last.shape[0]])
    values[layer.name] = made
  }

  /// - Parameter read: query, value and key.
  private mutating func addMultiHead(
    _ layer: Layer, _ config: [String: KerasJSON], _ read: [Value], isOneKey: Bool, isCausal: Bool
  ) -> Int {
    let node = add("MultiHeadAttention", name(for: layer, "MultiHeadAttention"), config, reading: [read[0]])
    let isThree = isThree
    change(node) { node in
      node.namedReads = isOneKey ? ["value": read[1]] : ["value": read[1], "key": read[2]]
      if isCausal { node.keywords["use_causal_mask"] = true }
      // Keras 2 builds its projections from these.
      if isThree { return }
      for (key, value) in zip(["query_shape", "value_shape", "key_shape"], read) {
        node.config[key] = .array([.null] + value.shape.map { $0.map { .number(Double($0)) } ?? .null })
      }
    }
    return node
  }

  mutating func addSelfAttention(
    _ layer: Layer, _ kind: Layer.SelfAttention, _ given: Value
  ) throws(CheckpointError) {
    let read = try inTime(given, layer.name)
    let joined = try tensor(layer, "in_proj_weight")
    let (width, heads) = (joined.shape[1], kind.heads)
    let size = width / heads
    let config: [String: KerasJSON] = [
      "num_heads": .number(Double(heads)), "key_dim": .number(Double(size)), "value_dim": .number(Double(size)),
      "use_bias": .bool(kind.hasBias), "dropout": 0,
    ]
    let node = addMultiHead(layer, config, [read, read, read], isOneKey: true, isCausal: kind.isCausal)
    for (place, name) in ["query", "key", "value"].enumerated() {
      let rows = place * width..<(place + 1) * width
      let under = ([name], ["\(name)_dense"])
      put(
        joined.gathering([rows]).transposed().reshaped([width, heads, size]), node, "kernel", 0, under: under,
        source: [layer.parameterName("in_proj_weight")])
      guard kind.hasBias else { continue }
      put(
        try tensor(layer, "in_proj_bias").gathering([rows]).reshaped([heads, size]), node, "bias", 1, under: under,
        source: [layer.parameterName("in_proj_bias")])
    }
    let under = (["attention_output"], ["output_dense"])
    put(
      try tensor(layer, "out_proj.weight").transposed().reshaped([heads, size, width]), node, "kernel", 0, under: under,
      source: [layer.parameterName("out_proj.weight")])
    if kind.hasBias {
      put(
        try tensor(layer, "out_proj.bias"), node, "bias", 1, under: under,
        source: [layer.parameterName("out_proj.bias")])
    }
    var made = read
    (made.node, made.output) = (node, 0)
    values[layer.name] = made
  }
}
