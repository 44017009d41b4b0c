import FileIO

/// An HDF5 file, open for reading.
///
///     let file = try HDF5File(reading: "weights.h5")
///     for dataset in try file.contents().allDatasets() { print(dataset.path, dataset.shape) }
///
/// Read by this library itself, without libhdf5, and safe with untrusted files: sizes are checked against the file and
/// against limits before memory is allocated, no other file is opened and no filter plugin is loaded. Any number of
/// threads and tasks may read at once.
public final class HDF5File: Sendable {
  /// The path as given, or the name that was given for it; used in errors.
  public let path: String
  /// The size of the file.
  public let byteCount: Int
  /// The limits that apply to this file.
  public let limits: HDF5Limits

  private let open: Monitor<OpenFile?>
  /// What a copy of the file does not have.
  let leftOut: [HDF5Error]

  /// Opens a regular file read-only.
  /// - Parameters:
  ///   - name: used in errors instead of the path.
  ///   - limits: what the file may have at most.
  /// - Throws: ``HDF5Error`` of a separate kind for a missing path, a directory, a FIFO or device, an empty
  ///   file, a file of another format, and a truncated or otherwise damaged HDF5 file.
  public init(
    reading path: String, named name: String? = nil, limits: HDF5Limits = .standard
  ) throws(HDF5Error) {
    let opened = try OpenFile(path, named: name ?? path)
    self.path = name ?? path
    self.limits = limits
    self.byteCount = opened.byteCount
    self.open = Monitor(opened)
    leftOut = []
  }

  /// A copy of a file, in its place.
  /// - Parameter byteCount: the size of the file itself.
  init(
    copy path: String, named name: String, byteCount: Int, limits: HDF5Limits, leftOut: [HDF5Error]
  ) throws(HDF5Error) {
    self.path = name
    self.limits = limits
    self.byteCount = byteCount
    self.leftOut = leftOut
    open = Monitor(try OpenFile(path, named: name))
  }

  /// A file in memory.
  package init(bytes: [UInt8], named name: String, limits: HDF5Limits = .standard) throws(HDF5Error) {
    let opened = try OpenFile(.memory(bytes), Call(file: name, object: nil))
    self.path = name
    self.limits = limits
    self.byteCount = opened.byteCount
    self.open = Monitor(opened)
    leftOut = []
  }

  /// Closes the file; reads in progress finish first. Releasing the last reference closes it, too.
  public func close() {
    open.update { $0 = nil }
  }

  /// Calls `body` with the open file, which stays open until `body` returns.
  func withOpenFile<Result>(
    _ body: (OpenFile) throws(HDF5Error) -> Result
  ) throws(HDF5Error) -> Result {
    guard let file = open.update({ $0 }) else {
      throw HDF5Error(.closed, file: path, message: "the file was closed and cannot be read any more")
    }
    defer { withExtendedLifetime(file) {} }
    return try body(file)
  }
}
