import FileIO

/// A run of a file's bytes that holds a tensor, or the storage of several: read where it is wanted, with no copy between.
struct FileRun: Sendable {
  let source: ByteSource
  let offset: Int
  let byteCount: Int
  let file: String

  func read(_ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(CheckpointError) {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount && range.count == buffer.count)
    try CheckpointError.reading(file) { () throws(UnreadableReason) in
      try source.read(at: offset + range.lowerBound, into: buffer)
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
