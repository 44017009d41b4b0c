import FileIO

/// Normalizations.
extension KerasGraphReading {
  mutating func readBatchNorm(
    _ layer: KerasLayer, _ value: KerasValue, _ path: String
  ) throws(CheckpointError) -> KerasValue {
    guard layer.config["renorm"]?.bool != true, (layer.config["virtual_batch_size"]?.integer) == nil,
      (layer.config["mode"]?.integer ?? 0) == 0
    else { throw unsupported(layer, "has no counterpart here: it renormalizes, or normalizes parts of a batch") }
    let (hasScale, hasOffset) = (layer.config["scale"]?.bool ?? true, layer.config["center"]?.bool ?? true)
    let tensors = try weights(of: layer, (hasScale ? 1 : 0) + (hasOffset ? 1 : 0) + 2)
    let input = try settled(value, layer, width: tensors[0].shape.first)
    let axes = layer.config["axis"]?.array?.map(\.integer) ?? [layer.config["axis"]?.integer ?? -1]
    guard axes == [-1] || axes == [input.axes.count], isRow(input) || input.axes.last == .channel else {
      throw unsupported(layer, "has no counterpart here: it normalizes another axis than the last")
    }
    var kind = Layer.BatchNorm(
      epsilon: Float(layer.config["epsilon"]?.number ?? 1e-3),
      momentum: Float(1 - (layer.config["momentum"]?.number ?? 0.99)))
    (kind.hasScale, kind.hasOffset) = (hasScale, hasOffset)
    // TensorFlow's fused kernel, which Keras 2 uses for images alone, corrects the running variance.
    kind.isUnbiased = version.major == 2 && input.axes.count == 3
    guard kind.epsilon >= 0, kind.epsilon.isFinite, 0...1 ~= kind.momentum else {
      throw unsupported(layer, "has an epsilon or a momentum that is none")
    }
    var names = hasScale ? ["weight"] : []
    if hasOffset { names.append("bias") }
    names += ["running_mean", "running_var"]
    let name = try add(
      kind, layer.name, of: layer, reading: [input.name], key: path,
      parameters: zip(names, tensors).map { ($0, false, $1, nil) })
    remember(layer, name)
    return input.given(by: name)
  }

  mutating func readLayerNorm(
    _ layer: KerasLayer, _ value: KerasValue, _ path: String
  ) throws(CheckpointError) -> KerasValue {
    guard layer.config["rms_scaling"]?.bool != true else {
      throw unsupported(layer, "divides by the root mean square alone")
    }
    let row = try lastAxis(layer, value)
    let (hasScale, hasOffset) = (layer.config["scale"]?.bool ?? true, layer.config["center"]?.bool ?? true)
    let tensors = try weights(of: layer, (hasScale ? 1 : 0) + (hasOffset ? 1 : 0))
    var kind = Layer.LayerNorm(epsilon: Float(layer.config["epsilon"]?.number ?? 1e-3))
    (kind.hasScale, kind.hasOffset) = (hasScale, hasOffset)
    guard kind.epsilon >= 0, kind.epsilon.isFinite else { throw unsupported(layer, "has an epsilon that is none") }
    let names = (hasScale ? ["weight"] : []) + (hasOffset ? ["bias"] : [])
    let name = try add(
      kind, layer.name, of: layer, reading: [row.name], key: path,
      parameters: zip(names, tensors).map { ($0, false, $1, nil) })
    remember(layer, name)
    return row.given(by: name)
  }

