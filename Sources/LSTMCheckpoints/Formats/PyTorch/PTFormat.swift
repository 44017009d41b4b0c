import FileIO

extension Checkpoint.Format {
  /// What `torch.save` writes: a ZIP archive, or the stream of pickles that came before.
  public static let pt = Checkpoint.Format("pt")
}

struct PTFormat: CheckpointFormat {
  let identifier = Checkpoint.Format.pt
  let suffix = ".pt"
  let documentation: FormatDocumentation? = .init(
    "PyTorch `.pt`, `.pth`, `.ckpt`",
    read: "ZIP and the older stream; no code in the file is executed; the state_dict is found beside optimizer state",
    write: "loads with `torch.load(weights_only=True)`")
  let archiveOf: String? = "PyTorch"

  func recognizes(_ file: ProbedFile) throws -> Recognition {
    if file.isZIP { return try file.archive().fileNames.contains(where: Self.isPickle) ? .certain : .no }
    // A safetensors file may begin so by the length of its header.
    return file.isTar || file.head.count >= 2 && file.head[0] == 0x80 && 2...5 ~= file.head[1] ? .likely : .no
  }

  private static func isPickle(_ name: String) -> Bool { name == "data.pkl" || name.hasSuffix("/data.pkl") }

  func read(_ file: ProbedFile) throws -> Checkpoint {
    if file.isZIP { return try Checkpoint(pt: file.archive()) }
    if file.isTar { throw PTError(.tar, file: file.path) }
    return try Checkpoint(pickle: file.path)
  }

  func write(_ tensors: [NamedTensor], metadata: [String: String], to path: String) throws -> [WrittenTensor] {
    try PTWriter.write(tensors, to: path)
  }
}
