/// The type of an array's elements in an NPY file.
public enum NPYElementType: String, Sendable, CaseIterable {
  /// IEEE 754 floating point of 2, 4 and 8 bytes.
  case float16, float32, float64
  /// Signed integers of 1, 2, 4 and 8 bytes.
  case int8, int16, int32, int64
  /// Unsigned integers of 1, 2, 4 and 8 bytes.
  case uint8, uint16, uint32, uint64
  /// One byte, zero for false.
  case bool

  /// The size of one element in bytes.
  public var byteCount: Int {
    switch self {
    case .int8, .uint8, .bool: 1
    case .float16, .int16, .uint16: 2
    case .float32, .int32, .uint32: 4
    case .float64, .int64, .uint64: 8
    }
  }

  /// Whether the elements are floating point.
  public var isFloat: Bool { self == .float16 || self == .float32 || self == .float64 }

  /// numpy's description of the little-endian type, such as `<f4` or `|b1`.
  public var descr: String { (byteCount == 1 ? "|" : "<") + code }

  /// The kind and size without a byte order, such as `f4`.
  var code: String {
    let kind =
      switch self {
      case .float16, .float32, .float64: "f"
      case .int8, .int16, .int32, .int64: "i"
      case .uint8, .uint16, .uint32, .uint64: "u"
      case .bool: "b"
      }
    return kind + String(byteCount)
  }

  /// The type for numpy's description, and whether its bytes come highest first.
  ///
  /// `=` and `|` mean the machine's own order, which is little-endian on every platform supported here.
  init?(descr: String, isBigEndian: inout Bool) {
    guard let order = descr.first, "<>|=".contains(order),
      let type = Self.allCases.first(where: { $0.code == descr.dropFirst() })
    else { return nil }
    isBigEndian = order == ">"
    self = type
  }
}

/// IEEE 754 half precision by its bits: `Float16` does not exist on every platform supported here.
enum HalfPrecision {
  /// The exact value of the half-precision number with these bits.
  static func float(_ bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let exponent = UInt32(bits >> 10 & 0x1f)
    let fraction = UInt32(bits & 0x3ff)
    switch exponent {
    case 0:
      // Zero or subnormal: fraction x 2^-24, exact in single precision.
      let magnitude = Float(fraction) * 0x1p-24
      return Float(bitPattern: magnitude.bitPattern | sign)
    case 0x1f:
      return Float(bitPattern: sign | 0x7f80_0000 | fraction << 13)
    default:
      // Rebias the exponent from 15 to 127.
      return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }
}
