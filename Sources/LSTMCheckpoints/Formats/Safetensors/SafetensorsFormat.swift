import FileIO

extension Checkpoint.Format {
  /// Tensors behind a JSON header, as Hugging Face has them.
  public static let safetensors = Checkpoint.Format("safetensors")
  /// safetensors as MLX names and shapes LSTMs.
  public static let mlx = Checkpoint.Format("mlx")
}

/// A file of tensors, or the index of several.
struct SafetensorsFormat: CheckpointFormat {
  let identifier = Checkpoint.Format.safetensors
  let suffix = ".safetensors"
  let documentation: FormatDocumentation? = .init(
    "safetensors", read: "also sharded by `*.index.json`", write: "any layout below")
  let holds: FormatContents? = .anyLayout

  /// A header's length in eight bytes, then the header.
  private func isOne(_ head: [UInt8]) -> Bool {
    head.count >= 9 && head[8] == UInt8(ascii: "{") && head[4..<8].allSatisfy { $0 == 0 }
  }

  func recognizes(_ file: ProbedFile) -> Recognition { isOne(file.head) ? .certain : file.isJSON ? .likely : .no }

  func read(_ file: ProbedFile) throws -> Checkpoint {
    isOne(file.head) ? try Checkpoint(safetensors: file.path) : try Checkpoint(shardIndex: file.path)
  }

  func usualLayout(of model: StoredModel) -> Layout { model.ownNamedLayout }

  func write(_ tensors: [NamedTensor], metadata: [String: String], to path: String) throws -> [WrittenTensor] {
    try SafetensorsWriter.writeModel(tensors, metadata: metadata, to: path)
  }
}

/// The same file in another layout; it is read as what it is.
struct MLXFormat: CheckpointFormat {
  let identifier = Checkpoint.Format.mlx
  let suffix = ".safetensors"
  let documentation: FormatDocumentation? = .init("MLX", read: "safetensors or NPZ", write: "safetensors")

  func recognizes(_ file: ProbedFile) -> Recognition { .no }
  func read(_ file: ProbedFile) throws -> Checkpoint { try Checkpoint(safetensors: file.path) }

  func write(_ model: StoredModel, to target: WriteTarget) throws -> [WrittenTensor] {
    var options = target.options
    options.layout = .mlx
    let exportable = try Exportable(model, to: target.path, options: options)
    try exportable.refuse([.float64], of: "MLX' safetensors")
    return try SafetensorsWriter.write(try NamedLayout.tensors(exportable, .mlx), to: target.path)
  }
}
