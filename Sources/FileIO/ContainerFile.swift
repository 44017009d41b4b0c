import CFileIO
import Foundation

/// A file that is written piece by piece: whole at its path, or not there.
///
/// It is read back before it takes its place, so that what a failing disk or memory made of it is noticed while the old
/// file is still there.
package final class ContainerFile {
  private let descriptor: Int32
  private let path: String
  package private(set) var byteCount = 0
  /// CRC-32 of everything up to `byteCount`.
  private var checksum: UInt32 = 0
  private var startedByteCount = 0

  private init(_ descriptor: Int32, _ path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  /// - Parameter byteCount: about how large it will be.
  package static func write(to path: String, byteCount: Int, _ body: (ContainerFile) throws -> Void) throws {
    var checksum: UInt32 = 0
    var written = 0
    try atomicallyWriteFile(to: path) { temporary in
      var found: UInt32 = 0
      let count: Int
      do {
        let file = try RegularFile(path: temporary)
        count = file.byteCount
        try ByteSource.file(file).forEachPiece(0..<count) {
          found = Inflate.crc32(UnsafeRawBufferPointer($0), continuing: found)
        }
      } catch let reason as UnreadableReason {
        throw FileError.unreadable(file: path, reason: reason)
      }
      guard count == written, found == checksum else {
        throw FileError.writingFailed(file: path, detail: "what was read back is not what was written")
      }
    } _: { descriptor in
      cfileio_reserve(descriptor, Int64(byteCount))
      let file = ContainerFile(descriptor, path)
      try body(file)
      guard ftruncate(descriptor, off_t(file.byteCount)) == 0 else {
        throw FileError.writingFailed(file: path, detail: String(cString: strerror(errno)))
      }
      (checksum, written) = (file.checksum, file.byteCount)
    }
  }

  package func write(_ bytes: UnsafeRawBufferPointer) throws {
    checksum = Inflate.crc32(bytes, continuing: checksum)
    try writeAll(bytes, to: descriptor)
    byteCount += bytes.count
    // The device is kept busy while the next tensor is being read.
    if byteCount - startedByteCount >= 8 << 20 {
      cfileio_start_writeback(descriptor, Int64(startedByteCount), Int64(byteCount - startedByteCount))
      startedByteCount = byteCount
    }
  }

  package func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }

  /// Writes a head that holds the CRC-32 of what follows it, and that.
  /// - Parameters:
  ///   - placeholder: as long as the head will be.
  ///   - content: writes it.
  ///   - head: makes the head of the content's CRC-32.
  package func write(placeholder: [UInt8], content: () throws -> Void, head: (UInt32) -> [UInt8]) throws {
    let (start, before) = (byteCount, checksum)
    try write(placeholder)
    let contentStart = byteCount
    checksum = 0
    try content()
    let made = head(checksum)
    precondition(made.count == placeholder.count)
    try overwrite(made, at: start)
    let upToContent = made.withUnsafeBytes { Inflate.crc32($0, continuing: before) }
    checksum = Inflate.crc32(joining: upToContent, checksum, byteCount: byteCount - contentStart)
  }

  private func overwrite(_ bytes: [UInt8], at offset: Int) throws {
    var done = 0
    while done < bytes.count {
      let count = bytes[done...].withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, off_t(offset + done)) }
      if count < 0 && errno != EINTR {
        throw FileError.writingFailed(file: path, detail: "writing failed: \(String(cString: strerror(errno)))")
      }
      done += max(count, 0)
    }
  }
}
