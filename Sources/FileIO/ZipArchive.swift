/// A ZIP archive. Its directory is read and checked when it is opened; contents are read on demand, one entry at a time.
///
/// Opening rejects archives with overlapping entries, duplicate or unsafe names, contradictory headers, encryption,
/// methods other than stored and deflate, and ratios that deflate cannot reach. Zip64 is supported.
///
/// An archive may be read from several threads at once.
public struct ZipArchive: Sendable {
  /// The archive's path, or the name that was given for it; used in errors.
  public let name: String
  /// The entries in the order of the central directory.
  public let entries: [ZipEntry]

  /// The size of the archive.
  public var byteCount: Int { source.byteCount }

  package let source: ByteSource
  private let indices: [String: Int]

  /// Opens the archive at `path` and reads its directory.
  ///
  /// - Throws: `ZipError` when the file cannot be read or its directory is invalid.
  public init(contentsOf path: String) throws(ZipError) {
    do throws(RegularFile.Failure) {
      source = .file(try RegularFile(path: path))
    } catch {
      throw ZipError(.init(error, part: "file"), archive: path)
    }
    name = path
    entries = try ZipDirectory.entries(of: source, archive: path)
    indices = Self.indices(entries)
  }

  /// Reads the directory of an archive held in memory.
  ///
  /// - Parameters:
  ///   - bytes: The whole archive.
  ///   - name: The archive's name in errors.
  /// - Throws: `ZipError` when the directory is invalid.
  public init(bytes: [UInt8], name: String) throws(ZipError) {
    source = .memory(bytes)
    self.name = name
    entries = try ZipDirectory.entries(of: source, archive: name)
    indices = Self.indices(entries)
  }

  private static func indices(_ entries: [ZipEntry]) -> [String: Int] {
    Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.name, $0) })
  }

  /// The entry with that name; nil when there is none.
  public func entry(named name: String) -> ZipEntry? {
    indices[name].map { entries[$0] }
  }

  /// The content of an entry, `entry.size` bytes; its CRC-32 is checked.
  ///
  /// - Throws: `ZipError` when the bytes cannot be read, do not inflate to exactly `entry.size` bytes
  ///   or do not match the checksum.
  public func read(_ entry: ZipEntry) throws(ZipError) -> [UInt8] {
    // The directory was checked: `size` is at most 1032 times the bytes that the file has.
    var content = [UInt8](repeating: 0, count: entry.size)
    try content.lendMutable { buffer throws(ZipError) in try read(entry, into: buffer) }
    return content
  }

  /// The content of the entry with that name.
  ///
  /// - Throws: `ZipError`, of kind `noSuchEntry` when there is none.
  public func read(named name: String) throws(ZipError) -> [UInt8] {
    guard let entry = entry(named: name) else {
      throw ZipError(.noSuchEntry, archive: self.name, entry: name)
    }
    return try read(entry)
  }

  /// Reads the content of an entry into a buffer of exactly `entry.size` bytes.
  ///
  /// - Throws: `ZipError`; the buffer's content is then undefined.
  package func read(_ entry: ZipEntry, into buffer: UnsafeMutableRawBufferPointer) throws(ZipError) {
    // An entry of another archive has not been checked against this one.
    guard entry == self.entry(named: entry.name) else {
      throw ZipError(.noSuchEntry, archive: name, entry: entry.name)
    }
    guard buffer.count == entry.size else {
      throw ZipError(
        .bufferSize(expected: entry.size, found: buffer.count), archive: name, entry: entry.name)
    }
    switch entry.method {
    case .stored:
      try fetch(entry) { () throws(RegularFile.Failure) in
        try source.read(at: entry.dataOffset, into: buffer)
      }
    case .deflate:
      let compressed = try fetch(entry) { () throws(RegularFile.Failure) in
        try source.bytes(at: entry.dataOffset, count: entry.compressedSize)
      }
      if let failure = Self.inflate(compressed, into: buffer, expectsAll: true) {
        throw ZipError(
          failure.isDamage ? .corruptData : .inflatedSize(expected: entry.size), archive: name, entry: entry.name)
      }
    }
    guard entry.crc != 0 else { return }
    let found = Inflate.crc32(UnsafeRawBufferPointer(buffer))
    guard isChecksum(entry.crc, of: found) else {
      throw ZipError(.checksum(expected: entry.crc, found: found), archive: name, entry: entry.name)
    }
  }

  /// The first `count` bytes of an entry's content, or all of it when it is shorter. The checksum covers the whole
  /// content and is checked only when all of it was read.
  ///
  /// - Throws: `ZipError` when the bytes cannot be read or do not inflate.
  public func readPrefix(_ entry: ZipEntry, count: Int) throws(ZipError) -> [UInt8] {
    guard count < entry.size else { return try read(entry) }
    // A little more than deflate needs for that many bytes.
    let wanted = entry.method == .stored ? count : min(entry.compressedSize, count + count / 8 + 1024)
    let stored = try fetch(entry) { () throws(RegularFile.Failure) in
      try source.bytes(at: entry.dataOffset, count: wanted)
    }
    if entry.method == .stored { return stored }
    var prefix = [UInt8](repeating: 0, count: count)
    let failure = prefix.withUnsafeMutableBytes { Self.inflate(stored, into: $0, expectsAll: false) }
    // If the prefix failed, reading the whole entry reports what is wrong.
    return failure == nil ? prefix : Array(try read(entry).prefix(count))
  }

  /// Some bytes of an uncompressed entry. The checksum covers the whole content and is not checked.
  package func readStored(_ entry: ZipEntry, from start: Int, count: Int) throws(ZipError) -> [UInt8] {
    guard entry == self.entry(named: entry.name), entry.method == .stored else {
      throw ZipError(.noSuchEntry, archive: name, entry: entry.name)
    }
    guard start >= 0, count >= 0, start <= entry.size, count <= entry.size - start else {
      throw ZipError(.bufferSize(expected: entry.size, found: count), archive: name, entry: entry.name)
    }
    return try fetch(entry) { () throws(RegularFile.Failure) in
      try source.bytes(at: entry.dataOffset + start, count: count)
    }
  }

  private struct InflateFailure {
    /// Whether the stream is damaged, rather than of another length than expected.
    let isDamage: Bool
  }

  /// Inflates into `buffer`; nil on success.
  /// - Parameter expectsAll: whether stream, input and buffer must end together; otherwise the stream may continue.
  private static func inflate(
    _ compressed: [UInt8], into buffer: UnsafeMutableRawBufferPointer, expectsAll: Bool
  ) -> InflateFailure? {
    compressed.withUnsafeBytes { input in
      do throws(InflateError) {
        let taken = try Inflate.inflateExactly(input, into: buffer, raw: true)
        return !expectsAll || taken == input.count ? nil : InflateFailure(isDamage: false)
      } catch {
        switch error {
        case .tooLong: return expectsAll ? InflateFailure(isDamage: false) : nil
        case .tooShort: return InflateFailure(isDamage: false)
        case .corrupt, .truncated: return InflateFailure(isDamage: true)
        }
      }
    }
  }

  private func fetch<T>(
    _ entry: ZipEntry, _ body: () throws(RegularFile.Failure) -> T
  ) throws(ZipError) -> T {
    do throws(RegularFile.Failure) {
      return try body()
    } catch {
      throw ZipError(.init(error, part: "entry"), archive: name, entry: entry.name)
    }
  }
}
