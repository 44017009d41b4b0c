/// What is done to each column before the model reads it: (x - mean) / deviation.
///
/// A scaler that was given as minima and maxima keeps them; its `mean` and `deviation` are then those that take each
/// column's minimum and maximum to the ends of the range.
public struct Scaler: Sendable, Codable, Equatable {
  /// What a column was seen to hold, and where that is taken to.
  public struct Limits: Sendable, Codable, Equatable {
    /// The least value of each column.
    public let minimum: [Float]
    /// The greatest value of each column.
    public let maximum: [Float]
    /// Where minimum and maximum are taken to: 0 and 1, mostly.
    public let range: [Float]
  }

  /// What becomes 0.
  public private(set) var mean: [Float]
  /// What becomes 1: a population standard deviation, mostly; 1 for a column that does not vary.
  public private(set) var deviation: [Float]
  /// Of a scaler of minima and maxima; nil for one of means and deviations.
  public private(set) var limits: Limits?

  /// One mean and one deviation, above 0, for each column.
  public init(mean: [Float], deviation: [Float]) {
    precondition(mean.count == deviation.count)
    self.mean = mean
    self.deviation = deviation
  }

  /// Takes each column's minimum and maximum to the ends of a range, as scikit-learn's MinMaxScaler does: a column that
  /// does not vary is moved and keeps its unit.
  public init(minimum: [Float], maximum: [Float], range: ClosedRange<Float> = 0...1) {
    precondition(minimum.count == maximum.count && range.lowerBound < range.upperBound)
    let (low, width) = (Double(range.lowerBound), Double(range.upperBound) - Double(range.lowerBound))
    let deviations = zip(minimum, maximum).map { minimum, maximum in
      let extent = Double(maximum) - Double(minimum)
      return (extent > 0 ? extent : 1) / width
    }
    mean = zip(minimum, deviations).map { Float(Double($0) - low * $1) }
    deviation = deviations.map(Float.init)
    limits = Limits(minimum: minimum, maximum: maximum, range: [range.lowerBound, range.upperBound])
  }

  /// Fits some rows of a table (rows, columns). Sums are in double, in two passes.
  public init(fitting values: [Float], columns: Int, rows: some Sequence<Int>) {
    var count = 0.0
    var sum = [Double](repeating: 0, count: columns)
    for row in rows {
      for column in 0..<columns { sum[column] += Double(values[row * columns + column]) }
      count += 1
    }
    let mean = sum.map { count > 0 ? $0 / count : 0 }
    var square = [Double](repeating: 0, count: columns)
    for row in rows {
      for column in 0..<columns {
        let distance = Double(values[row * columns + column]) - mean[column]
        square[column] += distance * distance
      }
    }
    self.mean = mean.map(Float.init)
    deviation = zip(square, mean).map { square, mean in
      let deviation = count > 0 ? (square / count).squareRoot() : 0
      // The mean of a constant column may be off by rounding in double, far below what a float can tell apart. What
      // is too small for a float to divide by is constant, too.
      return deviation > abs(mean) * 1e-12 && Float(deviation).isNormal ? Float(deviation) : 1
    }
  }

  /// - Throws: `DecodingError` when the numbers cannot be divided by, or are not one of each for a column.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    func numbers(_ key: CodingKeys) throws -> [Float] { try container.decode([Float].self, forKey: key) }
    func wrong(_ key: CodingKeys, _ detail: String) -> DecodingError {
      .dataCorruptedError(forKey: key, in: container, debugDescription: detail)
    }
    guard container.contains(.minimum) else {
      let (mean, deviation) = (try numbers(.mean), try numbers(.deviation))
      guard mean.count == deviation.count else {
        throw wrong(.deviation, "expected \(mean.count) numbers, as many as mean has, found \(deviation.count)")
      }
      guard mean.allSatisfy(\.isFinite), deviation.allSatisfy({ $0 > 0 && $0.isFinite }) else {
        throw wrong(.deviation, "expected finite means and deviations above 0")
      }
      self.init(mean: mean, deviation: deviation)
      return
    }
    let (minimum, maximum) = (try numbers(.minimum), try numbers(.maximum))
    let range = try container.decodeIfPresent([Float].self, forKey: .range) ?? [0, 1]
    guard minimum.count == maximum.count else {
      throw wrong(.maximum, "expected \(minimum.count) numbers, as many as minimum has, found \(maximum.count)")
    }
    guard range.count == 2, range.allSatisfy(\.isFinite), range[0] < range[1] else {
      throw wrong(.range, "expected two rising numbers")
    }
    guard (minimum + maximum).allSatisfy(\.isFinite), zip(minimum, maximum).allSatisfy({ $0 <= $1 }) else {
      throw wrong(.maximum, "expected finite maxima that are not below the minima")
    }
    self.init(minimum: minimum, maximum: maximum, range: range[0]...range[1])
    guard deviation.allSatisfy({ $0 > 0 && $0.isFinite }), mean.allSatisfy(\.isFinite) else {
      throw wrong(.maximum, "expected limits that a float can divide by")
    }
  }

  /// Means and deviations are always there, so that what knows no limits computes the same.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(mean, forKey: .mean)
    try container.encode(deviation, forKey: .deviation)
    guard let limits else { return }
    try container.encode(limits.minimum, forKey: .minimum)
    try container.encode(limits.maximum, forKey: .maximum)
    try container.encode(limits.range, forKey: .range)
  }

  private enum CodingKeys: String, CodingKey { case mean, deviation, minimum, maximum, range }

  /// How many columns it is for.
  public var columns: Int { mean.count }

  /// Standardizes rows in place. `values` may hold several rows of the columns.
  public func apply(_ values: inout [Float]) {
    forEachPlace(in: values.count) { at, column in values[at] = (values[at] - mean[column]) / deviation[column] }
  }

  /// Undoes it.
  public func undo(_ values: inout [Float]) {
    forEachPlace(in: values.count) { at, column in values[at] = values[at] * deviation[column] + mean[column] }
  }

  @inline(__always)
  private func forEachPlace(in count: Int, _ body: (_ at: Int, _ column: Int) -> Void) {
    var column = 0
    for at in 0..<count {
      body(at, column)
      column = column + 1 == columns ? 0 : column + 1
    }
  }
}

/// The scalers of what a model reads and of what it says.
public struct ScalerPair: Sendable, Codable, Equatable {
  /// Of the features.
  public var inputs: Scaler
  /// Of the targets.
  public var targets: Scaler

  public init(inputs: Scaler, targets: Scaler) {
    self.inputs = inputs
    self.targets = targets
  }
}
