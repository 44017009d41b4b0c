import FileIO

/// A shape or a value that does not fit.
public struct ShapeError: DescribedFailure, Equatable {
  /// What it is about: `input`, `lengths`, a parameter's name, ...
  public let what: String
  /// What would fit.
  public let expected: String
  /// What was given.
  public let found: String

  /// - Parameter what: what it is about.
  public init(what: String, expected: String, found: String) {
    self.what = what
    self.expected = expected
    self.found = found
  }

  /// Always bad input.
  public var category: FailureCategory { .badInput }
  /// `what: expected ..., found ...`
  public var message: Message { "\(what): expected \(expected), found \(found)" }
}
