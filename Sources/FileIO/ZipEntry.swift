/// How an entry's bytes are kept.
public enum ZipMethod: Int, Sendable {
  /// As they are (method 0).
  case stored = 0
  /// Compressed by deflate (method 8).
  case deflate = 8
}

/// One file inside a zip archive. Sizes and offsets are in bytes.
public struct ZipEntry: Sendable, Hashable {
  /// The name, a relative path with `/` between its parts.
  public let name: String
  /// How the bytes are kept.
  public let method: ZipMethod
  /// The size inside the archive.
  public let compressedSize: Int
  /// The size once read.
  public let size: Int
  /// The CRC-32 of the content; 0 means "not computed", as PyTorch can write.
  public let crc: UInt32
  /// Where the bytes start, counted from the start of the archive.
  public let dataOffset: Int

  /// Whether the entry stands for a folder.
  public var isDirectory: Bool { name.hasSuffix("/") }
}
