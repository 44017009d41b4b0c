/// The element types a checkpoint may hold.
public enum DataType: String, Sendable, Codable, CaseIterable {
  /// IEEE 754, and bfloat16: the upper half of a float32.
  case float16, bfloat16, float32, float64
  /// Two's complement.
  case int8, int16, int32, int64
  /// Without sign.
  case uint8, uint16, uint32, uint64
  /// One byte, 0 or 1.
  case bool

  /// Bytes of one element.
  public var byteCount: Int {
    switch self {
    case .int8, .uint8, .bool: 1
    case .float16, .bfloat16, .int16, .uint16: 2
    case .float32, .int32, .uint32: 4
    case .float64, .int64, .uint64: 8
    }
  }

  /// Whether it can hold a weight.
  public var isFloatingPoint: Bool {
    switch self {
    case .float16, .bfloat16, .float32, .float64: true
    default: false
    }
  }
}

/// A float32 value from the bits of an IEEE 754 binary16. Exact. (Swift's `Float16` is missing on Intel Macs.)
@inlinable
package func float(half bits: UInt16) -> Float {
  let sign = UInt32(bits & 0x8000) << 16
  let exponent = UInt32(bits >> 10) & 0x1f
  let fraction = UInt32(bits & 0x3ff)
  switch (exponent, fraction) {
  case (0, _):
    // Zero and subnormals: fraction x 2^-24.
    let magnitude = Float(fraction) * 0x1p-24
    return Float(bitPattern: sign | magnitude.bitPattern)
  case (0x1f, _):
    return Float(bitPattern: sign | 0x7f80_0000 | fraction << 13)
  default:
    return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
  }
}

/// The bits of the nearest IEEE 754 binary16, ties to even; too large becomes infinity.
@inlinable
package func halfBits(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  let sign = UInt16(truncatingIfNeeded: bits >> 16) & 0x8000
  let magnitude = bits & 0x7fff_ffff
  if magnitude > 0x7f80_0000 { return sign | 0x7e00 | UInt16(truncatingIfNeeded: magnitude >> 13) & 0x1ff }
  if magnitude >= 0x477f_f000 { return sign | 0x7c00 }
  if magnitude < 0x3880_0000 {
    // Subnormal: let the FPU round at 2^-24.
    let shifted = Float(bitPattern: magnitude) + 0.5
    return sign | UInt16(truncatingIfNeeded: shifted.bitPattern - Float(0.5).bitPattern)
  }
  let rounded = magnitude + 0xfff + (magnitude >> 13 & 1)
  return sign | UInt16(truncatingIfNeeded: (rounded - (112 << 23)) >> 13)
}

/// The bits of the nearest bfloat16, ties to even.
@inlinable
package func bfloatBits(_ value: Float) -> UInt16 {
  let bits = value.bitPattern
  if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
  return UInt16(truncatingIfNeeded: (bits + 0x7fff + (bits >> 16 & 1)) >> 16)
}
