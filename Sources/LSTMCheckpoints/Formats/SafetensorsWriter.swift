enum SafetensorsWriter {
  static func write(_ tensors: [NamedTensor], to path: String) throws -> [WrittenTensor] {
    throw CheckpointError.cannotWrite(file: path, detail: "not written yet")
  }
}
