/// A scaler that lies beside a model's tensors, read from a file as numbers: (x - mean) / deviation for each column.
///
/// Whatever its kind, it is an affine one: for a minimum and maximum, `mean` is what becomes 0 and `deviation` what becomes
/// 1 more.
public struct FoundScaler: Sendable, Equatable, Codable {
  /// The keys that lead to it in the file, joined by dots.
  public let key: String
  /// What it is in the file: `sklearn.preprocessing.MinMaxScaler`, or `mean and std`.
  public let kind: String
  /// The mean of each column, which becomes 0.
  public let mean: [Double]
  /// The divisor of each column, above 0.
  public let deviation: [Double]
  /// Whether it is one pair of numbers for whatever columns there are.
  public let isForAll: Bool

  /// How many columns it is for.
  public var columns: Int { mean.count }

  /// nil when the numbers cannot be divided by, or are not one of each for a column.
  init?(key: String, kind: String, mean: [Double], deviation: [Double], isForAll: Bool = false) {
    guard !mean.isEmpty, mean.count == deviation.count, mean.allSatisfy(\.isFinite),
      deviation.allSatisfy({ $0.isFinite && $0 > 0 })
    else { return nil }
    (self.key, self.kind, self.mean, self.deviation, self.isForAll) = (key, kind, mean, deviation, isForAll)
  }

  /// - Throws: `DecodingError` when the numbers cannot be divided by, or are not one of each for a column.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    guard
      let made = FoundScaler(
        key: try container.decode(String.self, forKey: .key), kind: try container.decode(String.self, forKey: .kind),
        mean: try container.decode([Double].self, forKey: .mean),
        deviation: try container.decode([Double].self, forKey: .deviation),
        isForAll: try container.decode(Bool.self, forKey: .isForAll))
    else { throw container.wrong(.deviation, "expected a finite mean and a deviation above 0 for each column") }
    self = made
  }

  private enum CodingKeys: String, CodingKey { case key, kind, mean, deviation, isForAll }
}
