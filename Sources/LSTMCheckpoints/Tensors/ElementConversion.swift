/// A value, by its place in C order, that is not a whole number within `Int`.
struct NotWhole: Error {
  let index: Int
  let found: String
}

/// Elements as a file holds them, brought to Swift's numbers. One place for every format: bytes are in C order,
/// little-endian, and as many as shape and type say.
enum ElementConversion {
  /// float16 and bfloat16 widen exactly; float64 and integers round to nearest. Booleans are 0 and 1.
  static func floats(_ bytes: [UInt8], _ type: DataType) -> [Float] {
    let count = bytes.count / type.byteCount
    return [Float](filling: count) { target in bytes.withUnsafeBytes { convert($0, type, into: target) } }
  }

  /// The same into memory for as many floats as there are elements.
  static func convert(_ bytes: UnsafeRawBufferPointer, _ type: DataType, into target: UnsafeMutableBufferPointer<Float>)
  {
    switch type {
    case .float16: map(bytes, UInt16.self, target) { float(half: $0) }
    case .bfloat16: map(bytes, UInt16.self, target) { Float(bitPattern: UInt32($0) << 16) }
    case .float32: map(bytes, UInt32.self, target) { Float(bitPattern: $0) }
    case .float64: map(bytes, UInt64.self, target) { Float(Double(bitPattern: $0)) }
    case .int8: map(bytes, Int8.self, target) { Float($0) }
    case .int16: map(bytes, Int16.self, target) { Float($0) }
    case .int32: map(bytes, Int32.self, target) { Float($0) }
    case .int64: map(bytes, Int64.self, target) { Float($0) }
    case .uint8: map(bytes, UInt8.self, target) { Float($0) }
    case .uint16: map(bytes, UInt16.self, target) { Float($0) }
    case .uint32: map(bytes, UInt32.self, target) { Float($0) }
    case .uint64: map(bytes, UInt64.self, target) { Float($0) }
    case .bool: map(bytes, UInt8.self, target) { $0 == 0 ? 0 : 1 }
    }
  }

  /// Exact but for 64-bit integers beyond 2^53, which round to nearest.
  static func doubles(_ bytes: [UInt8], _ type: DataType) -> [Double] {
    bytes.withUnsafeBytes { raw in (0..<raw.count / type.byteCount).map { double(raw, type, at: $0) } }
  }

  /// Whole numbers. Floating-point elements must be exactly that.
  static func integers(_ bytes: [UInt8], _ type: DataType) throws(NotWhole) -> [Int] {
    switch type {
    case .int8: return map(bytes, Int8.self) { Int($0) }
    case .int16: return map(bytes, Int16.self) { Int($0) }
    case .int32: return map(bytes, Int32.self) { Int($0) }
    case .int64: return map(bytes, Int64.self) { Int($0) }
    case .uint8: return map(bytes, UInt8.self) { Int($0) }
    case .uint16: return map(bytes, UInt16.self) { Int($0) }
    case .uint32: return map(bytes, UInt32.self) { Int($0) }
    case .bool: return map(bytes, UInt8.self) { $0 == 0 ? 0 : 1 }
    case .uint64: return try exact(map(bytes, UInt64.self) { $0 }) { Int(exactly: $0) }
    case .float16, .bfloat16, .float32, .float64: return try exact(doubles(bytes, type)) { Int(exactly: $0) }
    }
  }

  /// One element as a double; exact but for 64-bit integers beyond 2^53.
  @inline(__always)
  static func double(_ raw: UnsafeRawBufferPointer, _ type: DataType, at index: Int) -> Double {
    func stored<Stored: FixedWidthInteger>(_: Stored.Type) -> Stored {
      let size = MemoryLayout<Stored>.size
      return Stored(littleEndian: raw.loadUnaligned(fromByteOffset: index * size, as: Stored.self))
    }
    return switch type {
    case .float16: Double(float(half: stored(UInt16.self)))
    case .bfloat16: Double(Float(bitPattern: UInt32(stored(UInt16.self)) << 16))
    case .float32: Double(Float(bitPattern: stored(UInt32.self)))
    case .float64: Double(bitPattern: stored(UInt64.self))
    case .int8: Double(stored(Int8.self))
    case .int16: Double(stored(Int16.self))
    case .int32: Double(stored(Int32.self))
    case .int64: Double(stored(Int64.self))
    case .uint8: Double(stored(UInt8.self))
    case .uint16: Double(stored(UInt16.self))
    case .uint32: Double(stored(UInt32.self))
    case .uint64: Double(stored(UInt64.self))
    case .bool: stored(UInt8.self) == 0 ? 0 : 1
    }
  }

