import FileIO
import Foundation

/// The bytes of a storage in a file; tensors are views of it.
final class PTStorage: @unchecked Sendable {
  enum Place: Sendable {
    case run(FileRun)
    /// An entry that something other than PyTorch has compressed.
    case packed(ZipArchive, ZipEntry)
  }

  let byteCount: Int
  private let place: Place
  private let file: String
  /// CRC-32; 0 for not computed.
  private let checksum: UInt32
  /// Guards `isVerified`.
  private let lock = NSLock()
  private var isVerified: Bool

  init(_ place: Place, file: String, checksum: UInt32 = 0) {
    self.place = place
    self.file = file
    self.checksum = checksum
    switch place {
    case .run(let run): byteCount = run.byteCount
    case .packed(_, let entry): byteCount = entry.size
    }
    isVerified = checksum == 0
  }

  /// The bytes as they lie in the file.
  func read(_ range: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws {
    switch place {
    case .run(let run):
      if range.count == byteCount {
        try run.read(range, into: buffer)
        if checksum != 0 { try verify(Inflate.crc32(UnsafeRawBufferPointer(buffer))) }
      } else {
        try verifyWhole(run)
        try run.read(range, into: buffer)
      }
    case .packed(let archive, let entry):
      if range.count == byteCount { return try archive.read(entry, into: buffer) }
      try archive.read(entry).withUnsafeBytes {
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[range]))
      }
    }
  }

  /// The same a piece at a time, in bounded memory where the file keeps it uncompressed.
  func forEachPiece(_ range: Range<Int>, _ body: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
    guard case .run(let run) = place else {
      var bytes = try filledBytes(range.count) { try read(range, into: $0) }
      return try bytes.withUnsafeMutableBytes(body)
    }
    let isWhole = range.count == byteCount
    if !isWhole { try verifyWhole(run) }
    var found: UInt32 = 0
    try run.forEachPiece(range) { piece in
      if isWhole, checksum != 0 { found = Inflate.crc32(UnsafeRawBufferPointer(piece), continuing: found) }
      try body(piece)
    }
    if isWhole, checksum != 0 { try verify(found) }
  }

  /// A part says nothing of the checksum: before the first one, the whole is read once.
  private func verifyWhole(_ run: FileRun) throws {
    if lock.withLock({ isVerified }) { return }
    var found: UInt32 = 0
    try run.forEachPiece(0..<byteCount) { found = Inflate.crc32(UnsafeRawBufferPointer($0), continuing: found) }
    try verify(found)
  }

  private func verify(_ found: UInt32) throws(PTError) {
    guard found == checksum else { throw PTError(.checksum(expected: checksum, found: found), file: file) }
    lock.withLock { isVerified = true }
  }
}

/// A tensor as a view of a storage.
struct PTView: TensorSource {
  let storage: PTStorage
  /// Of the first element, in bytes.
  let start: Int
  let shape: [Int]
  /// In elements.
  let strides: [Int]
  /// Bytes of one element.
  let width: Int
  let isBigEndian: Bool

  private var byteCount: Int { elementCount(shape + [width]) ?? 0 }

  /// Whether the elements lie one after the other in C order.
  private var isContiguous: Bool {
    var expected = 1
    for (size, stride) in zip(shape, strides).reversed() where size != 1 {
      if stride != expected { return false }
      expected *= size
    }
    return true
  }

  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Bool {
    if byteCount == 0 { return true }
    if isContiguous {
      try storage.read(start..<start + byteCount, into: buffer)
    } else {
      let last = zip(shape, strides).reduce(0) { $0 + ($1.0 - 1) * $1.1 }
      let span = start..<start + (last + 1) * width
      let bytes = try filledBytes(span.count) { try storage.read(span, into: $0) }
      bytes.withUnsafeBytes { gatherElements($0, into: buffer, shape, strides: strides, width: width) }
    }
    if isBigEndian { swapBytes(buffer, width: width) }
    return true
  }

  func bytes() throws -> [UInt8] { try filledBytes(byteCount) { _ = try read(into: $0) } }

  func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    if byteCount == 0 { return }
    guard isContiguous else { return try bytes().withUnsafeBytes(body) }
    try storage.forEachPiece(start..<start + byteCount) { piece in
      if isBigEndian { swapBytes(piece, width: width) }
      try body(UnsafeRawBufferPointer(piece))
    }
  }
}
