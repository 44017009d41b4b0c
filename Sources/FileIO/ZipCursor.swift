/// A bounds-checked little-endian reader of a part of a ZIP directory.
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

  /// The next 64-bit number. One above `Int.max` cannot be an offset or a size within a file.
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

/// The rules for names of entries, the same for reading and writing.
enum ZipName {
  /// The name, if it is a valid relative path on every system.
  static func checked(_ bytes: some Collection<UInt8>, archive: String) throws(ZipError) -> String {
    let name = String(decoding: bytes, as: UTF8.self)
    // Decoding repairs invalid UTF-8; only names that survive a round trip are accepted.
    guard !bytes.isEmpty, name.utf8.elementsEqual(bytes),
      !bytes.contains(where: { $0 < 0x20 || $0 == 0x7f })
    else {
      throw ZipError(.invalidName, archive: archive, entry: name.isEmpty ? nil : printable(name))
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
