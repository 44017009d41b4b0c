import CHDF5
import FileIO

/// Reads a dataset's bytes, in the file's byte order.
struct DatasetReader {
  let dataset: HDF5Dataset
  let open: OpenFile
  /// The most threads to decode chunks.
  var threads = processorCount

  private var call: Call { dataset.call }

  /// - Parameter buffer: memory of exactly `dataset.byteCount` bytes.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws(HDF5Error) {
    guard !buffer.isEmpty else { return }
    switch dataset.storage {
    case .contiguous(offset: nil): buffer.fill(with: dataset.fill)
    case .contiguous(let offset?): try read(at: offset, from: 0, into: buffer)
    case .compact: try readCompact(into: buffer)
    case .chunked(let chunkShape, let filters):
      let handle = try openDataset()
      try chunks(handle.id, chunkShape, filters).read(rows: 0..<dataset.shape[0], into: buffer)
    }
  }

  func readAll() throws(HDF5Error) -> [UInt8] {
    // The standard library writes the count of an empty array, too, into storage that all threads share.
    guard dataset.byteCount > 0 else { return [] }
    var failure: HDF5Error?
    let bytes = [UInt8](unsafeUninitializedCapacity: dataset.byteCount) { buffer, count in
      do throws(HDF5Error) {
        try read(into: UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: dataset.byteCount))
        count = dataset.byteCount
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return bytes
  }

  private func chunks(_ id: hid_t, _ shape: [Int], _ filters: [HDF5Filter]) -> ChunkReader {
    ChunkReader(dataset: dataset, id: id, open: open, chunkShape: shape, filters: filters, threads: threads)
  }

  /// The size of a piece of contiguous data: it stays in the processor's cache until it is used.
  static let pieceBytes = 512 << 10

  /// Reads in order, a piece at a time, into memory that is reused for the next piece.
  func forEachPiece(_ body: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
    guard dataset.byteCount > 0 else { return }
    if case .chunked(let chunkShape, let filters) = dataset.storage {
      let handle = try openDataset()
      return try forEachPiece(of: chunks(handle.id, chunkShape, filters), body)
    }
    let width = dataset.byteCount / dataset.elementCount
    let step = dataset.storage == .compact ? dataset.byteCount : max(1, Self.pieceBytes / width) * width
    let memory = Scratch()
    for start in stride(from: 0, to: dataset.byteCount, by: step) {
      let piece = memory.room(min(step, dataset.byteCount - start))
      switch dataset.storage {
      case .contiguous(let offset?): try read(at: offset, from: start, into: piece)
      case .contiguous: piece.fill(with: dataset.fill)
      default: try readCompact(into: piece)
      }
      try body(piece)
    }
  }

  /// Memory used by one thread at a time.
  private struct Loan: @unchecked Sendable {
    let buffer: UnsafeMutableRawBufferPointer
  }

  /// Decodes the next piece while `body` uses the current one.
  private func forEachPiece(
    of reader: ChunkReader, _ body: (UnsafeMutableRawBufferPointer) throws -> Void
  ) throws {
    let (extent, step) = (dataset.shape[0], reader.rowsOfPiece())
    let rowBytes = dataset.byteCount / extent
    let memory = (Scratch(), Scratch())
    func start(_ first: Int, in memory: Scratch) -> (BackgroundTask<HDF5Error?>, Loan) {
      let rows = first..<min(first + step, extent)
      let loan = Loan(buffer: memory.room(rows.count * rowBytes))
      let task = BackgroundTask<HDF5Error?> {
        do throws(HDF5Error) {
          try reader.read(rows: rows, into: loan.buffer)
          return nil
        } catch {
          return error
        }
      }
      return (task, loan)
    }
    var current = start(0, in: memory.0)
    var isFirst = true
    for first in stride(from: 0, to: extent, by: step) {
      if let error = current.0.value() { throw error }
      let piece = current.1.buffer
      if first + step < extent { current = start(first + step, in: isFirst ? memory.1 : memory.0) }
      isFirst.toggle()
      // The piece being decoded needs its memory and the open dataset until it is done.
      do {
        try body(piece)
      } catch {
        _ = current.0.value()
        throw error
      }
    }
  }

  /// `H5Oopen` by a path of hard links only, as the walk has checked.
  func openDataset() throws(HDF5Error) -> Handle<ObjectKind> {
    try Library.locked { () throws(HDF5Error) in
      try call.handle(ObjectKind.self, H5Oopen(open.id, dataset.path, chdf5_default()), "it cannot be opened")
    }
  }

  /// - Parameters:
  ///   - offset: the dataset's offset in the file.
  ///   - start: the buffer's offset in the dataset.
  private func read(
    at offset: Int, from start: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(HDF5Error) {
    let count: Int
    do {
      count = try System.read(open.descriptor, into: buffer, at: offset + start)
    } catch {
      throw call.error(.io, "its data cannot be read: \(error.text)")
    }
    guard count == buffer.count else {
      throw call.error(
        .corrupt, "its data is truncated: the file has \(start + count) of its \(dataset.byteCount) bytes")
    }
  }

  /// `H5Dread` in the file's own datatype, without conversion.
  private func readCompact(into buffer: UnsafeMutableRawBufferPointer) throws(HDF5Error) {
    let handle = try openDataset()
    try Library.locked { () throws(HDF5Error) in
      let type = try call.handle(DatatypeKind.self, H5Dget_type(handle.id), "its datatype cannot be read")
      let space = try call.handle(DataspaceKind.self, H5Dget_space(handle.id), "its shape cannot be read")
      let elements = H5Sget_simple_extent_npoints(space.id)
      guard let count = Int(exactly: elements), checkedProduct([count, H5Tget_size(type.id)]) == buffer.count
      else {
        throw call.error(.corrupt, "it has changed since it was listed")
      }
      try call.check(
        H5Dread(handle.id, type.id, chdf5_all(), chdf5_all(), chdf5_default(), buffer.baseAddress),
        "its data cannot be read")
    }
  }
}
