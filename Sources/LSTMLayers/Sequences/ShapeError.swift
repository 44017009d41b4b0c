import FileIO

/// Shapes that do not fit together.
public struct ShapeError: DescribedFailure, Equatable {
  public let what: String
  public let expected: String
  public let found: String

  public init(what: String, expected: String, found: String) {
    self.what = what
    self.expected = expected
    self.found = found
  }

  public var category: FailureCategory { .badInput }
  public var message: String { "\(what): expected \(expected), found \(found)" }
}
