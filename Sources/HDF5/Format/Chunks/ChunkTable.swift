/// Where the chunks of a dataset are that were written, by their number in C order.
struct ChunkTable: Sendable {
  struct Place: Sendable {
    /// From the file's first byte.
    let offset: Int
    let byteCount: Int
    /// Bit i is set if filter i was skipped.
    let mask: UInt32
  }

  private(set) var places: [Int: Place] = [:]
  /// Bytes of all chunks as stored.
  private(set) var byteCount = 0

  init() {}

  fileprivate mutating func insert(_ index: Int, _ place: Place, in file: FileBytes) throws(Damage) {
    guard places.updateValue(place, forKey: index) == nil else {
      throw Damage("chunk \(index) of it is in two places")
    }
    byteCount += place.byteCount
    // Which also bounds the time that reading takes.
    guard byteCount <= file.byteCount else { throw Damage("its chunks overlap") }
  }
}

/// Collects a dataset's chunks from an index of whatever kind.
struct ChunkCollector {
  let file: FileBytes
  let place: ChunkedPlace
  /// Bytes of a chunk without filters.
  let chunkBytes: Int
  let isFiltered: Bool
  /// By axis: chunks of the shape, and of what it may grow to (nil: without end).
  let counts: [Int]
  let greatestCounts: [Int?]
  private(set) var table = ChunkTable()

  init(
    _ file: FileBytes, _ place: ChunkedPlace, shape: [Int], greatest: [Int?], isFiltered: Bool
  ) throws(Damage) {
    self.file = file
    self.place = place
    self.isFiltered = isFiltered
    func chunks(_ extent: Int, _ axis: Int) -> Int {
      extent / place.chunkShape[axis] + (extent % place.chunkShape[axis] == 0 ? 0 : 1)
    }
    counts = shape.indices.map { chunks(shape[$0], $0) }
    greatestCounts = greatest.indices.map { axis in greatest[axis].map { chunks($0, axis) } }
    guard let bytes = checkedProduct(place.chunkShape + [place.width]), checkedProduct(counts) != nil else {
      throw Damage(.limitExceeded, "its chunks of shape \(place.chunkShape) are too large for any file")
    }
    chunkBytes = bytes
  }

  static func table(
    _ file: FileBytes, _ place: ChunkedPlace, shape: [Int], greatest: [Int?], isFiltered: Bool
  ) throws(Damage) -> ChunkTable {
    var collector = try ChunkCollector(file, place, shape: shape, greatest: greatest, isFiltered: isFiltered)
    guard let address = place.address, !shape.contains(0) else { return collector.table }
    switch place.index {
    case .tree: try collector.readTree(address)
    case .single(let byteCount, let mask):
      let count = isFiltered ? byteCount : collector.chunkBytes
      try collector.add([Int](repeating: 0, count: shape.count), address, count, mask)
    case .implicit: try collector.readImplicit(address)
    case .fixedArray: try collector.readFixedArray(address)
    case .extensibleArray: try collector.readExtensibleArray(address)
    case .newTree: try collector.readNewTree(address)
    }
    return collector.table
  }

  /// - Parameter scaled: the chunk's place in the grid of chunks.
  mutating func add(_ scaled: [Int], _ address: UInt64, _ byteCount: Int, _ mask: UInt32) throws(Damage) {
    // An index may still hold what a dataset had before it was made smaller.
    guard zip(scaled, counts).allSatisfy({ $0 < $1 }) else { return }
    guard byteCount > 0 else { throw Damage("the chunk at \(origin(scaled)) has no bytes") }
    let offset = try file.offset(of: address, count: byteCount, "the chunk at \(origin(scaled))")
    var index = 0
    for axis in counts.indices { index = index * counts[axis] + scaled[axis] }
    try table.insert(index, .init(offset: offset, byteCount: byteCount, mask: mask), in: file)
  }

  private func origin(_ scaled: [Int]) -> [Int] { zip(scaled, place.chunkShape).map { $0 &* $1 } }

  /// Adds an element of an array of chunks.
  /// - Parameter counts: chunks by axis in the array's order.
  mutating func add(_ element: inout Cursor, at scaled: [Int]) throws(Damage) {
    guard let address = try element.address() else { return }
    guard isFiltered else { return try add(scaled, address, chunkBytes, 0) }
    let byteCount = try element.count(element.left - 4)
    try add(scaled, address, byteCount, UInt32(try element.small(4)))
  }

  /// Bytes of an array's element: an address and, of filtered chunks, a size and a mask.
  func checkElement(_ byteCount: Int, isFiltered: Bool) throws(Damage) {
    let size = byteCount - file.widths.offset - (isFiltered ? 4 : 0)
    guard isFiltered == self.isFiltered, isFiltered ? (1...8).contains(size) : size == 0 else {
      throw Damage("the index of its chunks does not suit its filters")
    }
  }

