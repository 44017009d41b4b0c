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
}
