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

extension Checkpoint {
  init(onnx path: String) throws {
    throw CheckpointError.unknownFormat(file: path, detail: "ONNX is not read yet", advice: [])
  }
}