  /// The place in the grid of the chunk of a number, in an array that has room for what the dataset may grow to.
  /// - Parameter axis: the one without end, which the array counts first.
  func scaled(_ number: Int, endless axis: Int? = nil) -> [Int]? {
    var rest = number
    var result = [Int](repeating: 0, count: counts.count)
    for other in counts.indices.reversed() where other != axis {
      guard let count = greatestCounts[other], count > 0 else { return nil }
      result[other] = rest % count
      rest /= count
    }
    if let axis { result[axis] = rest } else if rest > 0 { return nil }
    return result
  }

  // MARK: The simplest, and B-trees

  private mutating func readImplicit(_ address: UInt64) throws(Damage) {
    // Proves that all are within the file before any is looked at.
    guard let all = checkedProduct(counts + [chunkBytes]) else { throw Damage("its chunks are too large for any file") }
    _ = try file.offset(of: address, count: all, "its chunks")
    for number in 0..<counts.reduce(1, *) {
      var rest = number
      var place = [Int](repeating: 0, count: counts.count)
      for axis in counts.indices.reversed() {
        place[axis] = rest % counts[axis]
        rest /= counts[axis]
      }
      var position = 0
      for axis in counts.indices {
        guard let most = greatestCounts[axis] else { throw Damage("the index of its chunks does not suit its shape") }
        let (product, overflow) = position.multipliedReportingOverflow(by: most)
        guard !overflow, product <= .max - place[axis] else { throw Damage("its chunks are too large for any file") }
        position = product + place[axis]
      }
      guard let start = checkedProduct([position, chunkBytes]),
        let sum = UInt64(exactly: start).map({ address.addingReportingOverflow($0) }), !sum.overflow
      else { throw Damage("its chunks are too large for any file") }
      try add(place, sum.partialValue, chunkBytes, 0)
    }
  }

  private mutating func readTree(_ address: UInt64) throws(Damage) {
    let what = "the index of its chunks (B-tree 1)"
    let widths = file.widths
    let rank = counts.count
    var seen = Set<UInt64>()
    var waiting: [(address: UInt64, level: Int?)] = [(address, nil)]
    while let node = waiting.popLast() {
      guard seen.insert(node.address).inserted else { throw Damage("\(what) leads to itself") }
      let headBytes = 8 + 2 * widths.offset
      var head = try file.cursor(at: node.address, count: headBytes, what)
      try head.expect("TREE")
      let kind = try head.byte()
      let level = try head.small(1)
      guard kind == 1, node.level.map({ $0 == level }) ?? true else {
        throw head.damage("has a node of another kind or level than expected")
      }
      let count = try head.small(2)
      let keyBytes = 8 + 8 * (rank + 1)
      let (start, overflow) = node.address.addingReportingOverflow(UInt64(headBytes))
      guard !overflow else { throw head.damage("lies beyond any file") }
      var entries = try file.cursor(at: start, count: count * (keyBytes + widths.offset) + keyBytes, what)
      for _ in 0..<count {
        let byteCount = try entries.small(4)
        let mask = UInt32(try entries.small(4))
        var scaled: [Int] = []
        for axis in 0..<rank {
          let offset = try entries.count(8)
          guard offset % place.chunkShape[axis] == 0 || level > 0 else {
            throw entries.damage("has a chunk that begins at \(offset), within another")
          }
          scaled.append(offset / place.chunkShape[axis])
        }
        try entries.skip(8)
        guard let child = try entries.address() else { throw entries.damage("leads nowhere") }
        if level == 0 {
          try add(scaled, child, byteCount, mask)
        } else {
          waiting.append((child, level - 1))
        }
      }
    }
  }

  private mutating func readNewTree(_ address: UInt64) throws(Damage) {
    let tree = try BTree2(file, at: address)
    let rank = counts.count
    let sizeBytes = isFiltered ? tree.recordBytes - file.widths.offset - 4 - 8 * rank : 0
    guard tree.kind == (isFiltered ? 11 : 10), isFiltered ? (1...8).contains(sizeBytes) : true,
      isFiltered || tree.recordBytes == file.widths.offset + 8 * rank
    else { throw Damage("the index of its chunks does not suit its filters") }
    var found: [(scaled: [Int], address: UInt64, byteCount: Int, mask: UInt32)] = []
    let chunkBytes = chunkBytes
    let isFiltered = isFiltered
    try tree.forEachRecord { record throws(Damage) in
      guard let address = try record.address() else { return }
      let byteCount = isFiltered ? try record.count(sizeBytes) : chunkBytes
      let mask = isFiltered ? UInt32(try record.small(4)) : 0
      var scaled: [Int] = []
      for _ in 0..<rank { scaled.append(try record.count(8)) }
      found.append((scaled, address, byteCount, mask))
    }
    for chunk in found { try add(chunk.scaled, chunk.address, chunk.byteCount, chunk.mask) }
  }
}
