/// A bounds-checked little-endian reader over part of a zip's directory.
struct ZipCursor {
  private let source: ArraySlice<UInt8>
  private var position: Int
  private let part: String
  private let archive: String

  init(_ source: ArraySlice<UInt8>, part: String, archive: String) {
    self.source = source
    self.position = source.startIndex
    self.part = part
    self.archive = archive
  }

  var remaining: Int { source.endIndex - position }
  var isAtEnd: Bool { remaining == 0 }

  /// The next `count` bytes.
  mutating func bytes(_ count: Int) throws(ZipError) -> ArraySlice<UInt8> {
    guard count <= remaining else { throw ZipError(.truncated(part: part), archive: archive) }
    defer { position += count }
    return source[position..<(position + count)]
  }

  mutating func skip(_ count: Int) throws(ZipError) {
    _ = try bytes(count)
  }

  mutating func u16() throws(ZipError) -> UInt16 { UInt16(truncatingIfNeeded: try unsigned(2)) }

  mutating func u32() throws(ZipError) -> UInt32 { UInt32(truncatingIfNeeded: try unsigned(4)) }

  /// The next 64-bit number; one above `Int.max` cannot lie inside any file.
  mutating func int64() throws(ZipError) -> Int {
    guard let value = Int(exactly: try unsigned(8)) else {
      throw ZipError(.truncated(part: part), archive: archive)
    }
    return value
  }

  private mutating func unsigned(_ count: Int) throws(ZipError) -> UInt64 {
    try bytes(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}

/// The rules for an entry's name, the same when reading and when writing.
enum ZipName {
  /// The name, if it is one that could be a relative path everywhere.
  static func checked(_ bytes: some Collection<UInt8>, archive: String) throws(ZipError) -> String {
    let name = String(decoding: bytes, as: UTF8.self)
    // Decoding repairs what is not UTF-8; only an exact round trip is accepted.
    guard !bytes.isEmpty, name.utf8.elementsEqual(bytes),
      !bytes.contains(where: { $0 < 0x20 || $0 == 0x7f })
    else {
      // An error is printed; control characters could then write over the terminal.
      let printable = String(
        name.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? "?" : Character($0) })
      throw ZipError(.invalidName, archive: archive, entry: name.isEmpty ? nil : printable)
    }
    let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    let climbs = parts.contains { $0.elementsEqual("..".utf8) }
    let drive = name.utf8.dropFirst().first == UInt8(ascii: ":")
    guard !climbs, !drive, !name.utf8.starts(with: "/".utf8), !name.utf8.contains(UInt8(ascii: "\\")) else {
      throw ZipError(.unsafeName, archive: archive, entry: name)
    }
    return name
  }
}
