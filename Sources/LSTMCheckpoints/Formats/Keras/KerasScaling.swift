import FileIO

/// What a `Normalization` or `Rescaling` computes: (x - center) scale + offset.
struct KerasScaling {
  /// Mean and variance as the layer has them.
  struct Statistics {
    var mean: [Double]
    var variance: [Double]
    /// How much data they are of; nil where the configuration gives them.
    var count: Double?

    /// Keras' smallest divisor is 1e-7.
    var deviation: [Double] { variance.map { max($0.squareRoot(), 1e-7) } }

    /// As provenance keeps them.
    var lists: [String: [Double]] {
      ["mean": mean, "variance": variance].merging(count.map { ["count": [$0]] } ?? [:]) { first, _ in first }
    }

    init(mean: [Double], variance: [Double], count: Double?) {
      (self.mean, self.variance, self.count) = (mean, variance, count)
    }

    /// Those of a source's layer.
    init?(_ layer: Provenance.SourceLayer?) {
      guard let lists = layer?.lists, let mean = lists["mean"], let variance = lists["variance"],
        mean.count == variance.count, !mean.isEmpty, variance.allSatisfy({ $0 >= 0 && $0.isFinite })
      else { return nil }
      self.init(mean: mean, variance: variance, count: lists["count"]?.first)
    }
  }

  /// One for every feature, or one for all; nil where nothing is taken off first.
  var center: [Double]?
  var scale: [Double]
  var offset: [Double]
  /// Of a `Normalization`.
  var statistics: Statistics?

  /// - Parameters:
  ///   - tensors: mean, variance and count of a layer that was adapted to data.
  ///   - axes: how many axes beside the batch's it reads.
  init(_ layer: KerasLayer, _ tensors: [StoredTensor], axes: Int, file: String) throws(CheckpointError) {
    func refuse(_ what: String) -> CheckpointError { .unsupported(file: file, detail: "\(layer.text) \(what)") }
    func numbers(_ json: KerasJSON?) -> [Double]? {
      guard let json else { return nil }
      if let number = json.number { return [number] }
      guard let list = json.array else { return nil }
      let flat = list.compactMap { numbers($0) }
      return flat.count == list.count ? flat.flatMap { $0 } : nil
    }
    if layer.className == "Rescaling" {
      guard let scale = numbers(layer.config["scale"]), let offset = numbers(layer.config["offset"] ?? .number(0)),
        (scale + offset).allSatisfy(\.isFinite), !scale.isEmpty, !offset.isEmpty
      else { throw refuse("has no scale or no offset of finite numbers") }
      let count = max(scale.count, offset.count)
      guard [1, count].contains(scale.count), [1, count].contains(offset.count) else {
        throw refuse("has \(scale.count) scales and \(offset.count) offsets")
      }
      self.scale = (0..<count).map { scale[scale.count == 1 ? 0 : $0] }
      self.offset = (0..<count).map { offset[offset.count == 1 ? 0 : $0] }
      return
    }
    let said = layer.config["axis"]?.array?.map(\.integer) ?? layer.config["axis"].map { [$0.integer] } ?? []
    guard said.allSatisfy({ $0 == -1 || $0 == axes }) else {
      throw refuse("has no counterpart here: it normalizes each step by its own numbers")
    }
    var found: Statistics
    if let mean = numbers(layer.config["mean"]), let variance = numbers(layer.config["variance"]) {
      found = Statistics(mean: mean, variance: variance, count: nil)
    } else {
      guard tensors.count >= 2 else { throw refuse("has no mean and variance: it was never adapted") }
      found = Statistics(
        mean: try Self.values(tensors[0], layer, file), variance: try Self.values(tensors[1], layer, file), count: 0)
      if tensors.count > 2, let count = try? tensors[2].integers().first { found.count = Double(count) }
    }
    guard found.mean.count == found.variance.count, !found.mean.isEmpty, found.mean.allSatisfy(\.isFinite),
      found.variance.allSatisfy({ $0 >= 0 && $0.isFinite })
    else { throw refuse("has \(found.mean.count) means and \(found.variance.count) variances, or no finite ones") }
    statistics = found
    if layer.config["invert"]?.bool == true {
      (scale, offset) = (found.deviation, found.mean)
    } else {
      center = found.mean
      scale = found.deviation.map { 1 / $0 }
      offset = scale.map { _ in 0 }
    }
  }

  private static func values(
    _ tensor: StoredTensor, _ layer: KerasLayer, _ file: String
  ) throws(CheckpointError) -> [Double] {
    guard tensor.dataType.isFloatingPoint, tensor.elementCount <= 1 << 16 else {
      throw .unsupported(
        file: file,
        detail: "\(layer.text) has statistics of \(shapeText(tensor.shape)) \(tensor.dataType.rawValue)")
    }
    do {
      return try tensor.doubles()
    } catch let error as CheckpointError {
      throw error
    } catch {
      throw .corrupt(tensor: tensor.name, detail: "its values cannot be read")
    }
  }
}

extension KerasScaling.Statistics {
  /// Whether a scaler still has these numbers.
  func isSame(_ scaler: Scaler) -> Bool {
    let isOne = mean.count == 1
    guard isOne || mean.count == scaler.columns else { return false }
    let deviation = deviation
    return (0..<scaler.columns).allSatisfy { column in
      let place = isOne ? 0 : column
      return Float(mean[place]) == scaler.mean[column] && Float(deviation[place]) == scaler.deviation[column]
    }
  }

  /// The tensors of an adapted layer, as Keras has them.
  /// - Parameter isScalar: one mean for all features.
  func tensors(isScalar: Bool) -> [StoredTensor] {
    let shape = isScalar ? [] : [mean.count]
    let number = Int64(exactly: (count ?? 0).rounded()) ?? 0
    let bytes = (0..<8).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    return [
      StoredTensor(name: "mean", shape: shape, values: mean.map(Float.init)),
      StoredTensor(name: "variance", shape: shape, values: variance.map(Float.init)),
      StoredTensor(name: "count", shape: [], dataType: .int64) { bytes },
    ]
  }
}
