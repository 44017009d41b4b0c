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
    func refuse(_ what: String) -> CheckpointError {
      .unsupported(file: file, detail: "\(layer.text) \(what)")
    }
    func numbers(_ json: KerasJSON?) -> [Double]? {
      guard let json else { return nil }
      if let number = json.number { return [number] }
      guard let list = json.array else { return nil }
      let flat = list.compactMap { numbers($0) }
      return flat.count == list.count ? flat.flatMap { $0 } : nil
    }
    func values(_ tensor: StoredTensor) throws(CheckpointError) -> [Double] {
      guard tensor.dataType.isFloatingPoint, tensor.elementCount <= 1 << 16 else {
        throw refuse("has statistics of \(shapeText(tensor.shape)) \(tensor.dataType.rawValue)")
      }
      do {
        return try tensor.doubles()
      } catch let error as CheckpointError {
        throw error
      } catch {
        throw .corrupt(tensor: tensor.name, detail: "its values cannot be read")
      }
    }
    name = layer.name
    kind = layer.className
    if layer.className == "Rescaling" {
      guard let scale = numbers(layer.config["scale"]), let offset = numbers(layer.config["offset"] ?? .number(0)),
        scale.allSatisfy({ $0 > 0 && $0.isFinite }), offset.allSatisfy(\.isFinite)
      else { throw refuse("has no counterpart here: its scale is not one of positive numbers") }
      let count = max(scale.count, offset.count)
      guard [1, count].contains(scale.count), [1, count].contains(offset.count) else {
        throw refuse("has \(scale.count) scales and \(offset.count) offsets")
      }
      deviation = (0..<count).map { 1 / scale[scale.count == 1 ? 0 : $0] }
      mean = (0..<count).map { -offset[offset.count == 1 ? 0 : $0] / scale[scale.count == 1 ? 0 : $0] }
      return
    }
    if layer.config["invert"]?.bool == true { throw refuse("has no counterpart here: it undoes a normalization") }
    let axes = layer.config["axis"]?.array?.map(\.integer) ?? layer.config["axis"].map { [$0.integer] } ?? []
    guard axes.allSatisfy({ $0 == -1 || $0 == 2 }) else {
      throw refuse("has no counterpart here: it normalizes each step by its own numbers")
    }
    let found: (mean: [Double], variance: [Double])
    if let mean = numbers(layer.config["mean"]), let variance = numbers(layer.config["variance"]) {
      found = (mean, variance)
    } else {
      guard tensors.count >= 2 else { throw refuse("has no mean and variance: it was never adapted") }
      found = (try values(tensors[0]), try values(tensors[1]))
    }
    guard found.mean.count == found.variance.count, !found.mean.isEmpty, found.mean.allSatisfy(\.isFinite),
      found.variance.allSatisfy({ $0 >= 0 && $0.isFinite })
    else { throw refuse("has \(found.mean.count) means and \(found.variance.count) variances, or no finite ones") }
    mean = found.mean
    // Keras' smallest divisor.
    deviation = found.variance.map { max($0.squareRoot(), 1e-7) }
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
