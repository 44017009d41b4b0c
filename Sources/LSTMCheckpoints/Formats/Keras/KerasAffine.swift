import FileIO

/// What a `Normalization` or `Rescaling` does to the input: (x - mean) / deviation.
struct KerasAffine {
  let name: String
  let kind: String
  /// One for every feature, or one for all.
  var mean: [Double]
  var deviation: [Double]

  /// - Parameter tensors: mean, variance and count of a layer that was adapted to data.
  init(_ layer: KerasLayer, _ tensors: [StoredTensor], file: String) throws(CheckpointError) {
    let scaling = try KerasScaling(layer, tensors, axes: 2, file: file)
    (name, kind) = (layer.name, layer.className)
    if layer.className == "Rescaling" {
      let (scale, offset) = (scaling.scale, scaling.offset)
      guard scale.allSatisfy({ $0 > 0 }) else {
        throw .unsupported(
          file: file, detail: "\(layer.text) has no counterpart here: its scale is not one of positive numbers")
      }
      deviation = scale.map { 1 / $0 }
      mean = zip(offset, scale).map { -$0 / $1 }
      return
    }
    guard let statistics = scaling.statistics, let center = scaling.center else {
      throw .unsupported(file: file, detail: "\(layer.text) has no counterpart here: it undoes a normalization")
    }
    mean = center
    deviation = statistics.deviation
  }

  /// Both, one after the other; this alone where none comes before it.
  func after(_ first: KerasAffine?, _ layer: KerasLayer, _ file: String) throws(CheckpointError) -> KerasAffine {
    guard var both = first else { return self }
    let (mean, deviation, count) = (both.mean, both.deviation, max(both.mean.count, self.mean.count))
    guard [1, count].contains(mean.count), [1, count].contains(self.mean.count) else {
      throw .unsupported(
        file: file, detail: "\(layer.text) scales \(self.mean.count) features, and the layer before it \(mean.count)")
    }
    func pick(_ list: [Double], _ index: Int) -> Double { list[list.count == 1 ? 0 : index] }
    both.mean = (0..<count).map { pick(mean, $0) + pick(deviation, $0) * pick(self.mean, $0) }
    both.deviation = (0..<count).map { pick(deviation, $0) * pick(self.deviation, $0) }
    return both
  }

  /// The other way round: what takes an output back to the data's own units.
  var undone: KerasAffine {
    var result = self
    result.deviation = deviation.map { 1 / $0 }
    result.mean = zip(mean, deviation).map { -$0 / $1 }
    return result
  }

  func scaler(width: Int, file: String) throws(CheckpointError) -> FoundScaler {
    guard mean.count == 1 || mean.count == width else {
      throw .unsupported(
        file: file, detail: "layer \(name) (\(kind)) scales \(mean.count) features, and the LSTM reads \(width)")
    }
    let isOne = mean.count == 1
    guard deviation.allSatisfy({ Float($0).isNormal }), mean.allSatisfy({ Float($0).isFinite }),
      let scaler = FoundScaler(
        key: "layer \(name)", kind: kind, mean: isOne ? [Double](repeating: mean[0], count: width) : mean,
        deviation: isOne ? [Double](repeating: deviation[0], count: width) : deviation)
    else {
      throw .unsupported(file: file, detail: "layer \(name) (\(kind)) scales by numbers below 0 or beyond a float's")
    }
    return scaler
  }
}
