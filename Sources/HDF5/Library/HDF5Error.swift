import FileIO

/// An error of an HDF5 file: its kind, the file and the object, and one plain line.
public struct HDF5Error: DescribedFailure {
  /// What callers branch on.
  public enum Kind: Sendable, Equatable {
    /// No file of that name, or no object of that name in the file.
    case notFound
    case isDirectory
    /// A FIFO, a socket or a device.
    case notRegularFile
    case permissionDenied
    /// A file of 0 bytes.
    case empty
    /// A file of another format.
    case notHDF5
    /// Inconsistent, truncated, or with a checksum that does not match.
    case corrupt
    /// Valid HDF5 that is deliberately not followed: soft, external and user-defined links, external
    /// storage, virtual datasets, foreign filters, unusable names.
    case refused
    /// A datatype that this library does not read.
    case unsupported
    /// More objects, depth, bytes than ``HDF5Limits`` allow.
    case limitExceeded
    /// The file was closed before the read.
    case closed
    /// A description that no HDF5 file can hold: a mistake of the caller.
    case invalid
    /// The file to write cannot be created where it was asked for.
    case cannotCreate
    /// Reading or writing failed: a full disk, a broken device.
    case io
  }

  /// The kind.
  public let kind: Kind
  /// The file's path, as the caller gave it.
  public let file: String
  /// The object's path within the file, such as `/lstm/weight_ih_l0`.
  public let object: String?
  /// One line of plain English: what is wrong, what was found, what was expected.
  public let detail: String
  /// The frames of HDF5's own error stack, innermost first; empty when the library was not at fault.
  public let libraryStack: [String]

  /// - Parameter message: becomes ``detail``.
  public init(
    _ kind: Kind, file: String, object: String? = nil, message: String, libraryStack: [String] = []
  ) {
    self.kind = kind
    self.file = file
    self.object = object
    detail = message
    self.libraryStack = libraryStack
  }

  /// ``detail`` with the file and the object.
  public var message: Message { Message(printable("\(object.map { "\(file): \($0)" } ?? file): \(detail)")) }

  /// Decides the exit code of a command.
  public var category: FailureCategory {
    switch kind {
    case .notFound: .notFound
    case .cannotCreate: .cannotCreate
    case .io, .permissionDenied: .inputOutput
    default: .badInput
    }
  }
}
