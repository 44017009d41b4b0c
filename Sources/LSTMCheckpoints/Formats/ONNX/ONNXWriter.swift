enum ONNXWriter {
  static func write(_ model: Exportable, to path: String) throws -> [WrittenTensor] {
    throw CheckpointError.cannotWrite(file: path, detail: "not written yet")
  }
}

enum RTNeuralWriter {
  static func write(_ model: Exportable, to path: String) throws -> [WrittenTensor] {
    throw CheckpointError.cannotWrite(file: path, detail: "not written yet")
  }
}
