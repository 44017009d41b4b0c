/// A filter of a chunked dataset. Others are refused.
public enum HDF5Filter: Sendable, Hashable {
  case deflate(level: Int)
  case shuffle
  case fletcher32

  /// HDF5's number for it, `H5Z_FILTER_...`.
  var number: Int {
    switch self {
    case .deflate: 1
    case .shuffle: 2
    case .fletcher32: 3
    }
  }
}

/// A dataset as the walk found it: everything but the bytes. It keeps its file open.
public struct HDF5Dataset: Sendable {
  public enum Storage: Sendable, Equatable {
    /// One run of bytes at an offset of the file; nil when none was ever written.
    case contiguous(offset: Int?)
    /// Within the dataset's header.
    case compact
    case chunked(chunkShape: [Int], filters: [HDF5Filter])
  }

  public let name: String
  public let path: String
  /// Empty for a scalar; `[0]` for the null dataspace.
  public let shape: [Int]
  public let type: HDF5ScalarType
  public let byteOrder: HDF5ByteOrder
  public let storage: Storage
  /// Bytes that the data takes in the file (`H5Dget_storage_size`).
  public let storedByteCount: Int
  public let elementCount: Int
  /// Bytes that ``readBytes()`` returns. For variable-length strings and unsupported types, bytes of the
  /// elements as the file stores them.
  public let byteCount: Int
  public let attributes: [HDF5Attribute]

  let file: HDF5File
  /// One element in the file's byte order, for what was never written; empty for zeros.
  let fill: [UInt8]
  let padding: StringPadding
  /// Whether chunks that reach beyond the shape are stored without filters.
  let edgeChunksAreUnfiltered: Bool

  public func attribute(_ name: String) -> HDF5Attribute? {
    attributes.first { $0.name == name }
  }

  var call: Call { Call(file: file.path, object: path) }

  /// Reads the whole dataset, numbers or booleans: C order, little-endian whatever the file's order is.
  public func readBytes() throws(HDF5Error) -> [UInt8] {
    try requireNumbers()
    return try readRaw(swapping: true)
  }

  /// Reads the whole dataset like ``readBytes()`` into memory of exactly ``byteCount`` bytes.
  public func readBytes(into buffer: UnsafeMutableRawBufferPointer) throws(HDF5Error) {
    try requireNumbers()
    guard buffer.count == byteCount else {
      throw call.error(.invalid, "a buffer of \(buffer.count) bytes was given for \(byteCount) bytes of data")
    }
    try file.withOpenFile { open throws(HDF5Error) in
      try DatasetReader(dataset: self, open: open).read(into: buffer)
    }
    if byteOrder == .bigEndian, let width = type.byteCount { ByteSwap.swap(buffer, width: width) }
  }

  /// Reads the whole dataset in order, a piece at a time: the same bytes as ``readBytes()`` in bounded memory.
  /// - Parameter body: gets whole elements, in memory that is used again for the next piece.
  /// - Throws: ``HDF5Error``, and what `body` throws.
  public func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    try requireNumbers()
    try forEachRawPiece(swapping: true, body)
  }

  func forEachRawPiece(swapping: Bool, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let open = try file.withOpenFile { open throws(HDF5Error) in open }
    try DatasetReader(dataset: self, open: open).forEachPiece { piece in
      if swapping, byteOrder == .bigEndian, let width = type.byteCount { ByteSwap.swap(piece, width: width) }
      try body(UnsafeRawBufferPointer(piece))
    }
  }

  /// Reads the whole dataset of strings: fixed-length ones without their padding, or variable-length ones.
  public func readStrings() throws(HDF5Error) -> [String] {
    guard case .string(let length, _) = type else {
      throw call.error(.unsupported, "it holds \(type), not strings")
    }
    guard let length else { return try StringReader(dataset: self).readVariable() }
    let bytes = try readRaw(swapping: false)
    var result: [String] = []
    result.reserveCapacity(elementCount)
    for index in 0..<elementCount {
      let text = bytes.withUnsafeBytes { bytes in
        padding.decode(UnsafeRawBufferPointer(rebasing: bytes[index * length..<(index + 1) * length]))
      }
      guard let text else { throw call.error(.corrupt, "its string \(index) is not UTF-8") }
      result.append(text)
    }
    return result
  }

  private func requireNumbers() throws(HDF5Error) {
    switch type {
    case .unsupported(let name):
      throw call.error(
        .unsupported, "its datatype (\(name)) is not supported; expected integers, floats or strings")
    case .string: throw call.error(.unsupported, "it holds strings, not numbers")
    default: break
    }
  }

  func readRaw(swapping: Bool) throws(HDF5Error) -> [UInt8] {
    guard byteCount > 0 else {
      // Reading nothing from a closed file is an error all the same.
      try file.withOpenFile { _ in }
      return []
    }
    var failure: HDF5Error?
    let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      let raw = UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: byteCount)
      do throws(HDF5Error) {
        try file.withOpenFile { open throws(HDF5Error) in
          try DatasetReader(dataset: self, open: open).read(into: raw)
        }
        if swapping, byteOrder == .bigEndian, let width = type.byteCount { ByteSwap.swap(raw, width: width) }
        count = byteCount
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }
}

/// Reverses the bytes of every element.
enum ByteSwap {
  static func swap(_ buffer: UnsafeMutableRawBufferPointer, width: Int) {
    switch width {
    case 2: swap(buffer, as: UInt16.self)
    case 4: swap(buffer, as: UInt32.self)
    case 8: swap(buffer, as: UInt64.self)
    default: break
    }
  }

  private static func swap<Word: FixedWidthInteger & BitwiseCopyable>(
    _ buffer: UnsafeMutableRawBufferPointer, as type: Word.Type
  ) {
    for offset in stride(from: 0, to: buffer.count, by: MemoryLayout<Word>.size) {
      let word = buffer.loadUnaligned(fromByteOffset: offset, as: type)
      buffer.storeBytes(of: word.byteSwapped, toByteOffset: offset, as: type)
    }
  }
}
