import FileIO

extension Checkpoint.Format {
  /// What RTNeural parses. Written only.
  public static let rtneural = Checkpoint.Format("rtneural-json")
}

struct RTNeuralFormat: CheckpointFormat {
  let identifier = Checkpoint.Format.rtneural
  let suffix = ".json"
  let documentation: FormatDocumentation? = .init("RTNeural JSON", read: "no", write: "yes")

  func recognizes(_ file: ProbedFile) -> Recognition { .no }

  func read(_ file: ProbedFile) throws -> Checkpoint {
    throw CheckpointError.unknownFormat(file: file.path, detail: "is a format that is written only")
  }

  func write(_ model: StoredModel, to target: WriteTarget) throws -> [WrittenTensor] {
    try RTNeuralWriter.write(try Exportable(model, to: target.path, options: target.options), to: target.path)
  }
}
