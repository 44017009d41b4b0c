import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

@Suite struct NPYTests {
  static let types: [(file: String, type: DataType)] = [
    ("le-f2", .float16), ("le-f4", .float32), ("le-f8", .float64), ("be-f2", .float16), ("be-f4", .float32),
    ("be-f8", .float64), ("b-i1", .int8), ("le-i2", .int16), ("le-i4", .int32), ("le-i8", .int64),
    ("be-i2", .int16), ("be-i4", .int32), ("be-i8", .int64), ("b-u1", .uint8), ("le-u2", .uint16),
    ("le-u4", .uint32), ("le-u8", .uint64), ("be-u4", .uint32), ("be-u8", .uint64),
  ]

  @Test(arguments: types)
  func readsEveryTypeThatNumpyWrote(_ file: String, _ type: DataType) throws {
    let array = try NPY.read(contentsOf: FormatFixtures.path("\(file).npy"))
    let signed = type.isFloatingPoint || type.rawValue.hasPrefix("int")
    let expected = FormatFixtures.ramp(24, float: type.isFloatingPoint, signed: signed)
    #expect(array.dataType == type)
    #expect(array.shape == [2, 3, 4])
    #expect(array.elementCount == 24)
    #expect(try array.doubles() == expected)
    #expect(try array.floats() == expected.map(Float.init))
    if type.isFloatingPoint {
      let error = #expect(throws: CheckpointError.self) { try array.integers() }
      #expect(error?.message == "tensor \"x\": expected whole numbers, found 0.5")
    } else {
      #expect(try array.integers() == expected.map { Int($0) })
    }
  }

  @Test func readsBooleans() throws {
    let array = try NPY.read(contentsOf: FormatFixtures.path("b-b1.npy"))
    #expect(array.dataType == .bool)
    #expect(try array.integers() == (0..<24).map { $0 % 2 })
    #expect(try array.floats() == (0..<24).map { Float($0 % 2) })
  }

  @Test func fortranOrderBecomesC() throws {
    let array = try NPY.read(contentsOf: FormatFixtures.path("fortran.npy"))
    #expect(try NPY.header(contentsOf: FormatFixtures.path("fortran.npy")).isFortranOrder)
    #expect(try array.doubles() == FormatFixtures.ramp(24, float: true, signed: true))
    let big = try NPY.read(contentsOf: FormatFixtures.path("fortran-be.npy"))
    #expect(big.shape == [3, 5])
    #expect(try big.doubles() == FormatFixtures.ramp(15, float: true, signed: true))
  }

  @Test func readsScalarsVectorsAndEmptyArrays() throws {
    let scalar = try NPY.read(contentsOf: FormatFixtures.path("scalar.npy"))
    #expect(scalar.shape == [])
    #expect(try scalar.floats() == [2.5])
    #expect(try NPY.read(contentsOf: FormatFixtures.path("vector.npy")).shape == [7])
    let empty = try NPY.read(contentsOf: FormatFixtures.path("empty.npy"))
    #expect(empty.shape == [0, 3])
    #expect(try empty.floats() == [])
  }

  @Test(arguments: [2, 3])
  func readsLaterVersions(_ version: Int) throws {
    let array = try NPY.read(contentsOf: FormatFixtures.path("version\(version).npy"))
    #expect(try array.doubles() == FormatFixtures.ramp(24, float: true, signed: true))
  }

  @Test func writesTheBytesThatNumpyWrites() throws {
    let ramp = FormatFixtures.ramp(24, float: true, signed: true)
    let shape = [2, 3, 4]
    #expect(try NPY.encode(floats: ramp.map(Float.init), shape: shape) == FormatFixtures.bytes("le-f4.npy"))
    #expect(try NPY.encode(doubles: ramp, shape: shape) == FormatFixtures.bytes("le-f8.npy"))
    let integers = FormatFixtures.ramp(24, float: false, signed: true).map { Int64($0) }
    #expect(try NPY.encode(integers: integers, shape: shape) == FormatFixtures.bytes("le-i8.npy"))
    #expect(try NPY.encode(floats: [2.5], shape: []) == FormatFixtures.bytes("scalar.npy"))
    #expect(try NPY.encode(floats: [], shape: [0, 3]) == FormatFixtures.bytes("empty.npy"))
  }

