import Foundation

/// An open regular file, read by offset (`pread`), from any number of threads at once.
package final class RegularFile: Sendable {
  package typealias Failure = UnreadableReason

  /// Bytes that the file takes on the device; holes take none.
  package let storedByteCount: Int
  /// How many names the file has.
  package let linkCount: Int
  /// The file's size when it was opened.
  package let byteCount: Int
  /// Open for reading as long as this object lives.
  package let descriptor: Int32
  private let path: String

  /// Opens a file read-only.
  package init(path: String) throws(Failure) {
    do throws(Failure) {
      (descriptor, byteCount, storedByteCount, linkCount) = try Self.open(path)
    } catch {
      ReadFailures.note(path, error)
      throw error
    }
    self.path = path
  }

  private static func open(
    _ path: String
  ) throws(Failure) -> (descriptor: Int32, byteCount: Int, storedByteCount: Int, linkCount: Int) {
    let descriptor: Int32
    do throws(System.Errno) {
      descriptor = try System.open(path, O_RDONLY)
    } catch {
      throw error.code == ENOENT ? .notFound : .system(operation: "open", code: error.code)
    }
    let status: stat
    do throws(System.Errno) {
      status = try System.status(descriptor)
    } catch {
      close(descriptor)
      throw .system(operation: "fstat", code: error.code)
    }
    let kind = status.st_mode & S_IFMT
    guard kind == S_IFREG else {
      close(descriptor)
      throw kind == S_IFDIR ? .directory : .notRegular
    }
    return (descriptor, Int(status.st_size), Int(status.st_blocks) * 512, Int(status.st_nlink))
  }

  deinit { close(descriptor) }

  /// The whole file.
  /// - Parameter times: how many times its size is needed in memory for what is made of it; checked before anything is read.
  package func contents(times: Int = 1) throws(Failure) -> [UInt8] {
    guard MachineMemory.holds(byteCount, times: times) else { throw .beyondMemory(byteCount: byteCount) }
    return try ByteSource.file(self).bytes(at: 0, count: byteCount)
  }

  /// Fills `buffer` with the bytes from `offset`.
  package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(Failure) {
    guard offset >= 0, offset <= byteCount, buffer.count <= byteCount - offset else { throw .truncated }
    if try readSome(at: offset, into: buffer) < buffer.count { throw .truncated }
  }

  /// The same as far as the file goes.
  /// - Returns: how many bytes were read, fewer only at the file's end.
  package func readSome(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
    do throws(System.Errno) {
      return try System.read(descriptor, into: buffer, at: offset)
    } catch {
      let failure = Failure.system(operation: "pread", code: error.code)
      ReadFailures.note(path, failure)
      throw failure
    }
  }
}

/// The names of what lies in a folder, in no order.
/// - Throws: ``UnreadableReason`` `system`.
package func namesInFolder(_ path: String) throws(UnreadableReason) -> [String] {
  do throws(System.Errno) {
    return try System.names(in: path.isEmpty ? "." : path)
  } catch {
    let failure = UnreadableReason.system(operation: "opendir", code: error.code)
    ReadFailures.note(path, failure)
    throw failure
  }
}

/// Bytes that can be read by offset: a file on disk or an array in memory.
package enum ByteSource: Sendable {
  case file(RegularFile)
  case memory([UInt8])

  package var byteCount: Int {
    switch self {
    case .file(let file): file.byteCount
    case .memory(let bytes): bytes.count
    }
  }

  /// Fills `buffer` with the bytes from `offset`.
  package func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(RegularFile.Failure) {
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
  package func bytes(at offset: Int, count: Int) throws(RegularFile.Failure) -> [UInt8] {
    guard offset >= 0, count >= 0, offset <= byteCount, count <= byteCount - offset else {
      throw .truncated
    }
    guard MachineMemory.holds(count) else { throw .beyondMemory(byteCount: count) }
    var result = [UInt8](repeating: 0, count: count)
    try result.lendMutable { buffer throws(RegularFile.Failure) in try read(at: offset, into: buffer) }
    return result
  }

  /// The size of a piece in ``forEachPiece(_:_:)``: it stays in the processor's cache.
  package static let pieceByteCount = 1 << 19

  /// Reads a range of bytes a piece at a time, into memory that is reused for the next piece.
  /// - Throws: ``UnreadableReason``, or what `body` throws.
  package func forEachPiece(_ range: Range<Int>, _ body: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
    let size = max(min(Self.pieceByteCount, range.count), 1)
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
    defer { piece.deallocate() }
    for start in stride(from: range.lowerBound, to: range.upperBound, by: size) {
      let part = UnsafeMutableRawBufferPointer(rebasing: piece[..<min(size, range.upperBound - start)])
      try read(at: start, into: part)
      try body(part)
    }
  }
}
