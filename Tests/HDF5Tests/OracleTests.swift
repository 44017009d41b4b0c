import CHDF5
import FileIO
import Foundation
import Testing

@testable import HDF5

/// Every HDF5 file among the fixtures of the whole project, those within `.keras` archives included.
private let allFixtures: [String] = {
  let root = fixtures.deletingLastPathComponent()
  let found = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
  // Of these libhdf5 would build or compute for minutes, or not come back.
  let without = ["hdf5/deep.h5", "hdf5/deflate-bomb.h5"]
  return found.filter { name in
    // Those of published weaknesses are damaged.
    [".h5", ".mat", ".keras"].contains { name.hasSuffix($0) } && !without.contains(name) && !name.hasPrefix("cve/")
  }.sorted()
}()

@Suite("libhdf5 and this reader agree")
struct OracleTests {
  @Test("over every file of the project")
  func allFiles() throws {
    let root = fixtures.deletingLastPathComponent().path
    #expect(allFixtures.count > 300)
    var compared = 0
    try withTemporaryDirectory { directory in
      for name in allFixtures {
        var path = root + "/" + name
        if name.hasSuffix(".keras") {
          let archive = try ZipArchive(contentsOf: path)
          guard let entry = archive.entries.first(where: { $0.name == "model.weights.h5" }) else { continue }
          path = directory + "/weights.h5"
          try write(archive.read(entry), to: path)
        }
        compared += try compare(path, name)
      }
    }
    #expect(compared > 3000)
  }

  /// Links are read in the order of their names' hashes, which jumps between the blocks of the heap that they lie in.
  @Test("over a group whose links fill more of a heap than is kept at hand")
  func largeHeap() throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/file.h5"
      let access = H5Pcreate(chdf5_class_file_access())
      #expect(H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18) >= 0)
      let file = H5Fcreate(path, chdf5_open_truncate(), chdf5_default(), access)
      #expect(file >= 0)
      let group = H5Gcreate2(file, "all", chdf5_default(), chdf5_default(), chdf5_default())
      let space = H5Screate(H5S_SCALAR)
      let dataset = H5Dcreate2(
        file, "one", chdf5_type_f32(), space, chdf5_default(), chdf5_default(), chdf5_default())
      let filler = String(repeating: "x", count: 2000)
      let names = (0..<25_000).map { "\($0)\(filler)" }
      for name in names { H5Lcreate_hard(file, "one", group, name, chdf5_default(), chdf5_default()) }
      H5Dclose(dataset)
      H5Sclose(space)
      H5Gclose(group)
      H5Fclose(file)
      H5Pclose(access)
      let contents = try HDF5File(reading: path).contents()
      #expect(contents.unreadable.isEmpty)
      let read = try #require(contents.groups.first { $0.name == "all" })
      #expect(Set(read.datasets.map(\.name)) == Set(names))
    }
  }

  @Test("over what the writer writes", arguments: [true, false])
  func written(inMemory: Bool) throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/file.h5"
      var document = HDF5Document()
      document.setAttribute("texts", .strings(["a", "grün", ""]))
      document.setAttribute("numbers", .floats([1.5, -2]), on: "a/w0")
      for index in 0..<80 {
        let isChunked = index % 5 == 4 && index % 7 > 1
        document.addDataset(
          "a/w\(index)", shape: [index % 7, 5], type: index % 2 == 0 ? .float32 : .int16,
          byteOrder: index % 3 == 0 ? .bigEndian : .littleEndian, chunkShape: isChunked ? [2, 3] : nil,
          deflate: isChunked ? 4 : nil, shuffle: isChunked, fletcher32: isChunked && index % 2 == 0
        ) { pattern(index % 7 * 5 * (index % 2 == 0 ? 4 : 2), seed: UInt64(index + 1)) }
      }
      document.addStrings("words", (0..<500).map { "word \($0)" })
      try document.write(to: path, imageLimit: inMemory ? .max : -1)
      #expect(try compare(path, "written") == 81)
    }
  }

  /// - Returns: how many datasets were compared.
  private func compare(_ path: String, _ name: String) throws -> Int {
    guard let oracle = Library.locked({ Oracle(path) }) else { return 0 }
    let file = try HDF5File(reading: path)
    guard let root = try? file.contents() else {
      #expect(hdf5Error { _ = try file.contents() }?.kind == .limitExceeded, "\(name)")
      return 0
    }
    let unreadable = Set(root.allUnreadable().compactMap(\.object))
    var seen = 0
    func visit(_ group: HDF5Group) throws {
      guard group.aliasOf == nil else { return }
      let expected = try #require(oracle.groups[group.path], "\(name) \(group.path)")
      same(group.attributes, expected, "\(name) \(group.path)")
      let members = (oracle.members[group.path] ?? []).filter { !unreadable.contains($0) }
      let (datasets, groups) = (Set(group.datasets.map(\.path)), Set(group.groups.map(\.path)))
      #expect(
        members.filter { datasets.contains($0) } == group.datasets.map(\.path).filter(members.contains), "\(name)")
      #expect(members.filter { groups.contains($0) } == group.groups.map(\.path).filter(members.contains), "\(name)")
      #expect(
        members.allSatisfy { path in
          datasets.contains(path) || groups.contains(path) || group.namedTypes.contains { path.hasSuffix("/" + $0) }
        }, "\(name) \(group.path)")
      for dataset in group.datasets where members.contains(dataset.path) {
        // What is left to libhdf5 alone is refused by name.
        guard let expected = oracle.datasets[dataset.path], !dataset.isForLibrary else { continue }
        seen += 1
        try same(dataset, expected, "\(name) \(dataset.path)")
      }
      for group in group.groups { try visit(group) }
    }
    try visit(root)
    return seen
  }

  private func same(_ dataset: HDF5Dataset, _ expected: Oracle.Dataset, _ what: Comment) throws {
    #expect(dataset.shape == expected.shape, what)
    same(dataset.attributes, expected.attributes, what)
    if let texts = expected.texts {
      #expect(try dataset.readStrings() == texts, what)
    } else if let bytes = expected.bytes, dataset.type.byteCount != nil {
      var own: [UInt8] = []
      try dataset.forEachRawPiece(swapping: false) { own.append(contentsOf: $0) }
      #expect(own == bytes, what)
      if dataset.type.hasByteOrder, dataset.type.byteCount ?? 0 > 1 {
        #expect((dataset.byteOrder == .bigEndian) == expected.isBigEndian, what)
      }
    }
  }

  private func same(_ attributes: [HDF5Attribute], _ expected: [Oracle.Attribute], _ what: Comment) {
    #expect(attributes.map(\.name) == expected.map(\.name), what)
    for (attribute, expected) in zip(attributes, expected) {
      #expect(attribute.shape == expected.shape, what)
      if let texts = expected.texts, let own = attribute.strings { #expect(own == texts, what) }
      guard let numbers = expected.numbers else { continue }
      switch attribute.value {
      case .integers(let own): #expect(own.map { Double($0) } == numbers, what)
      case .unsigned(let own): #expect(own.map { Double($0) } == numbers, what)
      case .floats(let own): #expect(own.map(\.bitPattern) == numbers.map(\.bitPattern), what)
      case .strings, .bools, .unsupported: continue
      }
    }
  }
}
