import Foundation

/// An open regular file, read by offset.
///
/// `pread` keeps no position, so one value may be read from several threads at once.
final class RegularFile: Sendable {
  typealias Failure = UnreadableReason

  /// The size in bytes when the file was opened.
  let byteCount: Int
  private let descriptor: Int32

  init(path: String) throws(Failure) {
    // O_NONBLOCK: opening a FIFO without a writer would wait for ever.
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else {
      let code = errno
      throw code == ENOENT ? .notFound : .system(operation: "open", code: code)
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let code = errno
      close(descriptor)
      throw .system(operation: "fstat", code: code)
    }
    let kind = status.st_mode & S_IFMT
    guard kind == S_IFREG else {
      close(descriptor)
      throw kind == S_IFDIR ? .directory : .notRegular
    }
    self.descriptor = descriptor
    self.byteCount = Int(status.st_size)
  }

  deinit { close(descriptor) }

  /// Fills `buffer` from `offset`, or throws.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(Failure) {
    guard offset >= 0, offset <= byteCount, buffer.count <= byteCount - offset else { throw .truncated }
    var done = 0
    while done < buffer.count {
      // One call moves at most INT_MAX bytes on some systems.
      let wanted = min(buffer.count - done, 1 << 30)
      let part = UnsafeMutableRawBufferPointer(rebasing: buffer[done..<(done + wanted)])
      let got = pread(descriptor, part.baseAddress, wanted, off_t(offset + done))
      if got > 0 {
        done += got
      } else if got == 0 {
        throw .truncated
      } else if errno != EINTR {
        throw .system(operation: "pread", code: errno)
      }
    }
  }
}

/// Bytes that can be read by offset: a file on disk or an array in memory.
enum ByteSource: Sendable {
  case file(RegularFile)
  case memory([UInt8])

  var byteCount: Int {
    switch self {
    case .file(let file): file.byteCount
    case .memory(let bytes): bytes.count
    }
  }

  /// Fills `buffer` from `offset`, or throws.
  func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(RegularFile.Failure) {
    switch self {
    case .file(let file):
      try file.read(at: offset, into: buffer)
    case .memory(let bytes):
      guard offset >= 0, offset <= bytes.count, buffer.count <= bytes.count - offset else {
        throw .truncated
      }
      bytes.withUnsafeBytes {
        buffer.copyMemory(from: .init(rebasing: $0[offset..<(offset + buffer.count)]))
      }
    }
  }

  /// `count` bytes from `offset`. The range is checked before anything is allocated.
  func bytes(at offset: Int, count: Int) throws(RegularFile.Failure) -> [UInt8] {
    guard offset >= 0, count >= 0, offset <= byteCount, count <= byteCount - offset else {
      throw .truncated
    }
    var result = [UInt8](repeating: 0, count: count)
    // A typed throw does not pass through withUnsafeMutableBytes on every toolchain; carry it out by value.
    let outcome: Result<Void, RegularFile.Failure> = result.withUnsafeMutableBytes { buffer in
      do throws(RegularFile.Failure) {
        return .success(try read(at: offset, into: buffer))
      } catch {
        return .failure(error)
      }
    }
    try outcome.get()
    return result
  }
}
