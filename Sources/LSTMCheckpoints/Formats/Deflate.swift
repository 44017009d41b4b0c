import CZlib

/// Bounded inflation and CRC-32 by zlib.
enum Deflate {
  /// How an inflation ended.
  enum Outcome {
    /// The stream and the buffer ended together.
    case exact
    /// The stream is damaged or unfinished.
    case corrupt
    /// The stream holds more or fewer bytes than the buffer, or bytes follow it.
    case otherSize
  }

  /// Inflates a raw deflate stream into a buffer of exactly the content's size.
  ///
  /// Memory never grows with what the stream claims: whatever does not fit is an error.
  static func inflate(
    _ compressed: UnsafeRawBufferPointer, into buffer: UnsafeMutableRawBufferPointer
  ) -> Outcome {
    var stream = z_stream()
    // -15: raw deflate with the largest window, as zip keeps it.
    guard
      inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
    else { return .corrupt }
    defer { inflateEnd(&stream) }

    let input = UnsafeMutableRawBufferPointer(mutating: compressed)
    // zlib counts in 32 bits, so both sides are handed over in parts.
    let part = 1 << 30
    var spare: UInt8 = 0
    var consumed = 0
    var produced = 0
    while true {
      let given = min(part, input.count - consumed)
      let room = min(part, buffer.count - produced)
      stream.next_in = input.baseAddress.map { ($0 + consumed).assumingMemoryBound(to: UInt8.self) }
      stream.avail_in = UInt32(given)
      let status: Int32
      if room > 0, let base = buffer.baseAddress {
        stream.next_out = (base + produced).assumingMemoryBound(to: UInt8.self)
        stream.avail_out = UInt32(room)
        status = CZlib.inflate(&stream, Z_NO_FLUSH)
        produced += room - Int(stream.avail_out)
      } else {
        // The buffer is full; one spare byte tells an ending stream from one that goes on.
        status = withUnsafeMutablePointer(to: &spare) { pointer in
          stream.next_out = pointer
          stream.avail_out = 1
          return CZlib.inflate(&stream, Z_NO_FLUSH)
        }
        if stream.avail_out == 0 { return .otherSize }
      }
      let taken = given - Int(stream.avail_in)
      consumed += taken
      switch status {
      case Z_STREAM_END:
        return produced == buffer.count && consumed == input.count ? .exact : .otherSize
      case Z_OK where taken > 0 || room > Int(stream.avail_out):
        continue
      default:
        return .corrupt
      }
    }
  }

  /// The CRC-32 of `bytes`, as zip and PNG use it.
  static func crc32(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var crc: UInt = 0
    var done = 0
    while done < bytes.count, let base = bytes.baseAddress {
      let part = min(bytes.count - done, 1 << 30)
      crc = UInt(CZlib.crc32(uLong(crc), (base + done).assumingMemoryBound(to: UInt8.self), UInt32(part)))
      done += part
    }
    return UInt32(truncatingIfNeeded: crc)
  }
}