  @Test(arguments: [[], [1], [5], [0], [3, 4], [2, 1, 3], [1_234_567, 0]] as [[Int]])
  func roundTripsBitForBit(_ shape: [Int]) throws {
    var generator = SplitMix(state: 5)
    let count = shape.reduce(1, *)
    let floats = (0..<count).map { _ in
      Float(bitPattern: UInt32.random(in: 0...0x7f7f_ffff, using: &generator))
    }
    let array = try NPY.decode(NPY.encode(floats: floats, shape: shape), file: "x")
    #expect(array.shape == shape)
    #expect(try array.floats() == floats)
    let integers = (0..<count).map { _ in Int64.random(in: .min ... .max, using: &generator) }
    #expect(
      try NPY.decode(NPY.encode(integers: integers, shape: shape), file: "x").integers()
        == integers.map { Int($0) })
  }

  @Test func wholeFloatsAreIntegers() throws {
    let array = try NPY.decode(NPY.encode(floats: [3, -4, 0], shape: [3]), file: "x")
    #expect(try array.integers() == [3, -4, 0])
    let huge = try NPY.decode(NPY.encode(doubles: [1, 1e19], shape: [2]), file: "x")
    let error = #expect(throws: CheckpointError.self) { try huge.integers() }
    #expect(error?.message == "tensor \"x\": expected whole numbers, found 1e+19")
    let nan = try NPY.decode(NPY.encode(doubles: [.nan], shape: [1]), file: "x")
    #expect(throws: CheckpointError.self) { try nan.integers() }
  }

  @Test(arguments: types)
  func writesEveryTypeBack(_ file: String, _ type: DataType) throws {
    let array = try NPY.read(contentsOf: FormatFixtures.path("\(file).npy"))
    let again = try NPY.encode(bytes: array.bytes(), dataType: type, shape: array.shape)
    #expect(try NPY.decode(again, file: "x").bytes() == array.bytes())
    if !file.hasPrefix("be-") { #expect(try again == FormatFixtures.bytes("\(file).npy")) }
  }

  @Test func refusesToWriteBfloat16() {
    let error = #expect(throws: NPYError(.cannotWrite(.bfloat16), file: "array")) {
      try NPY.encode(bytes: [0, 0], dataType: .bfloat16, shape: [1])
    }
    #expect(error?.description == "array: NPY has no bfloat16; write float32 instead")
  }

  @Test func refusesToWriteBytesThatAreNoWholeElements() {
    #expect(throws: NPYError(.valueCount(expected: 1, found: 1), file: "array")) {
      try NPY.encode(bytes: [0, 0, 0, 0, 0], dataType: .float32, shape: [1])
    }
  }

  @Test func refusesToWriteAShapeThatDoesNotFit() {
    #expect(throws: NPYError(.valueCount(expected: 6, found: 1), file: "array")) {
      try NPY.encode(floats: [1], shape: [2, 3])
    }
    #expect(throws: NPYError(.sizeOverflow, file: "array")) { try NPY.encode(floats: [], shape: [-1]) }
    #expect(throws: NPYError(.sizeOverflow, file: "array")) {
      try NPY.encode(floats: [], shape: [.max, 3])
    }
  }
}

/// One test for each lie that an NPY file can tell.
@Suite struct NPYHostileTests {
  /// A file with this header text and as many data bytes.
  static func file(_ header: String, dataCount: Int = 0, version: UInt8 = 1) -> [UInt8] {
    var bytes = NPYHeader.signature + [version, 0]
    if version == 1 {
      bytes.append(littleEndian: UInt16(header.utf8.count))
    } else {
      bytes.append(littleEndian: UInt32(header.utf8.count))
    }
    return bytes + Array(header.utf8) + [UInt8](repeating: 0, count: dataCount)
  }

