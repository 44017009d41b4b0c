import FileIO

/// Fixed affine functions: `Normalization` where a center is taken off first, `Rescaling`.
extension KerasGraphExport {
  /// The numbers of a parameter, one for each feature, or for each channel of a grid.
  private func numbers(_ layer: Layer, _ part: String, _ read: Value) throws -> [Float] {
    let values = try tensor(layer, part).floats()
    let channels = size(read, .channel) ?? values.count
    let each = max(values.count / max(channels, 1), 1)
    let list = stride(from: 0, to: values.count, by: each).map { values[$0] }
    guard values.enumerated().allSatisfy({ $1 == list[$0 / each] }), list.allSatisfy(\.isFinite) else {
      throw refused(layer, "a scale for each value of a grid")
    }
    return list
  }

  /// The decimals that the native file's JSON shows.
  private func json(_ list: [Float]) -> KerasJSON {
    let decimals = list.map { KerasJSON.number(Double("\($0)") ?? Double($0)) }
    return Set(list).count == 1 ? decimals[0] : .array(decimals)
  }

  mutating func addRescale(_ layer: Layer, _ kind: Layer.Rescale, _ read: Value) throws {
    let (scale, offset) = (try numbers(layer, "scale", read), try numbers(layer, "offset", read))
    guard kind.hasCenter else {
      return pass(layer, "Rescaling", ["scale": json(scale), "offset": json(offset)], read)
    }
    let center = try numbers(layer, "center", read)
    let isPlain = scale.allSatisfy { $0 > 0 && (1 / ($0 * $0)).isFinite } && offset.allSatisfy { $0 == 0 }
    let own = isPlain ? own(layer, center, scale) : nil
    if let own, own.count != nil {
      addAdapted(layer, own, read)
    } else {
      // What no variance says is done afterwards.
      let mean = own?.mean ?? center.map(Double.init)
      let variance = own?.variance ?? scale.map { isPlain ? 1 / (Double($0) * Double($0)) : 1 }
      pass(
        layer, "Normalization",
        [
          "axis": .array([.number(-1)]), "invert": false, "mean": .array(mean.map { .number($0) }),
          "variance": .array(variance.map { .number($0) }),
        ], read)
    }
    guard !isPlain, var value = values[layer.name] else { return }
    value.node = add(
      "Rescaling", fresh("\(layer.name)_scale"), ["scale": json(scale), "offset": json(offset)], reading: [value])
    value.output = 0
    values[layer.name] = value
  }

  /// The source's own statistics, where they are still those of the layer.
  private func own(_ layer: Layer, _ center: [Float], _ scale: [Float]) -> KerasScaling.Statistics? {
    guard let found = KerasScaling.Statistics(sourceLayer(layer.name)) ?? adapted(center, scale) else { return nil }
    let isOne = found.mean.count == 1
    guard isOne || found.mean.count == center.count else { return nil }
    let deviation = found.deviation
    let isSame = center.indices.allSatisfy { index in
      let place = isOne ? 0 : index
      return Float(found.mean[place]) == center[index] && Float(1 / deviation[place]) == scale[index]
    }
    return isSame ? found : nil
  }

  /// Of a model that stands for a file of weights.
  private func adapted(_ center: [Float], _ scale: [Float]) -> KerasScaling.Statistics? {
    guard adaptsNormalizations else { return nil }
    return .init(mean: center.map(Double.init), variance: scale.map { 1 / (Double($0) * Double($0)) }, count: 0)
  }

  private mutating func addAdapted(_ layer: Layer, _ statistics: KerasScaling.Statistics, _ read: Value) {
    let isScalar = sourceLayer(layer.name)?.values?["is_scalar"] == 1
    pass(layer, "Normalization", ["axis": isScalar ? .null : .array([.number(-1)]), "invert": false], read)
    guard let node = values[layer.name]?.node else { return }
    let parts = ["mean": ["center", "offset"], "variance": ["scale"]]
    for (place, tensor) in statistics.tensors(isScalar: isScalar).enumerated() {
      put(
        tensor, node, tensor.name, place, source: (parts[tensor.name] ?? []).map { layer.parameterName($0) })
    }
  }
}
