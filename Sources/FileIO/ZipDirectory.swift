/// Reads a ZIP archive's directory and checks it against the file before memory is allocated for an entry.
///
/// Layout and field order follow PKWARE's APPNOTE.TXT, sections 4.3 and 4.5.
enum ZipDirectory {
  static let localSignature: UInt32 = 0x0403_4b50
  static let centralSignature: UInt32 = 0x0201_4b50
  static let endSignature: UInt32 = 0x0605_4b50
  static let end64Signature: UInt32 = 0x0606_4b50
  static let locator64Signature: UInt32 = 0x0706_4b50
  static let zip64Field: UInt16 = 0x0001

  /// Flags for encryption: traditional, strong, masked headers.
  private static let encryptionFlags: UInt16 = 1 << 0 | 1 << 6 | 1 << 13
  private static let descriptorFlag: UInt16 = 1 << 3
  static let entryLimit = 100_000
  static let ratioLimit = Inflate.greatestRatio
  /// The most bytes that a directory may have.
  private static let directoryLimit = 64 << 20

  /// Where the central directory is, according to the end record.
  private struct Location {
    var offset: Int
    var byteCount: Int
    var entryCount: Int
  }

  /// An entry of the central directory.
  private struct Record {
    var nameBytes: [UInt8]
    var name: String
    var flags: UInt16
    var method: ZipMethod
    var crc: UInt32
    var compressedSize: Int
    var size: Int
    var headerOffset: Int
  }

  static func entries(of source: ByteSource, archive: String) throws(ZipError) -> [ZipEntry] {
    let location = try locate(source, archive)
    let records = try centralRecords(source, location, archive)
    var entries: [ZipEntry] = []
    entries.reserveCapacity(records.count)
    for record in records {
      let dataOffset = try localDataOffset(source, record, archive)
      guard dataOffset <= location.offset, record.compressedSize <= location.offset - dataOffset else {
        throw ZipError(.outOfBounds, archive: archive, entry: record.name)
      }
      entries.append(
        ZipEntry(
          name: record.name, method: record.method, compressedSize: record.compressedSize,
          size: record.size, crc: record.crc, dataOffset: dataOffset))
    }
    let order = records.indices.sorted { records[$0].headerOffset < records[$1].headerOffset }
    for (first, second) in zip(order, order.dropFirst()) {
      let end = entries[first].dataOffset + entries[first].compressedSize
      guard end <= records[second].headerOffset else {
        throw ZipError(
          .overlap(with: records[first].name), archive: archive, entry: records[second].name)
      }
    }
    return entries
  }

  // MARK: End records

  private static func locate(_ source: ByteSource, _ archive: String) throws(ZipError) -> Location {
    // The end record has 22 bytes and a comment of at most 65,535 bytes, and nothing may follow it.
    let tailCount = min(source.byteCount, 22 + 65_535)
    let tailOffset = source.byteCount - tailCount
    let tail = try fetch(source, tailOffset, tailCount, "end record", archive)
    var found: Int?
    for start in stride(from: tailCount - 22, through: 0, by: -1)
    where tail[start] == 0x50 && tail[start + 1] == 0x4b && tail[start + 2] == 5 && tail[start + 3] == 6 {
      let comment = Int(tail[start + 20]) | Int(tail[start + 21]) << 8
      if start + 22 + comment == tailCount {
        found = start
        break
      }
    }
    guard let start = found else { throw ZipError(.notAnArchive, archive: archive) }

    var end = ZipCursor(tail[start...], part: "end record", archive: archive)
    _ = try end.u32()
    let disk = try end.u16()
    let directoryDisk = try end.u16()
    let countHere = try end.u16()
    let count = try end.u16()
    let byteCount = try end.u32()
    let offset = try end.u32()

    var location = Location(offset: Int(offset), byteCount: Int(byteCount), entryCount: Int(count))
    var endOffset = tailOffset + start
    if let wide = try locate64(source, endRecordOffset: endOffset, archive) {
      // The old record has either the same value or all ones; anything else would be a second directory.
      guard
        [wide.location.entryCount, 0xffff].contains(Int(count)),
        [wide.location.byteCount, 0xffff_ffff].contains(Int(byteCount)),
        [wide.location.offset, 0xffff_ffff].contains(Int(offset))
      else { throw ZipError(.directoryOutOfPlace, archive: archive) }
      guard [0, 0xffff].contains(disk), [0, 0xffff].contains(directoryDisk) else {
        throw ZipError(.severalVolumes, archive: archive)
      }
      location = wide.location
      endOffset = wide.recordOffset
    } else {
      guard disk == 0, directoryDisk == 0, countHere == count else {
        throw ZipError(.severalVolumes, archive: archive)
      }
    }
    guard location.offset <= endOffset, location.byteCount == endOffset - location.offset else {
      throw ZipError(.directoryOutOfPlace, archive: archive)
    }
    guard location.entryCount <= entryLimit, location.byteCount <= directoryLimit else {
      throw ZipError(.tooManyEntries(limit: entryLimit), archive: archive)
    }
    return location
  }

