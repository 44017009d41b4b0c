import FileIO

/// A run of a file's bytes that holds a tensor, or the storage of several: read where it is wanted, with no copy between.
struct FileRun: Sendable {
  let source: ByteSource
  let offset: Int
  let byteCount: Int
  let file: String

  func read(_ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(CheckpointError) {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount && range.count == buffer.count)
    do throws(RegularFile.Failure) {
      try source.read(at: offset + range.lowerBound, into: buffer)
    } catch {
      throw .unreadable(file: file, reason: error)
    }
  }

  func forEachPiece(_ range: Range<Int>, _ body: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
    do {
      try source.forEachPiece(offset + range.lowerBound..<offset + range.upperBound, body)
    } catch let reason as UnreadableReason {
      throw CheckpointError.unreadable(file: file, reason: reason)
    }
  }
}

/// A tensor whose elements lie in a file one after the other, in C order and little-endian.
struct FileTensor: TensorSource {
  let run: FileRun

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
    try run.read(0..<run.byteCount, into: buffer)
    return true
  }

  func bytes() throws -> [UInt8] { try filledBytes(run.byteCount) { try run.read(0..<run.byteCount, into: $0) } }

  func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    try run.forEachPiece(0..<run.byteCount) { try body(UnsafeRawBufferPointer($0)) }
  }
}

/// Bytes that are written once, by `body`.
func filledBytes(_ count: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows -> [UInt8] {
  try [UInt8](filling: count) { try body(UnsafeMutableRawBufferPointer($0)) }
}

/// Turns the bytes of each element round.
func swapBytes(_ bytes: UnsafeMutableRawBufferPointer, width: Int) {
  func swap<T: FixedWidthInteger>(_: T.Type) {
    for offset in stride(from: 0, to: bytes.count - MemoryLayout<T>.size + 1, by: MemoryLayout<T>.size) {
      let value = bytes.loadUnaligned(fromByteOffset: offset, as: T.self)
      bytes.storeBytes(of: value.byteSwapped, toByteOffset: offset, as: T.self)
    }
  }
  switch width {
  case 2: swap(UInt16.self)
  case 4: swap(UInt32.self)
  case 8: swap(UInt64.self)
  default: break
  }
}
