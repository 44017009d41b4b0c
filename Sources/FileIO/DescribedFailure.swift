/// An error that a person can act on: one line that says what is wrong, then at most two that say what to do.
///
///     do {
///       let checkpoint = try Checkpoint(path: "weights.h5")
///     } catch let failure as any DescribedFailure {
///       print(failure.message)
///       for line in failure.advice { print("  " + line.description) }
///     }
public protocol DescribedFailure: Error, CustomStringConvertible, Sendable {
  var category: FailureCategory { get }
  /// What is wrong and where (file, tensor, line, column), with what was expected and what was found.
  var message: Message { get }
  /// What to do next, at most two lines.
  var advice: [Message] { get }
}

extension DescribedFailure {
  public var advice: [Message] { [] }
  public var description: String { ([message] + advice).map(\.description).joined(separator: "\n") }
}

/// What kind of thing went wrong. The command line maps it to an exit code.
public enum FailureCategory: String, Sendable, Codable {
  /// The request makes no sense: an unknown selector, contradictory options.
  case usage
  /// The data or the checkpoint is not what it should be.
  case badInput
  case notFound
  /// The output cannot be created.
  case cannotCreate
  /// Reading or writing failed half-way.
  case inputOutput
}
