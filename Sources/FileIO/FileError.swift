import Foundation

/// Why a file of any format cannot be read or written.
///
///     do {
///       try writeFile("model/notes.txt", Data(text.utf8))
///     } catch FileError.cannotCreate(let file, let detail) {
///       print("\(file): \(detail)")
///     }
public enum FileError: DescribedFailure, Equatable {
  /// It cannot be opened or read.
  case unreadable(file: String, reason: UnreadableReason)
  /// The file cannot be created at this path.
  case cannotCreate(file: String, detail: String)
  /// Writing failed: a full disk, a broken device.
  case writingFailed(file: String, detail: String)

  /// The file's path, as the caller gave it.
  public var file: String {
    switch self {
    case .unreadable(let file, _), .cannotCreate(let file, _), .writingFailed(let file, _): file
    }
  }

  /// What is wrong, without the path.
  public var detail: String {
    switch self {
    case .unreadable(_, let reason): reason.message
    case .cannotCreate(_, let detail), .writingFailed(_, let detail): detail
    }
  }

  /// `notFound`, `badInput`, `cannotCreate` or `inputOutput`.
  public var category: FailureCategory {
    switch self {
    case .unreadable(_, let reason): reason.category
    case .cannotCreate: .cannotCreate
    case .writingFailed: .inputOutput
    }
  }

  /// The path and what is wrong.
  public var message: Message { Message(printable("\(file): \(detail)")) }
}

/// Why a file cannot be opened or read.
public enum UnreadableReason: Error, Sendable, Equatable {
  /// Nothing has that name.
  case notFound
  /// It is a directory.
  case directory
  /// A pipe, a socket or a device.
  case notRegular
  /// A system call failed; `code` is its `errno`.
  case system(operation: String, code: Int32)
  /// The file ends before the requested bytes.
  case truncated
  /// Its bytes, and what is made of them, do not fit in the memory.
  case beyondMemory(byteCount: Int)

  package var category: FailureCategory {
    switch self {
    case .notFound: .notFound
    case .system: .inputOutput
    case .directory, .notRegular, .truncated, .beyondMemory: .badInput
    }
  }

  /// Whether the machine failed, as opposed to the file: no descriptors are left, or a device does not answer. What may not be
  /// read, and what no file can be, says so otherwise.
  package var isFailingSystem: Bool {
    guard case .system(_, let code) = self else { return false }
    return ![EACCES, EPERM, ENOTDIR, ENXIO, ENODEV, ENAMETOOLONG, ELOOP].contains(code)
  }

  package var message: String {
    switch self {
    case .notFound: "no such file"
    case .directory: "it is a directory, not a file"
    case .notRegular: "it is not a regular file"
    case .system(let operation, let code): "\(operation) failed: \(System.Errno(code: code).text)"
    case .truncated: "it ended while it was being read"
    case .beyondMemory(let count): Self.beyondMemory(count)
    }
  }

  /// `its 1000.0 GB, and what is made of them, do not fit in the 24.0 GB of memory`
  package static func beyondMemory(_ count: Int) -> String {
    func text(_ bytes: Int) -> String {
      let (number, unit) = bytes < 1_000_000_000 ? (Double(bytes) / 1e6, "MB") : (Double(bytes) / 1e9, "GB")
      let tenths = Int((number * 10).rounded())
      return "\(tenths / 10).\(tenths % 10) \(unit)"
    }
    return "its \(text(count)), and what is made of them, do not fit in the \(text(MachineMemory.byteCount)) of memory"
  }
}
