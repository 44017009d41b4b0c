/// The positions of a dataset's chunks, or of those of some of its rows: arithmetic only.
struct ChunkGrid: Sendable {
  private let shape: [Int]
  private let chunkShape: [Int]
  private let rows: Range<Int>
  private let counts: [Int]
  /// Bytes of an element.
  let width: Int

  /// - Parameter rows: a range of the first dimension that begins at the start of a chunk.
  init(shape: [Int], chunkShape: [Int], rows: Range<Int>, width: Int) {
    self.shape = shape
    self.chunkShape = chunkShape
    self.rows = rows
    self.width = width
    counts = shape.indices.map { axis in
      let extent = axis == 0 ? rows.count : shape[axis]
      return extent / chunkShape[axis] + (extent % chunkShape[axis] == 0 ? 0 : 1)
    }
  }

  /// The number of chunks.
  var count: Int { counts.reduce(1, *) }
  /// The number of chunks side by side at one place of the first dimension.
  var countPerRow: Int { counts.dropFirst().reduce(1, *) }

  /// The index of a chunk's first element in the dataset; chunks are numbered in C order.
  func origin(_ index: Int) -> [Int] {
    var rest = index
    var origin = [Int](repeating: 0, count: counts.count)
    for axis in counts.indices.reversed() {
      origin[axis] = rest % counts[axis] * chunkShape[axis]
      rest /= counts[axis]
    }
    origin[0] += rows.lowerBound
    return origin
  }

  /// Whether a chunk extends beyond the shape.
  func isEdge(_ origin: [Int]) -> Bool {
    origin.indices.contains { origin[$0] + chunkShape[$0] > shape[$0] }
  }

  /// The range of a chunk's bytes among those of the rows, if it is contiguous there.
  func piece(_ origin: [Int]) -> Range<Int>? {
    let first = chunkShape.firstIndex { $0 != 1 } ?? chunkShape.count - 1
    guard !isEdge(origin), (first + 1..<shape.count).allSatisfy({ chunkShape[$0] == shape[$0] }) else { return nil }
    var start = 0
    for axis in shape.indices { start = start * shape[axis] + origin[axis] - (axis == 0 ? rows.lowerBound : 0) }
    return start * width..<(start + chunkShape.reduce(1, *)) * width
  }

  /// Calls `body` for each contiguous run of a chunk's elements within the shape: the offset in the chunk, the offset
  /// among the rows, and the length, in bytes.
  func forEachRow(at origin: [Int], _ body: (_ from: Int, _ to: Int, _ count: Int) -> Void) {
    let last = shape.count - 1
    let extents = shape.indices.map { min(chunkShape[$0], shape[$0] - origin[$0]) }
    var index = [Int](repeating: 0, count: shape.count)
    while true {
      var from = 0
      var to = 0
      for axis in shape.indices {
        from = from * chunkShape[axis] + index[axis]
        to = to * shape[axis] + origin[axis] + index[axis] - (axis == 0 ? rows.lowerBound : 0)
      }
      body(from * width, to * width, extents[last] * width)
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
