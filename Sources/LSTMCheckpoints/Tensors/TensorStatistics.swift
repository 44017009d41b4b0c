/// What a tensor's values are like.
public struct TensorStatistics: Sendable, Codable, Equatable {
  /// How many elements it has.
  public var count: Int
  /// The least of the finite values; nil when there are none.
  public var minimum: Double?
  /// The largest of the finite values; nil when there are none.
  public var maximum: Double?
  /// The mean of the finite values; nil when there are none.
  public var mean: Double?
  /// The standard deviation of the finite values, sqrt(sum (x - mean)^2 / n); nil when there are none or it overflows.
  public var standardDeviation: Double?
  /// How many values are NaN.
  public var nanCount: Int
  /// How many values are infinite, of either sign.
  public var infiniteCount: Int
}

/// Reads a tensor and sums it up in double precision.
/// - Throws: what reading the bytes throws.
public func tensorStatistics(_ tensor: StoredTensor) throws -> TensorStatistics {
  let bytes = try tensor.bytes()
  let (type, count) = (tensor.dataType, tensor.elementCount)
  var statistics = TensorStatistics(count: count, nanCount: 0, infiniteCount: 0)
  bytes.withUnsafeBytes { raw in
    var (least, greatest, sum, squares) = (Double.infinity, -Double.infinity, 0.0, 0.0)
    for index in 0..<count {
      let value = ElementConversion.double(raw, type, at: index)
      guard value.isFinite else {
        if value.isNaN { statistics.nanCount += 1 } else { statistics.infiniteCount += 1 }
        continue
      }
      least = min(least, value)
      greatest = max(greatest, value)
      sum += value
    }
    let finite = Double(count - statistics.nanCount - statistics.infiniteCount)
    guard finite > 0 else { return }
    var mean = sum / finite
    if !mean.isFinite {
      // The sum of float64 values may overflow; that of their shares does not.
      mean = 0
      for index in 0..<count {
        let value = ElementConversion.double(raw, type, at: index)
        if value.isFinite { mean += value / finite }
      }
    }
    for index in 0..<count {
      let value = ElementConversion.double(raw, type, at: index)
      if value.isFinite { squares += (value - mean) * (value - mean) }
    }
    let deviation = (squares / finite).squareRoot()
    statistics.minimum = least
    statistics.maximum = greatest
    statistics.mean = mean
    statistics.standardDeviation = deviation.isFinite ? deviation : nil
  }
  return statistics
}
