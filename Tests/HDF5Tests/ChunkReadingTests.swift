import CHDF5
import Foundation
import Testing

@testable import HDF5

@Suite("Chunks read by several threads, and data read in pieces")
struct ChunkReadingTests {
  struct Layout: Sendable, CustomTestStringConvertible {
    var shape: [Int]
    var chunk: [Int]
    var type: HDF5ScalarType = .float32
    var deflate: Int? = 4
    var shuffle = true
    var fletcher32 = false
    var testDescription: String { "\(shape) in \(chunk) of \(type) \(deflate ?? -1) \(shuffle) \(fletcher32)" }
    var count: Int { shape.reduce(type.byteCount ?? 0, *) }
  }

  static let layouts = [
    Layout(shape: [700, 500], chunk: [64, 100]),
    Layout(shape: [701, 503], chunk: [100, 503]),
    Layout(shape: [701, 503], chunk: [100, 64], type: .float64, fletcher32: true),
    Layout(shape: [701, 503], chunk: [1, 503], type: .uint16),
    Layout(shape: [1_000_003], chunk: [65536], type: .uint8),
    Layout(shape: [1_000_003], chunk: [65536], type: .uint16, deflate: nil, fletcher32: true),
    Layout(shape: [3, 300, 301], chunk: [1, 300, 301]),
    Layout(shape: [3, 300, 301], chunk: [1, 100, 301], shuffle: false),
    Layout(shape: [3, 300, 301], chunk: [2, 7, 301], deflate: nil),
    Layout(shape: [600, 400], chunk: [600, 400]),
  ]

  /// Half of it compresses well.
  private func data(_ layout: Layout) -> [UInt8] {
    pattern(layout.count / 2) + [UInt8](repeating: 3, count: layout.count - layout.count / 2)
  }

  private func written(_ layout: Layout, _ path: String) throws -> HDF5Dataset {
    let bytes = data(layout)
    var document = HDF5Document()
    document.addDataset(
      "w", shape: layout.shape, type: layout.type, chunkShape: layout.chunk, deflate: layout.deflate,
      shuffle: layout.shuffle, fletcher32: layout.fletcher32
    ) { bytes }
    try document.write(to: path)
    return try #require(HDF5File(reading: path).contents().dataset(at: "w"))
  }

  private func read(_ dataset: HDF5Dataset, threads: Int) throws -> [UInt8] {
    var bytes = [UInt8](repeating: 0xEE, count: dataset.byteCount)
    let open = try dataset.file.withOpenFile { open throws(HDF5Error) in open }
    try bytes.withUnsafeMutableBytes {
      try DatasetReader(dataset: dataset, open: open, threads: threads).read(into: $0)
    }
    return bytes
  }

  private func pieces(_ dataset: HDF5Dataset, threads: Int = 2) throws -> [[UInt8]] {
    var pieces: [[UInt8]] = []
    let open = try dataset.file.withOpenFile { open throws(HDF5Error) in open }
    try DatasetReader(dataset: dataset, open: open, threads: threads).forEachPiece { pieces.append(Array($0)) }
    return pieces
  }

  @Test("every number of threads gives the bytes that were written", arguments: layouts)
  func threads(layout: Layout) throws {
    try withTemporaryDirectory { directory in
      let dataset = try written(layout, directory + "/file.h5")
      for threads in [1, 2, 3, 16] { #expect(try read(dataset, threads: threads) == data(layout), "\(threads)") }
      #expect(try pieces(dataset).flatMap { $0 } == data(layout))
    }
  }

  @Test func manyChunksComeInSeveralPieces() throws {
    try withTemporaryDirectory { directory in
      let layout = Layout(shape: [5000, 1001], chunk: [300, 500], shuffle: false)
      let dataset = try written(layout, directory + "/file.h5")
      let pieces = try pieces(dataset, threads: 3)
      #expect(pieces.count == 4)
      #expect(pieces.allSatisfy { $0.count % (1001 * 4) == 0 })
      #expect(pieces.flatMap { $0 } == data(layout))
    }
  }

  @Test(
    "fixtures read the same in pieces",
    arguments: ["chunked.h5", "latest-chunked.h5", "plain.h5", "compact.h5", "user-block.h5", "bfloat16-big.h5"])
  func fixturesInPieces(name: String) throws {
    for dataset in try HDF5File(reading: fixture(name)).contents().allDatasets() {
      guard !dataset.type.isString, dataset.type.byteCount != nil else { continue }
      var bytes: [UInt8] = []
      try dataset.forEachPiece { bytes.append(contentsOf: $0) }
      #expect(try bytes == dataset.readBytes(), "\(dataset.path)")
    }
  }

  /// A dataset of which libhdf5 writes only some chunks, with another fill value than 0.
  private func writeSparse(_ path: String, shape: [Int], chunk: [Int], writing rows: Range<Int>) throws -> [UInt8] {
    let file = H5Fcreate(path, chdf5_open_truncate(), chdf5_default(), chdf5_default())
    let space = H5Screate_simple(2, shape.map { hsize_t($0) }, nil)
    let properties = H5Pcreate(chdf5_class_dataset_create())
    var fill: UInt32 = 0xA1B2_C3D4
    H5Pset_chunk(properties, 2, chunk.map { hsize_t($0) })
    H5Pset_shuffle(properties)
    H5Pset_deflate(properties, 4)
    H5Pset_fill_value(properties, chdf5_type_u32(), &fill)
    let dataset = H5Dcreate2(file, "w", chdf5_type_u32(), space, chdf5_default(), properties, chdf5_default())
    let values = (0..<rows.count * shape[1]).map { UInt32($0) &* 2_654_435_761 }
    let memory = H5Screate_simple(2, [hsize_t(rows.count), hsize_t(shape[1])], nil)
    H5Sselect_hyperslab(
      space, H5S_SELECT_SET, [hsize_t(rows.lowerBound), 0], nil, [hsize_t(rows.count), hsize_t(shape[1])], nil)
    #expect(H5Dwrite(dataset, chdf5_type_u32(), memory, space, chdf5_default(), values) >= 0)
    H5Sclose(memory)
    H5Dclose(dataset)
    H5Pclose(properties)
    H5Sclose(space)
    H5Fclose(file)
    var expected = [UInt32](repeating: fill, count: shape[0] * shape[1])
    expected.replaceSubrange(rows.lowerBound * shape[1]..<rows.upperBound * shape[1], with: values)
    return expected.flatMap { value in withUnsafeBytes(of: value.littleEndian) { Array($0) } }
  }

  @Test func chunksThatWereNeverWrittenHaveTheFillValue() throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/sparse.h5"
      let expected = try Library.locked {
        try writeSparse(path, shape: [901, 303], chunk: [100, 101], writing: 250..<520)
      }
      let dataset = try #require(HDF5File(reading: path).contents().dataset(at: "w"))
      for threads in [1, 2, 5] { #expect(try read(dataset, threads: threads) == expected) }
      #expect(try pieces(dataset).flatMap { $0 } == expected)
    }
  }

