import FileIO

/// A fractal heap: blocks that double in size, in which links, attributes or shared messages lie.
final class FractalHeap {
  private let file: FileBytes
  private let address: UInt64
  private var idBytes = 0
  private var hasChecksums = false
  private var hugeTree: UInt64?
  private var width = 0
  private var startBits = 0
  private var widthBits = 0
  private var directRows = 0
  private var offsetBytes = 0
  private var lengthBytes = 0
  private var root: UInt64?
  private var rootRows = 0

  /// Sizes of the blocks that were read and checked, and the blocks themselves while there is room. Links come in the order of
  /// their names' hashes, which is no order within the heap: a block must not be read whole for each of its objects.
  private var checked: [UInt64: Int] = [:]
  private var direct: [UInt64: [UInt8]] = [:]
  private var room = 32 << 20
  private var indirect: [UInt64: [UInt64?]] = [:]
  private var huge: [UInt64: (address: UInt64, count: Int)]?

  private static let what = "a heap"
  private static let block = "a block of a heap"

  init(_ file: FileBytes, at address: UInt64) throws(Damage) {
    self.file = file
    self.address = address
    let widths = file.widths
    let count = 26 + 12 * widths.length + 3 * widths.offset
    var cursor = try file.cursor(at: address, count: count, Self.what)
    // Heaps with filters, which are refused, have a longer header.
    if cursor.bytes[7] == 0, cursor.bytes[8] == 0 { try cursor.cutChecksum() }
    try cursor.expect("FRHP")
    _ = try cursor.version(0...0)
    idBytes = try cursor.small(2)
    guard try cursor.small(2) == 0 else {
      throw Damage(.refused, "its links or attributes are compressed, which is not read")
    }
    hasChecksums = try cursor.byte() & 2 != 0
    let greatestManaged = try cursor.small(4)
    try cursor.skip(widths.length)
    hugeTree = try cursor.address()
    try cursor.skip(widths.length + widths.offset + 8 * widths.length)
    width = try cursor.small(2)
    let start = try cursor.length()
    let greatestDirect = try cursor.length()
    let heapBits = try cursor.small(2)
    try cursor.skip(2)
    root = try cursor.address()
    rootRows = try cursor.small(2)
    guard start > 0, start & (start - 1) == 0, width > 0, width & (width - 1) == 0, greatestDirect >= start,
      greatestDirect & (greatestDirect - 1) == 0, heapBits <= 64, rootRows <= 64, idBytes > 1, idBytes <= 4096
    else { throw Damage("\(Self.what) has blocks of impossible sizes") }
    startBits = start.trailingZeroBitCount
    widthBits = width.trailingZeroBitCount
    directRows = greatestDirect.trailingZeroBitCount - startBits + 2
    offsetBytes = (heapBits + 7) / 8
    let managedBits = Int.bitWidth - 1 - max(greatestManaged, 1).leadingZeroBitCount
    lengthBytes = min((greatestDirect.trailingZeroBitCount + 7) / 8, managedBits / 8 + 1)
    guard (1...8).contains(offsetBytes), (1...8).contains(lengthBytes) else {
      throw Damage("\(Self.what) has blocks of impossible sizes")
    }
  }

  /// The bytes that an identifier of the heap stands for.
  func object(_ id: [UInt8]) throws(Damage) -> [UInt8] {
    var cursor = Cursor(id, file.widths, "a heap's identifier")
    let first = try cursor.byte()
    guard first >> 6 == 0 else { throw cursor.damage("is of an unknown version") }
    switch first >> 4 & 3 {
    case 0:
      let offset = try cursor.count(offsetBytes)
      return try managed(offset, try cursor.count(lengthBytes))
    case 1: return try hugeObject(&cursor)
    case 2:
      let isLong = idBytes - 1 > 16
      let count = Int(first & 0xF) << (isLong ? 8 : 0) + (isLong ? Int(try cursor.byte()) : 0) + 1
      return Array(try cursor.take(count))
    default: throw cursor.damage("is of an unknown kind")
    }
  }

  // MARK: Managed objects

  private func blockBytes(_ row: Int) throws(Damage) -> Int {
    let bits = startBits + max(0, row - 1)
    guard bits < 62 else { throw Damage("\(Self.what) has blocks of impossible sizes") }
    return 1 << bits
  }

