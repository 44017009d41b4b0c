import FileIO

/// Reads a chunked dataset: the calling thread reads the stored chunks, which are decoded on all processors.
///
/// The result does not depend on which thread decodes a chunk, and of several damaged chunks the first is reported.
struct ChunkReader {
  let dataset: HDF5Dataset
  let table: ChunkTable
  /// Of the chunks that were written, rising.
  let numbers: [Int]
  let open: OpenFile
  let chunkShape: [Int]
  let filters: [HDF5Filter]
  let edgesAreUnfiltered: Bool
  let threads: Int

  private var call: Call { dataset.call }

  /// The most memory for chunks being decoded at the same time.
  private static let memory = 256 << 20
  /// Fewer bytes than this are decoded faster than a thread starts.
  private static let least = 512 << 10

  /// Rows to read at a time when a dataset is read in pieces: whole chunks, enough for all threads, few enough to stay
  /// in the processor's cache until they are used.
  func rowsOfPiece() -> Int {
    let extent = dataset.shape.first ?? 1
    let (rowBytes, chunkRows) = (max(1, dataset.byteCount / max(1, extent)), chunkShape.first ?? 1)
    let chunkBytes = checkedProduct(chunkShape + [max(1, dataset.byteCount / max(1, dataset.elementCount))]) ?? .max
    let wanted = min(max(4 << 20, chunkBytes < 16 << 20 ? 4 * threads * chunkBytes : 0), Self.memory)
    return min(max(1, wanted / rowBytes / chunkRows) * chunkRows, extent)
  }

  /// - Parameters:
  ///   - rows: the range of the first dimension to read, which begins at the start of a chunk.
  ///   - buffer: memory for exactly these rows.
  func read(rows: Range<Int>, into buffer: UnsafeMutableRawBufferPointer) throws(HDF5Error) {
    let width = dataset.byteCount / dataset.elementCount
    guard let chunkBytes = checkedProduct(chunkShape + [width]), chunkBytes < .max / 4 else {
      throw call.error(.limitExceeded, "its chunks of shape \(chunkShape) are too large for any file")
    }
    let grid = ChunkGrid(shape: dataset.shape, chunkShape: chunkShape, rows: rows, width: width)
    let pipeline = FilterPipeline(
      filters: filters, width: shuffleWidth ?? width, chunkBytes: chunkBytes, call: call)
    let job = Job(grid, pipeline, edgesAreUnfiltered: edgesAreUnfiltered, target: buffer)
    // A chunk being decoded needs up to its size as stored, and twice its size for the filters.
    let affordable = Self.memory / max(1, 3 * chunkBytes)
    let workers = filters.isEmpty || buffer.count < Self.least ? 1 : min(threads, grid.count, affordable)
    // What was never written costs no work of its own: a small file may claim any number of such chunks.
    let stored = written(grid, from: rows.lowerBound)
    if stored.count < grid.count { buffer.fill(with: dataset.fill) }
    if workers > 1 { try readInParallel(job, stored, workers) } else { try readInTurn(job, stored) }
  }

  /// A chunk that was written.
  private struct Written {
    /// Its number among those of the rows.
    let index: Int
    let place: ChunkTable.Place
  }

  private func written(_ grid: ChunkGrid, from row: Int) -> [Written] {
    let base = row / chunkShape[0] * grid.countPerRow
    let (first, end) = (numbers.lowerBound(of: base), numbers.lowerBound(of: base + grid.count))
    return numbers[first..<end].compactMap { number in
      table.places[number].map { Written(index: number - base, place: $0) }
    }
  }

  /// The width of elements for which the file was shuffled.
  private var shuffleWidth: Int? {
    let given = dataset.filterMessages.first { HDF5Filter($0) == .shuffle }?.parameters.first
    return given.flatMap { $0 > 0 ? Int($0) : nil }
  }

  private func readInTurn(_ job: Job, _ chunks: some Sequence<Written>) throws(HDF5Error) {
    let workspace = FilterPipeline.Workspace()
    let memory = Scratch()
    for chunk in chunks {
      let stored = try readStored(chunk, job.grid, into: memory)
      try job.decode(chunk.index, stored, chunk.place.mask, workspace)
    }
  }

  // MARK: Threads

  /// A stored chunk for a thread to decode. Its memory belongs to the thread that took it from the monitor.
  private struct Parcel: @unchecked Sendable {
    let memory = Scratch()
    var index = 0
    var bytes = UnsafeRawBufferPointer(start: nil, count: 0)
    var mask: UInt32 = 0
  }

  private struct Traffic {
    var empty: [Parcel]
    var full: [Parcel] = []
    var isComplete = false
    var failure: (index: Int, error: HDF5Error)?

