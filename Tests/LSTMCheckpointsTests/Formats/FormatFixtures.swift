import Foundation
import TestSupport

/// The files that scripts/make-formats-fixtures.py writes, and helpers to lie with them.
enum FormatFixtures {
  static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("fixtures/formats")

  static func path(_ name: String) -> String { folder.appendingPathComponent(name).path }

  static func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: folder.appendingPathComponent(name)))
  }

  /// 0, 1, 2, ... in C order; a half added for floats, every odd one negated where signed.
  static func ramp(_ count: Int, float: Bool, signed: Bool) -> [Double] {
    (0..<count).map { index in
      let magnitude = Double(index) + (float ? 0.5 : 0)
      return signed && index % 2 == 1 ? -magnitude : magnitude
    }
  }

  /// A path for a file of the test's own, in a folder of its own.
  static func withTemporaryFolder<T>(_ body: (URL) throws -> T) throws -> T {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("lstm-ft-formats-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try body(folder)
  }
}

/// A small generator whose numbers are the same on every run and platform (Steele and others' SplitMix64).
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
    return z ^ z >> 31
  }
}

extension [UInt8] {
  /// Where the signature `PK`, `a`, `b` stands.
  func signatures(_ a: UInt8, _ b: UInt8) -> [Int] {
    indices.dropLast(3).filter {
      self[$0] == 0x50 && self[$0 + 1] == 0x4b && self[$0 + 2] == a && self[$0 + 3] == b
    }
  }

  var localHeaders: [Int] { signatures(3, 4) }
  var centralHeaders: [Int] { signatures(1, 2) }
  var endRecord: Int { signatures(5, 6).last ?? 0 }

  /// Overwrites bytes with a number, lowest byte first.
  mutating func put<T: FixedWidthInteger>(_ value: T, at offset: Int) {
    Swift.withUnsafeBytes(of: value.littleEndian) {
      replaceSubrange(offset..<(offset + $0.count), with: $0)
    }
  }
}
