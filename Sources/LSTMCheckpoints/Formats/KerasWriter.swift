enum KerasWriter {
  static func writeLegacy(_ model: Exportable, to path: String) throws -> [WrittenTensor] {
    throw CheckpointError.cannotWrite(file: path, detail: "not written yet")
  }
  static func writeWeights(_ model: Exportable, to path: String) throws -> [WrittenTensor] {
    throw CheckpointError.cannotWrite(file: path, detail: "not written yet")
  }
  static func writeArchive(_ model: Exportable, to path: String) throws -> [WrittenTensor] {
    throw CheckpointError.cannotWrite(file: path, detail: "not written yet")
  }
}

extension Checkpoint {
  init(kerasArchive archive: ZipArchive) throws {
    throw CheckpointError.unknownFormat(file: archive.name, detail: "a Keras archive is not read yet", advice: [])
  }
}
