import FileIO

extension Checkpoint.Format {
  /// NumPy's archive of arrays.
  public static let npz = Checkpoint.Format("npz")
  /// NumPy's file of one array.
  public static let npy = Checkpoint.Format("npy")
}

/// The arrays of an `.npz` archive, by name without `.npy`.
struct NPZFormat: CheckpointFormat {
  let identifier = Checkpoint.Format.npz
  let suffix = ".npz"
  let documentation: FormatDocumentation? = .init("NPZ", read: "yes", write: "any layout below (NumPy has no bfloat16)")
  let archiveOf: String? = "NumPy"
  let holds: FormatContents? = .anyLayout

  func recognizes(_ file: ProbedFile) throws -> Recognition {
    file.isZIP ? try file.archive().fileNames.allSatisfy { $0.hasSuffix(".npy") } ? .likely : .no : .no
  }

  /// Only headers are read; each array is inflated and decoded when asked for.
  func read(_ file: ProbedFile) throws -> Checkpoint {
    let archive = try file.archive()
    var tensors: [StoredTensor] = []
    for entry in archive.entries where !entry.isDirectory {
      let label = "\(file.path): \(entry.name)"
      let header = try NPYHeader(bytes: archive.readPrefix(entry, count: NPYHeader.prefixByteCount), file: label)
      try header.check(fileByteCount: entry.size, file: label)
      tensors.append(
        StoredTensor(
          name: String(entry.name.dropLast(4)), shape: header.shape, dataType: header.dataType,
          isBigEndian: header.isBigEndian
        ) { try NPY.decode(archive.read(entry), file: label).bytes() })
    }
    var checkpoint = Checkpoint(tensors: tensors, path: file.path, format: identifier, byteCount: archive.byteCount)
    checkpoint.keepsOrder = true
    return checkpoint
  }

  func usualLayout(of model: StoredModel) -> Layout { model.ownNamedLayout }

  func write(_ tensors: [NamedTensor], metadata: [String: String], to path: String) throws -> [WrittenTensor] {
    try NPZWriter.write(tensors, to: path)
  }
}

/// One array, under the name `x`.
struct NPYFormat: CheckpointFormat {
  let identifier = Checkpoint.Format.npy
  let suffix = ".npy"
  let holds: FormatContents? = nil

  func recognizes(_ file: ProbedFile) -> Recognition { file.begins(with: NPYHeader.signature) ? .certain : .no }

  func read(_ file: ProbedFile) throws -> Checkpoint {
    let path = file.path
    let header = try NPY.header(contentsOf: path)
    let tensor = StoredTensor(
      name: "x", shape: header.shape, dataType: header.dataType, isBigEndian: header.isBigEndian
    ) { try NPY.read(contentsOf: path).bytes() }
    return Checkpoint(
      tensors: [tensor], path: path, format: identifier, byteCount: header.dataOffset + header.dataByteCount)
  }

  func write(_ tensors: [NamedTensor], metadata: [String: String], to path: String) throws -> [WrittenTensor] {
    throw CheckpointError.cannotWrite(file: path, detail: "a .npy file holds one array")
  }
}
