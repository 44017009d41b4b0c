import FileIO

/// How many bytes addresses and sizes have in a file.
struct AddressWidths: Sendable {
  let offset: Int
  let length: Int
}

/// Reads little-endian fields one after the other, and never beyond the end.
struct Cursor {
  let bytes: [UInt8]
  private(set) var position: Int
  private(set) var end: Int
  let widths: AddressWidths
  /// What is being read, for errors.
  let what: String

  init(_ bytes: [UInt8], _ widths: AddressWidths, _ what: String) {
    self.init(bytes, 0..<bytes.count, widths, what)
  }

  private init(_ bytes: [UInt8], _ range: Range<Int>, _ widths: AddressWidths, _ what: String) {
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
    self.widths = widths
    self.what = what
  }

  var left: Int { end - position }

  func damage(_ text: String) -> Damage { Damage("\(what) \(text)") }

  private func need(_ count: Int) throws(Damage) {
    guard count >= 0, count <= left else { throw damage("is cut short") }
  }

  mutating func byte() throws(Damage) -> UInt8 {
    try need(1)
    defer { position += 1 }
    return bytes[position]
  }

  /// An unsigned integer of 1 to 8 bytes.
  mutating func integer(_ width: Int) throws(Damage) -> UInt64 {
    try need(width)
    var value: UInt64 = 0
    for index in 0..<width { value |= UInt64(bytes[position + index]) &<< UInt64(8 &* index) }
    position += width
    return value
  }

  /// An unsigned integer of at most 4 bytes.
  mutating func small(_ width: Int) throws(Damage) -> Int { Int(truncatingIfNeeded: try integer(width)) }

  /// A size or count of any width.
  mutating func count(_ width: Int) throws(Damage) -> Int {
    let value = try integer(width)
    guard let count = Int(exactly: value) else { throw damage("claims a size of \(value)") }
    return count
  }

  /// A size of as many bytes as the file's sizes have.
  mutating func length() throws(Damage) -> Int { try count(widths.length) }

  /// An address; nil for the undefined one.
  mutating func address() throws(Damage) -> UInt64? {
    let value = try integer(widths.offset)
    let undefined = widths.offset == 8 ? UInt64.max : (1 << UInt64(8 * widths.offset)) - 1
    return value == undefined ? nil : value
  }

  mutating func skip(_ count: Int) throws(Damage) {
    try need(count)
    position += count
  }

  mutating func take(_ count: Int) throws(Damage) -> ArraySlice<UInt8> {
    try need(count)
    defer { position += count }
    return bytes[position..<position + count]
  }

  /// The next bytes as a cursor of their own.
  mutating func part(_ count: Int, _ what: String? = nil) throws(Damage) -> Cursor {
    try need(count)
    defer { position += count }
    return Cursor(bytes, position..<position + count, widths, what ?? self.what)
  }

  mutating func expect(_ signature: StaticString) throws(Damage) {
    let found = try take(signature.utf8CodeUnitCount)
    let isRight = signature.withUTF8Buffer { found.elementsEqual($0) }
    guard isRight else { throw damage("has no signature \(signature)") }
  }

  mutating func version(_ accepted: ClosedRange<UInt8>) throws(Damage) -> UInt8 {
    let version = try byte()
    guard accepted.contains(version) else { throw damage("is of version \(version), which is not known") }
    return version
  }

  /// Checks the last four bytes, which are the checksum of those before, and cuts them off.
  mutating func cutChecksum() throws(Damage) {
    try need(4)
    end -= 4
    let stored = (0..<4).reduce(0 as UInt32) { $0 | UInt32(bytes[end + $1]) << UInt32(8 * $1) }
    guard isChecksum(stored, of: Lookup3.sum(bytes, position..<end)) else {
      throw damage("does not match its checksum")
    }
  }

  /// Goes to a multiple of eight bytes from a place.
  mutating func align(from start: Int) throws(Damage) { try skip((8 - (position - start) % 8) % 8) }
}
