import FileIO
import Foundation

/// A file or folder that people take for a checkpoint, and that is none that is read here: what it is, and what to do.
///
/// One list, in order, because the first that fits decides, and most are of programs that have no format here.
package struct ForeignFile: Sendable, Equatable {
  /// `a TensorFlow SavedModel`
  package let what: String
  package let advice: [Message]

  init(_ what: String, _ advice: Message...) {
    self.what = what
    self.advice = advice
  }

  /// By what the file holds, or what lies in the folder; nil for what is not known.
  /// - Throws: `CheckpointError` when it cannot be read.
  init?(_ file: ProbedFile) throws(CheckpointError) {
    let path = file.path
    guard let source = file.source else {
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else { return nil }
      let names = try CheckpointError.reading(path) { () throws(UnreadableReason) in try namesInFolder(path) }
      guard let found = Self.folder(names, path, URL(fileURLWithPath: path).lastPathComponent) else { return nil }
      self = found
      return
    }
    let count = source.byteCount
    let tail = try CheckpointError.reading(path) { () throws(UnreadableReason) in
      try source.bytes(at: max(count - 8, 0), count: min(8, count))
    }
    guard let found = Self.file(file.head, tail, byteCount: count, path: path) else { return nil }
    self = found
  }

  /// The error that says so.
  package func error(file: String) -> CheckpointError {
    .unknownFormat(file: file, detail: "is \(what)", advice: advice)
  }

  // MARK: - Folders

  private static func folder(_ names: [String], _ path: String, _ name: String) -> ForeignFile? {
    let list = Set(names)
    if list.contains("saved_model.pb") { return savedModel(name) }
    if list.isSuperset(of: ["config.json", "model.weights.h5"]) {
      return ForeignFile(
        "an unpacked .keras archive", "pack it again: cd \(name) && zip ../\(name).keras *.json model.weights.h5")
    }
    if list.contains("data.pkl"), list.contains("data") {
      return ForeignFile(
        "an unpacked archive of torch.save", "pack it again, the folder as one: zip -0 -r \(name).pt \(name)")
    }
    if let inside = ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "model.onnx"].first(
      where: list.contains)
    {
      return ForeignFile("a folder that holds a checkpoint", "name the file in it: \(path)/\(inside)")
    }
    if let index = names.sorted().first(where: { $0.hasSuffix(".index") }),
      names.contains(where: { $0.hasPrefix(index.dropLast(6) + ".data-") })
    {
      return tensorFlowCheckpoint(path + "/" + index.dropLast(6))
    }
    if list.contains("model.json"), names.contains(where: { $0.hasSuffix(".bin") }) { return tensorFlowJS }
    return nil
  }

  // MARK: - Files

  private static func file(_ head: [UInt8], _ tail: [UInt8], byteCount: Int, path: String) -> ForeignFile? {
    let name = URL(fileURLWithPath: path).lastPathComponent
    func begins(_ text: String, at offset: Int = 0) -> Bool { head.dropFirst(offset).starts(with: text.utf8) }
    if begins("TFL3", at: 4) {
      return ForeignFile(
        "a TFLite model, whose network was converted for phones",
        "give the checkpoint or the Keras file it was made from")
    }
    if begins("MATLAB 5.0 MAT-file") {
      return ForeignFile(
        "a MATLAB file of version 5",
        "save it in MATLAB as version 7.3, which is HDF5: save(\"weights.mat\", \"-v7.3\")")
    }
    if begins("version https://git-lfs") {
      return ForeignFile("a pointer of Git LFS, not the file itself", "fetch it: git lfs pull")
    }
    let start = String(decoding: head.prefix(64), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
      .lowercased()
    if start.hasPrefix("<!doctype html") || start.hasPrefix("<html") {
      return ForeignFile("a web page, not the file that it links to", "download the file itself")
    }
    if head.starts(with: [0x1f, 0x8b]) {
      return ForeignFile("compressed with gzip", "unpack it first: gunzip, or tar -xzf for an archive")
    }
    if begins("model_checkpoint_path:") {
      return ForeignFile(
        "TensorFlow's note of which checkpoint is the latest", "the checkpoint is the .index and .data files beside it")
    }
    if tail == [0x57, 0xfb, 0x80, 0x8b, 0x24, 0x75, 0x47, 0xdb] {
      return tensorFlowCheckpoint(name.hasSuffix(".index") ? String(path.dropLast(6)) : path)
    }
    if let range = path.range(of: ".data-", options: .backwards),
      FileManager.default.fileExists(atPath: path[..<range.lowerBound] + ".index")
    {
      return tensorFlowCheckpoint(String(path[..<range.lowerBound]))
    }
    return isSavedModel(head, byteCount) ? savedModel("FOLDER") : isGraph(head) ? graph : nil
  }

  /// Field 1 is the schema's version, 1; field 2, nearly all of the file, a graph and what belongs to it.
  private static func isSavedModel(_ head: [UInt8], _ byteCount: Int) -> Bool {
    guard head.starts(with: [0x08, 0x01, 0x12]), let (length, start) = varint(head, at: 3), start < head.count else {
      return false
    }
    return length > byteCount / 2 && length <= byteCount - start && [0x0a, 0x12].contains(head[start])
  }

  /// A list of nodes, each of which begins with its name and its operator.
  private static func isGraph(_ head: [UInt8]) -> Bool {
    func text(_ tag: UInt8, at offset: Int) -> Int? {
      guard offset < head.count, head[offset] == tag, let (length, start) = varint(head, at: offset + 1),
        1...128 ~= length, start + length <= head.count,
        head[start..<start + length].allSatisfy({ 0x21...0x7e ~= $0 })
      else { return nil }
      return start + length
    }
    guard head.first == 0x0a, let (length, start) = varint(head, at: 1), length > 4,
      let afterName = text(0x0a, at: start), text(0x12, at: afterName) != nil
    else { return false }
    return true
  }

  private static func varint(_ bytes: [UInt8], at offset: Int) -> (value: Int, end: Int)? {
    var value = 0
    for index in 0..<8 {
      guard offset + index < bytes.count else { return nil }
      value |= Int(bytes[offset + index] & 0x7f) << (7 * index)
      if bytes[offset + index] & 0x80 == 0 { return (value, offset + index + 1) }
    }
    return nil
  }

  // MARK: - What each is

  private static func savedModel(_ folder: String) -> ForeignFile {
    ForeignFile(
      "a TensorFlow SavedModel",
      "save it for Keras, in Python: tf_keras.models.load_model(\"\(folder)\").save(\"model.keras\")")
  }

  private static let graph = ForeignFile(
    "a TensorFlow graph (GraphDef), which has its operators apart",
    "give the checkpoint or the Keras file it was made from")

  private static let tensorFlowJS = ForeignFile(
    "a TensorFlow.js model",
    "convert it: tensorflowjs_converter --input_format tfjs_layers_model --output_format keras model.json model.h5")

  static func tensorFlowCheckpoint(_ stem: String) -> ForeignFile {
    ForeignFile(
      "a TensorFlow checkpoint (.index and .data)",
      "save its arrays, in Python: r = tensorflow.train.load_checkpoint(\"\(stem)\")",
      "numpy.savez(\"weights.npz\", **{n: r.get_tensor(n) for n in r.get_variable_to_shape_map()})")
  }

  /// What a path that is no file stands for: TensorFlow names a checkpoint without the endings of its files.
  package static func named(_ path: String) -> ForeignFile? {
    FileManager.default.fileExists(atPath: path + ".index") ? tensorFlowCheckpoint(path) : nil
  }

  /// An archive by the names in it.
  init?(archive names: [String], file: String) {
    let list = Set(names)
    if list.contains("policy.pth"), list.contains("data") {
      self.init("an agent of stable-baselines3", "take its weights out and import them: unzip \(file) policy.pth")
    } else if names.contains(where: {
      $0.hasSuffix("serialized_exported_program.json") || $0.hasSuffix("archive_format")
    }) {
      self.init(
        "a program of torch.export",
        "save its tensors, in Python: torch.save(torch.export.load(\(quoted(file))).state_dict, \"weights.pt\")")
    } else if list.contains("saved_model.pb") || names.contains(where: { $0.hasSuffix("/saved_model.pb") }) {
      self.init("a packed TensorFlow SavedModel", "unpack it first: unzip \(file)")
    } else {
      return nil
    }
  }

  /// JSON by the keys of its outermost object.
  init?(json: [String: Any], file: String) {
    let keys = Set(json.keys)
    if keys.contains("modelTopology") || keys.contains("weightsManifest") {
      self = Self.tensorFlowJS
    } else if json["class_name"] as? String == "Tokenizer" {
      self.init(
        "the vocabulary of a Keras Tokenizer, which holds no weights",
        "when you import the model that it belongs to, give \(.vocabulary, file)")
    } else if keys.isSuperset(of: ["class_name", "config"]) {
      self.init(
        "the architecture of a Keras model, which holds no weights",
        "name the file of its weights, with this one beside it or as \(.architecture, file)")
    } else if keys.isSuperset(of: ["model_data", "state_dict"]) {
      let data = json["model_data"] as? [String: Any]
      let skips = (data?["skip"] as? NSNumber)?.intValue ?? 0
      let what = "a guitar amplifier of GuitarML (Proteus)"
      if skips != 0 {
        self.init(what + "; its output adds the input to the LSTM's, which this version cannot compute")
      } else {
        self.init(
          what,
          "save its tensors, in Python: d = json.load(open(\(quoted(file))))[\"state_dict\"]",
          "torch.save({k: torch.tensor(v) for k, v in d.items()}, \"weights.pt\")")
      }
    } else if keys.isSuperset(of: ["architecture", "config", "weights"]) {
      let kind = json["architecture"] as? String ?? ""
      self.init(
        "a model of Neural Amp Modeler (\(kind)), whose weights are one list of numbers",
        "export it in the trainer as a checkpoint (.ckpt), or as ONNX")
    } else if keys.isSuperset(of: ["in_shape", "layers"]) {
      self.init("a model for RTNeural, which is written here and not read", "give the checkpoint that it was made from")
    } else if !json.isEmpty, json.values.allSatisfy({ $0 is [Any] }),
      json.keys.contains(where: { $0.hasSuffix("weight") || $0.contains("weight_ih") || $0.contains("weight_hh") })
    {
      self.init(
        "a state_dict as JSON",
        "save its tensors, in Python: d = json.load(open(\(quoted(file))))",
        "torch.save({k: torch.tensor(v) for k, v in d.items()}, \"weights.pt\")")
    } else {
      return nil
    }
  }
}
