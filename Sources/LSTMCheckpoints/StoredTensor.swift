/// A tensor as a file holds it: name, shape and element type are known, its bytes are read when asked for.
public struct StoredTensor: Sendable {
  public var name: String
  public let shape: [Int]
  public let dataType: DataType
  /// Whether the file holds it so, to write it back alike. `bytes()` is little-endian all the same.
  public let isBigEndian: Bool
  private let load: @Sendable () throws -> [UInt8]

  /// - Parameter load: gives the elements in C order, little-endian; called each time the bytes are asked for.
  public init(
    name: String, shape: [Int], dataType: DataType, isBigEndian: Bool = false,
    load: @escaping @Sendable () throws -> [UInt8]
  ) {
    self.name = name
    self.shape = shape
    self.dataType = dataType
    self.isBigEndian = isBigEndian
    self.load = load
  }

  /// A tensor from float32 values in C order.
  public init(name: String, shape: [Int], values: [Float]) {
    precondition(values.count == shape.reduce(1, *), "\(name): \(values.count) values for shape \(shape)")
    self.init(name: name, shape: shape, dataType: .float32) { littleEndianBytes(values) }
  }

  public var elementCount: Int { shape.reduce(1, *) }
  public var byteCount: Int { elementCount * dataType.byteCount }

  public func renamed(_ name: String) -> StoredTensor {
    var copy = self
    copy.name = name
    return copy
  }

  /// The elements in C order, little-endian.
  /// - Throws: what the file's reader throws; `CheckpointError.corrupt` when the size is not shape x type.
  public func bytes() throws -> [UInt8] {
    let bytes = try load()
    guard bytes.count == byteCount else {
      throw CheckpointError.corrupt(
        tensor: name, detail: "expected \(byteCount) bytes for shape \(shape) of \(dataType), found \(bytes.count)")
    }
    return bytes
  }

  /// The elements as float32 in C order: float16 and bfloat16 widen exactly, float64 and integers round to nearest.
  public func floats() throws -> [Float] {
    let bytes = try bytes()
    let count = elementCount
    return [Float](unsafeUninitializedCapacity: count) { out, used in
      bytes.withUnsafeBytes { raw in convert(raw, dataType, into: out, count: count) }
      used = count
    }
  }

  /// The elements as integers.
  /// - Throws: `CheckpointError.notIntegers` when a value is not a whole number that fits.
  public func integers() throws -> [Int] {
    let bytes = try bytes()
    let count = elementCount
    return try bytes.withUnsafeBytes { raw in
      func each<T: FixedWidthInteger>(_: T.Type) throws -> [Int] {
        try (0..<count).map { at in
          let value = T(littleEndian: raw.loadUnaligned(fromByteOffset: at * MemoryLayout<T>.size, as: T.self))
          guard let whole = Int(exactly: value) else {
            throw CheckpointError.notIntegers(tensor: name, found: "\(value)")
          }
          return whole
        }
      }
      switch dataType {
      case .int8: return try each(Int8.self)
      case .int16: return try each(Int16.self)
      case .int32: return try each(Int32.self)
      case .int64: return try each(Int64.self)
      case .uint8, .bool: return try each(UInt8.self)
      case .uint16: return try each(UInt16.self)
      case .uint32: return try each(UInt32.self)
      case .uint64: return try each(UInt64.self)
      case .float64:
        return try (0..<count).map { at in
          let bits = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: at * 8, as: UInt64.self))
          let value = Double(bitPattern: bits)
          guard let whole = Int(exactly: value) else {
            throw CheckpointError.notIntegers(tensor: name, found: "\(value)")
          }
          return whole
        }
      case .float16, .bfloat16, .float32:
        return try floats().map { value in
          guard let whole = Int(exactly: value) else {
            throw CheckpointError.notIntegers(tensor: name, found: "\(value)")
          }
          return whole
        }
      }
    }
  }
}

/// float32 values as little-endian bytes.
public func littleEndianBytes(_ values: [Float]) -> [UInt8] {
  values.withUnsafeBytes { raw in
    #if _endian(little)
      return [UInt8](raw)
    #else
      return values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { [UInt8]($0) } }
    #endif
  }
}

private func convert(
  _ raw: UnsafeRawBufferPointer, _ type: DataType, into out: UnsafeMutableBufferPointer<Float>, count: Int
) {
  func integers<T: FixedWidthInteger>(_: T.Type) {
    for at in 0..<count {
      out[at] = Float(T(littleEndian: raw.loadUnaligned(fromByteOffset: at * MemoryLayout<T>.size, as: T.self)))
    }
  }
  func bits16(_ at: Int) -> UInt16 { UInt16(littleEndian: raw.loadUnaligned(fromByteOffset: at * 2, as: UInt16.self)) }
  switch type {
  case .float32:
    for at in 0..<count {
      out[at] = Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: at * 4, as: UInt32.self)))
    }
  case .float16: for at in 0..<count { out[at] = float(half: bits16(at)) }
  case .bfloat16: for at in 0..<count { out[at] = Float(bitPattern: UInt32(bits16(at)) << 16) }
  case .float64:
    for at in 0..<count {
      let bits = UInt64(littleEndian: raw.loadUnaligned(fromByteOffset: at * 8, as: UInt64.self))
      out[at] = Float(Double(bitPattern: bits))
    }
  case .int8: integers(Int8.self)
  case .int16: integers(Int16.self)
  case .int32: integers(Int32.self)
  case .int64: integers(Int64.self)
  case .uint8, .bool: integers(UInt8.self)
  case .uint16: integers(UInt16.self)
  case .uint32: integers(UInt32.self)
  case .uint64: integers(UInt64.self)
  }
}
