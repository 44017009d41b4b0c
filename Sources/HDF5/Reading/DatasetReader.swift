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
      try chunks(chunkShape, filters).read(rows: 0..<dataset.shape[0], into: buffer)
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

  private func chunks(_ shape: [Int], _ filters: [HDF5Filter]) throws(HDF5Error) -> ChunkReader {
    if let refusal = dataset.refusal { throw refusal }
    guard case .chunked(let place) = dataset.place else { throw call.error(.corrupt, "it has no chunks") }
    let table = try call.naming { () throws(Damage) in try dataset.chunkTable(place, open.metadata()) }
    return ChunkReader(
      dataset: dataset, table: table, numbers: table.places.keys.sorted(), open: open, chunkShape: shape,
      filters: filters,
      edgesAreUnfiltered: place.edgesAreUnfiltered, threads: threads)
  }

  /// The size of a piece of contiguous data: it stays in the processor's cache until it is used.
  static let pieceBytes = 512 << 10

  /// Reads in order, a piece at a time, into memory that is reused for the next piece.
  func forEachPiece(_ body: (UnsafeMutableRawBufferPointer) throws -> Void) throws {
    guard dataset.byteCount > 0 else { return }
    if case .chunked(let chunkShape, let filters) = dataset.storage {
      return try forEachPiece(of: chunks(chunkShape, filters), body)
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
      // The piece being decoded needs its memory until it is done.
      do {
        try body(piece)
      } catch {
        _ = current.0.value()
        throw error
      }
    }
  }

  /// - Parameters:
  ///   - offset: the dataset's offset in the file.
  ///   - start: the buffer's offset in the dataset.
  private func read(
    at offset: Int, from start: Int, into buffer: UnsafeMutableRawBufferPointer
  ) throws(HDF5Error) {
    let count = try open.read(at: offset + start, into: buffer, call)
    guard count == buffer.count else {
      throw call.error(
        .corrupt, "its data is truncated: the file has \(start + count) of its \(dataset.byteCount) bytes")
    }
  }

  private func readCompact(into buffer: UnsafeMutableRawBufferPointer) throws(HDF5Error) {
    guard case .compact(let data) = dataset.place, data.count == buffer.count else {
      throw call.error(.corrupt, "its header does not have its data")
    }
    buffer.copyBytes(from: data)
  }
}
