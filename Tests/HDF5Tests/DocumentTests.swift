import Foundation
import HDF5
import TestSupport
import Testing

@Suite("Writing and reading back")
struct DocumentTests {
  static let allTypes: [HDF5ScalarType] = [
    .float16, .bfloat16, .float32, .float64, .int8, .int16, .int32, .int64, .uint8, .uint16, .uint32, .uint64,
    .bool,
  ]

  struct Storage: Sendable, CustomTestStringConvertible {
    var chunk: [Int]?
    var deflate: Int?
    var shuffle = false
    var fletcher32 = false
    var testDescription: String {
      "chunk \(chunk.map { "\($0)" } ?? "none") deflate \(deflate.map { "\($0)" } ?? "no") \(shuffle) \(fletcher32)"
    }
  }

  static let allStorages: [Storage] =
    [Storage()]
    + [[7, 129], [4, 50], [1, 129], [3, 1]].flatMap { chunk in
      [nil, 0, 6].flatMap { deflate in
        [false, true].flatMap { shuffle in
          [false, true].map { Storage(chunk: chunk, deflate: deflate, shuffle: shuffle, fletcher32: $0) }
        }
      }
    }

  private func roundTrip(_ document: HDF5Document, imageLimit: Int = 16 << 20) throws -> HDF5Group {
    try withTemporaryDirectory { directory in
      let path = directory + "/file.h5"
      try document.write(to: path, imageLimit: imageLimit)
      #expect(try contentsOfFile(path)[8] == 2, "superblock version")
      // The open file outlives its name.
      return try HDF5File(reading: path).contents()
    }
  }

  /// Booleans must be 0 or 1.
  private func bytes(_ type: HDF5ScalarType, _ count: Int) -> [UInt8] {
    let bytes = pattern(count * (type.byteCount ?? 0))
    return type == .bool ? bytes.map { $0 & 1 } : bytes
  }