  private func managed(_ offset: Int, _ count: Int) throws(Damage) -> [UInt8] {
    guard var block = root else { throw Damage("\(Self.what) is empty, but something is looked for in it") }
    var (rows, within) = (rootRows, offset)
    var bytes = try blockBytes(0)
    while rows > 0 {
      let row = within >> (startBits + widthBits) == 0 ? 0 : log2(within) - startBits - widthBits + 1
      guard row < rows else { throw Damage("\(Self.what) ends before what is looked for in it") }
      bytes = try blockBytes(row)
      let rowStart = row == 0 ? 0 : bytes << widthBits
      let column = (within - rowStart) / bytes
      within = (within - rowStart) % bytes
      let children = try indirectBlock(block, rows)
      guard let child = children[row * width + column] else {
        throw Damage("\(Self.what) has nothing where something is looked for")
      }
      block = child
      rows = row < directRows ? 0 : log2(bytes) - startBits - widthBits + 1
    }
    let header = 5 + file.widths.offset + offsetBytes + (hasChecksums ? 4 : 0)
    guard within >= header, within <= bytes, count <= bytes - within else {
      throw Damage("\(Self.what) has an object outside of its block")
    }
    guard let data = try directBlock(block, bytes) else {
      return try file.bytes(at: block + UInt64(within), count: count, Self.block)
    }
    try file.charge(count)
    return Array(data[within..<within + count])
  }

  private func log2(_ value: Int) -> Int { Int.bitWidth - 1 - max(value, 1).leadingZeroBitCount }

  private func indirectBlock(_ address: UInt64, _ rows: Int) throws(Damage) -> [UInt64?] {
    if let known = indirect[address] {
      guard known.count == rows * width else { throw Damage("\(Self.what) leads to itself") }
      return known
    }
    let count = 5 + file.widths.offset + offsetBytes + rows * width * file.widths.offset + 4
    var cursor = try file.checkedCursor(at: address, count: count, Self.block)
    try cursor.expect("FHIB")
    _ = try cursor.version(0...0)
    guard try cursor.address() == self.address else { throw cursor.damage("belongs to another heap") }
    try cursor.skip(offsetBytes)
    var children: [UInt64?] = []
    for _ in 0..<rows * width { children.append(try cursor.address()) }
    indirect[address] = children
    return children
  }

  /// - Returns: nil for a block that was checked before and is no longer at hand.
  private func directBlock(_ address: UInt64, _ count: Int) throws(Damage) -> [UInt8]? {
    if let known = checked[address] {
      guard known == count else { throw Damage("\(Self.what) leads to itself") }
      return direct[address]
    }
    let whole = try file.bytes(at: address, count: count, Self.block)
    var cursor = Cursor(whole, file.widths, Self.block)
    try cursor.expect("FHDB")
    _ = try cursor.version(0...0)
    guard try cursor.address() == self.address else { throw cursor.damage("belongs to another heap") }
    try cursor.skip(offsetBytes)
    if hasChecksums {
      let place = cursor.position
      let stored = UInt32(try cursor.small(4))
      // The checksum's own bytes count as zeros.
      var bytes = whole
      for index in place..<place + 4 { bytes[index] = 0 }
      guard isChecksum(stored, of: Lookup3.sum(bytes, 0..<bytes.count)) else {
        throw cursor.damage("does not match its checksum")
      }
    }
    checked[address] = count
    if count <= room {
      room -= count
      direct[address] = whole
    }
    return whole
  }

  // MARK: Huge objects

  private func hugeObject(_ id: inout Cursor) throws(Damage) -> [UInt8] {
    let isDirect = file.widths.offset + file.widths.length <= idBytes - 1
    if isDirect {
      guard let address = try id.address() else { throw id.damage("leads nowhere") }
      return try file.bytes(at: address, count: try id.length(), "an object of a heap")
    }
    let key = try id.integer(min(file.widths.length, idBytes - 1))
    if huge == nil { huge = try hugeObjects() }
    guard let place = huge?[key] else { throw id.damage("leads nowhere") }
    return try file.bytes(at: place.address, count: place.count, "an object of a heap")
  }

  private func hugeObjects() throws(Damage) -> [UInt64: (address: UInt64, count: Int)] {
    guard let hugeTree else { return [:] }
    let tree = try BTree2(file, at: hugeTree)
    guard tree.kind == 1 else { throw Damage(.refused, "its links or attributes are compressed, which is not read") }
    var result: [UInt64: (address: UInt64, count: Int)] = [:]
    try tree.forEachRecord { record throws(Damage) in
      guard let address = try record.address() else { return }
      let count = try record.length()
      result[try record.integer(record.widths.length)] = (address, count)
    }
    return result
  }
}
