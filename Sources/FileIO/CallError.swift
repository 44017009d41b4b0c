import Foundation

/// The `errno` of a system call that failed.
package struct CallError: Error {
  package let code: Int32

  package init(code: Int32) { self.code = code }

  package var text: String { strerror(code).map { String(cString: $0) } ?? "error \(code)" }

  /// Whether the file system lacks the operation, as opposed to having failed at it.
  var meansUnsupported: Bool { code == EINVAL || code == ENOTSUP || code == ENOSYS }
}
