/// The heaps in which text of variable length lies.
final class GlobalHeap {
  private let file: FileBytes
  /// Objects by number, for each collection that was read.
  private var collections: [UInt64: [Int: (address: UInt64, count: Int)]] = [:]

  init(_ file: FileBytes) { self.file = file }

  /// The texts that references stand for, up to the first zero byte of each, as C has them.
  /// - Parameters:
  ///   - limit: bytes of all texts together.
  ///   - what: what they are, for errors.
  /// - Returns: nil in place of what is not UTF-8.
  func texts(_ references: inout Cursor, count: Int, limit: Int, _ what: String) throws(Damage) -> [String?] {
    // Each takes as much in memory, also where it is empty.
    guard count <= limit / MemoryLayout<String?>.size + 1 else {
      throw Damage(.limitExceeded, "\(what) take more than \(limit) bytes")
    }
    var texts: [String?] = []
    var room = limit
    texts.reserveCapacity(min(count, references.left / (8 + file.widths.offset)))
    for _ in 0..<count {
      let length = try references.small(4)
      let address = try references.address()
      let index = try references.small(4)
      guard length > 0, let address, address != 0 else {
        texts.append("")
        continue
      }
      room -= length
      guard room >= 0 else { throw Damage(.limitExceeded, "\(what) take more than \(limit) bytes") }
      let bytes = try object(address, index, length)
      texts.append(bytes.prefix { $0 != 0 }.withUnsafeBytes { strictUTF8($0) })
    }
    return texts
  }

  private func object(_ address: UInt64, _ index: Int, _ length: Int) throws(Damage) -> [UInt8] {
    if collections[address] == nil { collections[address] = try read(address) }
    guard let place = collections[address]?[index], length <= place.count else {
      throw Damage("its text is not where it is said to be")
    }
    return try file.bytes(at: place.address, count: length, "its text")
  }

  private func read(_ address: UInt64) throws(Damage) -> [Int: (address: UInt64, count: Int)] {
    // The heads of the heap and of each text take whole multiples of eight bytes.
    let prefixBytes = (8 + file.widths.length + 7) & ~7
    var prefix = try file.cursor(at: address, count: prefixBytes, "a heap of texts")
    try prefix.expect("GCOL")
    _ = try prefix.version(1...1)
    try prefix.skip(3)
    let total = try prefix.length()
    guard total >= prefixBytes else { throw prefix.damage("claims \(total) bytes") }
    _ = try file.offset(of: address, count: total, "a heap of texts")
    var objects: [Int: (address: UInt64, count: Int)] = [:]
    var position = prefixBytes
    while total - position >= prefixBytes {
      var head = try file.cursor(at: address + UInt64(position), count: prefixBytes, "a heap of texts")
      let index = try head.small(2)
      try head.skip(6)
      let count = try head.length()
      // What is left is free.
      if index == 0 { break }
      guard count <= total - position - prefixBytes else { throw head.damage("has a text beyond its end") }
      objects[index] = (address + UInt64(position + prefixBytes), count)
      position += prefixBytes + count + (8 - count % 8) % 8
    }
    return objects
  }
}
