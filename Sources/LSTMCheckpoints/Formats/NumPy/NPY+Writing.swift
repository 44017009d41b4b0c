import FileIO

extension NPY {
  /// An NPY file of single precision.
  ///
  /// - Parameters:
  ///   - floats: The values in C order.
  ///   - shape: The length of each dimension; empty for a scalar.
  /// - Returns: The whole file, as `numpy.save` writes it.
  /// - Throws: `NPYError` when the shape does not hold as many values as there are.
  package static func encode(floats: [Float], shape: [Int]) throws(NPYError) -> [UInt8] {
    try encode(bytes: littleEndianBytes(floats), dataType: .float32, shape: shape)
  }

  /// An NPY file of any type that numpy has.
  ///
  /// - Parameter bytes: The elements in C order, little-endian.
  /// - Throws: `NPYError` of kind `cannotWrite` for bfloat16, which numpy lacks; `valueCount` when there are not as
  ///   many elements as the shape holds.
  package static func encode(bytes: [UInt8], dataType: DataType, shape: [Int]) throws(NPYError) -> [UInt8] {
    guard let descr = dataType.npyDescr else { throw NPYError(.cannotWrite(dataType), file: "array") }
    let count = shape.allSatisfy { $0 >= 0 } ? elementCount(shape) : nil
    guard let count else { throw NPYError(.sizeOverflow, file: "array") }
    guard shape.count <= NPYHeader.rankLimit else {
      throw NPYError(.tooManyDimensions(limit: NPYHeader.rankLimit), file: "array")
    }
    guard bytes.count % dataType.byteCount == 0, count == bytes.count / dataType.byteCount else {
      throw NPYError(.valueCount(expected: count, found: bytes.count / dataType.byteCount), file: "array")
    }
    return header(descr, shape) + bytes
  }

  /// A version 1.0 header, padded so that the data starts at a multiple of 64 bytes.
  static func header(_ descr: String, _ shape: [Int]) -> [UInt8] {
    let dimensions = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var text = "{'descr': '\(descr)', 'fortran_order': False, 'shape': (\(dimensions)), }"
    // numpy leaves room for the first dimension to grow to 21 digits; with it the files are identical.
    if let first = shape.first {
      text += String(repeating: " ", count: 21 - String(first).utf8.count)
    }
    // Signature, version and length take 10 bytes; a newline ends the padding.
    let padding = 63 - (10 + text.utf8.count) % 64
    var bytes = NPYHeader.signature + [1, 0]
    bytes.append(littleEndian: UInt16(text.utf8.count + padding + 1))
    bytes += text.utf8
    bytes += repeatElement(UInt8(ascii: " "), count: padding)
    bytes.append(UInt8(ascii: "\n"))
    return bytes
  }
}
