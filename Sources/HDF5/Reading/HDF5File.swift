/// An HDF5 file, open for reading.
///
///     let file = try HDF5File(reading: "weights.h5")
///     for dataset in try file.contents().allDatasets() { print(dataset.path, dataset.shape) }
///
/// Safe with untrusted files: everything is checked against the limits before memory is allocated, no other
/// file is ever opened, and no filter plugin is loaded. Any number of tasks may read at once.
public final class HDF5File: Sendable {
  /// The path as given, or the name used instead in errors.
  public let path: String
  /// The size of the file.
  public let byteCount: Int
  /// The limits that apply to this file.
  public let limits: HDF5Limits

  private let open: Locked<OpenFile?>

  /// Opens a regular file read-only (`open`, then `H5Fopen` with the sec2 driver and `H5F_CLOSE_SEMI`).
  /// - Throws: ``HDF5Error`` of a distinct kind for a missing path, a directory, a FIFO or device, an empty
  ///   file, a file of another format, and a truncated or otherwise damaged HDF5 file.
  /// - Parameter name: used in errors instead of the path.
  public init(
    reading path: String, named name: String? = nil, limits: HDF5Limits = .standard
  ) throws(HDF5Error) {
    let opened = try OpenFile(path, named: name ?? path)
    self.path = name ?? path
    self.limits = limits
    self.byteCount = opened.byteCount
    self.open = Locked(opened)
  }

  /// Closes the file (`H5Fclose`), once; reads under way finish first. The last reference closes it too.
  public func close() {
    // Released outside this lock: closing takes the library's lock.
    let last = open.exchange(nil)
    withExtendedLifetime(last) {}
  }

  /// Lends the open file, which stays open until `body` returns.
  func withOpenFile<Result>(
    _ body: (OpenFile) throws(HDF5Error) -> Result
  ) throws(HDF5Error) -> Result {
    guard let file = open.value else {
      throw HDF5Error(.closed, file: path, message: "the file was closed and cannot be read any more")
    }
    defer { withExtendedLifetime(file) {} }
    return try body(file)
  }
}
