/// A B-tree of version 2: records of equal size, in order.
struct BTree2 {
  let kind: Int
  let recordBytes: Int
  private let file: FileBytes
  private let nodeBytes: Int
  private let depth: Int
  private let root: (address: UInt64, count: Int)?
  /// By level above the leaves: bytes of a pointer to a node of the level below.
  private var pointerWidths: [(count: Int, total: Int)] = []
  private var limits: [Int] = []

  init(_ file: FileBytes, at address: UInt64) throws(Damage) {
    self.file = file
    let widths = file.widths
    let what = "an index (B-tree 2)"
    var cursor = try file.checkedCursor(at: address, count: 22 + widths.offset + widths.length, what)
    try cursor.expect("BTHD")
    _ = try cursor.version(0...0)
    kind = try cursor.small(1)
    nodeBytes = try cursor.small(4)
    recordBytes = try cursor.small(2)
    depth = try cursor.small(2)
    try cursor.skip(2)
    let rootAddress = try cursor.address()
    let rootCount = try cursor.small(2)
    root = rootAddress.map { ($0, rootCount) }
    guard recordBytes > 0, nodeBytes >= 10 + recordBytes, nodeBytes <= file.byteCount, depth < 64 else {
      throw Damage("\(what) has nodes of \(nodeBytes) bytes and records of \(recordBytes)")
    }
    // How many records a node of each level can have decides how wide the counts in the level above are.
    limits = [(nodeBytes - 10) / recordBytes]
    pointerWidths = [(0, 0)]
    let countWidth = Self.width(of: limits[0])
    var total = limits[0]
    for level in 0..<depth {
      let totalWidth = level == 0 ? 0 : Self.width(of: total)
      let pointer = widths.offset + countWidth + totalWidth
      guard nodeBytes > 10 + pointer else { throw Damage("\(what) is too deep for its nodes") }
      let limit = (nodeBytes - 10 - pointer) / (recordBytes + pointer)
      pointerWidths.append((countWidth, totalWidth))
      limits.append(limit)
      let (product, overflow) = total.multipliedReportingOverflow(by: limit + 1)
      guard !overflow, limit > 0, product < .max - limit else { throw Damage("\(what) is too deep for any file") }
      total = product + limit
    }
  }

  /// Bytes that a number up to a limit takes.
  private static func width(of limit: Int) -> Int { (Int.bitWidth - max(limit, 1).leadingZeroBitCount - 1) / 8 + 1 }

  private struct Node {
    let address: UInt64
    let count: Int
    let level: Int
  }

  /// Calls `body` with every record, in no particular order.
  func forEachRecord(_ body: (inout Cursor) throws(Damage) -> Void) throws(Damage) {
    guard let root else { return }
    var seen = Set<UInt64>()
    var waiting = [Node(address: root.address, count: root.count, level: depth)]
    while let node = waiting.popLast() {
      guard seen.insert(node.address).inserted else { throw Damage("an index (B-tree 2) leads to itself") }
      guard node.count <= limits[node.level] else {
        throw Damage("a node of an index (B-tree 2) claims \(node.count) records; \(limits[node.level]) fit")
      }
      let widths = pointerWidths[node.level]
      let pointerBytes = file.widths.offset + widths.count + widths.total
      let pointers = node.level > 0 ? (node.count + 1) * pointerBytes : 0
      var cursor = try file.checkedCursor(
        at: node.address, count: 10 + node.count * recordBytes + pointers, "a node of an index (B-tree 2)")
      try cursor.expect(node.level > 0 ? "BTIN" : "BTLF")
      _ = try cursor.version(0...0)
      guard try cursor.small(1) == kind else { throw cursor.damage("is of another kind than its tree") }
      for _ in 0..<node.count {
        var record = try cursor.part(recordBytes)
        try body(&record)
      }
      guard node.level > 0 else { continue }
      for _ in 0...node.count {
        guard let address = try cursor.address() else { throw cursor.damage("leads nowhere") }
        let count = try cursor.small(widths.count)
        try cursor.skip(widths.total)
        waiting.append(Node(address: address, count: count, level: node.level - 1))
      }
    }
  }
}
