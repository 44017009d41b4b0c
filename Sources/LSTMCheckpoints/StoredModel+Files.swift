import FileIO

extension StoredModel {
  /// Writes atomically: the file is whole or was not touched. The names are those of the source when it had the same
  /// layout.
  /// - Parameter sourceDigest: becomes `provenance.sha256` of the native file; it may still be being computed.
  /// - Returns: what was written, in the file's order.
  /// - Throws: `CheckpointError.refused` when the format cannot hold the model, with the option that decides.
  @discardableResult
  public func write(
    path: String, as format: Checkpoint.Format = .native, options: WriteOptions = WriteOptions(),
    sourceDigest: FileDigest? = nil
  ) throws -> [WrittenTensor] {
    try write(path: path, as: format, options: options, sourceDigest: sourceDigest, formats: .standard)
  }

  func write(
    path: String, as format: Checkpoint.Format, options: WriteOptions = WriteOptions(),
    sourceDigest: FileDigest? = nil, formats: FormatRegistry
  ) throws -> [WrittenTensor] {
    try formats.writer(format, path)
      .write(self, to: WriteTarget(path: path, options: options, sourceDigest: sourceDigest))
  }
}

extension StoredTensor {
  /// Writes arrays that are no model, under their own names.
  /// - Returns: what was written, in the file's order.
  /// - Throws: `CheckpointError.cannotWrite` when the format holds models only.
  @discardableResult
  public static func write(
    _ arrays: [StoredTensor], path: String, as format: Checkpoint.Format
  ) throws -> [WrittenTensor] {
    try FormatRegistry.standard.writer(format, path)
      .write(arrays.map { NamedTensor(name: $0.name, tensor: $0, source: $0.name) }, metadata: [:], to: path)
  }
}
