import FileIO

/// The bytes of a pickle in order, a block at a time: what follows a pickle in a file may be large.
struct PickleInput {
  /// What a pickle may take that has its tensors' bytes elsewhere: names, shapes and numbers.
  static let byteLimit = 64 << 20
  /// What one may take that holds the numbers themselves; they are read into memory.
  static let plainByteLimit = 2 << 30
  private static let blockByteCount = 1 << 16

  /// Where the next byte is.
  private(set) var position: Int
  let file: String
  private let source: ByteSource
  private let end: Int
  private let limit: Int
  private var block: [UInt8] = []
  private var blockStart = 0

  init(_ source: ByteSource, from start: Int = 0, file: String, limit: Int = byteLimit) {
    self.source = source
    self.file = file
    self.limit = limit
    position = start
    end = source.byteCount
  }

  var sourceByteCount: Int { end }

  mutating func byte() throws(PTError) -> UInt8 {
    let offset = position - blockStart
    if block.indices.contains(offset) {
      position += 1
      return block[offset]
    }
    try fill()
    position += 1
    return block[0]
  }

  /// The next block, of at least one byte.
  private mutating func fill() throws(PTError) {
    guard position < end else { throw PTError(.truncatedPickle, file: file) }
    guard position < limit else { throw PTError(.tooMuch("bytes", limit: limit), file: file) }
    block = try fetch(min(Self.blockByteCount, end - position))
    blockStart = position
  }

  /// The range is checked before anything is allocated.
  mutating func bytes(_ count: Int) throws(PTError) -> [UInt8] {
    guard count >= 0, count <= end - position else { throw PTError(.truncatedPickle, file: file) }
    guard count <= limit - min(position, limit) else { throw PTError(.tooMuch("bytes", limit: limit), file: file) }
    let offset = position - blockStart
    defer { position += count }
    if offset >= 0, offset <= block.count, count <= block.count - offset {
      return Array(block[offset..<offset + count])
    }
    return try fetch(count)
  }

  func malformed(_ expected: String) -> PTError {
    PTError(.malformed(expected: expected, offset: position), file: file)
  }

  private func fetch(_ count: Int) throws(PTError) -> [UInt8] {
    try PTError.reading(file) { () throws(UnreadableReason) in try source.bytes(at: position, count: count) }
  }

  /// An unsigned number, lowest byte first; one above `Int.max` counts nothing that a file could hold.
  mutating func unsigned(_ count: Int) throws(PTError) -> Int {
    var value: UInt64 = 0
    for place in 0..<count { value |= UInt64(try byte()) << UInt64(8 * place) }
    guard let number = Int(exactly: value) else { throw PTError(.truncatedPickle, file: file) }
    return number
  }

  /// Up to a newline, which is taken.
  mutating func line() throws(PTError) -> String {
    var line: [UInt8] = []
    while true {
      let next = try byte()
      if next == UInt8(ascii: "\n") { break }
      guard line.count < 1000 else { throw PTError(.tooMuch("bytes in a line", limit: 1000), file: file) }
      line.append(next)
    }
    return String(decoding: line, as: UTF8.self)
  }

  mutating func text(_ count: Int) throws(PTError) -> String {
    let start = position
    let bytes = try bytes(count)
    let text = String(decoding: bytes, as: UTF8.self)
    // Decoding repairs what is not UTF-8.
    if text.utf8.elementsEqual(bytes) { return text }
    // Halves of a pair, which Python lets through: names of files that are no UTF-8 have them.
    let mended = Self.mendingSurrogates(bytes)
    let repaired = String(decoding: mended, as: UTF8.self)
    guard repaired.utf8.elementsEqual(mended) else {
      throw PTError(.malformed(expected: "text in UTF-8", offset: start), file: file)
    }
    return repaired
  }

  private static func mendingSurrogates(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    var index = 0
    while index + 2 < bytes.count {
      guard bytes[index] == 0xed, bytes[index + 1] >= 0xa0 else {
        index += 1
        continue
      }
      bytes.replaceSubrange(index..<index + 3, with: [0xef, 0xbf, 0xbd])
      index += 3
    }
    return bytes
  }
}
