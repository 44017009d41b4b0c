extension NPY {
  /// An NPY file of single precision.
  ///
  /// - Parameters:
  ///   - floats: The values in C order.
  ///   - shape: The length of each dimension; empty for a scalar.
  /// - Returns: The whole file, as `numpy.save` writes it.
  /// - Throws: `NPYError` when the shape does not hold as many values as there are.
  package static func encode(floats: [Float], shape: [Int]) throws(NPYError) -> [UInt8] {
    try encode(floats, .float32, shape)
  }

  /// An NPY file of double precision; parameters and errors as `encode(floats:shape:)`.
  package static func encode(doubles: [Double], shape: [Int]) throws(NPYError) -> [UInt8] {
    try encode(doubles, .float64, shape)
  }

  /// An NPY file of 64-bit integers; parameters and errors as `encode(floats:shape:)`.
  package static func encode(integers: [Int64], shape: [Int]) throws(NPYError) -> [UInt8] {
    try encode(integers, .int64, shape)
  }

  /// An NPY file of any type that numpy has.
  ///
  /// - Parameter bytes: The elements in C order, little-endian.
  /// - Throws: `NPYError` of kind `cannotWrite` for bfloat16, which numpy lacks; `valueCount` when there are not as
  ///   many elements as the shape holds.
  package static func encode(bytes: [UInt8], dataType: DataType, shape: [Int]) throws(NPYError) -> [UInt8] {
    let header = try checkedHeader(dataType, shape, byteCount: bytes.count)
    return header + bytes
  }

  private static func encode<Value: BitwiseCopyable>(
    _ values: [Value], _ type: DataType, _ shape: [Int]
  ) throws(NPYError) -> [UInt8] {
    var bytes = try checkedHeader(type, shape, byteCount: values.count * type.byteCount)
    bytes.reserveCapacity(bytes.count + values.count * type.byteCount)
    // Every supported platform is little-endian, so memory already has the file's order.
    values.withUnsafeBytes { bytes.append(contentsOf: $0) }
    return bytes
  }

  private static func checkedHeader(
    _ type: DataType, _ shape: [Int], byteCount: Int
  ) throws(NPYError) -> [UInt8] {
    guard let descr = type.npyDescr else { throw NPYError(.cannotWrite(type), file: "array") }
    let count = shape.allSatisfy { $0 >= 0 } ? elementCount(shape) : nil
    guard let count else { throw NPYError(.sizeOverflow, file: "array") }
    guard shape.count <= NPYHeader.rankLimit else {
      throw NPYError(.tooManyDimensions(limit: NPYHeader.rankLimit), file: "array")
    }
    guard byteCount % type.byteCount == 0, count == byteCount / type.byteCount else {
      throw NPYError(.valueCount(expected: count, found: byteCount / type.byteCount), file: "array")
    }
    return header(descr, shape)
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
