import FileIO
import Foundation
import HDF5

/// A model as a file of Keras' is to have it.
protocol KerasContents {
  var weights: [KerasExport.Weight] { get }
  var version: KerasVersion { get }
  /// Whether `json` describes the whole.
  var isDescribed: Bool { get }
  func json(withModules: Bool) -> KerasJSON
}

extension KerasExport: KerasContents {
  var isDescribed: Bool { !layers.isEmpty }
}

extension KerasGraphExport: KerasContents {
  var isDescribed: Bool { true }
}

/// Writes Keras' files. Tensors keep their types; bfloat16 becomes what Keras makes of it, two bytes without meaning.
enum KerasWriter {
  private static func contents(
    _ model: StoredModel, _ target: WriteTarget, _ kind: KerasExport.Target
  ) throws -> any KerasContents {
    if let stack = model.configuration.stack {
      let exportable = try Exportable(model, to: target.path, options: target.options)
      // A graph has more than a stack of layers.
      let mayBeGraph =
        kind != .weights && KerasExport.hasGraph(stack) && target.options.layout ?? .keras == .keras
      do throws(CheckpointError) {
        let made = try KerasExport(exportable, kind)
        if !mayBeGraph || made.isOwn || made.isDescribed { return made }
      } catch {
        guard mayBeGraph else { throw error }
      }
    }
    return try KerasGraphExport(model, to: target.path, options: target.options, kind)
  }

  /// Keras' older HDF5: `layer_names` and `weight_names`, and the whole model where Keras can describe it.
  static func writeLegacy(_ model: StoredModel, to target: WriteTarget) throws -> [WrittenTensor] {
    let path = target.path
    let export = try contents(model, target, .legacy)
    let isInside = export.weights.allSatisfy { $0.path.hasPrefix("model_weights/") }
    let base = isInside ? "model_weights" : ""
    var document = HDF5Document()
    let layers = try export.weights.map { weight in
      let parts = weight.path.split(separator: "/").dropFirst(isInside ? 1 : 0)
      guard let layer = parts.first.map(String.init), parts.count > 1 else {
        throw CheckpointError.cannotWrite(file: path, detail: "\(weight.path) is in no layer's group")
      }
      return (name: layer, weight: parts.dropFirst().joined(separator: "/"))
    }.grouped(by: \.name)
    if isInside { document.addGroup(base) }
    for place in Set(["", base]) {
      if export.version != .one {
        document.setAttribute("keras_version", .strings([export.version.text]), on: place)
      }
      document.setAttribute("backend", .strings(["tensorflow"]), on: place)
    }
    document.setAttribute("layer_names", .strings(layers.map(\.key)), on: base, scalar: false)
    if export.isDescribed {
      document.setAttribute("model_config", .strings([try json(export.json(withModules: false))]))
    }
    for (layer, weights) in layers {
      let group = base.isEmpty ? layer : base + "/" + layer
      document.addGroup(group)
      document.setAttribute("weight_names", .strings(weights.map(\.weight)), on: group, scalar: false)
    }
    return try write(export, document, to: path)
  }

  /// Keras 3's `.weights.h5`.
  static func writeWeights(_ model: StoredModel, to target: WriteTarget) throws -> [WrittenTensor] {
    try write(contents(model, target, .weights), HDF5Document(), to: target.path)
  }

  /// Keras 3's `.keras`: configuration, metadata and the weights in a ZIP archive.
  static func writeArchive(_ model: StoredModel, to target: WriteTarget) throws -> [WrittenTensor] {
    let path = target.path
    let export = try contents(model, target, .archive)
    let folder = try PrivateFolder()
    defer { folder.remove() }
    let weights = folder.path + "/model.weights.h5"
    let written = try write(export, HDF5Document(), to: weights)
    let metadata = try json(
      ["keras_version": .string(export.version.text), "date_saved": "1980-01-01@00:00:00"] as KerasJSON)
    let config = try json(export.json(withModules: true))
    let content = try CheckpointError.reading(weights) { () throws(UnreadableReason) in
      ByteSource.file(try RegularFile(path: weights))
    }
    try ContainerFile.write(to: path, byteCount: content.byteCount) { file in
      var writer = ZipFileWriter(file, archive: path)
      try writer.add("metadata.json", Array(metadata.utf8))
      try writer.add("config.json", Array(config.utf8))
      try writer.add("model.weights.h5", size: content.byteCount) {
        do {
          try content.forEachPiece(0..<content.byteCount) { try file.write(UnsafeRawBufferPointer($0)) }
        } catch let reason as UnreadableReason {
          throw CheckpointError.unreadable(file: weights, reason: reason)
        }
      }
      try writer.finish()
    }
    return written
  }

  private static func write(
    _ export: any KerasContents, _ document: HDF5Document, to path: String
  ) throws -> [WrittenTensor] {
    var document = document
    for weight in export.weights { document.addKeras(weight.tensor, at: weight.path) }
    try document.write(to: path)
    return export.weights.map {
      WrittenTensor(NamedTensor(name: $0.path, tensor: $0.tensor, source: $0.source))
    }
  }
}

extension HDF5Document {
  fileprivate mutating func addKeras(_ tensor: StoredTensor, at path: String) {
    guard tensor.dataType == .bfloat16 else { return add(tensor, at: path) }
    addDataset(path, shape: tensor.shape, type: .opaque(length: 2)) { try tensor.forEachPiece($0) }
    setAttribute("dtype", .strings(["bfloat16"]), on: path)
  }
}
