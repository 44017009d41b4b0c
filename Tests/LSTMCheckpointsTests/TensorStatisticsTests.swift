import FileIO
import Testing

@testable import LSTMCheckpoints

/// A tensor of any type from numbers.
func tensor(_ name: String, _ type: DataType, _ values: [Double], shape: [Int]? = nil) -> StoredTensor {
  let bytes = values.flatMap { value -> [UInt8] in
    func little<T: FixedWidthInteger>(_ bits: T) -> [UInt8] { withUnsafeBytes(of: bits.littleEndian) { [UInt8]($0) } }
    return switch type {
    case .float16: little(halfBits(Float(value)))
    case .bfloat16: little(bfloatBits(Float(value)))
    case .float32: little(Float(value).bitPattern)
    case .float64: little(value.bitPattern)
    case .int8: little(Int8(value))
    case .int16: little(Int16(value))
    case .int32: little(Int32(value))
    case .int64: little(Int64(value))
    case .uint8, .bool: little(UInt8(value))
    case .uint16: little(UInt16(value))
    case .uint32: little(UInt32(value))
    case .uint64: little(UInt64(value))
    }
  }
  return StoredTensor(name: name, shape: shape ?? [values.count], dataType: type) { bytes }
}

@Suite struct StoredTensorTests {
  @Test(arguments: DataType.allCases)
  func everyTypeConverts(_ type: DataType) throws {
    let values = [0.0, 1, type == .bool ? 1 : 3, 1]
    let stored = tensor("x", type, values)
    #expect(try stored.floats() == values.map(Float.init))
    #expect(try stored.doubles() == values)
    #expect(try stored.integers() == values.map { Int($0) })
    #expect(stored.byteCount == 4 * type.byteCount)
  }

  @Test func anyNonZeroByteIsTrue() throws {
    let stored = StoredTensor(name: "x", shape: [3], dataType: .bool) { [0, 1, 255] }
    #expect(try stored.floats() == [0, 1, 1])
    #expect(try stored.integers() == [0, 1, 1])
  }

  @Test func whatIsNoWholeNumber() {
    for (type, value, text) in [(DataType.float32, 0.5, "0.5"), (.float64, 1e300, "1e+300"), (.float16, .nan, "nan")] {
      let error = #expect(throws: CheckpointError.self) { try tensor("tokens", type, [1, value]).integers() }
      #expect(error?.message == "tensor \"tokens\": expected whole numbers, found \(text)")
    }
    let huge = tensor("tokens", .uint64, [0x1p63])
    #expect(throws: CheckpointError.self) { try huge.integers() }
  }

  @Test func bytesThatAreNotTheShapes() {
    let short = StoredTensor(name: "x", shape: [2], dataType: .float32) { [0, 0, 0] }
    let error = #expect(throws: CheckpointError.self) { try short.floats() }
    #expect(error?.message == "tensor \"x\": expected 8 bytes for shape [2] of float32, found 3")
  }

  @Test func aShapeBeyondAllBytesDoesNotCrash() {
    let huge = StoredTensor(name: "x", shape: [.max, .max], dataType: .float64) { [] }
    #expect(huge.elementCount == .max)
    #expect(throws: CheckpointError.self) { try huge.floats() }
    #expect(StoredTensor(name: "x", shape: [.max, .max, 0], dataType: .float64) { [] }.byteCount == 0)
  }
}

@Suite struct TensorStatisticsTests {
  @Test(arguments: DataType.allCases.filter { $0 != .bool })
  func knownValues(_ type: DataType) throws {
    let found = try tensorStatistics(tensor("x", type, [2, 4, 4, 4, 5, 5, 7, 9]))
    #expect(found.count == 8)
    #expect(found.minimum == 2)
    #expect(found.maximum == 9)
    #expect(found.mean == 5)
    #expect(found.standardDeviation == 2)
    #expect(found.nanCount == 0)
    #expect(found.infiniteCount == 0)
  }

  @Test func booleans() throws {
    let found = try tensorStatistics(tensor("x", .bool, [0, 1, 1, 0]))
    #expect(found.mean == 0.5)
    #expect(found.standardDeviation == 0.5)
  }

  @Test(arguments: [DataType.float16, .bfloat16, .float32, .float64])
  func whatIsNotFiniteIsCountedAndLeftOut(_ type: DataType) throws {
    let found = try tensorStatistics(tensor("x", type, [.nan, 1, .infinity, -.infinity, 3, .nan]))
    #expect(found.nanCount == 2)
    #expect(found.infiniteCount == 2)
    #expect(found.minimum == 1)
    #expect(found.maximum == 3)
    #expect(found.mean == 2)
    #expect(found.standardDeviation == 1)
  }

  @Test func nothingFinite() throws {
    for values in [[], [Double.nan], [.infinity]] {
      let found = try tensorStatistics(tensor("x", .float32, values))
      #expect(found.minimum == nil)
      #expect(found.maximum == nil)
      #expect(found.mean == nil)
      #expect(found.standardDeviation == nil)
    }
  }

  @Test func aSmallSpreadAboutALargeMean() throws {
    let found = try tensorStatistics(tensor("x", .float64, (0..<1000).map { 1e9 + Double($0 % 2) }))
    #expect(found.mean == 1e9 + 0.5)
    #expect(found.standardDeviation == 0.5)
  }

  @Test func sumsThatOverflow() throws {
    let found = try tensorStatistics(tensor("x", .float64, [1.5e308, 1.5e308]))
    #expect(found.mean == 1.5e308)
  }

  @Test func damageIsThrown() {
    let broken = StoredTensor(name: "x", shape: [2], dataType: .float32) { [] }
    #expect(throws: CheckpointError.self) { try tensorStatistics(broken) }
  }
}
