/// An error that a person can act on: one line says what is wrong, and at most two more say what to do.
///
///     do {
///       let checkpoint = try Checkpoint(path: "weights.h5")
///     } catch let failure as any DescribedFailure {
///       print(failure.message)
///       for line in failure.advice { print("  " + line.description) }
///     }
public protocol DescribedFailure: Error, CustomStringConvertible, Sendable {
  /// What kind of failure it is, from which a command line derives its exit code.
  var category: FailureCategory { get }
  /// What is wrong and where (file, tensor, line, column), with what was expected and what was found.
  var message: Message { get }
  /// What to do next, at most two lines.
  var advice: [Message] { get }
}

extension DescribedFailure {
  /// No advice unless an error has some.
  public var advice: [Message] { [] }
  /// The message, then each line of advice.
  public var description: String { ([message] + advice).map(\.description).joined(separator: "\n") }
}

/// What kind of failure an error is. A command line maps it to an exit code.
public enum FailureCategory: String, Sendable, Codable {
  /// The request is invalid: an unknown selector, contradictory options.
  case usage
  /// The data or the checkpoint is invalid.
  case badInput
  /// A file does not exist.
  case notFound
  /// The output cannot be created.
  case cannotCreate
  /// Reading or writing failed.
  case inputOutput
}
