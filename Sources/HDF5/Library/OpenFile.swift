import CHDF5
import FileIO
import Foundation

/// An open file: libhdf5's handle for metadata, and a descriptor for reading bytes.
final class OpenFile: Sendable {
  private let file: RegularFile
  let id: hid_t

  init(_ path: String, named name: String) throws(HDF5Error) {
    let call = Call(file: name, object: nil)
    let file = try Self.openRegular(path, call)
    let status = try Self.status(file.descriptor, call)
    try Signature.check(file, call)
    id = try Library.locked { () throws(HDF5Error) in
      try Self.openLibrary(path, same: status, call)
    }
    self.file = file
  }

  var descriptor: Int32 { file.descriptor }
  var byteCount: Int { file.byteCount }

  deinit { Library.locked { _ = H5Fclose(id) } }

  private static func status(_ descriptor: Int32, _ call: Call) throws(HDF5Error) -> stat {
    do {
      return try System.status(descriptor)
    } catch {
      throw call.error(.io, "it cannot be examined: \(error.text)")
    }
  }

  private static func openRegular(_ path: String, _ call: Call) throws(HDF5Error) -> RegularFile {
    let file: RegularFile
    do throws(UnreadableReason) {
      file = try RegularFile(path: path)
    } catch {
      switch error {
      case .notFound, .system(_, ENOTDIR): throw call.error(.notFound, "no such file")
      case .directory: throw call.error(.isDirectory, "it is a directory, not an HDF5 file")
      case .notRegular, .system(_, ENXIO), .system(_, ENODEV):
        throw call.error(.notRegularFile, "it is a pipe, a socket or a device, not a regular file")
      case .system(_, let code) where code == EACCES || code == EPERM:
        throw call.error(.permissionDenied, "it may not be read (\(System.Errno(code: code).text))")
      case .system, .truncated: throw call.error(.io, "it cannot be opened: \(error.message)")
      }
    }
    if file.byteCount == 0 { throw call.error(.empty, "it is empty (0 bytes)") }
    return file
  }

  /// `H5Fopen`, and a check by `H5Fget_vfd_handle` that it opened the same file as the descriptor.
  private static func openLibrary(_ path: String, same expected: stat, _ call: Call) throws(HDF5Error) -> hid_t {
    var (id, stack) = try openOnce(path, locking: true, call)
    if id < 0 {
      let lock = stack.first { $0.contains("unable to lock file") }
      if let lock, lock.contains("errno = \(EAGAIN),") {
        throw call.error(.io, "another program is writing to it; try again when it has finished", stack: stack)
      }
      // Some file systems (network, read-only) have no locks; reading is safe without one.
      if lock != nil { (id, stack) = try openOnce(path, locking: false, call) }
      if id < 0 {
        let truncated = stack.contains { $0.contains("truncated file") }
        throw call.error(
          .corrupt,
          truncated
            ? "it is truncated: it has only \(expected.st_size) bytes, fewer than its header states"
            : "it is a damaged HDF5 file" + (stack.first.map { " (HDF5: \($0))" } ?? ""),
          stack: stack)
      }
    }
    var pointer: UnsafeMutableRawPointer?
    if H5Fget_vfd_handle(id, chdf5_default(), &pointer) >= 0, let pointer {
      let opened = try? System.status(pointer.assumingMemoryBound(to: Int32.self).pointee)
      if opened?.st_ino == expected.st_ino, opened?.st_dev == expected.st_dev { return id }
    }
    H5Fclose(id)
    throw call.error(.io, "it was replaced while it was being opened; try again")
  }

  /// The error stack is read at once: closing the property list would clear it.
  private static func openOnce(
    _ path: String, locking: Bool, _ call: Call
  ) throws(HDF5Error) -> (hid_t, stack: [String]) {
    let access = try FileAccess.make(call)
    try call.check(chdf5_set_file_locking(access.id, locking ? 1 : 0), "file locking cannot be set", .io)
    let id = H5Fopen(path, chdf5_open_read_only(), access.id)
    return (id, id < 0 ? Library.takeErrorStack() : [])
  }
}

/// File access property lists with an explicit driver, and a close that fails while objects are open.
enum FileAccess {
  static func make(_ call: Call) throws(HDF5Error) -> Handle<PropertyListKind> {
    let failed = "the HDF5 library does not accept its settings"
    let access = try call.handle(PropertyListKind.self, H5Pcreate(chdf5_class_file_access()), failed, .io)
    try call.check(H5Pset_fapl_sec2(access.id), failed, .io)
    try call.check(H5Pset_fclose_degree(access.id, H5F_CLOSE_SEMI), failed, .io)
    return access
  }
}
