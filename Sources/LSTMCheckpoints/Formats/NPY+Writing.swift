extension NPY {
  /// An NPY file of single precision.
  ///
  /// - Parameters:
  ///   - floats: The values in C order.
  ///   - shape: The length of each dimension; empty for a scalar.
  /// - Returns: The whole file, as `numpy.save` writes it.
  /// - Throws: `NPYError` when the shape does not hold as many values as there are.
  public static func encode(floats: [Float], shape: [Int]) throws(NPYError) -> [UInt8] {
    try encode(floats, .float32, shape)
  }

  /// An NPY file of double precision; parameters and errors as `encode(floats:shape:)`.
  public static func encode(doubles: [Double], shape: [Int]) throws(NPYError) -> [UInt8] {
    try encode(doubles, .float64, shape)
  }

  /// An NPY file of 64-bit integers; parameters and errors as `encode(floats:shape:)`.
  public static func encode(integers: [Int64], shape: [Int]) throws(NPYError) -> [UInt8] {
    try encode(integers, .int64, shape)
  }

  private static func encode<Value: BitwiseCopyable>(
    _ values: [Value], _ type: NPYElementType, _ shape: [Int]
  ) throws(NPYError) -> [UInt8] {
    let count = shape.allSatisfy { $0 >= 0 } ? NPYHeader.elementCount(shape) : nil
    guard let count else { throw NPYError(.sizeOverflow, file: "array") }
    guard shape.count <= NPYHeader.rankLimit else {
      throw NPYError(.tooManyDimensions(limit: NPYHeader.rankLimit), file: "array")
    }
    guard count == values.count else {
      throw NPYError(.valueCount(expected: count, found: values.count), file: "array")
    }
    var bytes = header(type, shape)
    bytes.reserveCapacity(bytes.count + values.count * type.byteCount)
    // Every supported platform is little-endian, so memory already has the file's order.
    values.withUnsafeBytes { bytes.append(contentsOf: $0) }
    return bytes
  }

  /// A version 1.0 header, padded so that the data starts at a multiple of 64 bytes.
  static func header(_ type: NPYElementType, _ shape: [Int]) -> [UInt8] {
    let dimensions = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
    var text = "{'descr': '\(type.descr)', 'fortran_order': False, 'shape': (\(dimensions)), }"
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
