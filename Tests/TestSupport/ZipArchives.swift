import FileIO

/// ZIP archives in memory.
public enum ZipWriter {
  public static func encode(
    _ entries: [(name: String, content: [UInt8])], alignment: Int = 64, forceZip64: Bool = false
  ) throws(ZipError) -> [UInt8] {
    var layout = ZipLayout(archive: "archive", alignment: alignment, forceZip64: forceZip64)
    var archive: [UInt8] = []
    for entry in entries {
      let crc = entry.content.withUnsafeBytes { Inflate.crc32($0) }
      archive += try layout.add(entry.name, size: entry.content.count, crc: crc)
      archive += entry.content
    }
    archive += try layout.finish()
    return archive
  }
}
