/// The type of an element, as a header describes it.
struct DatatypeMessage {
  let scalar: HDF5ScalarType
  let byteOrder: HDF5ByteOrder
  let padding: StringPadding
  /// Bytes of an element in the file.
  let byteCount: Int

  /// How the names of numbers end that are only converted by libhdf5.
  static let unusualNumbers = ["-byte integer", "padding bits", "unusual form", "mixed byte order"]

  init(_ message: Cursor) throws(Damage) {
    var cursor = message
    let first = try cursor.byte()
    let bits = try cursor.small(3)
    byteCount = try cursor.small(4)
    guard (1...5).contains(first >> 4) else {
      throw Damage(.unsupported, "its datatype is of version \(first >> 4), which is not known")
    }
    guard byteCount > 0 else { throw Damage("its datatype has no size") }
    var (padding, order) = (StringPadding.nullTerminated, HDF5ByteOrder.littleEndian)
    var scalar: HDF5ScalarType
    switch first & 0x0F {
    case 0: scalar = try Self.integer(bits, byteCount, &cursor)
    case 1: scalar = try Self.float(bits, byteCount, &cursor)
    case 2: scalar = .unsupported("time")
    case 3:
      scalar = .string(length: byteCount, utf8: bits >> 4 & 0xF == 1)
      padding = StringPadding(number: bits & 0xF)
    case 4: scalar = .unsupported("bitfield")
    case 5: scalar = byteCount <= 1 << 16 ? .opaque(length: byteCount) : .unsupported("opaque")
    case 6: scalar = .unsupported("compound")
    case 7: scalar = .unsupported("reference")
    case 8:
      var members = cursor
      if try Self.isBoolean(bits, byteCount, first >> 4, &members) {
        scalar = .bool
      } else {
        // Its names are not looked at: the values are those of the integer below it.
        let base = try DatatypeMessage(cursor)
        guard base.byteCount == byteCount else { throw Damage("its enumeration has values of another size") }
        (scalar, order) = (base.scalar, base.byteOrder)
      }
    case 9:
      scalar =
        bits & 0xF == 1 ? .string(length: nil, utf8: bits >> 8 & 0xF == 1) : .unsupported("variable-length sequence")
    case 10: scalar = .unsupported("array")
    case 11: scalar = .unsupported("complex")
    default: scalar = .unsupported("unknown datatype")
    }
    if case .string(nil, _) = scalar, byteCount != 8 + cursor.widths.offset {
      throw Damage("its strings have references of \(byteCount) bytes")
    }
    if first & 0x0F < 2, let width = scalar.byteCount, width > 1, scalar.hasByteOrder {
      switch (bits & 1, bits >> 6 & 1) {
      case (0, 0): break
      case (1, 0): order = .bigEndian
      default: scalar = .unsupported("\(scalar) of mixed byte order")
      }
    }
    self.scalar = scalar
    self.padding = padding
    byteOrder = order
  }

  private static func integer(_ bits: Int, _ size: Int, _ cursor: inout Cursor) throws(Damage) -> HDF5ScalarType {
    let offset = try cursor.small(2)
    guard offset == 0, try cursor.small(2) == size * 8 else { return .unsupported("integer with padding bits") }
    let isSigned = bits & 8 != 0
    switch size {
    case 1: return isSigned ? .int8 : .uint8
    case 2: return isSigned ? .int16 : .uint16
    case 4: return isSigned ? .int32 : .uint32
    case 8: return isSigned ? .int64 : .uint64
    default: return .unsupported("\(size)-byte integer")
    }
  }

  private static func float(_ bits: Int, _ size: Int, _ cursor: inout Cursor) throws(Damage) -> HDF5ScalarType {
    let offset = try cursor.small(2)
    try cursor.skip(2)
    let (exponent, exponentSize) = (try cursor.small(1), try cursor.small(1))
    let (mantissa, mantissaSize) = (try cursor.small(1), try cursor.small(1))
    let fields = FloatFields(
      sign: bits >> 8 & 0xFF, exponent: exponent, exponentSize: exponentSize, mantissa: mantissa,
      mantissaSize: mantissaSize, bias: try cursor.small(4))
    // The leading bit of the mantissa is implied.
    guard offset == 0, bits >> 4 & 3 == 2, let known = FloatFields.type(of: fields, size: size) else {
      return .unsupported("\(size)-byte floating point of unusual form")
    }
    return known
  }

  /// As h5py writes them: FALSE and TRUE of one byte.
  private static func isBoolean(
    _ bits: Int, _ size: Int, _ version: UInt8, _ cursor: inout Cursor
  ) throws(Damage) -> Bool {
    guard size == 1, bits & 0xFFFF == 2 else { return false }
    guard try cursor.byte() & 0xF == 0 else { return false }
    try cursor.skip(11)
    for name in ["FALSE", "TRUE"] {
      let start = cursor.position
      for byte in Array(name.utf8) + [0] { guard try cursor.byte() == byte else { return false } }
      if version < 3 { try cursor.align(from: start) }
    }
    let values = try cursor.take(2)
    return values.elementsEqual([0, 1])
  }
}