  /// Over the features of a group and all steps, those that a mask hides, too.
  mutating func readGroupNorm(
    _ layer: KerasLayer, _ value: KerasValue, _ path: String
  ) throws(CheckpointError) -> KerasValue {
    let (hasScale, hasOffset) = (layer.config["scale"]?.bool ?? true, layer.config["center"]?.bool ?? true)
    let tensors = try weights(of: layer, (hasScale ? 1 : 0) + (hasOffset ? 1 : 0))
    let input = try settled(value, layer, width: tensors.first?.shape.first)
    let axis = layer.config["axis"]?.integer ?? -1
    guard axis == -1 || axis == input.axes.count, isRow(input) || input.axes.last == .channel,
      let read = values[input.name]
    else { throw unsupported(layer, "has no counterpart here: it normalizes groups of another axis than the last") }
    guard !input.hasMask else {
      throw unsupported(layer, "has no counterpart here: it normalizes over steps that a mask hides")
    }
    var kind = Layer.GroupNorm(
      groups: layer.config["groups"]?.integer ?? 32, epsilon: Float(layer.config["epsilon"]?.number ?? 1e-3))
    if kind.groups == -1 { kind.groups = kind.count(read) }
    (kind.hasScale, kind.hasOffset) = (hasScale, hasOffset)
    guard kind.epsilon >= 0, kind.epsilon.isFinite, kind.groups > 0, kind.count(read) % kind.groups == 0 else {
      throw unsupported(layer, "has an epsilon that is none, or groups that do not divide its features")
    }
    let names = (hasScale ? ["weight"] : []) + (hasOffset ? ["bias"] : [])
    let name = try add(
      kind, layer.name, of: layer, reading: [input.name], key: path,
      parameters: zip(names, tensors).map { ($0, false, $1, nil) })
    remember(layer, name)
    return input.given(by: name)
  }

  /// `Normalization` takes the mean off first, as Keras does: a scale and an offset alone would lose its digits.
  mutating func readRescale(
    _ layer: KerasLayer, _ value: KerasValue, _ path: String
  ) throws(CheckpointError) -> KerasValue {
    let tensors = layer.weights.isEmpty ? [] : try reading.take(layer.weights, of: layer.text)
    let count = (try? KerasScaling(layer, tensors, axes: 2, file: file))?.scale.count ?? 1
    let input = try settled(value, layer, width: count == 1 ? nil : count)
    let scaling = try KerasScaling(layer, tensors, axes: input.axes.count, file: file)
    guard isRow(input) || input.axes.last == .channel, let read = values[input.name], read.width <= 1 << 24 else {
      throw unsupported(layer, "has no counterpart here: it reads \(Self.text(input.axes))")
    }
    let channels = read.grid?.channels ?? read.width
    guard scaling.scale.count == 1 || scaling.scale.count == channels else {
      throw unsupported(layer, "scales \(scaling.scale.count) features and reads \(channels)")
    }
    let each = read.width / channels
    func tensor(_ list: [Double], _ place: Int) throws(CheckpointError) -> StoredTensor {
      let values = (0..<read.width).map { Float(list[list.count == 1 ? 0 : $0 / each]) }
      guard values.allSatisfy(\.isFinite) else { throw unsupported(layer, "scales by numbers beyond a float's") }
      let name = tensors.indices.contains(place) ? tensors[place].name : "\(layer.name) (\(layer.className))"
      return StoredTensor(name: name, shape: [read.width], values: values)
    }
    let isAdapted = !tensors.isEmpty && scaling.center != nil
    var parameters: [Named] = [
      ("scale", false, try tensor(scaling.scale, 1), isAdapted ? "1 / its square root" : "from the layer's settings"),
      ("offset", false, try tensor(scaling.offset, 0), isAdapted ? "none: zero" : "from the layer's settings"),
    ]
    if let center = scaling.center {
      let isWhole = isAdapted && tensors[0].shape == [read.width] && tensors[0].dataType == .float32
      parameters.append(
        ("center", false, isWhole ? tensors[0] : try tensor(center, 0), isAdapted ? nil : "from the layer's settings"))
    }
    let name = try add(
      Layer.Rescale(hasCenter: scaling.center != nil), layer.name, of: layer, reading: [input.name], key: path,
      parameters: parameters)
    let isScalar = !tensors.isEmpty && tensors[0].shape.isEmpty
    remember(
      layer, name, isScalar ? ["is_scalar": 1] : [:],
      lists: scaling.center == nil ? nil : scaling.statistics?.lists)
    var result = input.given(by: name)
    // Keras 2's own do not carry a mask.
    if version.major == 2 { result.hasMask = false }
    return result
  }
}