  /// Each value rounded to nearest, ties to even; little-endian.
  static func bytes(_ values: [Double], _ type: DataType) -> [UInt8] {
    func store<Stored: FixedWidthInteger>(_ convert: (Double) -> Stored) -> [UInt8] {
      let width = MemoryLayout<Stored>.size
      return filledBytes(values.count * width) { raw in
        for (index, value) in values.enumerated() {
          raw.storeBytes(of: convert(value).littleEndian, toByteOffset: index * width, as: Stored.self)
        }
      }
    }
    func whole<Stored: FixedWidthInteger>(_: Stored.Type) -> [UInt8] {
      store { $0.isNaN ? 0 : Stored(clamping: Int64(max(-0x1p63, min($0.rounded(), 0x1.fffffffffffffp62)))) }
    }
    return switch type {
    case .float16: store { halfBits(roundedToOdd($0)) }
    case .bfloat16: store { bfloatBits(roundedToOdd($0)) }
    case .float32: store { Float($0).bitPattern }
    case .float64: store { $0.bitPattern }
    case .int8: whole(Int8.self)
    case .int16: whole(Int16.self)
    case .int32: whole(Int32.self)
    case .int64: whole(Int64.self)
    case .uint8: whole(UInt8.self)
    case .uint16: whole(UInt16.self)
    case .uint32: whole(UInt32.self)
    case .uint64: whole(UInt64.self)
    case .bool: store { UInt8($0 == 0 ? 0 : 1) }
    }
  }

  /// A float that rounds to any narrower type as the double does: what does not fit leaves its mark in the last bit.
  private static func roundedToOdd(_ value: Double) -> Float {
    let near = Float(value)
    guard value.isFinite, Double(near) != value else { return near }
    let bits = Double(near).magnitude > value.magnitude ? near.bitPattern - 1 : near.bitPattern
    return Float(bitPattern: bits | 1)
  }

  private static func exact<Value>(_ values: [Value], _ convert: (Value) -> Int?) throws(NotWhole) -> [Int] {
    var result: [Int] = []
    result.reserveCapacity(values.count)
    for (index, value) in values.enumerated() {
      guard let integer = convert(value) else { throw NotWhole(index: index, found: "\(value)") }
      result.append(integer)
    }
    return result
  }

  @inline(__always)
  private static func map<Stored: FixedWidthInteger, Result>(
    _ bytes: [UInt8], _: Stored.Type, _ convert: (Stored) -> Result
  ) -> [Result] {
    let count = bytes.count / MemoryLayout<Stored>.size
    return [Result](filling: count) { target in
      bytes.withUnsafeBytes { map($0, Stored.self, target, convert) }
    }
  }

  @inline(__always)
  private static func map<Stored: FixedWidthInteger, Result>(
    _ source: UnsafeRawBufferPointer, _: Stored.Type, _ target: UnsafeMutableBufferPointer<Result>,
    _ convert: (Stored) -> Result
  ) {
    for index in 0..<source.count / MemoryLayout<Stored>.size {
      let value = source.loadUnaligned(fromByteOffset: index * MemoryLayout<Stored>.size, as: Stored.self)
      target.initializeElement(at: index, to: convert(Stored(littleEndian: value)))
    }
  }
}

/// The product of the dimensions, zero wherever a zero stands; nil when it overflows.
func elementCount(_ shape: [Int]) -> Int? {
  if shape.contains(0) { return 0 }
  var count = 1
  for dimension in shape {
    let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
    if overflow { return nil }
    count = product
  }
  return count
}
