import FileIO
import Foundation
import HDF5

extension Checkpoint {
  /// Opens a file of any known format. Tensors are listed, not read.
  /// - Throws: `CheckpointError` naming the file and what it is instead.
  public init(contentsOf url: URL) throws { try self.init(path: url.path) }

  /// The same from a path.
  /// - Parameters:
  ///   - allowsExternalData: whether an ONNX model may keep weights in other files beside it.
  ///   - hdf5Reader: reads HDF5 through libhdf5, in a process of its own; nil for this project's own reader.
  public init(path: String, allowsExternalData: Bool = false, hdf5Reader: HDF5LibraryReader? = nil) throws {
    try self.init(path: path, allowsExternalData: allowsExternalData, hdf5Reader: hdf5Reader, formats: .standard)
  }

  init(
    path: String, allowsExternalData: Bool = false, hdf5Reader: HDF5LibraryReader? = nil, formats: FormatRegistry
  ) throws {
    self = try ReadFailures.surfacing(as: CheckpointError.unreadable) {
      try formats.read(
        try ProbedFile(path: path, allowsExternalData: allowsExternalData, hdf5Reader: hdf5Reader))
    }
  }
}
