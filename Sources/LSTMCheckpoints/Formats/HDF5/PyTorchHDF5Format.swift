import FileIO
import HDF5

extension Checkpoint.Format {
  /// A PyTorch state_dict in HDF5, with dotted names or nested groups.
  public static let pytorchHDF5 = Checkpoint.Format("pytorch-h5")
}

/// Named tensors in HDF5, by any writer.
struct PyTorchHDF5Format: CheckpointFormat {
  let identifier = Checkpoint.Format.pytorchHDF5
  let suffix = ".h5"
  let documentation: FormatDocumentation? = .init(
    "PyTorch names in HDF5", read: "dotted names or nested groups", write: "any layout below")
  let holds: FormatContents? = .anyLayout

  /// What no format recognizes is tried: the library's error is the most precise.
  func recognizes(_ file: ProbedFile) -> Recognition { file.isZIP || file.isJSON ? .no : .unknown }

  func read(_ file: ProbedFile) throws -> Checkpoint {
    let contents = try file.hdf5()
    if contents.root.attribute("PYTABLES_FORMAT_VERSION") != nil, Self.holdsPandas(contents.root) {
      throw CheckpointError.unknownFormat(
        file: file.path, detail: "holds a table that pandas wrote (to_hdf), which is data and no weights",
        advice: ["save it as text, in Python: pandas.read_hdf(\"\(file.path)\").to_csv(\"data.csv\")"])
    }
    var checkpoint = contents.checkpoint(identifier, path: file.path)
    if checkpoint.tensors.isEmpty, let damage = contents.root.allUnreadable().first {
      throw CheckpointError.container(damage)
    }
    checkpoint.columnMajorWriter = contents.columnMajorWriter
    return checkpoint
  }

  func write(_ tensors: [NamedTensor], metadata: [String: String], to path: String) throws -> [WrittenTensor] {
    try HDF5Document.write(tensors, to: path)
  }

  private static func holdsPandas(_ group: HDF5Group, depth: Int = 0) -> Bool {
    group.attribute("pandas_type") != nil
      || depth < 8 && group.groups.contains { holdsPandas($0, depth: depth + 1) }
  }
}
