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

  /// The mean of each column, which becomes 0.
  public private(set) var mean: [Float]
  /// The divisor of each column: mostly its population standard deviation; 1 for a constant column.
  public private(set) var deviation: [Float]
  /// Of a scaler of minima and maxima; nil for one of means and deviations.
  public private(set) var limits: Limits?

  /// One mean and one deviation, above 0, for each column.
  /// - Precondition: as many means as deviations. What is decoded is checked, and throws.
  public init(mean: [Float], deviation: [Float]) {
    precondition(mean.count == deviation.count)
    self.mean = mean
    self.deviation = deviation
  }

  /// Takes each column's minimum and maximum to the ends of a range, as scikit-learn's MinMaxScaler does: a column that
  /// does not vary is moved and keeps its unit.
  /// - Precondition: as many minima as maxima, and a range that is not empty. What is decoded is checked, and throws.
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

  /// From what lies beside a checkpoint's tensors, rounded to single precision.
  /// - Parameter columns: which of its columns, in their order; nil for all.
  /// - Precondition: `columns` are among those that it has.
  public init(_ found: FoundScaler, columns: Range<Int>? = nil) {
    let columns = columns ?? 0..<found.columns
    self.init(mean: found.mean[columns].map(Float.init), deviation: found.deviation[columns].map(Float.init))
  }

  /// - Throws: `DecodingError` when the numbers cannot be divided by, or are not one of each for a column.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    func numbers(_ key: CodingKeys) throws -> [Float] { try container.decode([Float].self, forKey: key) }
    guard container.contains(.minimum) else {
      let (mean, deviation) = (try numbers(.mean), try numbers(.deviation))
      guard mean.count == deviation.count else {
        throw container.wrong(
          .deviation, "expected \(mean.count) numbers, as many as mean has, found \(deviation.count)")
      }
      self.init(mean: mean, deviation: deviation)
      guard isUsable else { throw container.wrong(.deviation, "expected finite means and deviations above 0") }
      return
    }
    let (minimum, maximum) = (try numbers(.minimum), try numbers(.maximum))
    let range = try container.decodeIfPresent([Float].self, forKey: .range) ?? [0, 1]
    guard minimum.count == maximum.count else {
      throw container.wrong(
        .maximum, "expected \(minimum.count) numbers, as many as minimum has, found \(maximum.count)")
    }
    guard range.count == 2, range.allSatisfy(\.isFinite), range[0] < range[1] else {
      throw container.wrong(.range, "expected two rising numbers")
    }
    guard (minimum + maximum).allSatisfy(\.isFinite), zip(minimum, maximum).allSatisfy({ $0 <= $1 }) else {
      throw container.wrong(.maximum, "expected finite maxima that are not below the minima")
    }
    self.init(minimum: minimum, maximum: maximum, range: range[0]...range[1])
    guard isUsable else { throw container.wrong(.maximum, "expected limits that a float can divide by") }
  }

  /// Whether its numbers can be divided by: finite means, and finite deviations above 0.
  package var isUsable: Bool { mean.allSatisfy(\.isFinite) && deviation.allSatisfy { $0 > 0 && $0.isFinite } }

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
}

/// The scalers of what a model reads and of what it says.
public struct ScalerPair: Sendable, Codable, Equatable {
  /// The scaler of the features.
  public var inputs: Scaler
  /// The scaler of the targets.
  public var targets: Scaler

  /// - Parameters:
  ///   - inputs: of the features.
  ///   - targets: of the targets.
  public init(inputs: Scaler, targets: Scaler) {
    self.inputs = inputs
    self.targets = targets
  }
}