  @Test(
    "every type in both byte orders, laid out in memory and on disk", arguments: allTypes,
    [HDF5ByteOrder.littleEndian, .bigEndian])
  func types(type: HDF5ScalarType, order: HDF5ByteOrder) throws {
    let given = bytes(type, 35)
    var document = HDF5Document()
    document.addDataset("a/plain", shape: [5, 7], type: type, byteOrder: order) { given }
    document.addDataset(
      "a/chunked", shape: [5, 7], type: type, byteOrder: order, chunkShape: [2, 3], deflate: 6, shuffle: true,
      fletcher32: true
    ) { given }
    for limit in [0, 16 << 20] {
      let root = try roundTrip(document, imageLimit: limit)
      for dataset in root.allDatasets() {
        #expect(dataset.type == type)
        #expect(dataset.shape == [5, 7])
        if let width = type.byteCount, width > 1 { #expect(dataset.byteOrder == order) }
        #expect(try dataset.readBytes() == given, "\(dataset.path)")
      }
    }
  }

  @Test("every shape", arguments: [[], [0], [1], [7, 129], [2, 3, 4, 5], [0, 4], [1, 1, 1]])
  func shapes(shape: [Int]) throws {
    let given = pattern(4 * shape.reduce(1, *))
    var document = HDF5Document()
    document.addDataset("x", shape: shape, type: .int32) { given }
    document.addDataset("compressed", shape: shape, type: .int32, deflate: 4) { given }
    for limit in [-1, 16 << 20] {
      let root = try roundTrip(document, imageLimit: limit)
      #expect(root.datasets.count == 2)
      for dataset in root.datasets {
        #expect(dataset.shape == shape)
        #expect(dataset.elementCount == shape.reduce(1, *))
        #expect(try dataset.readBytes() == given)
      }
    }
  }

  @Test("every storage, with edge chunks", arguments: allStorages)
  func storages(storage: Storage) throws {
    // Half of it compresses well.
    let given = pattern(7 * 129 * 2) + [UInt8](repeating: 3, count: 7 * 129 * 2)
    var document = HDF5Document()
    document.addDataset(
      "x", shape: [7, 129], type: .float32, chunkShape: storage.chunk, deflate: storage.deflate,
      shuffle: storage.shuffle, fletcher32: storage.fletcher32
    ) { given }
    #expect(try roundTrip(document).datasets.first?.readBytes() == given)
  }

  @Test func fixedLengthStrings() throws {
    var document = HDF5Document()
    document.addDataset("names", shape: [2], type: .string(length: 4, utf8: false)) { Array("ab\0\0cdef".utf8) }
    let dataset = try #require(roundTrip(document).datasets.first)
    #expect(dataset.type == .string(length: 4, utf8: false))
    #expect(try dataset.readStrings() == ["ab", "cdef"])
  }

  @Test(
    "variable-length strings", arguments: [[], [""], ["one", "", "日本語 🙂", String(repeating: "x", count: 70_000)]])
  func strings(strings: [String]) throws {
    var document = HDF5Document()
    document.addStrings("vocabulary", strings)
    let dataset = try #require(roundTrip(document).datasets.first)
    #expect(dataset.type == .string(length: nil, utf8: true))
    #expect(dataset.shape == [strings.count])
    #expect(try dataset.readStrings() == strings)
  }

  @Test func attributes() throws {
    let long = String(repeating: "{\"key\": \"wert für ü\"}", count: 10_000)
    var document = HDF5Document()
    document.addDataset("g/x", shape: [1], type: .uint8) { [1] }
    let values: [(String, HDF5Value)] = [
      ("long", .strings([long])), ("empty text", .strings([""])), ("texts", .strings(["a", "ü", ""])),
      ("none", .strings([])), ("integer", .integers([-5])), ("integers", .integers([.min, 0, .max])),
      ("unsigned", .unsigned([.max])), ("float", .floats([.pi])), ("floats", .floats([-0.0, .infinity])),
      ("nan", .floats([.nan])), ("flag", .bools([true])), ("flags", .bools([true, false])),
      ("name with ü", .integers([1])), ("many", .integers(Array(0..<20_000))),
    ]
    for path in ["/", "g", "/g/x"] {
      for (name, value) in values { document.setAttribute(name, value, on: path) }
      document.setAttribute("array of one", .strings(["x"]), on: path, scalar: false)
      document.setAttribute("integer", .integers([7]), on: path)
    }
    let root = try roundTrip(document)
    let group = try #require(root.group(at: "g"))
    for found in [root.attributes, group.attributes, try #require(group.datasets.first).attributes] {
      #expect(found.map(\.name) == values.map(\.0) + ["array of one"])
      for (attribute, (name, value)) in zip(found, values) where name != "nan" {
        #expect(attribute.value == (name == "integer" ? .integers([7]) : value))
        #expect(attribute.shape == (value.count == 1 ? [] : [value.count]))
      }
      #expect(found.last?.shape == [1])
      #expect(found.first { $0.name == "nan" }?.double?.isNaN == true)
    }
  }

  @Test func orderIsKept() throws {
    var document = HDF5Document()
    document.addGroup("/z")
    document.addGroup("z")
    for name in ["w10", "w2", "a/inner/deep", "a/first"] {
      document.addDataset(name, shape: [], type: .uint8) { [7] }
    }
    let root = try roundTrip(document)
    #expect(root.groups.map(\.name) == ["z", "a"])
    #expect(root.datasets.map(\.name) == ["w10", "w2"])
    #expect(root.allDatasets().map(\.path) == ["/w10", "/w2", "/a/first", "/a/inner/deep"])
  }

  @Test func equalDocumentsGiveEqualFiles() throws {
    var document = HDF5Document()
    document.addDataset("w", shape: [100], type: .float32) { pattern(400) }
    document.setAttribute("note", .strings(["x"]))
    try withTemporaryDirectory { directory in
      try document.write(to: directory + "/a.h5")
      Thread.sleep(forTimeInterval: 1.1)
      try document.write(to: directory + "/b.h5")
      #expect(try contentsOfFile(directory + "/a.h5") == contentsOfFile(directory + "/b.h5"))
    }
  }

  @Test func thousandsOfDatasetsAreListedQuickly() throws {
    var document = HDF5Document()
    for index in 0..<5000 {
      document.addDataset("layer\(index / 10)/w\(index % 10)", shape: [2, 2], type: .float32) { pattern(16) }
    }
    try withTemporaryDirectory { directory in
      try document.write(to: directory + "/many.h5")
      let file = try HDF5File(reading: directory + "/many.h5")
      _ = try file.contents()
      var count = 0
      let time = try processorTime { count = try file.contents().allDatasets().count }
      #expect(count == 5000)
      print("contents() of 5000 datasets: \(time)")
      #expect(time < .seconds(2))
    }
  }

  @Test func aLargeFileIsListedWithoutReadingIt() throws {
    let megabytes = 64
    var document = HDF5Document()
    for index in 0..<3 {
      document.addDataset("w\(index)", shape: [megabytes << 20], type: .uint8) {
        [UInt8](repeating: UInt8(index), count: megabytes << 20)
      }
    }
    try withTemporaryDirectory { directory in
      try document.write(to: directory + "/large.h5")
      let file = try HDF5File(reading: directory + "/large.h5")
      var count = 0
      let time = try processorTime { count = try file.contents().datasets.count }
      #expect(count == 3)
      #expect(time < .milliseconds(500))
      #expect(file.byteCount > megabytes * 3 << 20)
      let last = try #require(file.contents().dataset(at: "w2")).readBytes()
      #expect(last.allSatisfy { $0 == 2 })
    }
  }

  typealias Change = @Sendable (inout HDF5Document) -> Void

  static let invalidDocuments: [(String, Change)] = [
    (
      "twice",
      {
        $0.addGroup("x/y")
        $0.addStrings("x", [])
      }
    ),
    (
      "below a dataset",
      {
        $0.addStrings("x", [])
        $0.addGroup("x/y")
      }
    ),
    ("empty name", { $0.addGroup("x//y") }), ("dot", { $0.addGroup("x/./y") }),
    ("dataset as root", { $0.addStrings("/", []) }),
    ("orphan attribute", { $0.setAttribute("a", .integers([1]), on: "nowhere") }),
    ("NUL", { $0.addStrings("x", ["a\0b"]) }),
    ("NUL in attribute", { $0.setAttribute("a", .strings(["a\0b"])) }),
    ("unsupported attribute", { $0.setAttribute("a", .unsupported("compound")) }),
    ("negative shape", { $0.addDataset("x", shape: [-1], type: .int8) { [] } }),
    ("overflow", { $0.addDataset("x", shape: [.max, 3], type: .int8) { [] } }),
    ("type", { $0.addDataset("x", shape: [1], type: .unsupported("compound")) { [] } }),
    ("chunks", { $0.addDataset("x", shape: [2], type: .int8, chunkShape: [3]) { [0, 0] } }),
    ("level", { $0.addDataset("x", shape: [2], type: .int8, deflate: 10) { [0, 0] } }),
    ("too few bytes", { $0.addDataset("x", shape: [2], type: .int16) { [0, 0] } }),
  ]

  @Test(
    "what cannot be written is refused",
    arguments: invalidDocuments)
  func invalid(name: String, build: Change) throws {
    var document = HDF5Document()
    build(&document)
    try withTemporaryDirectory { directory in
      let error = hdf5Error { try document.write(to: directory + "/file.h5") }
      #expect(error?.kind == .invalid, "\(name)")
      let left = try FileManager.default.contentsOfDirectory(atPath: directory)
      #expect(left.isEmpty)
    }
  }
}
