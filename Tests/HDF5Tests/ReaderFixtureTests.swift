import Foundation
import Testing

@testable import HDF5

private let folder = fixtures.deletingLastPathComponent().appendingPathComponent("hdf5-reader")

/// Files of HDF5 in this folder.
let readerFixtures: [String] = {
  let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
  return names.filter { $0.hasSuffix(".h5") }.sorted()
}()

func readerFixture(_ name: String) -> String { folder.appendingPathComponent(name).path }

@Suite("Every form that the format has for the same contents")
struct ReaderFixtureTests {
  private struct Expected: Decodable {
    let shape: [Int]
    let bytes: String
  }

  private func expected() throws -> [String: [String: Expected]] {
    let data = try Data(contentsOf: folder.appendingPathComponent("expected.json"))
    return try JSONDecoder().decode([String: [String: Expected]].self, from: data)
  }

  @Test("h5py's values come back from all of them", arguments: readerFixtures)
  func values(name: String) throws {
    let expected = try #require(try expected()[name])
    #expect(!expected.isEmpty)
    let root = try HDF5File(reading: readerFixture(name)).contents()
    for (path, value) in expected {
      let dataset = try #require(root.dataset(at: path), "\(path)")
      #expect(dataset.shape == value.shape, "\(path)")
      #expect(try Data(dataset.readBytes()).base64EncodedString() == value.bytes, "\(path)")
    }
  }

  @Test(arguments: ["types-earliest.h5", "types-v108.h5", "types-latest.h5", "user-block.h5"])
  func typesOfAllKinds(name: String) throws {
    let root = try HDF5File(reading: readerFixture(name)).contents()
    let types: [(String, HDF5ScalarType)] = [
      ("bfloat16", .bfloat16), ("e4m3", .float8e4m3), ("e5m2", .float8e5m2), ("flags", .bool), ("f2", .float16),
      ("big-u4", .uint32), ("enum", .int8), ("compound", .unsupported("compound")),
      ("reference", .unsupported("reference")), ("sequence", .unsupported("variable-length sequence")),
      ("committed", .float32), ("opaque", .opaque(length: 8)), ("fixed-texts", .string(length: 5, utf8: false)),
      ("texts", .string(length: nil, utf8: true)),
    ]
    for (path, type) in types { #expect(root.dataset(at: path)?.type == type, "\(path)") }
    #expect(try root.dataset(at: "bfloat16")?.readBytes() == [0x80, 0x3F, 0x00, 0xBF, 0x40, 0x40])
    #expect(try root.dataset(at: "e4m3")?.readBytes() == [0x38, 0xB0, 0x44])
    #expect(try root.dataset(at: "e5m2")?.readBytes() == [0x3C, 0xB8, 0x42])
    // Those of an enumeration are its numbers.
    #expect(try root.dataset(at: "enum")?.readBytes() == [1, 2])
    #expect(try root.dataset(at: "opaque")?.readBytes() == Array("abcdefgh".utf8))
    #expect(try root.dataset(at: "texts")?.readStrings() == ["a", "", String(repeating: "grün", count: 20)])
    #expect(try root.dataset(at: "fixed-texts")?.readStrings() == ["ab", "c"])
    #expect(root.dataset(at: "empty")?.shape == [0])
    #expect(root.dataset(at: "committed")?.byteOrder == .bigEndian)
    #expect(root.namedTypes == ["named"])
    #expect(root.attribute("committed")?.double == 1.5)
  }

  @Test(arguments: ["many-earliest.h5", "many-latest.h5", "many-ordered.h5"])
  func manyLinksAndAttributes(name: String) throws {
    let root = try HDF5File(reading: readerFixture(name)).contents()
    let many = try #require(root.group(at: "many"))
    let names: [String] = (0..<150).filter { $0 != 100 }.map { number in "w" + String(1000 + number).dropFirst() }
    #expect(many.datasets.map(\.name) == names)
    let few = try #require(root.group(at: "few"))
    let ordered = name == "many-ordered.h5" ? ["zeta", "alpha", "é"] : ["alpha", "zeta", "é"]
    #expect(few.datasets.map(\.name) == ordered)
    #expect(few.attributes.count == 62)
    for index in 0..<60 { #expect(few.attribute("a" + String(100 + index).dropFirst())?.integer == index) }
    #expect(few.attribute("long")?.string?.utf8.count == 9000)
    #expect(few.attribute("texts")?.strings == ["a", "bc", String(repeating: "é", count: 300)])
    #expect(root.group(at: "long")?.datasets.contains { $0.name == String(repeating: "n", count: 5000) } == true)
    #expect(root.dataset(at: "soft")?.shape == [])
    #expect(root.group(at: "soft-group")?.aliasOf == "/few")
    let unreadable = Dictionary(uniqueKeysWithValues: root.unreadable.map { ($0.object ?? "", $0.kind) })
    #expect(unreadable == ["/nowhere": .notFound, "/outside": .refused])
  }

  @Test("Messages that many objects share", arguments: ["shared-list.h5", "shared-tree.h5"])
  func sharedMessages(name: String) throws {
    let root = try HDF5File(reading: readerFixture(name)).contents()
    #expect(root.datasets.map(\.name) == ["w0", "w1", "w2", "w3"])
    #expect(root.attribute("same")?.string == "text of all")
    for dataset in root.datasets {
      #expect(dataset.attribute("same")?.string == "text of all")
      #expect(dataset.attribute("numbers")?.value == .integers([0, 1, 2, 3, 4, 5]))
    }
    #expect(root.allUnreadable().isEmpty && root.allUnreadableAttributes().isEmpty)
  }

  @Test func farChunksOfAnIndexWithPages() throws {
    let dataset = try #require(
      HDF5File(reading: readerFixture("many-chunks-new.h5")).contents().dataset(at: "far"))
    let bytes = try dataset.readBytes()
    var wanted = [UInt8](repeating: 0, count: 200_000)
    for index in 150_000..<150_004 { wanted[index] = 5 }
    wanted[199_999] = 6
    #expect(bytes == wanted)
    #expect(try dataset.storedByteCount == 5)
  }

  @Test("LZF", arguments: ["chunks-earliest.h5", "chunks-latest.h5"])
  func filters(name: String) throws {
    let root = try HDF5File(reading: readerFixture(name)).contents()
    #expect(root.dataset(at: "lzf")?.storage == .chunked(chunkShape: [16, 9], filters: [.lzf]))
    #expect(root.dataset(at: "lzf")?.refusal == nil)
  }

  @Test("LZF never writes outside of its output", arguments: [0, 1, 31, 32, 33, 64, 255])
  func hostileLZF(first: UInt8) {
    for length in 0..<12 {
      let input = [first] + pattern(length, seed: UInt64(first) + 1)
      for size in [0, 1, 7, 40] {
        var output = [UInt8](repeating: 0xEE, count: size + 8)
        input.withUnsafeBytes { input in
          output.withUnsafeMutableBytes {
            _ = LZF.expand(input, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<size]))
          }
        }
        #expect(output.suffix(8).allSatisfy { $0 == 0xEE })
      }
    }
  }

  @Test func lookup3OfItsAuthor() {
    // The values that Bob Jenkins gives with his function.
    let text = Array("Four score and seven years ago".utf8)
    #expect(Lookup3.sum(text, 0..<text.count) == 0x1777_0551)
    #expect(Lookup3.sum([], 0..<0) == 0xDEAD_BEEF)
  }
}
