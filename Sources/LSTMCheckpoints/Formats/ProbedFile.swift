import FileIO
import HDF5

/// A file that is about to be read, as far as formats look at it to know their own.
final class ProbedFile {
  let path: String
  /// Its first bytes; none of what cannot be opened: the reader says why.
  let head: [UInt8]
  /// Whether weights may lie in other files beside it.
  let allowsExternalData: Bool
  /// What reads HDF5 through libhdf5; nil for this project's own reader.
  let hdf5Reader: HDF5LibraryReader?
  let source: ByteSource?
  private var openArchive: ZipArchive?
  private var openHDF5: HDF5Contents?

  /// - Throws: `CheckpointError` when the system fails to open or read it: what was not seen is not called another format.
  init(
    path: String, allowsExternalData: Bool = false, hdf5Reader: HDF5LibraryReader? = nil
  ) throws(CheckpointError) {
    self.path = path
    self.hdf5Reader = hdf5Reader
    self.allowsExternalData = allowsExternalData
    let source = try Self.open(path)
    self.source = source
    head = try CheckpointError.reading(path) { () throws(UnreadableReason) in
      try source?.bytes(at: 0, count: min(512, source?.byteCount ?? 0)) ?? []
    }
  }

  private static func open(_ path: String) throws(CheckpointError) -> ByteSource? {
    do throws(UnreadableReason) {
      return .file(try RegularFile(path: path))
    } catch {
      if error.isFailingSystem { throw .unreadable(file: path, reason: error) }
      return nil
    }
  }

  func begins(with bytes: [UInt8]) -> Bool { head.starts(with: bytes) }

  var isZIP: Bool { begins(with: [0x50, 0x4b, 0x03, 0x04]) || begins(with: [0x50, 0x4b, 0x05, 0x06]) }
  var isTar: Bool { head.count >= 262 && head[257..<262].elementsEqual("ustar".utf8) }
  var isJSON: Bool { !isTar && head.first { !" \t\r\n".utf8.contains($0) } == UInt8(ascii: "{") }

  /// HDF5 may stand behind a block of something else, of 512 bytes or any power of two above.
  func isHDF5() throws(CheckpointError) -> Bool {
    let signature: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]
    guard let source, !isZIP, !isTar, !isJSON else { return false }
    if begins(with: signature) { return true }
    let places = sequence(first: 512) { $0 << 1 }.prefix { $0 <= source.byteCount - signature.count }
    return try CheckpointError.reading(path) { () throws(UnreadableReason) in
      for place in places where try source.bytes(at: place, count: signature.count) == signature { return true }
      return false
    }
  }

  /// Opened once for all that ask.
  func archive() throws -> ZipArchive {
    let archive = try openArchive ?? ZipArchive(contentsOf: path)
    openArchive = archive
    return archive
  }

  /// Opened once for all that ask.
  func hdf5() throws -> HDF5Contents {
    let contents = try openHDF5 ?? HDF5Contents(path: path, reader: hdf5Reader)
    openHDF5 = contents
    return contents
  }
}

extension ZipArchive {
  var fileNames: [String] { entries.filter { !$0.isDirectory }.map(\.name) }
}
