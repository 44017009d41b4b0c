/// The type of one element of a dataset or an attribute.
public enum HDF5ScalarType: Sendable, Hashable {
  /// IEEE 754, and the upper half of a float32 (bfloat16).
  case float16, bfloat16, float32, float64
  /// Eight bits, of which 4 and 3, or 5 and 2, are exponent and mantissa.
  case float8e4m3, float8e5m2
  /// Signed integers.
  case int8, int16, int32, int64
  /// Unsigned integers.
  case uint8, uint16, uint32, uint64
  /// As in h5py: an enumeration FALSE = 0, TRUE = 1 of an 8-bit integer.
  case bool
  /// Text, padded to `length` bytes; nil when each string has its own length.
  case string(length: Int?, utf8: Bool)
  /// `length` uninterpreted bytes, read and written unchanged.
  case opaque(length: Int)
  /// A type that is listed but not read, with HDF5's name for it, such as "compound".
  case unsupported(String)

  /// Bytes of an element in memory; nil for variable-length strings and unsupported types.
  public var byteCount: Int? {
    switch self {
    case .int8, .uint8, .bool, .float8e4m3, .float8e5m2: 1
    case .float16, .bfloat16, .int16, .uint16: 2
    case .float32, .int32, .uint32: 4
    case .float64, .int64, .uint64: 8
    case .string(let length, _): length
    case .opaque(let length): length
    case .unsupported: nil
    }
  }

  /// Whether it is floating point of any width.
  public var isFloatingPoint: Bool {
    switch self {
    case .float16, .bfloat16, .float32, .float64, .float8e4m3, .float8e5m2: true
    default: false
    }
  }

  /// Whether it is text, of fixed or variable length.
  public var isString: Bool {
    if case .string = self { true } else { false }
  }

  /// Whether its elements are numbers or booleans, whose bytes have an order.
  var hasByteOrder: Bool {
    switch self {
    case .string, .opaque, .unsupported: false
    default: true
    }
  }
}

extension HDF5ScalarType: CustomStringConvertible {
  /// `float32`, `string of 8 bytes`, ...
  public var description: String {
    switch self {
    case .float16: "float16"
    case .bfloat16: "bfloat16"
    case .float8e4m3: "float8 (4 bits of exponent, 3 of mantissa)"
    case .float8e5m2: "float8 (5 bits of exponent, 2 of mantissa)"
    case .float32: "float32"
    case .float64: "float64"
    case .int8: "int8"
    case .int16: "int16"
    case .int32: "int32"
    case .int64: "int64"
    case .uint8: "uint8"
    case .uint16: "uint16"
    case .uint32: "uint32"
    case .uint64: "uint64"
    case .bool: "bool"
    case .string(nil, _): "string"
    case .string(let length?, _): "string of \(length) bytes"
    case .opaque(let length): "opaque of \(length) byte\(length == 1 ? "" : "s")"
    case .unsupported(let name): name
    }
  }
}

/// The order of an element's bytes in the file. In memory it is always little-endian.
public enum HDF5ByteOrder: Sendable, Hashable {
  /// Least, or most significant byte first.
  case littleEndian, bigEndian
}
