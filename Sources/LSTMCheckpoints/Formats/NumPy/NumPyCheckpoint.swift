import FileIO

extension Checkpoint {
  /// Whatever the ZIP archive holds.
  init(zip path: String) throws {
    let archive = try ZipArchive(contentsOf: path)
    let names = archive.entries.filter { !$0.isDirectory }.map(\.name)
    if names.contains(where: { $0 == "data.pkl" || $0.hasSuffix("/data.pkl") }) {
      self = try Checkpoint(pt: archive)
    } else if names.contains("config.json"), names.contains("model.weights.h5") {
      self = try Checkpoint(kerasArchive: archive)
    } else if names.allSatisfy({ $0.hasSuffix(".npy") }) {
      self = try Checkpoint(npz: archive)
    } else if let foreign = ForeignFile(archive: names, file: path) {
      throw foreign.error(file: path)
    } else {
      throw CheckpointError.unknownFormat(
        file: path, detail: "is a ZIP archive of neither PyTorch, Keras nor NumPy",
        advice: ["it holds \(nameList(names))"])
    }
  }

  /// The arrays of an `.npz` archive, by name without `.npy`. Only headers are read; each array is inflated and
  /// decoded when asked for.
  init(npz archive: ZipArchive) throws {
    let path = archive.name
    let entries = archive.entries.filter { !$0.isDirectory }
    var tensors: [StoredTensor] = []
    for entry in entries {
      let label = "\(path): \(entry.name)"
      let header = try NPYHeader(bytes: archive.readPrefix(entry, count: NPYHeader.prefixByteCount), file: label)
      try header.check(fileByteCount: entry.size, file: label)
      tensors.append(
        StoredTensor(
          name: String(entry.name.dropLast(4)), shape: header.shape, dataType: header.dataType,
          isBigEndian: header.isBigEndian
        ) { try NPY.decode(archive.read(entry), file: label).bytes })
    }
    self.init(tensors: tensors, path: path, format: .npz, byteCount: archive.byteCount)
  }

  /// One array, under the name `x`.
  init(npy path: String) throws {
    let header = try NPY.header(contentsOf: path)
    let tensor = StoredTensor(
      name: "x", shape: header.shape, dataType: header.dataType, isBigEndian: header.isBigEndian
    ) { try NPY.read(contentsOf: path).bytes }
    self.init(
      tensors: [tensor], path: path, format: .npy, byteCount: header.dataOffset + header.dataByteCount)
  }
}

extension NPYError: DescribedFailure {
  public var category: FailureCategory {
    switch kind {
    case .notFound: .notFound
    case .system: .inputOutput
    default: .badInput
    }
  }
}
