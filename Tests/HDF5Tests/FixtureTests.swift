import Foundation
import HDF5
import Testing

@Suite("Files written by h5py")
struct FixtureTests {
  @Test(
    "hold what h5py reads from them",
    arguments: [
      "scalars.h5", "bfloat16.h5", "bfloat16-big.h5", "chunked.h5", "latest-chunked.h5", "user-block.h5",
      "ordered.h5", "strings.h5", "compact.h5", "keras-like.h5",
    ])
  func matchesExpected(name: String) throws {
    let expected = try #require(try expectedContents()[name])
    let file = try HDF5File(reading: fixture(name))
    let contents = try file.contents()
    #expect(contents.allDatasets().map(\.path) == expected.map(\.path))
    for (dataset, expected) in zip(contents.allDatasets(), expected) {
      #expect(dataset.shape == expected.shape, "\(dataset.path)")
      if let strings = expected.strings {
        #expect(try dataset.readStrings() == strings, "\(dataset.path)")
      } else {
        #expect(dataset.type.description == expected.type, "\(dataset.path)")
        let bytes = try #require(Data(base64Encoded: expected.bytes ?? ""))
        #expect(try dataset.readBytes() == Array(bytes), "\(dataset.path)")
        #expect(dataset.byteCount == bytes.count)
        if let bigEndian = expected.bigEndian { #expect((dataset.byteOrder == .bigEndian) == bigEndian) }
        var copy = [UInt8](repeating: 0xAA, count: bytes.count)
        try copy.withUnsafeMutableBytes { try dataset.readBytes(into: $0) }
        #expect(copy == Array(bytes))
      }
    }
  }

  @Test func storageIsDescribed() throws {
    let chunked = try HDF5File(reading: fixture("chunked.h5")).contents()
    let all = try #require(chunked.dataset(at: "all"))
    #expect(all.storage == .chunked(chunkShape: [4, 5], filters: [.shuffle, .deflate(level: 4), .fletcher32]))
    let compact = try HDF5File(reading: fixture("compact.h5")).contents()
    #expect(compact.dataset(at: "/compact")?.storage == .compact)
    #expect(compact.dataset(at: "/compact")?.byteOrder == .bigEndian)
    let never = try #require(chunked.dataset(at: "never"))
    #expect(never.storage == .contiguous(offset: nil))
    #expect(try never.storedByteCount == 0)
    #expect(try all.storedByteCount > 0)
  }

  @Test func attributesOfEveryType() throws {
    let root = try HDF5File(reading: fixture("attributes.h5")).contents()
    #expect(root.attribute("text")?.string == "grün")
    #expect(root.attribute("ascii")?.string == "abc")
    #expect(root.attribute("texts")?.strings == ["a", "bc", ""])
    #expect(root.attribute("int")?.integer == 42)
    #expect(root.attribute("int")?.shape == [])
    #expect(root.attribute("ints")?.value == .integers([1, -2, 3, 4]))
    #expect(root.attribute("ints")?.shape == [2, 2])
    #expect(root.attribute("big-ints")?.value == .integers([258, -2]))
    #expect(root.attribute("unsigned")?.value == .unsigned([1 << 63 | 1]))
    #expect(root.attribute("half")?.value == .floats([1.5, -0.25, 5.960464477539063e-08, .infinity]))
    #expect(root.attribute("single")?.double == Double(Float(0.1)))
    #expect(root.attribute("double")?.value == .floats([0.1, 1e300]))
    #expect(root.attribute("flag")?.bool == true)
    #expect(root.attribute("flags")?.value == .bools([true, false]))
    #expect(root.attribute("null")?.shape == [0])
    #expect(root.attribute("compound")?.value == .unsupported("compound"))
    #expect(root.attribute("long")?.string?.utf8.count == 70_000)
    #expect(root.attribute("latin1")?.value == .unsupported("string that is not UTF-8"))
    #expect(root.attribute("absent") == nil)
  }

  @Test func kerasLayout() throws {
    let root = try HDF5File(reading: fixture("keras-like.h5")).contents()
    #expect(root.attribute("layer_names")?.strings == ["lstm", "dense"])
    #expect(root.attribute("keras_version")?.string == "2.15.0")
    #expect(root.group(at: "lstm/lstm/lstm_cell")?.datasets.count == 2)
    #expect(root.dataset(at: "lstm/lstm/lstm_cell/kernel:0")?.shape == [3, 8])
    #expect(root.dataset(at: "lstm/none") == nil)
    #expect(root.group(at: "/")?.path == "/")
  }

  @Test func creationOrderIsKept() throws {
    let root = try HDF5File(reading: fixture("ordered.h5")).contents()
    #expect(root.datasets.map(\.name) == ["zeta", "alpha", "mid"])
    #expect(root.attributes.map(\.name) == ["attribute3", "attribute1", "attribute2"])
    #expect(root.group(at: "weights")?.datasets.map(\.name) == ["w2", "w1", "w10"])
  }

  @Test(
    "unsupported datatypes are listed and not read",
    arguments: [
      ("compound", "compound"), ("vlen-float", "variable-length sequence"), ("reference", "reference"),
      ("array", "array"), ("complex", "compound"),
    ])
  func unsupportedType(name: String, type: String) throws {
    let root = try HDF5File(reading: fixture("unsupported.h5")).contents()
    let dataset = try #require(root.dataset(at: name))
    #expect(dataset.type == .unsupported(type))
    #expect(hdf5Error { _ = try dataset.readBytes() }?.kind == .unsupported)
    #expect(hdf5Error { _ = try dataset.readStrings() }?.kind == .unsupported)
    #expect(root.namedTypes == ["named"])
    #expect(try root.dataset(at: "fine")?.readBytes() == littleEndian([1, 2]))
  }

  @Test func opaqueElementsAreBytesAsTheyAre() throws {
    let dataset = try #require(HDF5File(reading: fixture("unsupported.h5")).contents().dataset(at: "opaque"))
    guard case .opaque(let length) = dataset.type else { return #expect(Bool(false), "\(dataset.type)") }
    let bytes = try dataset.readBytes()
    #expect(bytes.count == length * dataset.elementCount)
    let path = NSTemporaryDirectory() + "/opaque-\(UInt64.random(in: 0 ... .max)).h5"
    defer { try? FileManager.default.removeItem(atPath: path) }
    var document = HDF5Document()
    document.addDataset("raw", shape: dataset.shape, type: dataset.type, byteOrder: .bigEndian) { bytes }
    try document.write(to: path)
    let back = try #require(HDF5File(reading: path).contents().dataset(at: "raw"))
    #expect(back.type == dataset.type)
    #expect(try back.readBytes() == bytes)
  }

  @Test func stringsAreNotNumbersNorNumbersStrings() throws {
    let strings = try #require(HDF5File(reading: fixture("strings.h5")).contents().dataset(at: "variable"))
    #expect(hdf5Error { _ = try strings.readBytes() }?.kind == .unsupported)
    let numbers = try #require(HDF5File(reading: fixture("scalars.h5")).contents().dataset(at: "odd"))
    #expect(hdf5Error { _ = try numbers.readStrings() }?.kind == .unsupported)
    #expect(
      hdf5Error {
        try [UInt8](repeating: 0, count: 3).withUnsafeBytes { _ in
          var short = [UInt8](repeating: 0, count: 3)
          try short.withUnsafeMutableBytes { try numbers.readBytes(into: $0) }
        }
      }?.kind == .invalid)
  }

  @Test func aDatasetOutlivesItsFileAndNotItsClosing() throws {
    let dataset = try #require(HDF5File(reading: fixture("plain.h5")).contents().dataset(at: "a/z"))
    #expect(try dataset.readBytes().count == 400)
    let file = try HDF5File(reading: fixture("plain.h5"))
    let other = try #require(file.contents().dataset(at: "a/w"))
    file.close()
    file.close()
    #expect(hdf5Error { _ = try other.readBytes() }?.kind == .closed)
    #expect(hdf5Error { _ = try file.contents() }?.kind == .closed)
  }

  @Test func eightTasksReadAtOnce() async throws {
    let file = try HDF5File(reading: fixture("chunked.h5"))
    let expected = try #require(try expectedContents()["chunked.h5"])
    try await withThrowingTaskGroup(of: Void.self) { group in
      for task in 0..<8 {
        group.addTask {
          let own = task % 2 == 0 ? file : try HDF5File(reading: fixture("chunked.h5"))
          for _ in 0..<20 {
            for (dataset, expected) in zip(try own.contents().allDatasets(), expected) {
              let bytes = try dataset.readBytes()
              #expect(Data(bytes).base64EncodedString() == expected.bytes)
            }
          }
        }
      }
      try await group.waitForAll()
    }
  }
}
