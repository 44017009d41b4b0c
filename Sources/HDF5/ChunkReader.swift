import CHDF5

/// Reads a chunked dataset: libhdf5 finds and delivers each stored chunk, the rest is done here.
struct ChunkReader {
  let dataset: HDF5Dataset
  let id: hid_t
  let open: OpenFile
  let chunkShape: [Int]
  let filters: [HDF5Filter]

  private var call: Call { dataset.call }

  /// - Parameter buffer: the whole dataset.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws(HDF5Error) {
    let width = dataset.byteCount / dataset.elementCount
    guard let chunkBytes = checkedProduct(chunkShape + [width]) else {
      throw call.error(.limitExceeded, "its chunks of shape \(chunkShape) are beyond any file")
    }
    let pipeline = FilterPipeline(filters: filters, width: width, chunkBytes: chunkBytes, call: call)
    var origin = [Int](repeating: 0, count: chunkShape.count)
    repeat {
      guard let stored = try readStored(at: origin) else {
        fill(from: origin, width, into: buffer)
        continue
      }
      let isEdge = zip(origin, zip(chunkShape, dataset.shape)).contains { $0 + $1.0 > $1.1 }
      let isRaw = isEdge && dataset.edgeChunksAreUnfiltered
      let bytes = try pipeline.decode(stored.bytes, mask: isRaw ? .max : stored.mask, at: origin)
      bytes.withUnsafeBytes { scatter($0, from: origin, width, into: buffer) }
    } while advance(&origin)
  }

  /// One stored chunk and the mask of filters that were skipped for it (`H5Dget_chunk_storage_size`,
  /// `H5Dread_chunk`); nil when it was never written.
  private func readStored(at origin: [Int]) throws(HDF5Error) -> (bytes: [UInt8], mask: UInt32)? {
    let offset = origin.map { hsize_t($0) }
    return try Library.locked { () throws(HDF5Error) -> (bytes: [UInt8], mask: UInt32)? in
      var size: hsize_t = 0
      if H5Dget_chunk_storage_size(id, offset, &size) < 0 {
        // Some releases answer so for a chunk that was never written, others with a size of 0.
        let stack = Library.takeErrorStack()
        if stack.first?.contains("chunk storage is not allocated") == true { return nil }
        throw call.error(.corrupt, "the chunk at \(origin) cannot be found", stack: stack)
      }
      guard size > 0 else { return nil }
      guard size <= UInt64(open.byteCount) else {
        throw call.error(
          .corrupt, "the chunk at \(origin) claims \(size) bytes, but the file has \(open.byteCount)")
      }
      var mask: UInt32 = 0
      var bytes = [UInt8](repeating: 0, count: Int(size))
      try call.check(
        chdf5_read_chunk(id, offset, &mask, &bytes, bytes.count), "the chunk at \(origin) cannot be read")
      return (bytes, mask)
    }
  }

  /// The next chunk in C order; false after the last.
  private func advance(_ origin: inout [Int]) -> Bool {
    for axis in origin.indices.reversed() {
      origin[axis] += chunkShape[axis]
      if origin[axis] < dataset.shape[axis] { return true }
      origin[axis] = 0
    }
    return false
  }

  /// Copies the part of a chunk that is within the shape.
  private func scatter(
    _ chunk: UnsafeRawBufferPointer, from origin: [Int], _ width: Int, into buffer: UnsafeMutableRawBufferPointer
  ) {
    guard let source = chunk.baseAddress, let target = buffer.baseAddress else { return }
    forEachRow(at: origin) { from, to, count in
      (target + to * width).copyMemory(from: source + from * width, byteCount: count * width)
    }
  }

  /// Fills the part of an absent chunk that is within the shape.
  private func fill(from origin: [Int], _ width: Int, into buffer: UnsafeMutableRawBufferPointer) {
    forEachRow(at: origin) { _, to, count in
      let row = UnsafeMutableRawBufferPointer(rebasing: buffer[to * width..<(to + count) * width])
      DatasetReader.fill(row, with: dataset.fill)
    }
  }

  /// Calls `body` for each row of a chunk within the shape: its first element in the chunk, its first element
  /// in the dataset, and its length in elements.
  private func forEachRow(at origin: [Int], _ body: (_ from: Int, _ to: Int, _ count: Int) -> Void) {
    let shape = dataset.shape
    let last = shape.count - 1
    let extents = shape.indices.map { min(chunkShape[$0], shape[$0] - origin[$0]) }
    var index = [Int](repeating: 0, count: shape.count)
    while true {
      var from = 0
      var to = 0
      for axis in shape.indices {
        from = from * chunkShape[axis] + index[axis]
        to = to * shape[axis] + origin[axis] + index[axis]
      }
      body(from, to, extents[last])
      var axis = last - 1
      while axis >= 0 {
        index[axis] += 1
        if index[axis] < extents[axis] { break }
        index[axis] = 0
        axis -= 1
      }
      if axis < 0 { return }
    }
  }
}
