import FileIO

/// A shape or a value that is not as expected.
///
///     do {
///       let (y, state) = try model(x)
///     } catch where error.what == "features" {
///       print("x has \(error.found), but the model reads \(error.expected)")
///     }
public struct ShapeError: DescribedFailure, Equatable {
  /// What is wrong: `input`, `lengths`, a parameter's name, ...
  public let what: String
  /// What was expected.
  public let expected: String
  /// What was found.
  public let found: String

  /// An error about `what`.
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
