import CFileIO
import Foundation

/// A file that is written atomically, piece by piece.
///
/// It is read back and compared by checksum before it replaces the old file, so that damage by a failing disk or memory
/// is noticed in time.
package final class ContainerFile {
  private let descriptor: Int32
  /// Bytes written so far.
  package private(set) var byteCount = 0
  /// CRC-32 of the bytes written so far.
  private var checksum: UInt32 = 0
  private var startedByteCount = 0

  private init(_ descriptor: Int32) { self.descriptor = descriptor }

  /// Writes a file by `body`, reads it back and puts it in place.
  /// - Parameter byteCount: about how large it will be.
  /// - Throws: ``FileError``, and what `body` throws.
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
      let file = ContainerFile(descriptor)
      try body(file)
      do throws(System.Errno) {
        try System.truncate(descriptor, to: file.byteCount)
      } catch {
        throw FileError.writingFailed(file: path, detail: error.text)
      }
      (checksum, written) = (file.checksum, file.byteCount)
    }
  }

  /// Appends bytes.
  package func write(_ bytes: UnsafeRawBufferPointer) throws {
    checksum = Inflate.crc32(bytes, continuing: checksum)
    try writeAll(bytes, to: descriptor)
    byteCount += bytes.count
    // Keeps the device busy while the next tensor is being read.
    if byteCount - startedByteCount >= 8 << 20 {
      System.startWriteback(descriptor, startedByteCount, byteCount - startedByteCount)
      startedByteCount = byteCount
    }
  }

  /// Appends bytes.
  package func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }

  /// Writes a header that contains the CRC-32 of the content after it, then that content.
  /// - Parameters:
  ///   - placeholder: as many bytes as the header.
  ///   - content: writes the content.
  ///   - head: makes the header from the content's CRC-32.
  package func write(placeholder: [UInt8], content: () throws -> Void, head: (UInt32) -> [UInt8]) throws {
    let (start, before) = (byteCount, checksum)
    try write(placeholder)
    let contentStart = byteCount
    checksum = 0
    try content()
    let made = head(checksum)
    precondition(made.count == placeholder.count)
    do throws(System.Errno) {
      try made.lend { bytes throws(System.Errno) in try System.write(descriptor, bytes, at: start, .none) }
    } catch {
      throw FileError.writingFailed(file: "", detail: "writing failed: \(error.text)")
    }
    let upToContent = made.withUnsafeBytes { Inflate.crc32($0, continuing: before) }
    checksum = Inflate.crc32(joining: upToContent, checksum, byteCount: byteCount - contentStart)
  }
}
