import Foundation
import TestSupport
import Testing

@testable import FileIO

/// One test for each lie that a zip can tell.
@Suite struct ZipHostileTests {
  /// Two stored entries, "aa" (4 bytes) and "bb" (3 bytes), without padding.
  static func honest() throws -> [UInt8] {
    try ZipWriter.encode([("aa", [1, 2, 3, 4]), ("bb", [5, 6, 7])], alignment: 1)
  }

  private func expect(
    _ kind: ZipError.Kind, entry: String? = nil, _ bytes: [UInt8],
    _ location: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: ZipError.self, sourceLocation: location) {
      let archive = try ZipArchive(bytes: bytes, name: "x.zip")
      for entry in archive.entries { _ = try archive.read(entry) }
    }
    #expect(error?.kind == kind, sourceLocation: location)
    #expect(error?.entry == entry, sourceLocation: location)
  }

  @Test func theHonestOneLoads() throws {
    #expect(try ZipArchive(bytes: Self.honest(), name: "x").read(named: "bb") == [5, 6, 7])
  }

  @Test func emptyAndForeignFiles() {
    expect(.notAnArchive, [])
    expect(.notAnArchive, [UInt8](repeating: 0, count: 100))
    expect(.notAnArchive, Array("PK\u{3}\u{4}".utf8))
  }

  @Test func everyTruncationIsAnError() throws {
    for name in ["stored.npz", "deflated.npz", "descriptor.zip", "torch.pt"] {
      let bytes = try FormatFixtures.bytes(name)
      for count in 0..<bytes.count {
        #expect(throws: ZipError.self) { try ZipArchive(bytes: Array(bytes.prefix(count)), name: name) }
      }
    }
  }

  @Test func junkAtTheEnd() throws {
    expect(.notAnArchive, try Self.honest() + [0])
  }

  @Test func junkAtTheStart() throws {
    expect(.directoryOutOfPlace, [0] + (try Self.honest()))
  }

  @Test func duplicateName() throws {
    var bytes = try Self.honest()
    bytes.replaceSubrange((bytes.centralHeaders[1] + 46)..<(bytes.centralHeaders[1] + 48), with: "aa".utf8)
    expect(.duplicateName, entry: "aa", bytes)
  }

  @Test(arguments: ["..", "/a", "\\a", "a:"])
  func unsafeName(_ name: String) throws {
    var bytes = try Self.honest()
    bytes.replaceSubrange(
      (bytes.centralHeaders[0] + 46)..<(bytes.centralHeaders[0] + 48),
      with: (name + "/").utf8.prefix(2))
    expect(.unsafeName, entry: String((name + "/").prefix(2)), bytes)
  }

  @Test(arguments: [[0xff, 0x41], [0x41, 0x00], [0x0a, 0x41]] as [[UInt8]])
  func invalidName(_ name: [UInt8]) throws {
    var bytes = try Self.honest()
    bytes.replaceSubrange((bytes.centralHeaders[0] + 46)..<(bytes.centralHeaders[0] + 48), with: name)
    let error = #expect(throws: ZipError.self) { try ZipArchive(bytes: bytes, name: "x") }
    #expect(error?.kind == .invalidName)
  }

  @Test(arguments: [0, 6, 13])
  func encrypted(_ bit: Int) throws {
    var central = try Self.honest()
    central.put(UInt16(1 << bit), at: central.centralHeaders[0] + 8)
    expect(.encrypted, entry: "aa", central)
    var local = try Self.honest()
    local.put(UInt16(1 << bit), at: local.localHeaders[1] + 6)
    expect(.encrypted, entry: "bb", local)
  }

  @Test(arguments: [1, 9, 12, 14, 93])
  func unsupportedMethod(_ method: Int) throws {
    var bytes = try Self.honest()
    bytes.put(UInt16(method), at: bytes.centralHeaders[0] + 10)
    expect(.unsupportedMethod(method), entry: "aa", bytes)
  }

  @Test func disagreementInName() throws {
    var bytes = try Self.honest()
    bytes[bytes.localHeaders[1] + 30] = UInt8(ascii: "z")
    expect(.disagreement(field: "name"), entry: "bb", bytes)
  }

  @Test func disagreementInMethod() throws {
    var bytes = try Self.honest()
    bytes.put(UInt16(8), at: bytes.localHeaders[0] + 8)
    expect(.disagreement(field: "method"), entry: "aa", bytes)
  }

  @Test func disagreementInSizes() throws {
    var size = try Self.honest()
    size.put(UInt32(3), at: size.localHeaders[0] + 22)
    expect(.disagreement(field: "size"), entry: "aa", size)
    var compressed = try Self.honest()
    compressed.put(UInt32(3), at: compressed.localHeaders[0] + 18)
    expect(.disagreement(field: "compressed size"), entry: "aa", compressed)
    var zero = try Self.honest()
    zero.put(UInt64(0), at: zero.localHeaders[0] + 18)
    expect(.disagreement(field: "size"), entry: "aa", zero)
  }

  @Test func disagreementInFlagsAndChecksum() throws {
    var flags = try Self.honest()
    flags.put(UInt16(8), at: flags.localHeaders[0] + 6)
    expect(.disagreement(field: "flags"), entry: "aa", flags)
    var crc = try Self.honest()
    crc.put(UInt32(1), at: crc.localHeaders[0] + 14)
    expect(.disagreement(field: "CRC-32"), entry: "aa", crc)
  }

  @Test func checksumMismatch() throws {
    var bytes = try Self.honest()
    let archive = try ZipArchive(bytes: bytes, name: "x")
    let entry = try #require(archive.entry(named: "aa"))
    bytes[entry.dataOffset] ^= 1
    let error = #expect(throws: ZipError.self) {
      try ZipArchive(bytes: bytes, name: "x").read(named: "aa")
    }
    if case .checksum = error?.kind {} else { Issue.record("\(String(describing: error))") }
  }

  @Test func checksumZeroMeansNotComputed() throws {
    var bytes = try Self.honest()
    bytes.put(UInt32(0), at: bytes.centralHeaders[0] + 16)
    bytes.put(UInt32(0), at: bytes.localHeaders[0] + 14)
    #expect(try ZipArchive(bytes: bytes, name: "x").read(named: "aa") == [1, 2, 3, 4])
  }

  @Test func overlappingEntries() throws {
    // The first entry's content is the second entry, header and all.
    let inner = Array(try ZipWriter.encode([("bb", [5, 6, 7])], alignment: 1).prefix(35))
    var bytes = try ZipWriter.encode([("aa", inner), ("bb", [5, 6, 7])], alignment: 1)
    bytes.put(UInt32(32), at: bytes.centralHeaders[1] + 42)
    expect(.overlap(with: "aa"), entry: "bb", bytes)
  }

  @Test func entryReachingIntoTheDirectory() throws {
    var bytes = try Self.honest()
    for offset in [bytes.centralHeaders[1] + 20, bytes.localHeaders[1] + 18] {
      bytes.put(UInt32(50), at: offset)
      bytes.put(UInt32(50), at: offset + 4)
    }
    expect(.outOfBounds, entry: "bb", bytes)
  }

  @Test func headerPastTheEnd() throws {
    var bytes = try Self.honest()
    bytes.put(UInt32(1 << 30), at: bytes.centralHeaders[1] + 42)
    expect(.truncated(part: "header of an entry"), entry: "bb", bytes)
  }

  @Test func headerThatIsNone() throws {
    var bytes = try Self.honest()
    bytes.put(UInt32(2), at: bytes.centralHeaders[1] + 42)
    expect(.badSignature(part: "header of an entry"), entry: "bb", bytes)
  }

  @Test func ratioBeyondDeflate() throws {
    var bytes = try FormatFixtures.bytes("zeros.zip")
    for offset in [bytes.centralHeaders[0] + 24, bytes.localHeaders[0] + 22] {
      bytes.put(UInt32(800_000), at: offset)
    }
    let compressed = try ZipArchive(contentsOf: FormatFixtures.path("zeros.zip")).entries[0].compressedSize
    expect(.ratio(compressed: compressed, size: 800_000), entry: "zeros", bytes)
  }

  @Test(arguments: [0, 1, 399_999, 400_001])
  func inflatedSizeThatLies(_ size: Int) throws {
    var bytes = try FormatFixtures.bytes("zeros.zip")
    for offset in [bytes.centralHeaders[0] + 24, bytes.localHeaders[0] + 22] {
      bytes.put(UInt32(size), at: offset)
    }
    expect(.inflatedSize(expected: size), entry: "zeros", bytes)
  }

  @Test func damagedDeflateStream() throws {
    var bytes = try FormatFixtures.bytes("zeros.zip")
    let offset = try ZipArchive(bytes: bytes, name: "x").entries[0].dataOffset
    // Block type 3 does not exist.
    bytes[offset] = 0xff
    expect(.corruptData, entry: "zeros", bytes)
  }

  @Test func storedEntryWithTwoSizes() throws {
    var bytes = try Self.honest()
    bytes.put(UInt32(5), at: bytes.centralHeaders[0] + 24)
    expect(.storedSize(compressed: 4, size: 5), entry: "aa", bytes)
  }

  @Test func entryCountThatLies() throws {
    var more = try Self.honest()
    more.put(UInt16(3), at: more.endRecord + 8)
    more.put(UInt16(3), at: more.endRecord + 10)
    expect(.entryCount(expected: 3, found: 2), more)
    var fewer = try Self.honest()
    fewer.put(UInt16(1), at: fewer.endRecord + 8)
    fewer.put(UInt16(1), at: fewer.endRecord + 10)
    expect(.entryCount(expected: 1, found: 2), fewer)
  }

  @Test func severalVolumes() throws {
    var bytes = try Self.honest()
    bytes.put(UInt16(1), at: bytes.endRecord + 4)
    expect(.severalVolumes, bytes)
  }

  @Test func directoryOutOfPlace() throws {
    var bytes = try Self.honest()
    bytes.put(UInt32(1), at: bytes.endRecord + 16)
    expect(.directoryOutOfPlace, bytes)
  }

  @Test func tooManyEntries() throws {
    var bytes = try ZipWriter.encode([("a", [])], forceZip64: true)
    let record = try #require(bytes.signatures(6, 6).first)
    bytes.put(UInt64(1 << 40), at: record + 24)
    bytes.put(UInt64(1 << 40), at: record + 32)
    bytes.put(UInt16(0xffff), at: bytes.endRecord + 10)
    expect(.tooManyEntries(limit: 100_000), bytes)
  }

  @Test func zip64RecordThatDisagrees() throws {
    var bytes = try ZipWriter.encode([("a", [])], forceZip64: true)
    bytes.put(UInt32(12), at: bytes.endRecord + 16)
    expect(.directoryOutOfPlace, bytes)
  }

  @Test func zip64FieldMissing() throws {
    var bytes = try Self.honest()
    bytes.put(UInt32.max, at: bytes.centralHeaders[0] + 20)
    expect(.malformedExtraField, entry: "aa", bytes)
  }

  @Test func zip64SizeBeyondEveryFile() throws {
    var bytes = try ZipWriter.encode([("a", [1])], alignment: 1, forceZip64: true)
    bytes.put(UInt64.max, at: bytes.centralHeaders[0] + 51)
    let error = #expect(throws: ZipError.self) { try ZipArchive(bytes: bytes, name: "x") }
    #expect(error?.kind == .truncated(part: "zip64 field"))
  }

  @Test func everyByteFlippedEitherReadsOrThrows() throws {
    for name in ["deflated.npz", "descriptor.zip", "torch.pt"] {
      let bytes = try FormatFixtures.bytes(name)
      for index in bytes.indices {
        for mask: UInt8 in [0xff, 0x01, 0x80] {
          var damaged = bytes
          damaged[index] ^= mask
          guard let archive = try? ZipArchive(bytes: damaged, name: name) else { continue }
          for entry in archive.entries { _ = try? archive.read(entry) }
        }
      }
    }
  }

  @Test func directoryMissingFileAndPipe() throws {
    try FormatFixtures.withTemporaryFolder { folder in
      let pipe = folder.appendingPathComponent("pipe").path
      #expect(mkfifo(pipe, 0o600) == 0)
      let cases: [(String, ZipError.Kind)] = [
        (folder.path, .isDirectory), (pipe, .notRegularFile), (folder.path + "/none", .notFound),
      ]
      for (path, kind) in cases {
        #expect(throws: ZipError(kind, archive: path)) { try ZipArchive(contentsOf: path) }
      }
    }
  }
}