  static func header(descr: String = "'<f4'", order: String = "False", shape: String = "(2,)") -> String {
    "{'descr': \(descr), 'fortran_order': \(order), 'shape': \(shape), }\n"
  }

  private func kind(_ bytes: [UInt8]) -> NPYError.Kind? {
    do throws(NPYError) {
      _ = try NPY.decode(bytes, file: "x.npy")
      return nil
    } catch {
      return error.kind
    }
  }

  @Test func objectType() throws {
    #expect(kind(try FormatFixtures.bytes("object.npy")) == .objectType)
    for descr in ["'|O'", "'O'", "'<O8'"] {
      #expect(kind(Self.file(Self.header(descr: descr))) == .objectType)
    }
  }

  @Test func structuredType() throws {
    #expect(kind(try FormatFixtures.bytes("structured.npy")) == .structuredType)
    #expect(kind(Self.file(Self.header(descr: "('<f4', (2,))"))) == .structuredType)
  }

  @Test func unsupportedTypes() throws {
    #expect(kind(try FormatFixtures.bytes("complex.npy")) == .unsupportedType("<c8"))
    #expect(kind(try FormatFixtures.bytes("text.npy")) == .unsupportedType("<U2"))
    for descr in ["f4", "<f3", "<f16", "<M8[ns]", "", "!f4", "<f4x"] {
      #expect(kind(Self.file(Self.header(descr: "'\(descr)'"))) == .unsupportedType(descr))
    }
  }

  @Test func claimOf32GiB() {
    let bytes = Self.file(Self.header(shape: "(8589934592,)"), dataCount: 8)
    #expect(kind(bytes) == .dataSize(expected: 32 << 30, found: 8))
  }

