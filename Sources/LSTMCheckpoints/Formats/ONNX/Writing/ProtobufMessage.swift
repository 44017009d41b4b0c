import FileIO

/// A protobuf message being put together: small parts in memory, tensors read when it is written.
struct ProtobufMessage {
  private enum Piece {
    case bytes([UInt8])
    case tensor(StoredTensor)
  }

  private var pieces: [Piece] = []
  private(set) var byteCount = 0

  /// No more than this is a message: sizes are 32-bit numbers in most readers.
  static let limit = Int(Int32.max)

  mutating func integer(_ field: UInt64, _ value: Int) {
    append(Self.varint(field << 3) + Self.varint(UInt64(bitPattern: Int64(value))))
  }

  mutating func float(_ field: UInt64, _ value: Float) {
    append(Self.varint(field << 3 | 5) + littleEndianBytes([value]))
  }

  mutating func text(_ field: UInt64, _ text: String) {
    let bytes = [UInt8](text.utf8)
    append(Self.varint(field << 3 | 2) + Self.varint(UInt64(bytes.count)) + bytes)
  }

  mutating func message(_ field: UInt64, _ message: ProtobufMessage) {
    append(Self.varint(field << 3 | 2) + Self.varint(UInt64(message.byteCount)))
    pieces += message.pieces
    byteCount += message.byteCount
  }

  /// A tensor's elements in order, little-endian.
  mutating func elements(_ field: UInt64, _ tensor: StoredTensor) {
    append(Self.varint(field << 3 | 2) + Self.varint(UInt64(tensor.byteCount)))
    pieces.append(.tensor(tensor))
    byteCount += tensor.byteCount
  }

  func write(to descriptor: Int32) throws {
    for piece in pieces {
      switch piece {
      case .bytes(let bytes): try bytes.withUnsafeBytes { try writeAll($0, to: descriptor) }
      case .tensor(let tensor): try tensor.forEachPiece { try writeAll($0, to: descriptor) }
      }
    }
  }

  private mutating func append(_ bytes: [UInt8]) {
    byteCount += bytes.count
    if case .bytes(let last)? = pieces.last, last.count < 1 << 16 {
      pieces[pieces.count - 1] = .bytes(last + bytes)
    } else {
      pieces.append(.bytes(bytes))
    }
  }

  private static func varint(_ value: UInt64) -> [UInt8] {
    var (rest, bytes) = (value, [UInt8]())
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(truncatingIfNeeded: rest)]
  }
}
