import FileIO

/// A cursor over a protobuf message in a file: varints, lengths and counts are bounded, whatever is not asked for is
/// passed over unread. There is no recursion but that of the messages that are asked for.
struct ProtobufReader {
  enum Wire: UInt64 {
    case varint = 0
    case fixed64 = 1
    case bytes = 2
    case fixed32 = 5
  }

  struct Field {
    let number: UInt64
    let wire: Wire
  }

  /// Why a message cannot be read; the file is named by who asked.
  struct Failure: Error {
    let detail: String
    /// The file could not be read at all.
    var reason: UnreadableReason?

    init(_ detail: String) { self.detail = detail }
    init(_ reason: UnreadableReason) { (detail, self.reason) = (reason.message, reason) }
  }

  /// Pieces of a file that is passed over field by field are read a page at a time.
  private final class Window {
    let source: ByteSource
    var start = 0
    var bytes: [UInt8] = []

    init(_ source: ByteSource) { self.source = source }

    func byte(at offset: Int) throws(Failure) -> UInt8 {
      if !(start..<start + bytes.count ~= offset) {
        do throws(UnreadableReason) {
          bytes = try source.bytes(at: offset, count: min(4096, source.byteCount - offset))
        } catch {
          throw Failure(error)
        }
        start = offset
      }
      return bytes[offset - start]
    }
  }

  private let window: Window
  private(set) var position: Int
  let end: Int

  init(_ source: ByteSource) {
    window = Window(source)
    position = 0
    end = source.byteCount
  }

  /// Another cursor, over a part of the same file.
  private init(_ other: ProtobufReader, _ range: Range<Int>) {
    window = other.window
    (position, end) = (range.lowerBound, range.upperBound)
  }

  func over(_ range: Range<Int>) -> ProtobufReader { ProtobufReader(self, range) }

  /// The next field; nil at the message's end.
  mutating func next() throws(Failure) -> Field? {
    guard position < end else { return nil }
    let at = position
    let key = try varint()
    guard key >> 3 >= 1, key >> 3 < 1 << 29 else { throw Failure("no field has the number \(key >> 3) (byte \(at))") }
    guard let wire = Wire(rawValue: key & 7) else {
      throw Failure("field \(key >> 3) is of wire type \(key & 7), which ONNX has not (byte \(at))")
    }
    return Field(number: key >> 3, wire: wire)
  }

  mutating func varint() throws(Failure) -> UInt64 {
    let at = position
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), through: 63, by: 7) {
      guard position < end else { throw Failure("a number is cut off (byte \(at))") }
      let byte = try window.byte(at: position)
      position += 1
      guard shift < 63 || byte <= 1 else { break }
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
    }
    throw Failure("a number is longer than 64 bits (byte \(at))")
  }

  /// The range of a field's bytes, which lie inside this message.
  mutating func range() throws(Failure) -> Range<Int> {
    let at = position
    let count = try varint()
    guard count <= UInt64(end - position) else {
      throw Failure("\(count) bytes are announced where \(end - position) are left (byte \(at))")
    }
    let range = position..<position + Int(count)
    position = range.upperBound
    return range
  }

  mutating func message() throws(Failure) -> ProtobufReader { ProtobufReader(self, try range()) }

  /// The number of the next field of a wire type, or of the next of this number; all others are passed over.
  mutating func next(_ wire: Wire, number: UInt64? = nil) throws(Failure) -> UInt64? {
    while let field = try next() {
      if field.wire == wire, number == nil || number == field.number { return field.number }
      try skip(field)
    }
    return nil
  }

  /// The message in a field of this number, the last of them; all other fields are passed over.
  mutating func message(in number: UInt64) throws(Failure) -> ProtobufReader? {
    var found: ProtobufReader?
    while try next(.bytes, number: number) != nil { found = try message() }
    return found
  }

  /// The bytes of a field.
  /// - Parameter limit: more are a lie.
  mutating func bytes(_ limit: Int) throws(Failure) -> [UInt8] {
    let range = try range()
    guard range.count <= limit else { throw Failure("\(range.count) bytes where at most \(limit) are read") }
    do throws(UnreadableReason) {
      return try window.source.bytes(at: range.lowerBound, count: range.count)
    } catch {
      throw Failure(error)
    }
  }

  mutating func text(_ limit: Int = 1 << 16) throws(Failure) -> String {
    let at = position
    guard let text = String(validating: try bytes(limit), as: UTF8.self) else {
      throw Failure("a name is not UTF-8 (byte \(at))")
    }
    return text
  }

  mutating func fixed(_ width: Int) throws(Failure) -> UInt64 {
    guard end - position >= width else { throw Failure("a number is cut off (byte \(position))") }
    var value: UInt64 = 0
    for index in 0..<width { value |= UInt64(try window.byte(at: position + index)) << UInt64(8 * index) }
    position += width
    return value
  }

  mutating func skip(_ field: Field) throws(Failure) {
    switch field.wire {
    case .varint: _ = try varint()
    case .fixed32: _ = try fixed(4)
    case .fixed64: _ = try fixed(8)
    case .bytes: _ = try range()
    }
  }

  /// Checks that a field is of the kind its number calls for.
  func expect(_ wire: Wire, _ field: Field) throws(Failure) {
    guard field.wire == wire else {
      throw Failure("field \(field.number) is of wire type \(field.wire.rawValue), not \(wire.rawValue)")
    }
  }

  /// Numbers of a repeated field of an attribute.
  /// - Parameter limit: more are refused.
  mutating func list(_ field: Field, width: Int? = nil, limit: Int) throws(Failure) -> [UInt64] {
    var list: [UInt64] = []
    try numbers(field, width: width) { bits throws(Failure) in
      guard list.count < limit else { throw Failure("an attribute has too many values") }
      list.append(bits)
    }
    return list
  }

  /// Numbers of a repeated field, packed or one at a time.
  /// - Parameter width: 4 or 8 bytes each, nil for varints.
  mutating func numbers(_ field: Field, width: Int? = nil, _ body: (UInt64) throws(Failure) -> Void) throws(Failure) {
    func one(_ reader: inout ProtobufReader) throws(Failure) -> UInt64 {
      if let width { try reader.fixed(width) } else { try reader.varint() }
    }
    if field.wire == .bytes {
      var packed = try message()
      while packed.position < packed.end { try body(try one(&packed)) }
    } else {
      try expect(width == nil ? .varint : width == 4 ? .fixed32 : .fixed64, field)
      try body(try one(&self))
    }
  }
}
