extension HDF5Dataset {
  /// Reads a dataset of numbers, booleans or opaque bytes.
  /// - Returns: ``byteCount`` bytes in C order, always little-endian.
  /// - Throws: ``HDF5Error``: `unsupported` for strings and unknown types, `corrupt` for damaged data, `closed`, `io`.
  public func readBytes() throws(HDF5Error) -> [UInt8] {
    try requireNumbers()
    var bytes = try readAll()
    bytes.withUnsafeMutableBytes(makeLittleEndian)
    return bytes
  }

  /// Reads the same bytes as ``readBytes()`` into memory for exactly ``byteCount`` bytes.
  package func readBytes(into buffer: UnsafeMutableRawBufferPointer) throws(HDF5Error) {
    try requireNumbers()
    guard buffer.count == byteCount else {
      throw call.error(.invalid, "the buffer has \(buffer.count) bytes, the data \(byteCount)")
    }
    try file.withOpenFile { open throws(HDF5Error) in
      try DatasetReader(dataset: self, open: open).read(into: buffer)
    }
    makeLittleEndian(buffer)
  }

  /// Reads the same bytes as ``readBytes()`` in order, a piece at a time, in bounded memory.
  /// - Parameter body: called with whole elements, in memory that is reused for the next piece.
  /// - Throws: ``HDF5Error``, and what `body` throws.
  public func forEachPiece(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    try requireNumbers()
    try forEachRawPiece(swapping: true, body)
  }

  /// - Parameter swapping: whether elements are made little-endian.
  func forEachRawPiece(swapping: Bool, _ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let open = try file.withOpenFile { open throws(HDF5Error) in open }
    try DatasetReader(dataset: self, open: open).forEachPiece { piece in
      if swapping { makeLittleEndian(piece) }
      try body(UnsafeRawBufferPointer(piece))
    }
  }

  /// Reads a dataset of strings, of fixed length (without padding) or of variable length.
  /// - Throws: ``HDF5Error``: `unsupported` for other types, `corrupt` for text that is not UTF-8, `limitExceeded`.
  public func readStrings() throws(HDF5Error) -> [String] {
    guard case .string(let length, _) = type else {
      throw call.error(.unsupported, "it holds \(type), not strings")
    }
    guard let length else {
      return try file.withOpenFile { open throws(HDF5Error) in
        try StringReader(dataset: self, open: open).readVariable()
      }
    }
    let bytes = try readAll()
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

  /// In the file's byte order.
  private func readAll() throws(HDF5Error) -> [UInt8] {
    try file.withOpenFile { open throws(HDF5Error) in try DatasetReader(dataset: self, open: open).readAll() }
  }

  private func makeLittleEndian(_ bytes: UnsafeMutableRawBufferPointer) {
    if byteOrder == .bigEndian, let width = type.byteCount { ByteSwap.swap(bytes, width: width) }
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
}
