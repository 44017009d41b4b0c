import FileIO
import HDF5

extension Checkpoint.Format {
  /// Keras' HDF5: weights alone or a whole model, by Keras 1, 2 or 3 (`legacy`).
  public static let kerasH5 = Checkpoint.Format("keras-h5")
  /// Keras 3's `.weights.h5`.
  public static let kerasWeights = Checkpoint.Format("keras-weights")
  /// Keras 3's `.keras` archive.
  public static let kerasArchive = Checkpoint.Format("keras")
}

/// Keras' HDF5 file in any of its forms.
struct KerasH5Format: CheckpointFormat {
  let identifier = Checkpoint.Format.kerasH5
  let suffix = ".h5"
  let documentation: FormatDocumentation? = .init(
    "Keras `.h5`",
    read: "Keras 1, 2 and 3; weights or whole models; `CuDNNLSTM`",
    write: "weights, and a whole model where Keras has the layers")
  let holds: FormatContents? = [.layers, .scaling, .anyLayout]

  func recognizes(_ file: ProbedFile) throws -> Recognition {
    try file.isHDF5() ? KerasStructure.isKeras(file.hdf5().root) ? .likely : .no : .no
  }

  func read(_ file: ProbedFile) throws -> Checkpoint { try Checkpoint(keras: file.hdf5(), path: file.path) }

  func write(_ model: StoredModel, to target: WriteTarget) throws -> [WrittenTensor] {
    try KerasWriter.writeLegacy(model, to: target)
  }
}

/// The objects of Keras 3, in one file or in shards.
struct KerasWeightsFormat: CheckpointFormat {
  let identifier = Checkpoint.Format.kerasWeights
  let suffix = ".weights.h5"
  let documentation: FormatDocumentation? = .init(
    "Keras 3 `.weights.h5`", read: "also files of Keras 2.13, and shards", write: "yes")
  let holds: FormatContents? = .anyLayout

  func recognizes(_ file: ProbedFile) -> Recognition {
    file.isJSON && file.path.hasSuffix(".weights.json") ? .certain : .no
  }

  func read(_ file: ProbedFile) throws -> Checkpoint {
    try Checkpoint(kerasShards: file.path, hdf5Reader: file.hdf5Reader)
  }

  func write(_ model: StoredModel, to target: WriteTarget) throws -> [WrittenTensor] {
    try KerasWriter.writeWeights(model, to: target)
  }

  func structure(of names: [String], layout: Layout?) -> (any ModelStructure)? {
    layout.map { [.keras, .kerasCuDNN].contains($0) } ?? true ? KerasStructure(objects: names) : nil
  }
}

/// Configuration and weights in a ZIP archive.
struct KerasArchiveFormat: CheckpointFormat {
  let identifier = Checkpoint.Format.kerasArchive
  let suffix = ".keras"
  let documentation: FormatDocumentation? = .init("Keras 3 `.keras`", read: "yes", write: "yes")
  let archiveOf: String? = "Keras"
  let holds: FormatContents? = [.layers, .scaling, .anyLayout]

  func recognizes(_ file: ProbedFile) throws -> Recognition {
    guard file.isZIP else { return .no }
    return Set(try file.archive().fileNames).isSuperset(of: ["config.json", "model.weights.h5"]) ? .likely : .no
  }

  func read(_ file: ProbedFile) throws -> Checkpoint {
    try Checkpoint(kerasArchive: file.archive(), hdf5Reader: file.hdf5Reader)
  }

  func write(_ model: StoredModel, to target: WriteTarget) throws -> [WrittenTensor] {
    try KerasWriter.writeArchive(model, to: target)
  }
}

extension Checkpoint {
  /// - Parameter archive: what a `.keras` archive says beside this file.
  init(keras contents: HDF5Contents, path: String, archive: (version: KerasVersion, model: KerasJSON)? = nil) throws {
    let root = contents.root
    let keepsBFloat = archive != nil || root.attribute("model_config")?.string?.contains("bfloat16") ?? false
    var made = contents.checkpoint(.kerasWeights, path: path, keepsBFloat: keepsBFloat)
    var structure = try KerasStructure(root, readable: Set(made.tensors.map(\.name)), file: path, archive: archive)
    if structure?.model == nil { try structure?.takeArchitecture(beside: path, &made.notes) }
    if archive != nil {
      made.format = .kerasArchive
    } else if case .layers = structure?.weights {
      made.format = .kerasH5
    }
    made.structure = structure
    made.columnMajorWriter = contents.columnMajorWriter
    self = made
  }
}
