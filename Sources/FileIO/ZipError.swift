/// What is wrong with a ZIP archive, or with a request to read or write one.
///
///     do {
///       let archive = try ZipArchive(contentsOf: "weights.npz")
///     } catch where error.kind == .notAnArchive {
///       print("not a ZIP archive")
///     }
public struct ZipError: DescribedFailure, Equatable {
  /// The ways in which reading or writing an archive fails.
  public enum Kind: Sendable, Equatable {
    /// No file has this path.
    case notFound
    /// The path is a directory.
    case isDirectory
    /// The path is a pipe, a socket or a device.
    case notRegularFile
    /// A system call failed; `code` is its `errno`.
    case system(operation: String, code: Int32)
    /// The file does not end with an end-of-central-directory record.
    case notAnArchive
    /// The archive is one of several volumes.
    case severalVolumes
    /// The file ends within the named part.
    case truncated(part: String)
    /// The named part does not start with its signature.
    case badSignature(part: String)
    /// The central directory does not have the offset or the length that the end record states.
    case directoryOutOfPlace
    /// The directory does not have as many entries as the end record states.
    case entryCount(expected: Int, found: Int)
    /// More entries, or a longer directory, than ``ZipArchive`` accepts.
    case tooManyEntries(limit: Int)
    /// An extra field runs past its end, or a zip64 field is missing or repeated.
    case malformedExtraField
    /// An entry's name is empty, not UTF-8 or contains a control character.
    case invalidName
    /// An entry's name is absolute or contains `..`, a backslash or a drive letter.
    case unsafeName
    /// Two entries have the same name.
    case duplicateName
    /// Its bytes do not fit in the memory.
    case beyondMemory(byteCount: Int)
    /// The entry is encrypted.
    case encrypted
    /// The entry's compression method is neither 0 (stored) nor 8 (deflate).
    case unsupportedMethod(Int)
    /// The entry's own header and the central directory differ in the named field.
    case disagreement(field: String)
    /// The entry's bytes lie outside the part of the file that contains entries.
    case outOfBounds
    /// The entry shares bytes with another entry.
    case overlap(with: String)
    /// The entry's sizes exceed deflate's greatest ratio (1032 to 1).
    case ratio(compressed: Int, size: Int)
    /// A stored entry's two sizes differ.
    case storedSize(compressed: Int, size: Int)
    /// The deflate stream is damaged.
    case corruptData
    /// The deflate stream does not have as many bytes as the directory states.
    case inflatedSize(expected: Int)
    /// The content's CRC-32 differs from the directory's.
    case checksum(expected: UInt32, found: UInt32)
    /// No entry has that name.
    case noSuchEntry
    /// The buffer does not have the entry's size.
    case bufferSize(expected: Int, found: Int)
    /// An entry was added to a finished archive.
    case finished
  }

  /// The archive's path, or the name that was given for it.
  public let archive: String
  /// The entry concerned; nil for the archive as a whole.
  public let entry: String?
  /// What is wrong.
  public let kind: Kind

  package init(_ kind: Kind, archive: String, entry: String? = nil) {
    self.kind = kind
    self.archive = archive
    self.entry = entry
  }

  /// The archive and the entry, and what is wrong.
  public var message: Message {
    let place = entry.map { "\(archive), entry \"\($0)\"" } ?? archive
    return Message(printable("\(place): \(detail)"))
  }

  /// `notFound`, `inputOutput` or `badInput`.
  public var category: FailureCategory {
    switch kind {
    case .notFound: .notFound
    case .system: .inputOutput
    default: .badInput
    }
  }

  /// What is wrong, without the archive and the entry.
  public var detail: String {
    switch kind {
    case .notFound: "no such file"
    case .isDirectory: "is a directory, expected a ZIP archive"
    case .notRegularFile: "is not a regular file, expected a ZIP archive"
    case .system(let operation, let code): "\(operation) failed: \(System.Errno(code: code).text)"
    case .notAnArchive: "not a ZIP archive (it does not end with an end-of-central-directory record)"
    case .severalVolumes: "one volume of several; expected a complete archive"
    case .truncated(let part): "the file ends inside the \(part)"
    case .badSignature(let part): "the \(part) does not start with its signature"
    case .directoryOutOfPlace: "the central directory is not where the end record says"
    case .entryCount(let expected, let found):
      "expected \(expected) entries in the directory, found \(found)"
    case .tooManyEntries(let limit): "more than \(limit) entries"
    case .malformedExtraField: "malformed extra field"
    case .invalidName: "the name is empty, not UTF-8 or contains a control character"
    case .unsafeName: "the name is absolute or contains \"..\", a backslash or a drive letter"
    case .duplicateName: "the name occurs twice"
    case .encrypted: "the entry is encrypted"
    case .unsupportedMethod(let method): "compression method \(method); expected 0 (stored) or 8 (deflate)"
    case .disagreement(let field): "the entry's header and the central directory differ in \(field)"
    case .outOfBounds: "the entry's bytes lie outside the archive"
    case .overlap(let other): "the entry overlaps entry \"\(other)\""
    case .ratio(let compressed, let size):
      "\(compressed) bytes that would inflate to \(size), beyond deflate's limit of 1032 to 1"
    case .storedSize(let compressed, let size): "a stored entry with two sizes, \(compressed) and \(size)"
    case .corruptData: "the deflate stream is damaged"
    case .inflatedSize(let expected): "the deflate stream does not have the expected \(expected) bytes"
    case .checksum(let expected, let found):
      "CRC-32 expected \(String(expected, radix: 16)), found \(String(found, radix: 16))"
    case .noSuchEntry: "no such entry"
    case .bufferSize(let expected, let found): "a buffer of \(found) bytes for an entry of \(expected)"
    case .beyondMemory(let count): UnreadableReason.beyondMemory(count)
    case .finished: "the archive was already finished"
    }
  }
}

extension ZipError.Kind {
  /// The kind of a failure to open or read the file.
  /// - Parameter part: what was being read.
  init(_ failure: RegularFile.Failure, part: String) {
    self =
      switch failure {
      case .notFound: .notFound
      case .directory: .isDirectory
      case .notRegular: .notRegularFile
      case .system(let operation, let code): .system(operation: operation, code: code)
      case .truncated: .truncated(part: part)
      case .beyondMemory(let count): .beyondMemory(byteCount: count)
      }
  }
}