  @Test("of several damaged chunks the first is named, with the dataset, whoever decodes it")
  func damagedChunks() throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/file.h5"
      let layout = Layout(shape: [2000, 200], chunk: [20, 200], fletcher32: true)
      _ = try written(layout, path)
      var bytes = try contentsOfFile(path)
      // zlib's header begins every chunk; the fifth's and what follows the ninetieth's are overwritten.
      let starts = bytes.ranges(of: [0x78, 0x5E]).map(\.lowerBound)
      try #require(starts.count >= 100)
      for place in [starts[4], starts[89], starts[90]] {
        for index in place + 20..<place + 40 { bytes[index] ^= 0x5A }
      }
      try write(bytes, to: path)
      let dataset = try #require(HDF5File(reading: path).contents().dataset(at: "w"))
      let first = try #require(hdf5Error { _ = try read(dataset, threads: 1) })
      #expect(first.kind == .corrupt)
      #expect(first.object == "/w")
      #expect(first.detail.contains("the chunk at ["), "\(first)")
      for _ in 0..<20 {
        let error = hdf5Error { _ = try read(dataset, threads: 4) }
        #expect(error?.detail == first.detail)
        #expect(error?.object == "/w")
      }
      #expect(hdf5Error { try dataset.forEachPiece { _ in } }?.detail == first.detail)
    }
  }

  @Test("a file that is cut short while it is read", arguments: [true, false])
  func truncated(chunked: Bool) throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/file.h5"
      var document = HDF5Document()
      let given = pattern(3 << 20)
      document.addDataset(
        "w", shape: [3 << 20], type: .uint8, chunkShape: chunked ? [1 << 16] : nil, deflate: chunked ? 1 : nil
      ) { given }
      try document.write(to: path)
      let dataset = try #require(HDF5File(reading: path).contents().dataset(at: "w"))
      var count = 0
      var reads: [() throws -> Void] = [
        {
          try dataset.forEachPiece { piece in
            // Beyond what the first piece of a contiguous dataset holds.
            if count == 0 { #expect(truncate(path, 1 << 20) == 0) }
            count += piece.count
          }
        },
        { _ = try dataset.readBytes() },
      ]
      // The chunks of a small dataset are one piece, all of which was read before the cut.
      if chunked {
        reads.removeFirst()
        #expect(truncate(path, 1 << 20) == 0)
      }
      for read in reads {
        let error = hdf5Error { try read() }
        #expect(error?.kind == .corrupt)
        #expect(error?.object == "/w")
        if !chunked { #expect(error?.detail.hasPrefix("its data is truncated: ") == true) }
        if !chunked { #expect(error?.detail.hasSuffix(" of its 3145728 bytes") == true) }
      }
    }
  }

  @Test("shuffle is undone for every width, what is left over included", arguments: 1...17)
  func unshuffle(width: Int) {
    for size in [0, 1, width, 5 * width + 3, 64 * width, 67 * width + width - 1] {
      let bytes = pattern(size)
      var expected = bytes
      let count = size / width
      for byte in 0..<width {
        for element in 0..<count { expected[element * width + byte] = bytes[byte * count + element] }
      }
      var result = [UInt8](repeating: 0, count: size)
      bytes.withUnsafeBytes { bytes in
        result.withUnsafeMutableBytes { Shuffle.undo(bytes, width: width, into: $0) }
      }
      #expect(result == expected, "\(size) bytes")
    }
  }
}
