/// How an entry's bytes are stored.
public enum ZipMethod: Int, Sendable {
  /// Uncompressed (method 0).
  case stored = 0
  /// Compressed with deflate (method 8).
  case deflate = 8
}

/// A file in a ZIP archive. Sizes and offsets are in bytes.
public struct ZipEntry: Sendable, Hashable {
  /// The name, a relative path with `/` between its parts.
  public let name: String
  /// How its bytes are stored.
  public let method: ZipMethod
  /// The size in the archive.
  public let compressedSize: Int
  /// The size of the content.
  public let size: Int
  /// The CRC-32 of the content; 0 means "not computed", which PyTorch may write.
  public let crc: UInt32
  /// The offset of its bytes from the start of the archive.
  public let dataOffset: Int

  /// Whether the entry is a folder.
  public var isDirectory: Bool { name.hasSuffix("/") }
}
