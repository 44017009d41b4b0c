import CHDF5

/// A datatype in a file.
struct Datatype {
  let scalar: HDF5ScalarType
  let byteOrder: HDF5ByteOrder
  let padding: StringPadding

  /// Sign, exponent and mantissa of a floating-point type (`H5Tget_fields`, `H5Tget_ebias`).
  private struct FloatFields: Equatable {
    var sign = 0
    var exponent = 0
    var exponentSize = 0
    var mantissa = 0
    var mantissaSize = 0
    var bias = 0

    static let known: [(HDF5ScalarType, size: Int, FloatFields)] = [
      (.float16, 2, .init(sign: 15, exponent: 10, exponentSize: 5, mantissaSize: 10, bias: 15)),
      (.bfloat16, 2, .init(sign: 15, exponent: 7, exponentSize: 8, mantissaSize: 7, bias: 127)),
      (.float32, 4, .init(sign: 31, exponent: 23, exponentSize: 8, mantissaSize: 23, bias: 127)),
      (.float64, 8, .init(sign: 63, exponent: 52, exponentSize: 11, mantissaSize: 52, bias: 1023)),
    ]
  }

  /// Recognizes a type by `H5Tget_class`, `H5Tget_size`, `H5Tget_order` and, for floats, its fields. Any other
  /// type becomes ``HDF5ScalarType/unsupported(_:)``.
  init(_ type: hid_t, _ call: Call) throws(HDF5Error) {
    let size = H5Tget_size(type)
    guard size > 0 else { throw call.error(.corrupt, "its datatype has no size") }
    var padding = StringPadding.nullTerminated
    var scalar: HDF5ScalarType
    switch H5Tget_class(type) {
    case H5T_INTEGER: scalar = Self.integer(type, size)
    case H5T_FLOAT: scalar = Self.float(type, size)
    case H5T_STRING:
      let isUTF8 = H5Tget_cset(type) == H5T_CSET_UTF8
      let isVariable = try call.check(H5Tis_variable_str(type), "its datatype cannot be read") > 0
      guard isVariable || size <= Int.max else { throw call.error(.corrupt, "its strings have no usable length") }
      scalar = .string(length: isVariable ? nil : Int(size), utf8: isUTF8)
      padding = StringPadding(H5Tget_strpad(type))
    case H5T_ENUM: scalar = try Self.isBoolean(type, size, call) ? .bool : .unsupported("enumeration")
    case H5T_COMPOUND: scalar = .unsupported("compound")
    case H5T_REFERENCE: scalar = .unsupported("reference")
    case H5T_OPAQUE: scalar = size <= 1 << 16 ? .opaque(length: Int(size)) : .unsupported("opaque")
    case H5T_BITFIELD: scalar = .unsupported("bitfield")
    case H5T_VLEN: scalar = .unsupported("variable-length sequence")
    case H5T_ARRAY: scalar = .unsupported("array")
    case H5T_TIME: scalar = .unsupported("time")
    default: scalar = .unsupported("unknown datatype")
    }
    var order = HDF5ByteOrder.littleEndian
    if let width = scalar.byteCount, width > 1, scalar.hasByteOrder {
      switch H5Tget_order(type) {
      case H5T_ORDER_LE: break
      case H5T_ORDER_BE: order = .bigEndian
      default: scalar = .unsupported("\(scalar) of mixed byte order")
      }
    }
    self.scalar = scalar
    self.byteOrder = order
    self.padding = padding
  }

  private static func integer(_ type: hid_t, _ size: Int) -> HDF5ScalarType {
    guard H5Tget_precision(type) == size * 8, H5Tget_offset(type) == 0 else {
      return .unsupported("integer with padding bits")
    }
    let isSigned = H5Tget_sign(type) != H5T_SGN_NONE
    switch size {
    case 1: return isSigned ? .int8 : .uint8
    case 2: return isSigned ? .int16 : .uint16
    case 4: return isSigned ? .int32 : .uint32
    case 8: return isSigned ? .int64 : .uint64
    default: return .unsupported("\(size)-byte integer")
    }
  }

  private static func float(_ type: hid_t, _ size: Int) -> HDF5ScalarType {
    let unknown = HDF5ScalarType.unsupported("\(size)-byte floating point of unusual form")
    var found = [Int](repeating: 0, count: 5)
    let result = found.withUnsafeMutableBufferPointer { found -> herr_t in
      guard let base = found.baseAddress else { return -1 }
      return H5Tget_fields(type, base, base + 1, base + 2, base + 3, base + 4)
    }
    guard result >= 0, H5Tget_norm(type) == H5T_NORM_IMPLIED, H5Tget_offset(type) == 0 else { return unknown }
    let fields = FloatFields(
      sign: found[0], exponent: found[1], exponentSize: found[2], mantissa: found[3], mantissaSize: found[4],
      bias: Int(clamping: H5Tget_ebias(type)))
    return FloatFields.known.first { $0.size == size && $0.2 == fields }?.0 ?? unknown
  }

