import FileIO

/// Attention of several heads: of one sequence as PyTorch has it, or as its projections around their products.
extension KerasGraphReading {
  mutating func readSelfAttention(_ use: KerasUse) throws(CheckpointError) -> KerasValue {
    let layer = use.layer
    try refuseMasks(use)
    var read: [KerasValue] = []
    for value in use.read + (use.keywords["query"] ?? []) + (use.keywords["value"] ?? []) + (use.keywords["key"] ?? [])
    {
      read.append(try steps(value, layer))
    }
    guard 2...3 ~= read.count, let input = read.first, let width = values[input.name]?.width else {
      throw unsupported(layer, "reads \(read.count) values; it has a query, a value and perhaps a key")
    }
    for value in read { try refuseReversed(value, layer) }
    guard let heads = layer.config["num_heads"]?.integer, let size = layer.config["key_dim"]?.integer, heads > 0,
      size > 0, heads <= Layer.sizeLimit, size <= Layer.sizeLimit / heads, layer.config["use_gate"]?.bool != true,
      layer.config["sliding_window"] == nil,
      [nil, [1]].contains(layer.config["attention_axes"]?.array?.map(\.integer))
    else {
      throw unsupported(layer, "has no counterpart here: its heads see other values than the steps of their own part")
    }
    // PyTorch's is of one sequence, whose values are divided among the heads.
    guard Set(read.map(\.name)).count == 1, heads * size == width,
      (layer.config["value_dim"]?.integer ?? size) == size, layer.config["output_shape"] == nil
    else { return try readHeads(use, read, heads: heads, size: size) }
    var tensors = try weights(of: layer, layer.usesBias ? 8 : 4)
    let step = layer.usesBias ? 2 : 1
    for (place, tensor) in tensors.enumerated() {
      let isOut = place >= 3 * step
      let isBias = step == 2 && place % 2 == 1
      let shape = isBias ? (isOut ? [width] : [heads, size]) : isOut ? [heads, size, width] : [width, heads, size]
      tensors[place] = tensor.withOnes(shape)
      try tensors[place].require(shape, "a projection of \(layer.text)", "\(heads) heads of \(size)")
    }
    func matrix(_ place: Int) -> StoredTensor { tensors[place * step].reshaped([width, width]).transposed() }
    var parameters: [Named] = [
      ("in_proj_weight", false, .concatenating((0..<3).map(matrix)), "three projections joined, transposed")
    ]
    if step == 2 {
      let biases = (0..<3).map { tensors[$0 * 2 + 1].reshaped([width]) }
      parameters.append(("in_proj_bias", false, .concatenating(biases), "three projections joined"))
    }
    parameters.append(("out_proj.weight", false, matrix(3), "transposed"))
    if step == 2 { parameters.append(("out_proj.bias", false, tensors[7], nil)) }
    var kind = Layer.SelfAttention(heads: heads)
    kind.hasBias = step == 2
    kind.isCausal = isCausal(use)
    passesOverHiddenSteps(input, layer)
    let name = try add(kind, layer.name, of: layer, reading: [input.name], key: use.path, parameters: parameters)
    remember(layer, name)
    return input.given(by: name)
  }

  /// Dense layers that make queries, keys and values, the products of each head, and a dense layer of what they give.
  private mutating func readHeads(
    _ use: KerasUse, _ read: [KerasValue], heads: Int, size: Int
  ) throws(CheckpointError) -> KerasValue {
    let layer = use.layer
    let said = layer.config["output_shape"]
    let output = said?.integer ?? (said?.array?.count == 1 ? said?.array?[0].integer : nil)
    let valueSize = layer.config["value_dim"]?.integer ?? size
    guard 1...Layer.sizeLimit / heads ~= valueSize, said == nil || said == .null || output != nil else {
      throw unsupported(layer, "has no counterpart here: its output has more than one axis (output_shape)")
    }
    let tensors = try weights(of: layer, layer.usesBias ? 8 : 4)
    let step = layer.usesBias ? 2 : 1
    // (I, heads, size), and (heads, size, O) of the last.
    func dense(_ place: Int, _ from: String, _ size: Int, _ name: String) throws(CheckpointError) -> String {
      let isLast = place == 3
      let width = values[from]?.width ?? 0
      let each = isLast ? width / heads : size / heads
      let shape = isLast ? [heads, each, size] : [width, heads, each]
      let kernel = tensors[place * step].withOnes(shape)
      try kernel.require(shape, "a projection of \(layer.text)", "\(heads) heads of \(each)")
      var parameters: [Named] = [("weight", false, kernel.reshaped([width, size]).transposed(), "transposed")]
      if step == 2 {
        let shape = isLast ? [size] : [heads, each]
        let bias = tensors[place * 2 + 1].withOnes(shape)
        try bias.require(shape, "a bias of \(layer.text)", "\(heads) heads of \(each)")
        parameters.append(("bias", false, bias.reshaped([size]), nil))
      }
      let made = try add(
        Layer.Dense(size: size, hasBias: step == 2), name, of: layer, reading: [from], key: "\(use.path)/\(place)",
        parameters: parameters)
      projections.insert(made)
      return made
    }
    let key = read.count == 3 ? read[2] : read[1]
    let query = try dense(0, read[0].name, heads * size, "\(layer.name)_query")
    let keys = try dense(1, key.name, heads * size, "\(layer.name)_key")
    let value = try dense(2, read[1].name, heads * valueSize, "\(layer.name)_value")
    var kind = Layer.DotAttention()
    (kind.heads, kind.isScaled, kind.isCausal) = (heads, true, isCausal(use))
    if kind.isCausal, read.dropFirst().contains(where: { $0.hasMask != read[0].hasMask }) {
      throw unsupported(
        layer, "has no counterpart here: it is causal, and a mask hides steps of its query alone, or of its value alone"
      )
    }
    if !read[0].hasMask { mixesSteps(read[0], layer) }
    passesOverHiddenSteps(read[1], layer)
    if key.name != read[1].name { passesOverHiddenSteps(key, layer) }
    let products = try add(kind, "\(layer.name)_heads", of: layer, reading: [query, value, keys], key: "")
    let name = try dense(3, products, output ?? values[read[0].name]?.width ?? 0, layer.name)
    remember(layer, name)
    return read[0].given(by: name)
  }
}

extension StoredTensor {
  /// In this shape, where it differs by axes of 1 alone: one head, or heads of one value, may have lost theirs.
  fileprivate func withOnes(_ shape: [Int]) -> StoredTensor {
    self.shape.filter { $0 != 1 } == shape.filter { $0 != 1 } ? reshaped(shape) : self
  }
}
