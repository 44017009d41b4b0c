import CFileIO

/// The SHA-256 of a file (FIPS 180-4), in lowercase hexadecimal.
/// - Throws: ``FileError`` `unreadable` naming the file and why.
public func sha256(ofFile path: String) throws(FileError) -> String {
  do throws(RegularFile.Failure) {
    return try SHA256.digest(of: RegularFile(path: path))
  } catch {
    throw .unreadable(file: path, reason: error)
  }
}

/// The SHA-256 of a file, computed on its own thread. It takes about as long as copying the file, and both can run at
/// the same time.
public final class FileDigest: Sendable {
  private let task: BackgroundTask<Result<String, any Error>>

  /// Starts computing the digest of the file at `path`.
  public init(ofFile path: String) {
    task = BackgroundTask { Result { try sha256(ofFile: path) } }
  }

  /// Waits for the digest, in lowercase hexadecimal.
  /// - Throws: what ``sha256(ofFile:)`` throws.
  public func value() throws -> String { try task.value().get() }
}

/// The SHA-256 of bytes given in pieces.
struct SHA256 {
  /// An implementation of the compression function: by the processor's SHA instructions, or in portable C.
  struct Path: Sendable {
    let name: String
    fileprivate let compress: cfileio_sha256_compress
  }

  /// The implementations that this processor can run, fastest first.
  static let paths: [Path] = {
    var found = [cfileio_sha256_path](repeating: cfileio_sha256_path(), count: 4)
    let count = cfileio_sha256_available(&found, found.count)
    return found.prefix(count).map { Path(name: String(cString: $0.name), compress: $0.compress) }
  }()

  private var state: [UInt32] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
  ]
  /// Bytes of an incomplete block.
  private var rest: [UInt8] = []
  private var byteCount: UInt64 = 0
  private let path: Path

  private static let blockSize = 64

  init(path: Path = Self.paths[0]) { self.path = path }

  mutating func update(_ bytes: UnsafeRawBufferPointer) {
    byteCount += UInt64(bytes.count)
    var start = 0
    if !rest.isEmpty {
      start = min(Self.blockSize - rest.count, bytes.count)
      rest.append(contentsOf: bytes[..<start])
      guard rest.count == Self.blockSize else { return }
      rest.withUnsafeBytes { compress($0) }
      rest.removeAll(keepingCapacity: true)
    }
    let end = bytes.count - (bytes.count - start) % Self.blockSize
    compress(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
    rest.append(contentsOf: bytes[end...])
  }

  mutating func update(_ bytes: [UInt8]) { bytes.withUnsafeBytes { update($0) } }

  /// Pads the message and returns the digest in lowercase hexadecimal.
  mutating func finish() -> String {
    let bitCount = byteCount * 8
    let zeros = (2 * Self.blockSize - 9 - rest.count) % Self.blockSize
    update(
      [0x80] + [UInt8](repeating: 0, count: zeros)
        + (0..<8).map { UInt8(truncatingIfNeeded: bitCount >> (56 - 8 * $0)) })
    return state.map { word in
      let text = String(word, radix: 16)
      return String(repeating: "0", count: 8 - text.count) + text
    }.joined()
  }

  /// - Parameter blocks: whole blocks of 64 bytes.
  private mutating func compress(_ blocks: UnsafeRawBufferPointer) {
    guard let base = blocks.baseAddress, !blocks.isEmpty else { return }
    path.compress(&state, base.assumingMemoryBound(to: UInt8.self), blocks.count / Self.blockSize)
  }

  /// Reads the file in pieces that stay in the processor's cache while they are hashed.
  static func digest(of file: RegularFile) throws(RegularFile.Failure) -> String {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 512 << 10, alignment: 4096)
    defer { buffer.deallocate() }
    var digest = SHA256()
    var offset = 0
    while offset < file.byteCount {
      let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, file.byteCount - offset)])
      try file.read(at: offset, into: part)
      digest.update(UnsafeRawBufferPointer(part))
      offset += part.count
    }
    return digest.finish()
  }
}
