/// A group of the older kind: a B-tree of names in a heap.
struct SymbolTable {
  private let file: FileBytes
  /// The heap's names, each ended by a zero byte.
  private let names: Cursor
  private let tree: UInt64

  init(_ file: FileBytes, _ message: Cursor) throws(Damage) {
    self.file = file
    var cursor = message
    guard let tree = try cursor.address(), let heap = try cursor.address() else {
      throw Damage("the group's links cannot be found")
    }
    self.tree = tree
    let what = "the group's heap of names"
    var head = try file.cursor(at: heap, count: 8 + 2 * file.widths.length + file.widths.offset, what)
    try head.expect("HEAP")
    _ = try head.version(0...0)
    try head.skip(3)
    let count = try head.length()
    try head.skip(file.widths.length)
    guard let address = try head.address() else { throw head.damage("has no data") }
    names = try file.cursor(at: address, count: count, what)
  }

  private func text(_ offset: Int) throws(Damage) -> ArraySlice<UInt8> {
    guard offset >= 0, offset < names.bytes.count,
      let end = names.bytes[offset...].firstIndex(of: 0)
    else { throw Damage("the group's links have names outside of their heap") }
    return names.bytes[offset..<end]
  }

  /// - Parameter take: called with each link, in the order of their names.
  func forEachLink(_ take: (Link) throws(Damage) -> Void) throws(Damage) {
    var seen = Set<UInt64>()
    var waiting: [(address: UInt64, level: Int?)] = [(tree, nil)]
    while let node = waiting.popLast() {
      guard seen.insert(node.address).inserted else { throw Damage("the group's links lead to themselves") }
      if let level = node.level, level < 0 {
        try readNode(node.address, take)
        continue
      }
      let widths = file.widths
      let headBytes = 8 + 2 * widths.offset
      var head = try file.cursor(at: node.address, count: headBytes, "the group's index (B-tree 1)")
      try head.expect("TREE")
      let kind = try head.byte()
      let level = try head.small(1)
      guard kind == 0, node.level.map({ $0 == level }) ?? true else {
        throw head.damage("has a node of another kind or level than expected")
      }
      let count = try head.small(2)
      let (start, overflow) = node.address.addingReportingOverflow(UInt64(headBytes))
      guard !overflow else { throw head.damage("lies beyond any file") }
      var entries = try file.cursor(
        at: start, count: count * (widths.offset + widths.length) + widths.length, "the group's index (B-tree 1)")
      var children: [(address: UInt64, level: Int?)] = []
      for _ in 0..<count {
        try entries.skip(widths.length)
        guard let child = try entries.address() else { throw entries.damage("leads nowhere") }
        children.append((child, level - 1))
      }
      waiting += children.reversed()
    }
  }

  private func readNode(_ address: UInt64, _ take: (Link) throws(Damage) -> Void) throws(Damage) {
    let what = "a node of the group's links"
    var head = try file.cursor(at: address, count: 8, what)
    try head.expect("SNOD")
    _ = try head.version(1...1)
    try head.skip(1)
    let count = try head.small(2)
    let entryBytes = 24 + file.widths.length + file.widths.offset
    var entries = try file.cursor(at: address + 8, count: count * entryBytes, what)
    for _ in 0..<count {
      let name = try text(try entries.length())
      let object = try entries.address()
      let kind = try entries.small(4)
      try entries.skip(4)
      var scratch = try entries.part(16)
      if kind == 2 {
        let path = try text(try scratch.small(4))
        try take(Link(rawName: name, target: .soft(String(decoding: path, as: UTF8.self))))
      } else {
        guard let object else { throw entries.damage("leads nowhere") }
        try take(Link(rawName: name, target: .object(object)))
      }
    }
  }
}