  private static func locate64(
    _ source: ByteSource, endRecordOffset: Int, _ archive: String
  ) throws(ZipError) -> (location: Location, recordOffset: Int)? {
    guard endRecordOffset >= 20 else { return nil }
    let bytes = try fetch(source, endRecordOffset - 20, 20, "zip64 locator", archive)
    var locator = ZipCursor(bytes[...], part: "zip64 locator", archive: archive)
    guard try locator.u32() == locator64Signature else { return nil }
    let disk = try locator.u32()
    let recordOffset = try locator.int64()
    let disks = try locator.u32()
    guard disk == 0, disks <= 1 else { throw ZipError(.severalVolumes, archive: archive) }
    // Nothing may lie between the record and its locator.
    guard endRecordOffset >= 76, recordOffset == endRecordOffset - 76 else {
      throw ZipError(.directoryOutOfPlace, archive: archive)
    }
    let part = "zip64 end record"
    let recordBytes = try fetch(source, recordOffset, 56, part, archive)
    var record = ZipCursor(recordBytes[...], part: part, archive: archive)
    guard try record.u32() == end64Signature else {
      throw ZipError(.badSignature(part: part), archive: archive)
    }
    let recordSize = try record.int64()
    guard recordSize == 44 else { throw ZipError(.directoryOutOfPlace, archive: archive) }
    _ = try record.u32()
    let diskHere = try record.u32()
    let directoryDisk = try record.u32()
    let countHere = try record.int64()
    let count = try record.int64()
    let byteCount = try record.int64()
    let offset = try record.int64()
    guard diskHere == 0, directoryDisk == 0, countHere == count else {
      throw ZipError(.severalVolumes, archive: archive)
    }
    return (Location(offset: offset, byteCount: byteCount, entryCount: count), recordOffset)
  }

  // MARK: Central directory

  private static func centralRecords(
    _ source: ByteSource, _ location: Location, _ archive: String
  ) throws(ZipError) -> [Record] {
    let part = "central directory"
    let bytes = try fetch(source, location.offset, location.byteCount, part, archive)
    var cursor = ZipCursor(bytes[...], part: part, archive: archive)
    var records: [Record] = []
    var names = Set<String>()
    while !cursor.isAtEnd {
      guard records.count < location.entryCount else {
        throw ZipError(
          .entryCount(expected: location.entryCount, found: records.count + 1), archive: archive)
      }
      let record = try centralRecord(&cursor, archive)
      guard names.insert(record.name).inserted else {
        throw ZipError(.duplicateName, archive: archive, entry: record.name)
      }
      records.append(record)
    }
    guard records.count == location.entryCount else {
      throw ZipError(.entryCount(expected: location.entryCount, found: records.count), archive: archive)
    }
    return records
  }

  private static func centralRecord(_ cursor: inout ZipCursor, _ archive: String) throws(ZipError) -> Record {
    guard try cursor.u32() == centralSignature else {
      throw ZipError(.badSignature(part: "central directory"), archive: archive)
    }
    try cursor.skip(4)
    let flags = try cursor.u16()
    let methodCode = Int(try cursor.u16())
    try cursor.skip(4)
    let crc = try cursor.u32()
    let narrowCompressed = try cursor.u32()
    let narrowSize = try cursor.u32()
    let nameCount = Int(try cursor.u16())
    let extraCount = Int(try cursor.u16())
    let commentCount = Int(try cursor.u16())
    let narrowDisk = try cursor.u16()
    try cursor.skip(6)
    let narrowOffset = try cursor.u32()
    let nameBytes = try cursor.bytes(nameCount)
    let extra = try cursor.bytes(extraCount)
    try cursor.skip(commentCount)

    let name = try ZipName.checked(nameBytes, archive: archive)
    guard flags & encryptionFlags == 0 else { throw ZipError(.encrypted, archive: archive, entry: name) }
    guard let method = ZipMethod(rawValue: methodCode) else {
      throw ZipError(.unsupportedMethod(methodCode), archive: archive, entry: name)
    }
    // The zip64 field has only those values that are all ones here, in this order.
    var wide = try zip64(extra, archive: archive, entry: name)
    let size = try widened(narrowSize, &wide, archive, name)
    let compressedSize = try widened(narrowCompressed, &wide, archive, name)
    let headerOffset = try widened(narrowOffset, &wide, archive, name)
    if narrowDisk == 0xffff, wide != nil {
      guard try wide?.u32() == 0 else { throw ZipError(.severalVolumes, archive: archive, entry: name) }
    } else if narrowDisk != 0 {
      throw ZipError(.severalVolumes, archive: archive, entry: name)
    }

    switch method {
    case .stored where compressedSize != size:
      throw ZipError(.storedSize(compressed: compressedSize, size: size), archive: archive, entry: name)
    case .deflate
    where size / ratioLimit > compressedSize
      || (size / ratioLimit == compressedSize && size % ratioLimit != 0):
      throw ZipError(.ratio(compressed: compressedSize, size: size), archive: archive, entry: name)
    default: break
    }
    return Record(
      nameBytes: Array(nameBytes), name: name, flags: flags, method: method, crc: crc,
      compressedSize: compressedSize, size: size, headerOffset: headerOffset)
  }

