import Foundation

extension Checkpoint {
  /// Opens a file of any known format. Tensors are listed, not read.
  /// - Throws: `CheckpointError` naming the file and what it is instead.
  public init(contentsOf url: URL) throws { try self.init(path: url.path) }

  /// The same from a path.
  /// - Parameter allowsExternalData: whether an ONNX model may keep weights in other files beside it.
  public init(path: String, allowsExternalData: Bool = false) throws {
    try self.init(path: path, allowsExternalData: allowsExternalData, formats: .standard)
  }

  init(path: String, allowsExternalData: Bool = false, formats: FormatRegistry) throws {
    self = try formats.read(ProbedFile(path: path, allowsExternalData: allowsExternalData))
  }
}
