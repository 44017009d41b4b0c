/// The headers of a ZIP archive of stored (uncompressed) entries being written, and where they go.
///
/// The same entries give the same bytes: the date is always 1 January 1980. Each entry's content starts at a multiple of
/// `alignment` bytes, by padding in its header, so that it can be memory-mapped. Zip64 records are written where sizes,
/// offsets or the number of entries need them. Layout and field order follow PKWARE's APPNOTE.TXT, sections 4.3 and 4.5.
package struct ZipLayout {
  private struct Written {
    var name: [UInt8]
    var crc: UInt32
    var size: Int
    var offset: Int
  }

  /// Bytes of the archive so far, contents included.
  package private(set) var position = 0
  private var written: [Written] = []
  private var names = Set<String>()
  private var isFinished = false
  private let archive: String
  private let alignment: Int
  private let forceZip64: Bool

  /// 1 January 1980, the first day that zip can name.
  private static let date: UInt16 = 1 << 5 | 1
  private static let utf8Flag: UInt16 = 1 << 11
  /// "FB": the extra field that PyTorch pads with.
  private static let paddingField: UInt16 = 0x4246
  /// The offset of the checksum within an entry's header.
  static let crcOffset = 14

  /// - Parameters:
  ///   - archive: its name in errors.
  ///   - alignment: 1 to 4096 bytes.
  ///   - forceZip64: writes zip64 fields even where they are not needed.
  package init(archive: String, alignment: Int = 64, forceZip64: Bool = false) {
    precondition((1...4096).contains(alignment), "an alignment of 1 to 4096 bytes")
    self.archive = archive
    self.alignment = alignment
    self.forceZip64 = forceZip64
  }

  /// The header of the next entry, after which its `size` bytes go.
  /// - Throws: `ZipError` for a name that is unsafe or already used, or after ``finish()``.
  package mutating func add(_ name: String, size: Int, crc: UInt32) throws(ZipError) -> [UInt8] {
    guard !isFinished else { throw ZipError(.finished, archive: archive, entry: name) }
    let nameBytes = Array(name.utf8)
    guard nameBytes.count < 0xffff else { throw ZipError(.invalidName, archive: archive, entry: name) }
    _ = try ZipName.checked(nameBytes, archive: archive)
    guard names.insert(name).inserted else {
      throw ZipError(.duplicateName, archive: archive, entry: name)
    }
    let wide = forceZip64 || size >= 0xffff_ffff
    var extra: [UInt8] = []
    if wide {
      extra.append(littleEndian: ZipDirectory.zip64Field)
      extra.append(littleEndian: UInt16(16))
      extra.append(littleEndian: UInt64(size))
      extra.append(littleEndian: UInt64(size))
    }
    var padding = (alignment - (position + 30 + nameBytes.count + extra.count) % alignment) % alignment
    // The padding is a field of its own, which takes at least four bytes.
    while (1..<4).contains(padding) { padding += alignment }
    if padding > 0 {
      extra.append(littleEndian: Self.paddingField)
      extra.append(littleEndian: UInt16(padding - 4))
      extra.append(contentsOf: repeatElement(UInt8(ascii: "Z"), count: padding - 4))
    }

    var header: [UInt8] = []
    header.append(littleEndian: ZipDirectory.localSignature)
    appendCommon(&header, name: nameBytes, crc: crc, size: size, wide: wide)
    header.append(littleEndian: UInt16(extra.count))
    header += nameBytes
    header += extra
    written.append(Written(name: nameBytes, crc: crc, size: size, offset: position))
    position += header.count + size
    return header
  }

  /// Sets the checksum of the last entry, where it was not known when the entry was added.
  mutating func complete(crc: UInt32) {
    if !written.isEmpty { written[written.count - 1].crc = crc }
  }

  /// The central directory and the end records; nothing can be added after them.
  package mutating func finish() throws(ZipError) -> [UInt8] {
    guard !isFinished else { throw ZipError(.finished, archive: archive) }
    isFinished = true
    let start = position
    var bytes: [UInt8] = []
    for entry in written {
      appendCentral(&bytes, entry)
    }
    let byteCount = bytes.count
    if forceZip64 || written.count >= 0xffff || start >= 0xffff_ffff || byteCount >= 0xffff_ffff {
      bytes.append(littleEndian: ZipDirectory.end64Signature)
      bytes.append(littleEndian: UInt64(44))
      bytes.append(littleEndian: UInt16(45))
      bytes.append(littleEndian: UInt16(45))
      bytes.append(littleEndian: UInt64(0))
      bytes.append(littleEndian: UInt64(written.count))
      bytes.append(littleEndian: UInt64(written.count))
      bytes.append(littleEndian: UInt64(byteCount))
      bytes.append(littleEndian: UInt64(start))
      bytes.append(littleEndian: ZipDirectory.locator64Signature)
      bytes.append(littleEndian: UInt32(0))
      bytes.append(littleEndian: UInt64(start + byteCount))
      bytes.append(littleEndian: UInt32(1))
    }
    bytes.append(littleEndian: ZipDirectory.endSignature)
    bytes.append(littleEndian: UInt32(0))
    bytes.append(littleEndian: UInt16(clamping: written.count))
    bytes.append(littleEndian: UInt16(clamping: written.count))
    bytes.append(littleEndian: UInt32(clamping: byteCount))
    bytes.append(littleEndian: UInt32(clamping: start))
    bytes.append(littleEndian: UInt16(0))
    position += bytes.count
    return bytes
  }

  /// The fields that both headers share, from the version to the length of the name.
  private func appendCommon(_ bytes: inout [UInt8], name: [UInt8], crc: UInt32, size: Int, wide: Bool) {
    bytes.append(littleEndian: UInt16(wide ? 45 : 20))
    bytes.append(littleEndian: name.allSatisfy { $0 < 0x80 } ? UInt16(0) : Self.utf8Flag)
    bytes.append(littleEndian: UInt16(0))
    bytes.append(littleEndian: UInt16(0))
    bytes.append(littleEndian: Self.date)
    bytes.append(littleEndian: crc)
    bytes.append(littleEndian: wide ? UInt32.max : UInt32(size))
    bytes.append(littleEndian: wide ? UInt32.max : UInt32(size))
    bytes.append(littleEndian: UInt16(name.count))
  }

  private func appendCentral(_ bytes: inout [UInt8], _ entry: Written) {
    let wideSize = forceZip64 || entry.size >= 0xffff_ffff
    let wideOffset = forceZip64 || entry.offset >= 0xffff_ffff
    var extra: [UInt8] = []
    if wideSize || wideOffset {
      extra.append(littleEndian: ZipDirectory.zip64Field)
      extra.append(littleEndian: UInt16((wideSize ? 16 : 0) + (wideOffset ? 8 : 0)))
      if wideSize {
        extra.append(littleEndian: UInt64(entry.size))
        extra.append(littleEndian: UInt64(entry.size))
      }
      if wideOffset { extra.append(littleEndian: UInt64(entry.offset)) }
    }
    bytes.append(littleEndian: ZipDirectory.centralSignature)
    bytes.append(littleEndian: UInt16(wideSize || wideOffset ? 45 : 20))
    appendCommon(&bytes, name: entry.name, crc: entry.crc, size: entry.size, wide: wideSize)
    bytes.append(littleEndian: UInt16(extra.count))
    // No comment, first disk, internal and external attributes zero.
    bytes.append(contentsOf: repeatElement(0, count: 10))
    bytes.append(littleEndian: wideOffset ? UInt32.max : UInt32(entry.offset))
    bytes += entry.name
    bytes += extra
  }
}

extension [UInt8] {
  /// Appends the bytes of `value`, lowest first.
  package mutating func append<T: FixedWidthInteger>(littleEndian value: T) {
    Swift.withUnsafeBytes(of: value.littleEndian) { append(contentsOf: $0) }
  }
}
