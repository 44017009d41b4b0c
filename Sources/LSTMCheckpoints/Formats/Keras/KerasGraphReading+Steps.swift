import FileIO

/// Layers that change which steps there are.
extension KerasGraphReading {
  /// Each step several times: its features that often side by side, divided into steps.
  mutating func upsampled(_ layer: KerasLayer, _ value: KerasValue) throws(CheckpointError) -> KerasValue {
    let input = try steps(value, layer)
    try refuseReversed(input, layer)
    guard let count = (layer.config["size"] ?? layer.config["length"])?.integer, 1...64 ~= count else {
      throw unsupported(layer, "does not say how often, or more than 64 times")
    }
    if count == 1 {
      remember(layer)
      return input
    }
    mixesSteps(input, layer)
    let wide = try add(
      Layer.Merge(.concatenate), "\(layer.name)_joined", of: layer,
      reading: [String](repeating: input.name, count: count), key: "")
    let name = try add(Layer.Reshape(.split, steps: count), layer.name, of: layer, reading: [wide], key: "")
    remember(layer, name)
    return KerasValue(name: name, axes: KerasValue.steps)
  }

  /// All steps in one row, of which a part is taken.
  mutating func cropped(_ layer: KerasLayer, _ value: KerasValue) throws(CheckpointError) -> KerasValue {
    let input = try steps(value, layer)
    try refuseReversed(input, layer)
    let said = layer.config["cropping"]?.array?.compactMap(\.integer) ?? []
    guard said.count == 2, said.allSatisfy({ 0...ModelConfiguration.sizeLimit ~= $0 }) else {
      throw unsupported(layer, "does not say how many steps it takes away")
    }
    guard let read = values[input.name], let steps = read.steps, said[0] + said[1] < steps else {
      throw unsupported(layer, "has no counterpart here: it takes steps away, of which there is no fixed number")
    }
    mixesSteps(input, layer)
    let left = steps - said[0] - said[1]
    let flat = try add(Layer.Flatten(), "\(layer.name)_flat", of: layer, reading: [input.name], key: "")
    let part = try add(
      Layer.Slice(first: said[0] * read.width, count: left * read.width), "\(layer.name)_part", of: layer,
      reading: [flat], key: "")
    let name = try add(Layer.Reshape(.steps, steps: left), layer.name, of: layer, reading: [part], key: "")
    remember(layer, name)
    return KerasValue(name: name, axes: KerasValue.steps)
  }

  /// Zeros around the steps, which a convolution behind it has as its own, and anything else as steps.
  mutating func padded(_ layer: KerasLayer, _ value: KerasValue) throws(CheckpointError) -> KerasValue {
    let count = layer.className.hasSuffix("2D") ? 2 : 1
    let input = count == 1 ? try steps(value, layer) : try settled(value, layer)
    try refuseReversed(input, layer)
    guard input.axes.count == count + 1, (layer.config["data_format"]?.string ?? "channels_last") == "channels_last"
    else { throw unsupported(layer, "has no counterpart here: it reads \(Self.text(input.axes))") }
    let json = layer.config["padding"]
    var said: [Int] = []
    if let one = json?.integer {
      said = [Int](repeating: one, count: 2 * count)
    } else if let list = json?.array {
      // Of each axis one number, or one before and one after.
      let ofAxes = count == 1 ? [list] : list.map { $0.array ?? [$0, $0] }
      said = ofAxes.flatMap { $0.compactMap(\.integer) }
    }
    guard said.count == 2 * count, said.allSatisfy({ 0...ModelConfiguration.sizeLimit ~= $0 }) else {
      throw unsupported(layer, "does not say how many zeros")
    }
    if input.axes.first == .height { said = Array(said[2...] + said[..<2]) }
    remember(layer)
    return KerasValue(
      axes: input.axes, special: .padded(name: input.name, axes: input.axes, pad: said, layer: layer))
  }

  /// Zeros around the steps of what is no convolution's input, as steps like others.
  mutating func paddedSteps(
    _ name: String, _ axes: [KerasValue.Axis], _ pad: [Int], _ layer: KerasLayer
  ) throws(CheckpointError) -> KerasValue {
    guard pad.count == 2, axes == KerasValue.steps else {
      throw unsupported(layer, "has no counterpart here: it puts zeros around a grid that no convolution reads")
    }
    if let known = paddings[layer.name] { return KerasValue(name: known, axes: axes) }
    mixesSteps(KerasValue(name: name, axes: axes), layer)
    let made = try add(
      Layer.ZeroPadding(before: pad[0], after: pad[1]), layer.name, of: layer, reading: [name], key: "")
    paddings[layer.name] = made
    remember(layer, made)
    return KerasValue(name: made, axes: axes)
  }

  /// One value a channel of each step: the largest over the height of a grid, or the average.
  mutating func pooledHeight(
    _ layer: KerasLayer, _ inner: KerasLayer, _ input: KerasValue
  ) throws(CheckpointError) -> KerasValue {
    guard inner.config["keepdims"]?.bool != true, let height = values[input.name]?.grid?.height,
      (inner.config["data_format"]?.string ?? "channels_last") == "channels_last"
    else { throw unsupported(layer, "keeps the axis that it pools over, which has no counterpart here") }
    var kind = Layer.Pooling(inner.className.contains("Max") ? .max : .average, window: [1, height])
    kind.stride = [1, height]
    let pooled = try add(kind, layer.name, of: layer, reading: [input.name], key: "")
    remember(layer, pooled)
    let name = try add(Layer.Reshape(.channelsLast), "\(layer.name)_row", of: layer, reading: [pooled], key: "")
    return KerasValue(name: name, axes: KerasValue.steps, isReversed: input.isReversed, hasMask: input.hasMask)
  }

  /// The least of several values: the largest of their opposites, turned round.
  mutating func minimum(_ use: KerasUse) throws(CheckpointError) -> KerasValue {
    let layer = use.layer
    var turned: [KerasValue] = []
    for value in use.read { turned.append(try opposite(try rows(value, layer), layer)) }
    return try opposite(try merged(turned, .maximum, axis: -1, layer), layer)
  }

  private mutating func opposite(_ value: KerasValue, _ layer: KerasLayer) throws(CheckpointError) -> KerasValue {
    let width = values[value.name]?.width ?? 0
    guard 1...1 << 24 ~= width else { throw unsupported(layer, "reads \(width) values") }
    func tensor(_ number: Float) -> StoredTensor {
      StoredTensor(
        name: "\(layer.name) (\(layer.className))", shape: [width], values: [Float](repeating: number, count: width))
    }
    let name = try add(
      Layer.Rescale(), "\(layer.name)_opposite", of: layer, reading: [value.name],
      key: "\(layer.name) opposite of \(value.name)",
      parameters: [("scale", false, tensor(-1), "made here"), ("offset", false, tensor(0), "made here")])
    return value.given(by: name)
  }
}

extension KerasLayer {
  /// Whether Keras computes it with 16 bits: `mixed_float16`, `float16`, `bfloat16`.
  var computesInHalf: Bool {
    guard className != "InputLayer" else { return false }
    let policy = config["dtype"]?.string ?? config["dtype"]?["config"]?["name"]?.string ?? ""
    return policy.hasSuffix("float16")
  }
}