  // MARK: Local headers

  /// The offset of the entry's bytes, after checking that its own header agrees with the directory.
  private static func localDataOffset(
    _ source: ByteSource, _ record: Record, _ archive: String
  ) throws(ZipError) -> Int {
    let part = "header of an entry"
    let fixed = try fetch(source, record.headerOffset, 30, part, archive, entry: record.name)
    var cursor = ZipCursor(fixed[...], part: part, archive: archive)
    guard try cursor.u32() == localSignature else {
      throw ZipError(.badSignature(part: part), archive: archive, entry: record.name)
    }
    try cursor.skip(2)
    let flags = try cursor.u16()
    let method = try cursor.u16()
    try cursor.skip(4)
    let crc = try cursor.u32()
    let narrowCompressed = try cursor.u32()
    let narrowSize = try cursor.u32()
    let nameCount = Int(try cursor.u16())
    let extraCount = Int(try cursor.u16())
    let rest = try fetch(
      source, record.headerOffset + 30, nameCount + extraCount, part, archive, entry: record.name)

    func differ(_ field: String) -> ZipError {
      ZipError(.disagreement(field: field), archive: archive, entry: record.name)
    }
    guard rest.prefix(nameCount) == record.nameBytes[...] else { throw differ("name") }
    guard flags & encryptionFlags == 0 else {
      throw ZipError(.encrypted, archive: archive, entry: record.name)
    }
    guard Int(method) == record.method.rawValue else { throw differ("method") }
    guard flags & descriptorFlag == record.flags & descriptorFlag else { throw differ("flags") }
    var wide = try zip64(rest.dropFirst(nameCount), archive: archive, entry: record.name)
    let size = try widened(narrowSize, &wide, archive, record.name)
    let compressedSize = try widened(narrowCompressed, &wide, archive, record.name)
    // With a data descriptor, the sizes and the checksum may be zero here.
    let late = flags & descriptorFlag != 0
    guard size == record.size || (late && size == 0) else { throw differ("size") }
    guard compressedSize == record.compressedSize || (late && compressedSize == 0) else {
      throw differ("compressed size")
    }
    guard crc == record.crc || (late && crc == 0) else { throw differ("CRC-32") }
    return record.headerOffset + 30 + nameCount + extraCount
  }

  // MARK: Fields

  /// The content of the zip64 extra field, if there is one.
  private static func zip64(
    _ extra: ArraySlice<UInt8>, archive: String, entry: String
  ) throws(ZipError) -> ZipCursor? {
    var found: ZipCursor?
    var cursor = ZipCursor(extra, part: "extra field", archive: archive)
    // Fewer than four bytes are padding by alignment tools.
    while cursor.remaining >= 4 {
      let identifier = try cursor.u16()
      let count = Int(try cursor.u16())
      guard count <= cursor.remaining, identifier != zip64Field || found == nil else {
        throw ZipError(.malformedExtraField, archive: archive, entry: entry)
      }
      let content = try cursor.bytes(count)
      if identifier == zip64Field {
        found = ZipCursor(content, part: "zip64 field", archive: archive)
      }
    }
    return found
  }

  private static func widened(
    _ narrow: UInt32, _ wide: inout ZipCursor?, _ archive: String, _ entry: String
  ) throws(ZipError) -> Int {
    guard narrow == .max else { return Int(narrow) }
    guard let value = try wide?.int64() else {
      throw ZipError(.malformedExtraField, archive: archive, entry: entry)
    }
    return value
  }

  private static func fetch(
    _ source: ByteSource, _ offset: Int, _ count: Int, _ part: String, _ archive: String,
    entry: String? = nil
  ) throws(ZipError) -> [UInt8] {
    do throws(RegularFile.Failure) {
      return try source.bytes(at: offset, count: count)
    } catch {
      throw ZipError(.init(error, part: part), archive: archive, entry: entry)
    }
  }
}
