/// An object's header: messages, in a first block and those that continue it.
struct ObjectHeader {
  /// A kind of message, by its number in the format.
  enum Kind: Int {
    case null = 0x00, dataspace = 0x01, linkInfo = 0x02, datatype = 0x03, oldFill = 0x04, fill = 0x05, link = 0x06
    case externalFiles = 0x07, layout = 0x08, groupInfo = 0x0A, filters = 0x0B, attribute = 0x0C
    case sharedTable = 0x0F, continuation = 0x10, symbolTable = 0x11, attributeInfo = 0x15
  }

  struct Message {
    let kind: Int
    /// Whether the body says where the message is, instead of being it.
    let isShared: Bool
    /// The order of creation, where the header keeps one.
    let order: Int
    let body: Cursor
  }

  let address: UInt64
  private(set) var messages: [Message] = []
  /// Whether attributes are kept in the order of their creation.
  private(set) var tracksAttributes = false
  private var isNew = false
  private var hasOrder = false

  init(_ file: FileBytes, at address: UInt64) throws(Damage) {
    self.address = address
    var continued: [(address: UInt64, count: Int)] = []
    var seen: Set<UInt64> = [address]
    let start = try file.bytes(at: address, count: 4, "its header")
    if start.elementsEqual("OHDR".utf8) {
      isNew = true
      try readNew(file, &continued)
    } else {
      try readOld(file, &continued)
    }
    var total = 0
    while let next = continued.popLast() {
      guard seen.insert(next.address).inserted else { throw Damage("its header continues in a circle") }
      total += min(next.count, file.byteCount)
      guard total <= file.byteCount else { throw Damage("its header overlaps itself") }
      var block: Cursor
      if isNew {
        block = try file.checkedCursor(at: next.address, count: next.count, "its header's continuation")
        try block.expect("OCHK")
      } else {
        block = try file.cursor(at: next.address, count: next.count, "its header's continuation")
      }
      try readMessages(&block, &continued)
    }
  }

  private mutating func readOld(
    _ file: FileBytes, _ continued: inout [(address: UInt64, count: Int)]
  ) throws(Damage) {
    var prefix = try file.cursor(at: address, count: 16, "its header")
    _ = try prefix.version(1...1)
    try prefix.skip(7)
    let count = try prefix.small(4)
    let (start, overflow) = address.addingReportingOverflow(16)
    guard !overflow else { throw Damage("its header lies beyond any file") }
    var block = try file.cursor(at: start, count: count, "its header")
    try readMessages(&block, &continued)
  }

  private mutating func readNew(
    _ file: FileBytes, _ continued: inout [(address: UInt64, count: Int)]
  ) throws(Damage) {
    var prefix = try file.cursor(at: address, count: 6, "its header")
    try prefix.expect("OHDR")
    _ = try prefix.version(2...2)
    let flags = try prefix.byte()
    hasOrder = flags & 0x04 != 0
    tracksAttributes = hasOrder
    let skipped = 6 + (flags & 0x20 != 0 ? 16 : 0) + (flags & 0x10 != 0 ? 4 : 0)
    let sizeWidth = 1 << Int(flags & 3)
    var whole = try file.cursor(at: address, count: skipped + sizeWidth, "its header")
    try whole.skip(skipped)
    let count = try whole.count(sizeWidth)
    let (total, overflow) = count.addingReportingOverflow(skipped + sizeWidth + 4)
    guard !overflow else { throw Damage("its header claims a size of \(count)") }
    var block = try file.checkedCursor(at: address, count: total, "its header")
    try block.skip(skipped + sizeWidth)
    try readMessages(&block, &continued)
  }

  private mutating func readMessages(
    _ block: inout Cursor, _ continued: inout [(address: UInt64, count: Int)]
  ) throws(Damage) {
    let prefixBytes = isNew ? (hasOrder ? 6 : 4) : 8
    // What is left of a block may be a gap.
    while block.left >= prefixBytes {
      let kind = try block.small(isNew ? 1 : 2)
      let count = try block.small(2)
      let flags = try block.byte()
      var order = messages.count
      if isNew { if hasOrder { order = try block.small(2) } } else { try block.skip(3) }
      var body = try block.part(count)
      if kind == Kind.continuation.rawValue {
        guard let address = try body.address() else { throw Damage("its header continues nowhere") }
        continued.append((address, try body.length()))
      } else if kind != Kind.null.rawValue {
        guard flags & 0x80 == 0 || Kind(rawValue: kind) != nil || kind <= 0x18 else {
          throw Damage(.unsupported, "its header has a message of the unknown kind \(kind)")
        }
        messages.append(Message(kind: kind, isShared: flags & 2 != 0, order: order, body: body))
      }
    }
  }

  func first(_ kind: Kind) -> Message? { messages.first { $0.kind == kind.rawValue } }

  func all(_ kind: Kind) -> [Message] { messages.filter { $0.kind == kind.rawValue } }

  func has(_ kind: Kind) -> Bool { first(kind) != nil }
}
