import CFileIO
import CZlib

/// Why compressed bytes were rejected.
package enum InflateError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Not a deflate stream, or one with a wrong checksum.
  case corrupt(String)
  /// The input ended before the stream did.
  case truncated
  /// The stream ended before the output was full.
  case tooShort(produced: Int, expected: Int)
  /// The stream goes on after the output is full.
  case tooLong(expected: Int)

  /// One line about the compressed data.
  package var description: String {
    switch self {
    case .corrupt(let reason): "the compressed data is damaged (\(reason))"
    case .truncated: "the compressed data is truncated"
    case .tooShort(let produced, let expected): "it inflates to \(produced) bytes, not the \(expected) expected"
    case .tooLong(let expected): "it inflates to more than the \(expected) bytes expected"
    }
  }
}

/// Decompression (RFC 1950, RFC 1951) into memory of a known size, so that a hostile stream cannot exhaust memory.
package enum Inflate {
  /// Deflate's greatest ratio of content to compressed size, 1032:1.
  package static let greatestRatio = 1032

  /// Inflates a stream that fills `output` exactly: at once where it is whole and right (`cfileio_inflate`), otherwise by
  /// zlib, which says what is wrong.
  /// - Parameter raw: whether it is a bare deflate stream, as in a ZIP, without zlib's header and checksum.
  /// - Returns: the number of input bytes that the stream has.
  @discardableResult
  package static func inflateExactly(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, raw: Bool
  ) throws(InflateError) -> Int {
    if let used = inflateWhole(input, into: output, raw: raw) { return used }
    return try inflateByZlib(input, into: output, raw: raw)
  }

  /// - Returns: nil for anything but a whole stream of exactly the expected size.
  private static func inflateWhole(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, raw: Bool
  ) -> Int? {
    guard let source = input.baseAddress?.assumingMemoryBound(to: UInt8.self),
      let target = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
    else { return nil }
    var used = 0
    if raw { return cfileio_inflate(source, input.count, target, output.count, &used) == 1 ? used : nil }
    // Deflate with a window of up to 32 KiB and no dictionary; the header is a multiple of 31.
    guard input.count >= 6, source[0] & 0x0F == 8, source[0] >> 4 <= 7, source[1] & 0x20 == 0,
      (Int(source[0]) << 8 | Int(source[1])) % 31 == 0,
      cfileio_inflate(source + 2, input.count - 2, target, output.count, &used) == 1, input.count - 2 - used >= 4
    else { return nil }
    let stored = (0..<4).reduce(0 as UInt32) { $0 << 8 | UInt32(source[2 + used + $1]) }
    return stored == cfileio_adler32(target, output.count) ? used + 6 : nil
  }

  package static func inflateByZlib(
    _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, raw: Bool
  ) throws(InflateError) -> Int {
    guard let source = input.baseAddress, !input.isEmpty else { throw .truncated }
    var stream = z_stream()
    guard czlib_inflate_init(&stream, raw ? -15 : 15) == Z_OK else { throw .corrupt("zlib cannot start") }
    defer { inflateEnd(&stream) }

    // zlib counts in 32 bits, so both buffers are passed in parts. Once the output is full, one spare
    // byte shows whether the stream ends there or continues.
    let part = 1 << 30
    var taken = 0
    var produced = 0
    var spare: UInt8 = 0
    while true {
      let giving = min(input.count - taken, part)
      let room = min(output.count - produced, part)
      stream.next_in = UnsafeMutablePointer(mutating: source.assumingMemoryBound(to: UInt8.self) + taken)
      stream.avail_in = UInt32(giving)
      let result = withUnsafeMutablePointer(to: &spare) { spare in
        if room > 0, let base = output.baseAddress {
          stream.next_out = base.assumingMemoryBound(to: UInt8.self) + produced
          stream.avail_out = UInt32(room)
        } else {
          stream.next_out = spare
          stream.avail_out = 1
        }
        return inflate(&stream, Z_NO_FLUSH)
      }
      taken += giving - Int(stream.avail_in)
      let made = max(room, 1) - Int(stream.avail_out)
      if room == 0, made > 0 { throw .tooLong(expected: output.count) }
      produced += made

      switch result {
      case Z_STREAM_END:
        guard produced == output.count else {
          throw .tooShort(produced: produced, expected: output.count)
        }
        return taken
      case Z_OK where made > 0 || giving > Int(stream.avail_in): continue
      case Z_OK, Z_BUF_ERROR: throw .truncated
      default: throw .corrupt(stream.msg.map { String(cString: $0) } ?? "code \(result)")
      }
    }
  }

  /// The CRC-32 of ZIP and gzip (`crc32_z`).
  /// - Parameter previous: the CRC-32 of the bytes before these.
  package static func crc32(_ bytes: UnsafeRawBufferPointer, continuing previous: UInt32 = 0) -> UInt32 {
    let folded = bytes.count < 256 ? 0 : bytes.count & ~15
    var (crc, rest) = (previous, bytes)
    var residue: (UInt64, UInt64) = (0, 0)
    withUnsafeMutableBytes(of: &residue) { residue in
      let (start, out) = (bytes.baseAddress, residue.baseAddress)
      guard folded > 0, let start, let out,
        cfileio_crc32_fold(
          previous, start.assumingMemoryBound(to: UInt8.self), folded, out.assumingMemoryBound(to: UInt8.self)) != 0
      else { return }
      crc = plainCRC32(UnsafeRawBufferPointer(residue), continuing: .max)
      rest = UnsafeRawBufferPointer(rebasing: bytes[folded...])
    }
    return plainCRC32(rest, continuing: crc)
  }

  static func plainCRC32(_ bytes: UnsafeRawBufferPointer, continuing previous: UInt32 = 0) -> UInt32 {
    guard let base = bytes.baseAddress, !bytes.isEmpty else { return previous }
    return UInt32(
      truncatingIfNeeded: crc32_z(uLong(previous), base.assumingMemoryBound(to: UInt8.self), bytes.count))
  }

  /// The CRC-32 of two consecutive runs of bytes from the CRC-32 of each (`crc32_combine`).
  /// - Parameter byteCount: the length of the second run.
  package static func crc32(joining first: UInt32, _ second: UInt32, byteCount: Int) -> UInt32 {
    UInt32(truncatingIfNeeded: crc32_combine(uLong(first), uLong(second), numericCast(byteCount)))
  }
}
