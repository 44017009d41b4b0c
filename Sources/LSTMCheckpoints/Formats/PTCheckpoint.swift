extension Checkpoint {
  init(pt archive: ZipArchive) throws {
    throw CheckpointError.unknownFormat(file: archive.name, detail: "not read yet", advice: [])
  }
  init(legacyPT path: String) throws {
    throw CheckpointError.unknownFormat(file: path, detail: "not read yet", advice: [])
  }
}
