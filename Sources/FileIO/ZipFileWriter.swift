/// Writes a zip archive of stored entries to a file, each a piece at a time.
package struct ZipFileWriter {
  private let file: ContainerFile
  private let archive: String
  private var layout: ZipLayout

  package init(_ file: ContainerFile, archive: String) {
    self.file = file
    self.archive = archive
    layout = ZipLayout(archive: archive, alignment: 64, forceZip64: false)
  }

  /// Writes one entry of `size` bytes.
  /// - Parameter content: writes them to the file.
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

  package mutating func add(_ name: String, _ content: [UInt8]) throws {
    let file = file
    try add(name, size: content.count) { try file.write(content) }
  }

  package mutating func finish() throws { try file.write(layout.finish()) }
}
