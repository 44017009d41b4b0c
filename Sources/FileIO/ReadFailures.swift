import Foundation

/// Remembers that the system failed while a file was read, whatever became of the error.
///
/// A reader tries things: one format after the other, a constant that may or may not be there. Its `try?` must not take a failing
/// device for "not this format" or "no such tensor", so whoever asked for the reading learns of the failure at its end.
package final class ReadFailures: Sendable {
  package typealias Failure = (file: String, reason: UnreadableReason)

  @TaskLocal private static var current: ReadFailures?

  private let outer: ReadFailures?
  private let lock = NSLock()
  nonisolated(unsafe) private var first: Failure?

  private init(outer: ReadFailures?) { self.outer = outer }

  /// Runs `body`. When the system failed to open or read a file meanwhile, in the same task, that is the error, whether or not
  /// `body` gave a result.
  /// - Parameter error: what to throw for the first failure.
  package static func surfacing<Value, Problem: Error>(
    as error: (Failure) -> Problem, _ body: () throws(Problem) -> Value
  ) throws(Problem) -> Value {
    let failures = ReadFailures(outer: current)
    let result = $current.withValue(failures) { Result(catching: body) }
    guard let first = failures.lock.withLock({ failures.first }) else { return try result.get() }
    // Where the error says so itself, it also says what was being read.
    if case .failure(let own) = result, (own as? any DescribedFailure)?.category == .inputOutput { throw own }
    throw error(first)
  }

  static func note(_ file: String, _ reason: UnreadableReason) {
    guard reason.isFailingSystem else { return }
    var each = current
    while let failures = each {
      failures.lock.withLock { failures.first = failures.first ?? (file, reason) }
      each = failures.outer
    }
  }
}
