import FileIO
import Foundation

extension Checkpoint {
  /// The constants of an ONNX model, and its graph.
  /// - Parameter allowsExternalData: whether weights may lie in other files beside the model.
  init(onnx path: String, allowsExternalData: Bool = false) throws(CheckpointError) {
    let source = try CheckpointError.reading(path) { () throws(UnreadableReason) in
      ByteSource.file(try RegularFile(path: path))
    }
    let model: ONNXModel
    do throws(ProtobufReader.Failure) {
      model = try ONNXModel(source)
    } catch {
      throw error.checkpointError(path)
    }
    var files = ExternalFiles(model: path, isAllowed: allowsExternalData)
    var constants: [StoredTensor] = []
    for tensor in model.constants {
      if case .external = tensor.elements {
        constants.append(try files.tensor(tensor))
      } else {
        constants.append(tensor.stored(in: source, file: path))
      }
    }
    // Numbers that nodes read as indices, sizes and bounds are no weights.
    let weights = constants.filter { tensor in
      tensor.dataType.isFloatingPoint ? !tensor.shape.isEmpty : tensor.elementCount > 64
    }
    self.init(
      tensors: weights,
      skipped: model.unreadable.map { Skipped(name: $0.name, reason: "its elements are of ONNX type \($0.typeCode)") },
      path: path, format: .onnx, byteCount: source.byteCount)
    structure = ONNXStructure(model: model, source: source, constants: constants)
  }
}

/// Files beside a model that hold its weights, each opened once.
private struct ExternalFiles {
  let model: String
  let isAllowed: Bool
  private var open: [String: RegularFile] = [:]

  init(model: String, isAllowed: Bool) { (self.model, self.isAllowed) = (model, isAllowed) }

  mutating func tensor(_ tensor: ONNXTensor) throws(CheckpointError) -> StoredTensor {
    guard case .external(let location, let offset, _) = tensor.elements else {
      throw .corrupt(tensor: tensor.name, detail: "it is in the model's own file")
    }
    guard isAllowed else {
      throw .unsupported(
        file: model,
        detail: "tensor \"\(tensor.name)\" lies in another file, \"\(location)\", which is not opened unasked",
        advice: ["allow files beside the model with \(.allowsExternalData), or save the model as one file (onnx.save)"])
    }
    // Nothing but a plain name: a path could lead anywhere.
    guard !location.isEmpty, location != ".", location != "..", location.utf8.count <= 255,
      !location.unicodeScalars.contains(where: { "/\\:\0".unicodeScalars.contains($0) })
    else {
      throw .unsupported(
        file: model,
        detail: "the place of tensor \"\(tensor.name)\", \"\(location)\", is not the name of a file beside it")
    }
    let path = URL(fileURLWithPath: model).deletingLastPathComponent().appendingPathComponent(location).path
    let file: RegularFile
    if let known = open[location] {
      file = known
    } else {
      var status = stat()
      guard lstat(path, &status) == 0 else { throw .unreadable(file: path, reason: .notFound) }
      guard status.st_mode & S_IFMT != S_IFLNK else {
        throw .unsupported(
          file: path, detail: "is a link; weights outside the model's file are read from a regular file only")
      }
      file = try CheckpointError.reading(path) { () throws(UnreadableReason) in try RegularFile(path: path) }
      // A second name may be one in a folder that only its owner may read.
      guard file.linkCount == 1 else {
        throw .unsupported(
          file: path,
          detail:
            "has another name elsewhere (a hard link); weights outside the model's file are read from one with a single name",
          advice: ["copy it, if it is the model's own"])
      }
      open[location] = file
    }
    guard offset <= file.byteCount, tensor.byteCount <= file.byteCount - offset else {
      throw .corrupt(
        tensor: tensor.name,
        detail: "its \(tensor.byteCount) bytes from \(offset) on are not in \(location), which has \(file.byteCount)")
    }
    return tensor.stored(in: .file(file), file: path)
  }
}

/// The graph of an ONNX file.
struct ONNXStructure: ModelStructure {
  let model: ONNXModel
  let source: ByteSource
  let constants: [StoredTensor]

  func translate(_ candidates: [Candidate], file: String, options: LoadOptions) throws(CheckpointError) -> Translation {
    var found = try understood(candidates, file: file, options: options)
    if model.computesInHalf {
      found.notes.append(
        "the graph rounds to 16 bits between its nodes; here it is computed in float32, and differs in the fourth digit"
      )
    }
    return found
  }

  private func understood(
    _ candidates: [Candidate], file: String, options: LoadOptions
  ) throws(CheckpointError) -> Translation {
    let unfolded = ONNXFoldedSteps(ONNXRewriting(model, constants).model, constants)
    let general = ONNXGraphTranslation(
      file: file, model: unfolded.model, bytes: source, constants: unfolded.constants)
    // Of several outputs a plain stack gives one; states are none.
    if model.outputs.count > 1, let found = try? general.translation(candidates), found.graph?.outputs.count ?? 0 > 1 {
      return found
    }
    // Directions that were written as two layers stay two.
    if let written = model.writtenGraph, let found = try? general.translation(candidates), found.graph == written {
      return found
    }
    do throws(CheckpointError) {
      var graph = try ONNXGraph(model, source: source, tensors: constants, file: file)
      var found = try graph.translation(candidates, options: options)
      // A stack says nothing of how its states are carried.
      if !model.carriedInputs.isEmpty { found.interface = (try? general.translation(candidates))?.interface }
      return found
    } catch {
      // No plain stack: a graph of other layers, then.
      guard case .unsupported = error else { throw error }
      return try general.translation(candidates)
    }
  }
}

extension ONNXModel {
  /// What lstm-ft wrote beside the graph, where it is no plain stack.
  fileprivate var writtenGraph: ModelConfiguration? {
    guard let text = metadata[Self.configurationKey],
      let written = try? ModelConfiguration(json: Data(text.utf8), file: "")
    else { return nil }
    return written.stack == nil ? written : nil
  }

  /// Whether what its layers read is of float16 or bfloat16.
  fileprivate var computesInHalf: Bool {
    let halves = [10, 16]
    let constants = Set(self.constants.map(\.name))
    let stored = Set(self.constants.filter { [.float16, .bfloat16].contains($0.dataType) }.map(\.name))
    return inputs.contains { halves.contains($0.typeCode) }
      || nodes.contains { node in
        guard node.operation == "Cast" else {
          return !Self.movers.contains(node.operation) && node.inputs.contains(where: stored.contains)
        }
        guard case .integer(let to)? = node.attributes["to"], halves.contains(to) else { return false }
        return !node.inputs.allSatisfy(constants.contains)
      }
  }
}
