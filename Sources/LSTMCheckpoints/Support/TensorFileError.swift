import FileIO

/// What can be wrong with one kind of file that holds tensors.
package protocol TensorFileFault: Sendable, Equatable {
  /// The file cannot be opened or read at all.
  static func unreadable(_ reason: UnreadableReason) -> Self
  /// Why the file cannot be opened or read at all, where that is what is wrong.
  var unreadable: UnreadableReason? { get }
  /// What is wrong, without the place.
  var detail: String { get }
  func advice(file: String) -> [Message]
}

extension TensorFileFault {
  package func advice(file: String) -> [Message] { [] }
}

/// What is wrong with a file that holds tensors, and where.
package struct TensorFileError<Fault: TensorFileFault>: DescribedFailure, Equatable {
  package typealias Kind = Fault

  /// The file's path, or the name of the archive's entry.
  package let file: String
  /// The tensor concerned, if it is one.
  package var tensor: String?
  /// What is wrong.
  package let kind: Fault

  init(_ kind: Fault, file: String, tensor: String? = nil) {
    self.kind = kind
    self.file = file
    self.tensor = tensor
  }

  /// What `body` reads of a file.
  static func reading<Value>(_ file: String, _ body: () throws(UnreadableReason) -> Value) throws(Self) -> Value {
    do throws(UnreadableReason) {
      return try body()
    } catch {
      throw Self(.unreadable(error), file: file)
    }
  }

  package var category: FailureCategory { kind.unreadable?.category ?? .badInput }

  package var message: Message {
    Message(printable(file + (tensor.map { ": tensor \"\($0)\"" } ?? "") + ": " + kind.detail))
  }

  package var advice: [Message] { kind.advice(file: file) }
}
