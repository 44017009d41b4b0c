import Foundation

/// What is wrong with a zip archive, or with what was asked of it.
///
/// There is one kind for each distinct lie that a file can tell.
public struct ZipError: DescribedFailure, Equatable {
  /// The ways in which reading or writing an archive fails.
  public enum Kind: Sendable, Equatable {
    /// There is no file at the path.
    case notFound
    /// The path names a directory.
    case isDirectory
    /// The path names a pipe, socket or device.
    case notRegularFile
    /// A system call failed; `code` is its `errno`.
    case system(operation: String, code: Int32)
    /// No end-of-central-directory record ends the file.
    case notAnArchive
    /// The archive is one of several volumes.
    case severalVolumes
    /// The file ends before the named part does.
    case truncated(part: String)
    /// The named part does not start with its signature.
    case badSignature(part: String)
    /// The central directory is not where, or not as long as, the end record says.
    case directoryOutOfPlace
    /// The end record promises another number of entries than the directory holds.
    case entryCount(expected: Int, found: Int)
    /// More entries, or a longer directory, than `ZipArchive` accepts.
    case tooManyEntries(limit: Int)
    /// An extra field runs past its end, or a zip64 field is missing or repeated.
    case malformedExtraField
    /// An entry has an empty name, or one that is not UTF-8 or holds a control character.
    case invalidName
    /// An entry's name is absolute, climbs with `..` or uses a backslash or drive letter.
    case unsafeName
    /// Two entries have the same name.
    case duplicateName
    /// The entry is encrypted.
    case encrypted
    /// The entry is compressed by something other than 0 (stored) or 8 (deflate).
    case unsupportedMethod(Int)
    /// The entry's own header and the central directory differ in the named field.
    case disagreement(field: String)
    /// The entry's bytes lie outside the part of the file that holds entries.
    case outOfBounds
    /// The entry shares bytes with another one.
    case overlap(with: String)
    /// The entry claims to inflate further than deflate can (1032 to 1).
    case ratio(compressed: Int, size: Int)
    /// A stored entry's two sizes differ.
    case storedSize(compressed: Int, size: Int)
    /// The deflate stream is damaged.
    case corruptData
    /// The deflate stream holds another number of bytes than the directory says.
    case inflatedSize(expected: Int)
    /// The bytes do not have the CRC-32 in the directory.
    case checksum(expected: UInt32, found: UInt32)
    /// No entry has the name.
    case noSuchEntry
    /// The buffer to read into has another size than the entry.
    case bufferSize(expected: Int, found: Int)
    /// An entry was added after `ZipWriter.finish()`.
    case finished
  }

  /// The archive's path, or the name that it was given.
  public let archive: String
  /// The entry concerned, if it is one.
  public let entry: String?
  /// What is wrong.
  public let kind: Kind

  package init(_ kind: Kind, archive: String, entry: String? = nil) {
    self.kind = kind
    self.archive = archive
    self.entry = entry
  }

  /// One line: where, and what is wrong there.
  public var message: Message {
    let place = entry.map { "\(archive), entry \"\($0)\"" } ?? archive
    return Message(printable("\(place): \(detail)"))
  }

  public var category: FailureCategory {
    switch kind {
    case .notFound: .notFound
    case .system: .inputOutput
    default: .badInput
    }
  }

  /// What is wrong, without the place.
  public var detail: String {
    switch kind {
    case .notFound: "no such file"
    case .isDirectory: "is a directory, expected a zip archive"
    case .notRegularFile: "is not a regular file, expected a zip archive"
    case .system(let operation, let code): "\(operation) failed: \(String(cString: strerror(code)))"
    case .notAnArchive: "not a zip archive (no end-of-central-directory record at its end)"
    case .severalVolumes: "one volume of several; expected a whole archive"
    case .truncated(let part): "the file ends inside the \(part)"
    case .badSignature(let part): "the \(part) does not start with its signature"
    case .directoryOutOfPlace: "the central directory is not where the end record says"
    case .entryCount(let expected, let found):
      "expected \(expected) entries in the directory, found \(found)"
    case .tooManyEntries(let limit): "more than \(limit) entries"
    case .malformedExtraField: "malformed extra field"
    case .invalidName: "the name is empty, not UTF-8 or holds a control character"
    case .unsafeName: "the name is absolute, climbs with \"..\" or uses a backslash or drive letter"
    case .duplicateName: "the name occurs twice"
    case .encrypted: "the entry is encrypted"
    case .unsupportedMethod(let method): "compression method \(method); expected 0 (stored) or 8 (deflate)"
    case .disagreement(let field): "the entry's header and the central directory differ in \(field)"
    case .outOfBounds: "the entry's bytes lie outside the archive"
    case .overlap(let other): "the entry overlaps entry \"\(other)\""
    case .ratio(let compressed, let size):
      "claims to inflate \(compressed) bytes to \(size), more than deflate's limit of 1032 to 1"
    case .storedSize(let compressed, let size): "a stored entry with two sizes, \(compressed) and \(size)"
    case .corruptData: "the deflate stream is damaged"
    case .inflatedSize(let expected): "the deflate stream does not hold the expected \(expected) bytes"
    case .checksum(let expected, let found):
      "CRC-32 expected \(String(expected, radix: 16)), found \(String(found, radix: 16))"
    case .noSuchEntry: "no such entry"
    case .bufferSize(let expected, let found): "a buffer of \(found) bytes for an entry of \(expected)"
    case .finished: "the archive was already finished"
    }
  }
}

extension ZipError.Kind {
  /// The kind for a failure to open or read the file; `part` is what was being read.
  init(_ failure: RegularFile.Failure, part: String) {
    self =
      switch failure {
      case .notFound: .notFound
      case .directory: .isDirectory
      case .notRegular: .notRegularFile
      case .system(let operation, let code): .system(operation: operation, code: code)
      case .truncated: .truncated(part: part)
      }
  }
}
