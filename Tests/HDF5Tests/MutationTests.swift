import Foundation
import Testing

@testable import HDF5

/// Reads whatever can be read, as a person's file would be.
private func readEverything(_ bytes: [UInt8]) {
  var limits = HDF5Limits()
  // Small, so that a size that lies costs no time.
  limits.unexplainedBytes = 1 << 20
  limits.chunks = 10_000
  guard let file = try? HDF5File(bytes: bytes, named: "file", limits: limits), let root = try? file.contents() else {
    return
  }
  for dataset in root.allDatasets() where dataset.byteCount < 4 << 20 {
    if dataset.type.isString { _ = try? dataset.readStrings() } else { _ = try? dataset.readBytes() }
  }
  _ = root.allUnreadable().map(\.description)
}

@Suite("Damaged files are errors or harmless, and end")
struct MutationTests {
  static let seeds =
    ["plain.h5", "chunked.h5", "attributes.h5", "strings.h5", "compact.h5", "ordered.h5", "latest-chunked.h5"]
    .map(fixture)
    + ["types-earliest.h5", "types-latest.h5", "widths-4-8.h5", "widths-2-2.h5", "chunks-latest.h5"].map(readerFixture)

  @Test("thousands of changes, from a fixed seed", .timeLimit(.minutes(2)), arguments: seeds)
  func mutations(path: String) throws {
    let whole = try contentsOfFile(path)
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    func next(_ limit: Int) -> Int {
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return Int(state % UInt64(limit))
    }
    for _ in 0..<300 {
      var bytes = whole
      for _ in 0...next(4) {
        let place = next(bytes.count)
        switch next(5) {
        case 0: bytes[place] = 0xFF
        case 1: bytes[place] = bytes[place] &+ 1
        case 2: for index in place..<min(place + 8, bytes.count) { bytes[index] = 0xFF }
        case 3:
          // An address, a size or a message of another place.
          let from = next(bytes.count - 8)
          for index in 0..<min(8, bytes.count - place) { bytes[place + index] = bytes[from + index] }
        default: bytes[place] = UInt8(next(256))
        }
      }
      readEverything(bytes)
    }
  }

  @Test("each byte of small files, changed", .timeLimit(.minutes(2)), arguments: ["plain.h5", "compact.h5"])
  func eachByte(name: String) throws {
    let whole = try contentsOfFile(fixture(name))
    for place in whole.indices.prefix(3000) {
      for value in [0, 0xFF, whole[place] ^ 0x10] where value != whole[place] {
        var bytes = whole
        bytes[place] = value
        readEverything(bytes)
      }
    }
  }

  /// A changed byte of a file with checksums is found, or nothing else is read.
  @Test func checksumsFindEveryChangeOfMetadata() throws {
    var document = HDF5Document()
    document.setAttribute("text", .integers([1, 2, 3]))
    document.addDataset("a/w", shape: [4], type: .float32) { littleEndian([1, 2, 3, 4]) }
    document.addDataset("b", shape: [2, 2], type: .int16) { pattern(8) }
    let whole = try withTemporaryDirectory { directory in
      try document.write(to: directory + "/file.h5")
      return try contentsOfFile(directory + "/file.h5")
    }
    func contents(_ bytes: [UInt8]) throws -> [String] {
      let root = try HDF5File(bytes: bytes, named: "file").contents()
      let values = try root.allDatasets().map { "\($0.path) \($0.shape) \($0.type) \(try $0.readBytes())" }
      return values + root.attributes.map { "\($0)" } + root.allUnreadable().map(\.description)
    }
    let right = try contents(whole)
    #expect(right.count == 3)
    var silent: [Int] = []
    for place in whole.indices {
      var bytes = whole
      bytes[place] ^= 0x5A
      guard let found = try? contents(bytes), found != right else { continue }
      // An object that cannot be read is said; its data alone has no checksum here.
      if !found.contains(where: { $0.hasPrefix("file: /") }) { silent.append(place) }
    }
    #expect(silent.count == 16 + 8)
  }
}