  /// `H5Tget_nmembers`, `H5Tget_member_name`, `H5Tget_member_value`.
  private static func isBoolean(_ type: hid_t, _ size: Int, _ call: Call) throws(HDF5Error) -> Bool {
    guard size == 1, H5Tget_nmembers(type) == 2 else { return false }
    for (index, name) in ["FALSE", "TRUE"].enumerated() {
      guard let found = H5Tget_member_name(type, UInt32(index)) else {
        throw call.error(.corrupt, "its enumeration cannot be read", stack: Library.takeErrorStack())
      }
      let isExpected = String(cString: found) == name
      H5free_memory(found)
      var value: Int8 = -1
      try call.check(H5Tget_member_value(type, UInt32(index), &value), "its enumeration cannot be read")
      guard isExpected, value == index else { return false }
    }
    return true
  }

  /// A new datatype for a file to be written (`H5Tcopy` and setters).
  static func make(
    _ scalar: HDF5ScalarType, _ order: HDF5ByteOrder, _ call: Call
  ) throws(HDF5Error) -> Handle<DatatypeKind> {
    let failed = "its datatype cannot be created"
    let base: hid_t
    switch scalar {
    case .float16, .bfloat16, .float32: base = chdf5_type_f32()
    case .float64: base = chdf5_type_f64()
    case .int8, .bool: base = chdf5_type_i8()
    case .int16: base = chdf5_type_i16()
    case .int32: base = chdf5_type_i32()
    case .int64: base = chdf5_type_i64()
    case .uint8: base = chdf5_type_u8()
    case .uint16: base = chdf5_type_u16()
    case .uint32: base = chdf5_type_u32()
    case .uint64: base = chdf5_type_u64()
    case .string: base = chdf5_type_c_string()
    case .opaque(let length):
      guard length > 0 else { throw call.error(.invalid, "opaque elements of no bytes cannot be written") }
      return try call.handle(DatatypeKind.self, H5Tcreate(H5T_OPAQUE, length), failed, .io)
    case .unsupported(let name): throw call.error(.invalid, "a dataset of type \(name) cannot be written")
    }
    if scalar == .bool {
      let type = try call.handle(DatatypeKind.self, H5Tenum_create(base), failed, .io)
      for (index, name) in ["FALSE", "TRUE"].enumerated() {
        var value = Int8(index)
        try call.check(H5Tenum_insert(type.id, name, &value), failed, .io)
      }
      return type
    }
    let type = try call.handle(DatatypeKind.self, H5Tcopy(base), failed, .io)
    if case .string(let length, let isUTF8) = scalar {
      guard length != 0 else { throw call.error(.invalid, "strings of length 0 cannot be written") }
      try call.check(H5Tset_size(type.id, length ?? chdf5_variable()), failed, .io)
      try call.check(H5Tset_cset(type.id, isUTF8 ? H5T_CSET_UTF8 : H5T_CSET_ASCII), failed, .io)
      try call.check(H5Tset_strpad(type.id, length == nil ? H5T_STR_NULLTERM : H5T_STR_NULLPAD), failed, .io)
      return type
    }
    if scalar == .float16 || scalar == .bfloat16, let known = FloatFields.known.first(where: { $0.0 == scalar }) {
      let fields = known.2
      try call.check(
        H5Tset_fields(
          type.id, fields.sign, fields.exponent, fields.exponentSize, fields.mantissa, fields.mantissaSize),
        failed, .io)
      try call.check(H5Tset_size(type.id, known.size), failed, .io)
      try call.check(H5Tset_ebias(type.id, fields.bias), failed, .io)
    }
    if order == .bigEndian { try call.check(H5Tset_order(type.id, H5T_ORDER_BE), failed, .io) }
    return type
  }
}

/// How a fixed-length string fills its bytes (`H5Tget_strpad`).
enum StringPadding: Sendable {
  case nullTerminated, nullPadded, spacePadded

  init(_ padding: H5T_str_t) {
    switch padding {
    case H5T_STR_NULLPAD: self = .nullPadded
    case H5T_STR_SPACEPAD: self = .spacePadded
    default: self = .nullTerminated
    }
  }

  /// The text within one padded string; nil when it is not UTF-8.
  func decode(_ bytes: UnsafeRawBufferPointer) -> String? {
    var end = bytes.count
    switch self {
    case .nullTerminated: end = bytes.firstIndex(of: 0) ?? end
    case .nullPadded: while end > 0, bytes[end - 1] == 0 { end -= 1 }
    case .spacePadded: while end > 0, bytes[end - 1] == 0x20 { end -= 1 }
    }
    return strictUTF8(UnsafeRawBufferPointer(rebasing: bytes[..<end]))
  }
}

/// The text, or nil if the bytes are not UTF-8.
func strictUTF8(_ bytes: UnsafeRawBufferPointer) -> String? {
  let text = String(decoding: bytes, as: UTF8.self)
  return text.utf8.elementsEqual(bytes) ? text : nil
}
