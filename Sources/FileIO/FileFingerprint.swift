import CFileIO

/// What a file is recognized by later on: whether it has changed.
///
/// Mostly the SHA-256 of its bytes. A large file that is mostly holes, which take no space on the device, would be terabytes of zeros to
/// read: its fingerprint is `sparse-` and the SHA-256 of its size and of its blocks of 4096 bytes that are not all zeros, each
/// behind its number. That is as good, does not depend on which zeros are holes, and takes as long as what is stored.
package struct FileFingerprint: Sendable, Equatable {
  /// As it is recorded.
  package let text: String

  private static let sparsePrefix = "sparse-"
  private static let block = 4096
  /// Smaller files are read whole in no time.
  private static let least = 64 << 20

  /// - Throws: ``FileError`` `unreadable` naming the file and why.
  package init(ofFile path: String) throws(FileError) {
    do throws(RegularFile.Failure) {
      let file = try RegularFile(path: path)
      text =
        file.byteCount >= Self.least && file.storedByteCount < file.byteCount / 2
        ? try Self.sparse(file) : try SHA256.digest(of: file)
    } catch {
      throw .unreadable(file: path, reason: error)
    }
  }

  /// Whether a file is still the one that a fingerprint was recorded of, however it is stored by now.
  /// - Throws: ``FileError`` `unreadable` naming the file and why.
  package static func matches(_ recorded: String, file path: String) throws(FileError) -> Bool {
    do throws(RegularFile.Failure) {
      let file = try RegularFile(path: path)
      return try (recorded.hasPrefix(sparsePrefix) ? sparse(file) : SHA256.digest(of: file)) == recorded
    } catch {
      throw .unreadable(file: path, reason: error)
    }
  }

  private static func sparse(_ file: RegularFile) throws(RegularFile.Failure) -> String {
    var digest = SHA256()
    func update(number: Int) { withUnsafeBytes(of: UInt64(number).littleEndian) { digest.update($0) } }
    update(number: file.byteCount)
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 128 * block, alignment: block)
    defer { buffer.deallocate() }
    // 1. Where something is stored, in whole blocks.
    var next = 0
    var (start, end) = (Int64(0), Int64(0))
    while next < file.byteCount,
      cfileio_next_stored(file.descriptor, Int64(next), Int64(file.byteCount), &start, &end) == 1
    {
      let stored = min((Int(end) + block - 1) / block * block, file.byteCount)
      next = max(next, Int(start) / block * block)
      guard next < stored else { break }
      // 2. Of that, what is not zero.
      while next < stored {
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<min(buffer.count, stored - next)])
        try file.read(at: next, into: part)
        for offset in stride(from: 0, to: part.count, by: block) {
          let bytes = UnsafeRawBufferPointer(rebasing: part[offset..<min(offset + block, part.count)])
          guard bytes.contains(where: { $0 != 0 }) else { continue }
          update(number: (next + offset) / block)
          digest.update(bytes)
        }
        next += part.count
      }
    }
    return sparsePrefix + digest.finish()
  }
}
