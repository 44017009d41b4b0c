import CFileIO
import Foundation
import HDF5

/// A file that is written piece by piece: whole at its path, or not there.
///
/// It is read back before it takes its place, so that what a failing disk or memory made of it is noticed while the old
/// file is still there.
final class ContainerFile {
  private let descriptor: Int32
  private let path: String
  private(set) var byteCount = 0
  /// CRC-32 of everything up to `byteCount`.
  private var checksum: UInt32 = 0
  private var startedByteCount = 0

  private init(_ descriptor: Int32, _ path: String) {
    self.descriptor = descriptor
    self.path = path
  }

  /// The bytes of all tensors.
  /// - Throws: `CheckpointError.corrupt` for a shape that no file holds, before anything is made of it.
  static func byteCount(of tensors: [NamedTensor]) throws(CheckpointError) -> Int {
    var total = 0
    for item in tensors {
      let (sum, overflow) = total.addingReportingOverflow(item.tensor.byteCount)
      guard !overflow, sum < 1 << 60 else {
        throw .corrupt(tensor: item.name, detail: "its shape \(shapeText(item.tensor.shape)) holds more than any file")
      }
      total = sum
    }
    return total
  }

  /// - Parameter byteCount: about how large it will be.
  static func write(to path: String, byteCount: Int, _ body: (ContainerFile) throws -> Void) throws {
    var checksum: UInt32 = 0
    var written = 0
    do {
      try atomicallyWriteFile(to: path) { temporary in
        let file = try RegularFile(path: temporary)
        var found: UInt32 = 0
        try FileRun(source: .file(file), offset: 0, byteCount: file.byteCount, file: path)
          .forEachPiece(0..<file.byteCount) {
            found = Inflate.crc32(UnsafeRawBufferPointer($0), continuing: found)
          }
        guard file.byteCount == written, found == checksum else {
          throw CheckpointError.cannotWrite(file: path, detail: "what was read back is not what was written")
        }
      } _: { descriptor in
        cfileio_reserve(descriptor, Int64(byteCount))
        let file = ContainerFile(descriptor, path)
        try body(file)
        guard ftruncate(descriptor, off_t(file.byteCount)) == 0 else {
          throw CheckpointError.cannotWrite(file: path, detail: String(cString: strerror(errno)))
        }
        (checksum, written) = (file.checksum, file.byteCount)
      }
    } catch let error as HDF5Error {
      throw CheckpointError.hdf5(error)
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws {
    checksum = Inflate.crc32(bytes, continuing: checksum)
    try writeAll(bytes, to: descriptor)
    byteCount += bytes.count
    // The device is kept busy while the next tensor is being read.
    if byteCount - startedByteCount >= 8 << 20 {
      cfileio_start_writeback(descriptor, Int64(startedByteCount), Int64(byteCount - startedByteCount))
      startedByteCount = byteCount
    }
  }

  func write(_ bytes: [UInt8]) throws { try bytes.withUnsafeBytes { try write($0) } }

  func write(_ tensor: StoredTensor) throws { try tensor.forEachPiece { try write($0) } }

  /// Writes a head that holds the CRC-32 of what follows it, and that.
  /// - Parameters:
  ///   - placeholder: as long as the head will be.
  ///   - content: writes it.
  ///   - head: makes the head of the content's CRC-32.
  func write(placeholder: [UInt8], content: () throws -> Void, head: (UInt32) -> [UInt8]) throws {
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
        throw CheckpointError.cannotWrite(file: path, detail: "writing failed: \(String(cString: strerror(errno)))")
      }
      done += max(count, 0)
    }
  }
}
