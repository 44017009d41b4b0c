import FileIO

extension Checkpoint.Format {
  /// A model as a graph of operators.
  public static let onnx = Checkpoint.Format("onnx")
}

struct ONNXFormat: CheckpointFormat {
  let identifier = Checkpoint.Format.onnx
  let suffix = ".onnx"
  let documentation: FormatDocumentation? = .init(
    "ONNX",
    read: "models of PyTorch's exporters and of others: their layers are found in the graph",
    write: "a model that runs, all layers included")
  let holds: FormatContents? = .scaling

  /// Field 1 of a model is its ir_version.
  func recognizes(_ file: ProbedFile) -> Recognition {
    file.head.count >= 2 && file.head[0] == 0x08 && 1...32 ~= file.head[1] && !file.isTar ? .likely : .no
  }

  func read(_ file: ProbedFile) throws -> Checkpoint {
    try Checkpoint(onnx: file.path, allowsExternalData: file.allowsExternalData)
  }

  func write(_ model: StoredModel, to target: WriteTarget) throws -> [WrittenTensor] {
    let carries = target.options.carriesState ?? (model.carriedInterface != nil)
    guard model.configuration.stack == nil || carries else {
      return try ONNXWriter.write(try Exportable(model, to: target.path, options: target.options), to: target.path)
    }
    return try ONNXNetworkWriter.write(model, to: target.path, options: target.options)
  }
}
