import FileIO

/// What went wrong with an HDF5 file: a kind to branch on, where, and one plain line.
public struct HDF5Error: DescribedFailure {
  public enum Kind: Sendable, Equatable {
    /// No file of that name, or no object of that name in the file.
    case notFound
    case isDirectory
    /// A FIFO, a socket or a device.
    case notRegularFile
    case permissionDenied
    /// A file of no bytes.
    case empty
    /// A file of another format.
    case notHDF5
    /// HDF5 that contradicts itself, is cut short, or fails a checksum.
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
    /// A description that no HDF5 file can hold: a caller's mistake.
    case invalid
    /// The file to write cannot be created where it was asked for.
    case cannotCreate
    /// Reading or writing failed: a full disk, a broken device.
    case io
  }

  public let kind: Kind
  /// The file's path, as the caller gave it.
  public let file: String
  /// The object's path within the file, such as `/lstm/weight_ih_l0`.
  public let object: String?
  /// One line of plain English: what is wrong, what was found, what was expected.
  public let detail: String
  /// The frames of HDF5's own error stack, innermost first; empty when the library was not at fault.
  public let libraryStack: [String]

  public init(
    _ kind: Kind, file: String, object: String? = nil, message: String, libraryStack: [String] = []
  ) {
    self.kind = kind
    self.file = file
    self.object = object
    detail = message
    self.libraryStack = libraryStack
  }

  /// The same with the file and the object.
  public var message: String { printable("\(object.map { "\(file): \($0)" } ?? file): \(detail)") }

  public var category: FailureCategory {
    switch kind {
    case .notFound: .notFound
    case .cannotCreate: .cannotCreate
    case .io, .permissionDenied: .inputOutput
    default: .badInput
    }
  }
}
