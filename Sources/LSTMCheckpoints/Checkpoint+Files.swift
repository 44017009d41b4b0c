import FileIO
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

  /// Writes atomically: the file is whole or was not touched. The names are those of the source when it had the same
  /// layout.
  /// - Returns: what was written, in the file's order.
  /// - Throws: `CheckpointError.refused` when the format cannot hold the model, with the option that decides.
  @discardableResult
  public func write(
    to url: URL, as format: Format = .native, options: WriteOptions = WriteOptions()
  ) throws -> [WrittenTensor] {
    try write(path: url.path, as: format, options: options)
  }

  /// The same to a path.
  /// - Parameter sourceDigest: becomes `provenance.sha256` of the native file; it may still be being computed.
  @discardableResult
  public func write(
    path: String, as format: Format = .native, options: WriteOptions = WriteOptions(), sourceDigest: FileDigest? = nil
  ) throws -> [WrittenTensor] {
    try write(path: path, as: format, options: options, sourceDigest: sourceDigest, formats: .standard)
  }

  func write(
    path: String, as format: Format, options: WriteOptions = WriteOptions(), sourceDigest: FileDigest? = nil,
    formats: FormatRegistry
  ) throws -> [WrittenTensor] {
    guard let known = formats[format] else {
      throw CheckpointError.cannotWrite(file: path, detail: "no format is called \(format.rawValue)")
    }
    return try known.write(self, to: WriteTarget(path: path, options: options, sourceDigest: sourceDigest))
  }
}
