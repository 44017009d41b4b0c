/// Finds messages that several headers share: committed datatypes, and those of the file's shared message table.
final class SharedMessages {
  private let file: FileBytes
  private let superblock: Superblock
  /// Heaps of the table, by the kinds of message they hold.
  private var heaps: [(kinds: Int, heap: FractalHeap)]?

  init(_ file: FileBytes, _ superblock: Superblock) {
    self.file = file
    self.superblock = superblock
  }

  func body(of message: ObjectHeader.Message) throws(Damage) -> Cursor {
    guard message.isShared else { return message.body }
    var reference = message.body
    return try body(of: message.kind, &reference)
  }

  /// - Parameter reference: says where the message is.
  func body(of kind: Int, _ reference: inout Cursor) throws(Damage) -> Cursor {
    let version = try reference.version(1...3)
    let place = try reference.byte()
    if version == 1 {
      // An entry of a symbol table, of which only the address counts.
      try reference.skip(6 + reference.widths.length)
    } else if version == 3, place == 1 {
      return try inHeap(kind, Array(try reference.take(8)))
    }
    guard let address = try reference.address() else { throw reference.damage("is shared with nothing") }
    let header = try ObjectHeader(file, at: address)
    guard let shared = header.messages.first(where: { $0.kind == kind }), !shared.isShared else {
      throw reference.damage("is shared with an object that has none")
    }
    return shared.body
  }

  /// A message in the heap of its kind.
  func inHeap(_ kind: Int, _ id: [UInt8]) throws(Damage) -> Cursor {
    if heaps == nil { heaps = try table() }
    guard let heap = heaps?.first(where: { $0.kinds & (1 << kind) != 0 })?.heap else {
      throw Damage("its header shares a message that the file does not keep")
    }
    return Cursor(try heap.object(id), file.widths, "its shared message")
  }

  private func table() throws(Damage) -> [(kinds: Int, heap: FractalHeap)] {
    guard let address = superblock.extensionAddress,
      let message = try ObjectHeader(file, at: address).first(.sharedTable)
    else { return [] }
    var body = message.body
    _ = try body.version(0...0)
    guard let table = try body.address() else { return [] }
    let count = try body.small(1)
    let entryBytes = 14 + 2 * file.widths.offset
    let what = "the file's table of shared messages"
    var cursor = try file.checkedCursor(at: table, count: 4 + count * entryBytes + 4, what)
    try cursor.expect("SMTB")
    var result: [(kinds: Int, heap: FractalHeap)] = []
    for _ in 0..<count {
      _ = try cursor.version(0...0)
      try cursor.skip(1)
      let kinds = try cursor.small(2)
      try cursor.skip(10)
      _ = try cursor.address()
      if let heap = try cursor.address() { result.append((kinds, try FractalHeap(file, at: heap))) }
    }
    return result
  }
}