  @Test func claimOf32GiBOnDisk() throws {
    try FormatFixtures.withTemporaryFolder { folder in
      let url = folder.appendingPathComponent("claim.npy")
      try Data(Self.file(Self.header(shape: "(8589934592,)"), dataCount: 8)).write(to: url)
      #expect(throws: NPYError(.dataSize(expected: 32 << 30, found: 8), file: url.path)) {
        try NPY.read(contentsOf: url.path)
      }
    }
  }

  @Test func shapeThatOverflows() {
    for shape in ["(9223372036854775807,)", "(4294967296, 4294967296)", "(99999999999999999999,)"] {
      #expect(kind(Self.file(Self.header(shape: shape))) == .sizeOverflow)
    }
    #expect(kind(Self.file(Self.header(shape: "(9223372036854775807, 9223372036854775807, 0)"))) == nil)
  }

  @Test func tooManyDimensions() {
    let shape = "(" + String(repeating: "1, ", count: 33) + ")"
    #expect(kind(Self.file(Self.header(shape: shape), dataCount: 4)) == .tooManyDimensions(limit: 32))
  }

  @Test func headerLongerThanTheLimit() {
    let padded = Self.header() + String(repeating: " ", count: 10_000)
    #expect(
      kind(Self.file(padded, dataCount: 8)) == .headerTooLong(expected: 10_000, found: padded.utf8.count))
    // The claim alone is refused, before anything of that length is read.
    let claim = NPYHeader.signature + [2, 0, 0xff, 0xff, 0xff, 0xff]
    #expect(kind(claim + [0, 0]) == .headerTooLong(expected: 10_000, found: 0xffff_ffff))
  }

  @Test func headerPastTheEnd() {
    #expect(kind(NPYHeader.signature + [1, 0, 100, 0, 0x7b]) == .truncatedHeader)
  }

  @Test func foreignFiles() {
    #expect(kind([]) == .badSignature)
    #expect(kind(Array("PK\u{3}\u{4} and more".utf8)) == .badSignature)
    #expect(kind(NPYHeader.signature + [4, 0, 0, 0]) == .unsupportedVersion(major: 4, minor: 0))
    #expect(kind(NPYHeader.signature + [1, 1, 0, 0]) == .unsupportedVersion(major: 1, minor: 1))
  }

  @Test func dataShorterOrLongerThanTheShape() {
    #expect(kind(Self.file(Self.header(), dataCount: 7)) == .dataSize(expected: 8, found: 7))
    #expect(kind(Self.file(Self.header(), dataCount: 9)) == .dataSize(expected: 8, found: 9))
  }

  @Test func keysMissingTwiceOrUnknown() {
    #expect(kind(Self.file("{'descr': '<f4', 'shape': ()}")) == .missingKey("fortran_order"))
    #expect(kind(Self.file("{'fortran_order': True, 'shape': ()}")) == .missingKey("descr"))
    #expect(kind(Self.file("{'descr': '<f4', 'fortran_order': True}")) == .missingKey("shape"))
    #expect(kind(Self.file("{'descr': '<f4', 'descr': '<f8'}")) == .duplicateKey("descr"))
    #expect(kind(Self.file("{'extra': '<f4'}")) == .unknownKey("extra"))
  }

  @Test(arguments: [
    "", "{", "}", "[]", "{'descr'}", "{'descr': }", "{'descr': '<f4}", "{'descr': '\\x3cf4'}",
    "{'descr': '<f4' 'shape'",
    "{'fortran_order': false", "{'fortran_order': 1", "{'shape': (2)}", "{'shape': (,)}",
    "{'shape': (-1,)}",
    "{'shape': (1 2)}", "{'shape': (0x1,)}", "{'shape': (1e3,)}", "{'shape': [2]}", "{'shape': (2,", "{,}",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (), } trailing",
    "{'descr': '<f4', 'fortran_order': False, 'shape': (), }{}", "__import__('os').system('true')",
  ])
  func malformedHeader(_ text: String) {
    if case .malformedHeader = kind(Self.file(text)) { return }
    Issue.record("\(text): \(String(describing: kind(Self.file(text))))")
  }

  @Test(arguments: [
    "{'shape': (2,), 'fortran_order': False, 'descr': '<f4'}",
    "{\"descr\":\"<f4\",\"fortran_order\":False,\"shape\":(2L,)}   \n",
    " { 'descr' : '=f4' , 'fortran_order' : False , 'shape' : ( 2 , ) , } ",
  ])
  func spellingsThatAreFine(_ text: String) {
    #expect(kind(Self.file(text, dataCount: 8)) == nil)
    #expect(kind(Self.file(text, dataCount: 8, version: 2)) == nil)
  }

  @Test func everyTruncationAndEveryFlipEitherReadsOrThrows() throws {
    let bytes = try FormatFixtures.bytes("fortran-be.npy")
    for count in bytes.indices {
      #expect(throws: NPYError.self) { try NPY.decode(Array(bytes.prefix(count)), file: "x") }
      for bit in 0..<8 {
        var damaged = bytes
        damaged[count] ^= 1 << bit
        _ = try? NPY.decode(damaged, file: "x").floats()
      }
    }
  }

  @Test func messagesNameTheFileAndBothSides() {
    let error = NPYError(.dataSize(expected: 8, found: 7), file: "weights.npz/w.npy")
    #expect(error.description == "weights.npz/w.npy: expected 8 data bytes, found 7")
  }
}

extension NPY {
  fileprivate static func encode(doubles: [Double], shape: [Int]) throws -> [UInt8] {
    try encode(bytes: doubles.flatMap { littleEndian($0.bitPattern) }, dataType: .float64, shape: shape)
  }

  fileprivate static func encode(integers: [Int64], shape: [Int]) throws -> [UInt8] {
    try encode(bytes: integers.flatMap(littleEndian), dataType: .int64, shape: shape)
  }

  private static func littleEndian(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian, Array.init)
  }
}
