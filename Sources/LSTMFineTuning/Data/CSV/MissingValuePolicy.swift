/// How missing cells become numbers.
public enum MissingValuePolicy: String, Sendable, Codable, CaseIterable {
  /// A missing cell is an error.
  case error
  /// On the straight line between the neighbors; gaps at either end hold the nearest number.
  case interpolate
  /// The number before it; a gap at the start holds the first number.
  case forwardFill
  /// Zero.
  case zero
}

extension MissingValuePolicy {
  var words: String {
    switch self {
    case .error: "not at all"
    case .interpolate: "on the line between their neighbors"
    case .forwardFill: "with the number before them"
    case .zero: "with 0"
    }
  }
}
