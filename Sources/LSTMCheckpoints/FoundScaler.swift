/// Standardisation that a checkpoint says of itself: (x - mean) / deviation for each feature.
public struct FoundScaler: Sendable, Equatable {
  /// Where it was found: a key, or the name of a layer.
  public let path: String
  /// What it is there: `StandardScaler`, `Normalization`.
  public let kind: String
  public let mean: [Double]
  public let deviation: [Double]

  public init(path: String, kind: String, mean: [Double], deviation: [Double]) {
    self.path = path
    self.kind = kind
    self.mean = mean
    self.deviation = deviation
  }
}
