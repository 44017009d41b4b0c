/// Writes a ZIP archive of stored (uncompressed) entries to a file, each in pieces.
package struct ZipFileWriter {
  private let file: ContainerFile
  private let archive: String
  private var layout: ZipLayout

  /// - Parameter archive: the archive's name in errors.
  package init(_ file: ContainerFile, archive: String) {
    self.file = file
    self.archive = archive
    layout = ZipLayout(archive: archive)
  }

  /// Writes an entry of `size` bytes.
  /// - Parameter content: writes its bytes to the file.
  /// - Throws: ``ZipError`` for an unsafe or repeated name, ``FileError``, and what `content` throws.
  package mutating func add(_ name: String, size: Int, content: () throws -> Void) throws {
    let header = try layout.add(name, size: size, crc: 0)
    var checksum: UInt32 = 0
    let start = file.byteCount + header.count
    try file.write(placeholder: header, content: content) { crc in
      checksum = crc
      var header = header
      withUnsafeBytes(of: crc.littleEndian) {
        header.replaceSubrange(ZipLayout.crcOffset..<ZipLayout.crcOffset + 4, with: $0)
      }
      return header
    }
    guard file.byteCount - start == size else {
      throw FileError.writingFailed(
        file: archive, detail: "\(name) has \(file.byteCount - start) bytes; expected \(size)")
    }
    layout.complete(crc: checksum)
  }

  /// Writes an entry with the given content.
  package mutating func add(_ name: String, _ content: [UInt8]) throws {
    let file = file
    try add(name, size: content.count) { try file.write(content) }
  }

  /// Writes the central directory; nothing can be added after it.
  package mutating func finish() throws { try file.write(layout.finish()) }
}
