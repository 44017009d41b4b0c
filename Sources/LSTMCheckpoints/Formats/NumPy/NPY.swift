import FileIO

/// Reading and writing NPY files, numpy's format for one array.
package enum NPY {
  /// Reads the array in the file at `path`: in C order and little-endian, whatever the file has.
  ///
  /// The header is checked against the file's size before the data's memory is allocated.
  ///
  /// - Throws: `NPYError`.
  package static func read(contentsOf path: String) throws(NPYError) -> StoredTensor {
    try read(open(path), file: path)
  }

  /// Reads the header of the file at `path` and checks that as many bytes follow as it says.
  ///
  /// - Throws: `NPYError`.
  package static func header(contentsOf path: String) throws(NPYError) -> NPYHeader {
    let source = try open(path)
    let header = try NPYHeader(source: source, file: path)
    try header.check(fileByteCount: source.byteCount, file: path)
    return header
  }

  private static func open(_ path: String) throws(NPYError) -> ByteSource {
    try NPYError.reading(path) { () throws(UnreadableReason) in .file(try RegularFile(path: path)) }
  }

  /// Decodes the array in `bytes`, such as an entry of an `.npz` archive.
  ///
  /// - Parameters:
  ///   - bytes: A whole NPY file.
  ///   - file: What to call it in errors.
  /// - Throws: `NPYError`.
  package static func decode(_ bytes: [UInt8], file: String) throws(NPYError) -> StoredTensor {
    try read(.memory(bytes), file: file)
  }

  private static func read(_ source: ByteSource, file: String) throws(NPYError) -> StoredTensor {
    let header = try NPYHeader(source: source, file: file)
    try header.check(fileByteCount: source.byteCount, file: file)
    var bytes = try NPYError.reading(file) { () throws(UnreadableReason) in
      try source.bytes(at: header.dataOffset, count: header.dataByteCount)
    }
    let width = header.dataType.byteCount
    if header.isBigEndian { bytes.withUnsafeMutableBytes { swapBytes($0, width: width) } }
    if header.isFortranOrder, header.shape.count > 1, header.count > 0 {
      let strides = header.shape.dropLast().reduce(into: [1]) { $0.append(($0.last ?? 1) * $1) }
      bytes = filledBytes(bytes.count) { target in
        bytes.withUnsafeBytes { gatherElements($0, into: target, header.shape, strides: strides, width: width) }
      }
    }
    let elements = bytes
    return StoredTensor(name: "x", shape: header.shape, dataType: header.dataType) { elements }
  }
}
