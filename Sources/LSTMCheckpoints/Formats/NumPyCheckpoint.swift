extension Checkpoint {
  /// The arrays of an `.npz` archive, by name without `.npy`. Only headers are read; each array is inflated and
  /// decoded when asked for.
  init(npz path: String) throws {
    let archive = try ZipArchive(contentsOf: path)
    let entries = archive.entries.filter { !$0.isDirectory }
    guard entries.allSatisfy({ $0.name.hasSuffix(".npy") }) else {
      throw Self.foreignZip(path, entries.map(\.name))
    }
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

  private static func foreignZip(_ path: String, _ names: [String]) -> CheckpointError {
    let isPyTorch = names.contains { $0.hasSuffix("data.pkl") }
    let isKeras = names.contains("config.json")
    let what =
      isPyTorch ? "a PyTorch .pt archive" : isKeras ? "a Keras archive" : "a ZIP archive, but not of .npy arrays"
    return .unknownFormat(
      file: path, detail: "is \(what); expected HDF5, .npz or .npy",
      advice: isPyTorch
        ? ["save it as HDF5 in Python: for k, v in state.items(): h5py_file[k] = v.numpy()"] : [])
  }
}

extension ZipError: DescribedFailure {
  public var category: FailureCategory {
    switch kind {
    case .notFound: .notFound
    case .system: .inputOutput
    default: .badInput
    }
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