    /// Chunks are handed out in order, so those before a damaged one are always decoded.
    mutating func fail(_ index: Int, _ error: HDF5Error) {
      if failure.map({ index < $0.index }) ?? true { failure = (index, error) }
    }
  }

  private func readInParallel(_ job: Job, _ chunks: [Written], _ count: Int) throws(HDF5Error) {
    // Two more than threads, so that the next chunk is always ready.
    let monitor = Monitor(Traffic(empty: (0..<count + 2).map { _ in Parcel() }))
    let workers = (0..<count).compactMap { _ in WorkerThread { Self.work(job, monitor) } }
    if workers.isEmpty { return try readInTurn(job, chunks) }
    for chunk in chunks {
      let empty: Parcel? = monitor.wait { traffic in
        if traffic.failure != nil { return .some(nil) }
        return traffic.empty.popLast().map { .some($0) }
      }
      guard var parcel = empty else { break }
      do throws(HDF5Error) {
        guard chunk.place.byteCount <= 2 * job.chunkBytes + 4096 else {
          // So large as stored that it is decoded alone.
          try readInTurn(job, CollectionOfOne(chunk))
          monitor.update { [parcel] in $0.empty.append(parcel) }
          continue
        }
        let stored = try readStored(chunk, job.grid, into: parcel.memory)
        (parcel.index, parcel.bytes, parcel.mask) = (chunk.index, stored, chunk.place.mask)
        monitor.update { [parcel] in $0.full.append(parcel) }
      } catch {
        monitor.update { $0.fail(chunk.index, error) }
      }
    }
    monitor.update { $0.isComplete = true }
    for worker in workers { worker.join() }
    if let failure = monitor.update({ $0.failure }) { throw failure.error }
  }

  private static func work(_ job: Job, _ monitor: Monitor<Traffic>) {
    let workspace = FilterPipeline.Workspace()
    while true {
      let next: Parcel? = monitor.wait { traffic in
        if !traffic.full.isEmpty { return .some(traffic.full.removeFirst()) }
        return traffic.isComplete ? .some(nil) : nil
      }
      guard let parcel = next else { return }
      do throws(HDF5Error) {
        try job.decode(parcel.index, parcel.bytes, parcel.mask, workspace)
      } catch {
        monitor.update { $0.fail(parcel.index, error) }
      }
      monitor.update { $0.empty.append(parcel) }
    }
  }

  /// The work for each chunk. Chunks do not overlap in the target. An object, as copies of it would cost more than small chunks.
  private final class Job: @unchecked Sendable {
    let grid: ChunkGrid
    private let pipeline: FilterPipeline
    private let edgesAreUnfiltered: Bool
    private let target: UnsafeMutableRawBufferPointer

    init(
      _ grid: ChunkGrid, _ pipeline: FilterPipeline, edgesAreUnfiltered: Bool, target: UnsafeMutableRawBufferPointer
    ) {
      self.grid = grid
      self.pipeline = pipeline
      self.edgesAreUnfiltered = edgesAreUnfiltered
      self.target = target
    }

    var chunkBytes: Int { pipeline.chunkBytes }

    func decode(
      _ index: Int, _ stored: UnsafeRawBufferPointer, _ mask: UInt32, _ workspace: FilterPipeline.Workspace
    ) throws(HDF5Error) {
      let origin = grid.origin(index)
      let isRaw = edgesAreUnfiltered && grid.isEdge(origin)
      let place = grid.piece(origin).map { UnsafeMutableRawBufferPointer(rebasing: target[$0]) }
      let bytes = try pipeline.decode(stored, mask: isRaw ? .max : mask, at: origin, workspace, target: place)
      guard let from = bytes.baseAddress, let to = target.baseAddress else { return }
      if let place {
        if place.baseAddress.map(UnsafeRawPointer.init) != from { place.copyMemory(from: bytes) }
      } else {
        grid.forEachRow(at: origin) { (to + $1).copyMemory(from: from + $0, byteCount: $2) }
      }
    }
  }

  private func readStored(
    _ chunk: Written, _ grid: ChunkGrid, into memory: Scratch
  ) throws(HDF5Error) -> UnsafeRawBufferPointer {
    let bytes = memory.room(chunk.place.byteCount)
    guard try open.read(at: chunk.place.offset, into: bytes, call) == chunk.place.byteCount else {
      throw call.error(.corrupt, "the chunk at \(grid.origin(chunk.index)) is truncated")
    }
    return UnsafeRawBufferPointer(bytes)
  }
}

extension [Int] {
  /// The first place in a rising list whose number is not below another.
  fileprivate func lowerBound(of number: Int) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle] < number { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
