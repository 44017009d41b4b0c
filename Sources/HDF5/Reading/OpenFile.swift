import FileIO
import Foundation

/// An open file, of which the superblock was read. Any number of threads may read from it at once.
final class OpenFile: Sendable {
  let source: ByteSource
  let superblock: Superblock

  convenience init(_ path: String, named name: String) throws(HDF5Error) {
    let call = Call(file: name, object: nil)
    let file = try Self.openRegular(path, call)
    try Self.lock(file, call)
    try self.init(.file(file), call)
  }

  init(_ source: ByteSource, _ call: Call) throws(HDF5Error) {
    if source.byteCount == 0 { throw call.error(.empty, "it is empty (0 bytes)") }
    let base = try Signature.find(source, call)
    superblock = try call.naming { () throws(Damage) in try Superblock(source, at: base) }
    self.source = source
  }

  var byteCount: Int { source.byteCount }

  /// - Returns: the number of bytes read, which is less only where the file has become shorter.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer, _ call: Call) throws(HDF5Error) -> Int {
    switch source {
    case .file(let file):
      do throws(UnreadableReason) {
        return try file.readSome(at: offset, into: buffer)
      } catch {
        throw call.error(.io, "its data cannot be read: \(error.message)")
      }
    case .memory:
      do throws(UnreadableReason) {
        try source.read(at: offset, into: buffer)
        return buffer.count
      } catch {
        return 0
      }
    }
  }

  /// A reader of metadata, for one thread.
  func metadata() -> FileBytes { FileBytes(source, base: superblock.base, widths: superblock.widths) }

  private static func openRegular(_ path: String, _ call: Call) throws(HDF5Error) -> RegularFile {
    do throws(UnreadableReason) {
      return try RegularFile(path: path)
    } catch {
      switch error {
      case .notFound, .system(_, ENOTDIR): throw call.error(.notFound, "no such file")
      case .directory: throw call.error(.isDirectory, "it is a directory, not an HDF5 file")
      case .notRegular, .system(_, ENXIO), .system(_, ENODEV):
        throw call.error(.notRegularFile, "it is a pipe, a socket or a device, not a regular file")
      case .system(_, let code) where code == EACCES || code == EPERM:
        throw call.error(.permissionDenied, "it may not be read (\(System.Errno(code: code).text))")
      case .system, .truncated, .beyondMemory: throw call.error(.io, "it cannot be opened: \(error.message)")
      }
    }
  }

  /// Programs that write HDF5 lock the file (`flock`). Some file systems (network, read-only) have no locks; reading is
  /// safe without one.
  private static func lock(_ file: RegularFile, _ call: Call) throws(HDF5Error) {
    guard flock(file.descriptor, LOCK_SH | LOCK_NB) != 0, errno == EWOULDBLOCK else { return }
    throw call.error(.io, "another program is writing to it; try again when it has finished")
  }
}
