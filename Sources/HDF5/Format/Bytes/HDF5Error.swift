import FileIO

/// An error of reading or writing an HDF5 file.
///
///     do {
///       let file = try HDF5File(reading: path)
///     } catch where error.kind == .notHDF5 {
///       print("another format: \(error.detail)")
///     }
public struct HDF5Error: DescribedFailure {
  /// What kind of error it is.
  public enum Kind: Sendable, Equatable {
    /// No file, or no object in the file, has that name.
    case notFound
    /// The path is a directory.
    case isDirectory
    /// The path is a FIFO, a socket or a device.
    case notRegularFile
    /// The file may not be read.
    case permissionDenied
    /// A file of 0 bytes.
    case empty
    /// A file of another format.
    case notHDF5
    /// Inconsistent, truncated, or with a checksum that does not match.
    case corrupt
    /// Valid HDF5 that is refused on purpose: soft, external and user-defined links, external storage, virtual
    /// datasets, other filters, unusable names.
    case refused
    /// A datatype that this library does not read.
    case unsupported
    /// libhdf5, in a process of its own, crashed, or has not ended within its limits (``HDF5LibraryReader``).
    case libraryFailed
    /// More objects, depth or bytes than ``HDF5Limits`` allow.
    case limitExceeded
    /// The file was closed before the read.
    case closed
    /// A document that cannot be written as HDF5: an error of the caller.
    case invalid
    /// The file cannot be created at this path.
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
  /// One line: what is wrong, what was found, what was expected.
  public let detail: String
  /// The frames of HDF5's own error stack, innermost first; empty if libhdf5 reported no error.
  public let libraryStack: [String]

  /// An error of a file or, with `object`, of an object in it.
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

  /// The file, the object and ``detail``.
  public var message: Message { Message(printable("\(object.map { "\(file): \($0)" } ?? file): \(detail)")) }

  /// `notFound`, `cannotCreate`, `inputOutput` or `badInput`.
  public var category: FailureCategory {
    switch kind {
    case .notFound: .notFound
    case .cannotCreate: .cannotCreate
    case .io, .permissionDenied: .inputOutput
    default: .badInput
    }
  }
}
