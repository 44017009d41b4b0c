import Foundation
import TestSupport
import Testing

@testable import FileIO
@testable import LSTMCheckpoints

@Suite struct ZipArchiveTests {
  @Test(arguments: ["stored.npz", "deflated.npz"])
  func readsWhatNumpyWrote(_ name: String) throws {
    let archive = try ZipArchive(contentsOf: FormatFixtures.path(name))
    #expect(archive.entries.map(\.name) == ["weight.npy", "bias.npy", "half.npy"])
    let weight = try NPY.decode(archive.read(named: "weight.npy"), file: "weight.npy")
    #expect(weight.shape == [8, 3])
    #expect(try weight.doubles() == FormatFixtures.ramp(24, float: true, signed: true))
    let half = try NPY.decode(archive.read(named: "half.npy"), file: "half.npy")
    #expect(try half.floats() == [0.5, -1.5, 2.5, -3.5])
  }

  @Test func readsDataDescriptorsAndLateZip64Sizes() throws {
    let archive = try ZipArchive(contentsOf: FormatFixtures.path("descriptor.zip"))
    #expect(try archive.read(named: "stored.txt") == Array("streamed and stored".utf8))
    #expect(
      try archive.read(named: "deflated.txt")
        == Array(String(repeating: "streamed and deflated ", count: 20).utf8))
    #expect(try archive.read(named: "wide.txt") == Array("streamed with zip64 sizes".utf8))
  }

  @Test(arguments: ["torch", "torch-nocrc"])
  func readsWhatPyTorchWrote(_ name: String) throws {
    let archive = try ZipArchive(contentsOf: FormatFixtures.path("\(name).pt"))
    let entry = try #require(archive.entry(named: "\(name)/data/0"))
    #expect(entry.method == .stored)
    #expect(entry.size == 24)
    #expect(entry.dataOffset % 64 == 0)
    #expect((entry.crc == 0) == (name == "torch-nocrc"))
    let floats = try archive.read(entry).withUnsafeBytes { bytes in
      (0..<6).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
    }
    #expect(floats == [0, 1, 2, 3, 4, 5])
  }

  @Test func readsContentNearTheHighestRatio() throws {
    let archive = try ZipArchive(contentsOf: FormatFixtures.path("zeros.zip"))
    let entry = try #require(archive.entries.first)
    #expect(entry.size / entry.compressedSize > 900)
    #expect(try archive.read(entry) == [UInt8](repeating: 0, count: 400_000))
  }

  @Test func readsIntoTheCallersBuffer() throws {
    let archive = try ZipArchive(bytes: ZipWriter.encode([("a", [1, 2, 3])]), name: "a.zip")
    let entry = try #require(archive.entries.first)
    var buffer: [UInt8] = [0, 0, 0]
    try buffer.withUnsafeMutableBytes { try archive.read(entry, into: $0) }
    #expect(buffer == [1, 2, 3])
    var small: [UInt8] = [0]
    #expect(throws: ZipError(.bufferSize(expected: 3, found: 1), archive: "a.zip", entry: "a")) {
      try small.withUnsafeMutableBytes { try archive.read(entry, into: $0) }
    }
  }

  @Test func readsBeyondFourGibibytesWithoutReadingWhatLiesBefore() throws {
    try FormatFixtures.withTemporaryFolder { folder in
      let path = folder.appendingPathComponent("sparse.zip").path
      var layout = ZipLayout(archive: "sparse", alignment: 64, forceZip64: false)
      let big = 5 << 30
      let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
      defer { close(descriptor) }
      func write(_ bytes: [UInt8], at offset: Int) {
        #expect(pwrite(descriptor, bytes, bytes.count, off_t(offset)) == bytes.count)
      }
      // A CRC of 0 means "not computed", so the hole need not be read.
      write(try layout.add("hole", size: big, crc: 0), at: 0)
      let secondHeader = layout.position
      let header = try layout.add("after", size: 3, crc: 0)
      write(header, at: secondHeader)
      write([7, 8, 9], at: secondHeader + header.count)
      let directory = layout.position
      write(try layout.finish(), at: directory)

      let archive = try ZipArchive(contentsOf: path)
      #expect(archive.entry(named: "hole")?.size == big)
      #expect(try archive.read(named: "after") == [7, 8, 9])
    }
  }

  @Test func missingEntryIsNamed() throws {
    let archive = try ZipArchive(bytes: ZipWriter.encode([("a", [1])]), name: "a.zip")
    let error = #expect(throws: ZipError.self) { try archive.read(named: "b") }
    #expect(error?.description == "a.zip, entry \"b\": no such entry")
  }
}

@Suite struct ZipWriterTests {
  static let entries: [(name: String, content: [UInt8])] = [
    ("model/data.pkl", Array("pickle".utf8)), ("empty", []), ("größe.txt", Array(0...255)),
    ("model/data/0", [UInt8](repeating: 7, count: 1000)),
  ]

  @Test(arguments: [1, 4, 64, 4096], [false, true])
  func roundTrips(alignment: Int, forceZip64: Bool) throws {
    let bytes = try ZipWriter.encode(Self.entries, alignment: alignment, forceZip64: forceZip64)
    let archive = try ZipArchive(bytes: bytes, name: "memory")
    #expect(archive.entries.map(\.name) == Self.entries.map(\.name))
    for (entry, original) in zip(archive.entries, Self.entries) {
      #expect(entry.dataOffset % alignment == 0)
      #expect(try archive.read(entry) == original.content)
    }
    #expect(try ZipWriter.encode(Self.entries, alignment: alignment, forceZip64: forceZip64) == bytes)
  }

  @Test func aFileHasTheSameBytes() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("a.zip")
    try ContainerFile.write(to: path, byteCount: 1000) { file in
      var writer = ZipFileWriter(file, archive: "archive")
      for entry in Self.entries { try writer.add(entry.name, entry.content) }
      try writer.finish()
      #expect(throws: ZipError.self) { try writer.add("late", []) }
      #expect(throws: ZipError.self) { try writer.finish() }
    }
    #expect([UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) == (try ZipWriter.encode(Self.entries)))
  }

  @Test func errorsOfAnEntrysContentPassThrough() throws {
    struct DiskFull: Error {}
    let folder = try TemporaryFolder()
    #expect(throws: DiskFull.self) {
      try ContainerFile.write(to: folder.path("a.zip"), byteCount: 0) { file in
        var writer = ZipFileWriter(file, archive: "archive")
        try writer.add("a", size: 1) { throw DiskFull() }
      }
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path).isEmpty)
  }

  @Test func manyEntriesNeedZip64() throws {
    let bytes = try ZipWriter.encode((0..<66_000).map { ("\($0)", []) }, alignment: 1)
    #expect(!bytes.signatures(6, 6).isEmpty)
    let archive = try ZipArchive(bytes: bytes, name: "many")
    #expect(archive.entries.count == 66_000)
    #expect(archive.entries.last?.name == "65999")
  }

  @Test(arguments: ["", "/etc/passwd", "../up", "a/../b", "a\\b", "C:/x", "tab\tbed", "nul\0"])
  func refusesUnsafeNames(_ name: String) {
    #expect(throws: ZipError.self) { try ZipWriter.encode([(name, [])]) }
  }

  @Test func refusesDuplicateNames() {
    #expect(throws: ZipError(.duplicateName, archive: "archive", entry: "a")) {
      try ZipWriter.encode([("a", []), ("a", [1])])
    }
  }
}
