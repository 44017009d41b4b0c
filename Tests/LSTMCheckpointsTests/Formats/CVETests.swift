import FileIO
import Foundation
import HDF5
import TestSupport
import Testing

@testable import LSTMCheckpoints

#if canImport(Glibc)
  import Glibc
#endif

/// Published weaknesses of programs that read the same files. Each is tried here under its number.
@Suite("Published weaknesses") struct CVETests {
  /// What opening a file and reading all of it throws; nil when it can be read.
  private func failure(_ path: String, allowsExternalData: Bool = false) -> (any DescribedFailure)? {
    do {
      let checkpoint = try Checkpoint(path: path, allowsExternalData: allowsExternalData)
      for tensor in checkpoint.tensors { try tensor.forEachPiece { _ in } }
      try LoadPlan(checkpoint).validate()
      return nil
    } catch let error as any DescribedFailure {
      return error
    } catch {
      Issue.record("no described failure: \(error)")
      return nil
    }
  }

  /// The tensors that can be read, also of a file that is no model.
  private func readable(_ path: String, allowsExternalData: Bool = false) -> Set<String> {
    guard let checkpoint = try? Checkpoint(path: path, allowsExternalData: allowsExternalData) else { return [] }
    return Set(checkpoint.tensors.filter { (try? $0.bytes()) != nil }.map(\.name))
  }

  // MARK: - torch.load(weights_only=True)

  /// A legacy tar archive went past `weights_only`.
  @Test func cve_2025_32434() throws {
    let folder = try TemporaryFolder()
    let proof = folder.path("proof")
    var pickle = PickleText()
    pickle.global("posix system")
    pickle.code("(")
    pickle.text("touch \(proof)")
    pickle.code("tR.")
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, at place: Int) { header.replaceSubrange(place..<place + text.utf8.count, with: text.utf8) }
    put("pickle", at: 0)
    put("0000644\0", at: 100)
    put(String(pickle.bytes.count, radix: 8), at: 124)
    put("        ", at: 148)
    put("0", at: 156)
    put("ustar", at: 257)
    put(String(header.reduce(0) { $0 + Int($1) }, radix: 8) + "\0", at: 148)
    let padding = [UInt8](repeating: 0, count: 512 - pickle.bytes.count % 512 + 1024)
    let path = folder.path("legacy.pt")
    try Data(header + pickle.bytes + padding).write(to: URL(fileURLWithPath: path))
    #expect(failure(path)?.category == .badInput)
    #expect(!FileManager.default.fileExists(atPath: proof))
  }

  /// SETITEM on something else than a dictionary, and storages of another size than they say, overwrote memory.
  @Test func cve_2026_24747() throws {
    var item = PickleText()
    item.tensor()
    item.code("NNs.")
    #expect(try refusal(ofFile: item.archive()).first?.contains("a dictionary to set items of") == true)
    for count in [7, 1 << 40, Int.max] {
      let message = try refusal(ofFile: PickleText.dictionary { $0.tensor(count: count) }.archive(count: 6)).first
      #expect(message?.contains("the storage \"0\" should have") == true, "\(count)")
    }
  }

  // MARK: - Keras

  private func keras(_ config: String, weights: [UInt8], _ folder: TemporaryFolder) throws -> String {
    let path = folder.path("model.keras")
    let archive = try ZipWriter.encode([
      ("metadata.json", Array("{\"keras_version\": \"3.8.0\"}".utf8)), ("config.json", Array(config.utf8)),
      ("model.weights.h5", weights),
    ])
    try Data(archive).write(to: URL(fileURLWithPath: path))
    return path
  }

  private static func sequential(_ layers: String) -> String {
    """
    {"module": "keras", "class_name": "Sequential", "config": {"name": "s", "layers": [
      {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [null, 4, 2], "name": "in"}},
      \(layers)]}}
    """
  }

  private static func fixture(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: fixtures.appendingPathComponent(name)))
  }

  /// `config.json` named any function of any module, which was called.
  @Test func cve_2025_1550() throws {
    let folder = try TemporaryFolder()
    let proof = folder.path("proof")
    for (module, name) in [
      ("os", "system"), ("subprocess", "run"), ("builtins", "exec"), ("keras.src.utils", "get_file"),
    ] {
      let layer = """
        {"module": "\(module)", "class_name": "function", "config": "\(name)", "registered_name": "function",
         "inbound_nodes": [{"args": ["touch \(proof)"], "kwargs": {}}]}
        """
      for config in [
        layer, Self.sequential(layer),
        Self.sequential(layer.replacing("\"config\": \"\(name)\"", with: "\"config\": {\"name\": \"x\"}")),
      ] {
        let path = try keras(config, weights: try Self.fixture("hdf5/plain.h5"), folder)
        #expect(failure(path) != nil)
        #expect(!FileManager.default.fileExists(atPath: proof))
      }
    }
  }

  /// The code of a Lambda in an `.h5` file was run in spite of `safe_mode`.
  @Test func cve_2025_9905() throws {
    let folder = try TemporaryFolder()
    let proof = folder.path("proof")
    // marshal.dumps(compile("import os; os.system(...)")) begins so; nothing of it is run, so the rest may be anything.
    let code = Data([0xe3] + [UInt8](repeating: 0, count: 24) + Array("os\u{0}system\u{0}touch \(proof)".utf8))
      .base64EncodedString()
    let config = """
      {"class_name": "Sequential", "config": {"name": "s", "layers": [
        {"class_name": "Lambda", "config": {"name": "l", "batch_input_shape": [null, 4, 2],
          "function": {"class_name": "__lambda__", "config": {"code": "\(code)", "defaults": null, "closure": null}}}},
        {"class_name": "LSTM", "config": {"name": "lstm", "units": 1}}]}}
      """
    var document = HDF5Document()
    document.setAttribute("model_config", .strings([config]))
    document.setAttribute("keras_version", .strings(["2.15.0"]))
    document.addGroup("model_weights/l")
    document.setAttribute("layer_names", .strings(["l", "lstm"]), on: "model_weights", scalar: false)
    document.setAttribute(
      "weight_names", .strings(["lstm/k:0", "lstm/r:0", "lstm/b:0"]), on: "model_weights/lstm", scalar: false)
    document.addGroup("model_weights/lstm")
    for (name, shape) in [("k:0", [2, 4]), ("r:0", [1, 4]), ("b:0", [4])] {
      document.addDataset("model_weights/lstm/lstm/\(name)", shape: shape, type: .float32) {
        [UInt8](repeating: 0, count: shape.reduce(4, *))
      }
    }
    let path = folder.path("lambda.h5")
    try document.write(to: path)
    #expect(failure(path) != nil)
    #expect(!FileManager.default.fileExists(atPath: proof))
  }

  /// Weights whose bytes lie in another file of the machine.
  @Test func cve_2026_1669() throws {
    let folder = try TemporaryFolder()
    let config = Self.sequential(
      "{\"module\": \"keras.layers\", \"class_name\": \"LSTM\", \"config\": {\"units\": 1, \"name\": \"lstm\"}}")
    for (name, object) in [("external-storage.h5", "stolen"), ("external-link.h5", "lstm/passwd"), ("virtual.h5", "v")]
    {
      #expect(!readable(fixtures.appendingPathComponent("hdf5/" + name).path).contains(object), "\(name)")
      let path = try keras(config, weights: try Self.fixture("hdf5/" + name), folder)
      #expect(readable(path).allSatisfy { !$0.hasSuffix(object) } && failure(path) != nil, "\(name)")
    }
  }

  /// A dataset that claims more than any memory has.
  @Test func cve_2026_0897() throws {
    let folder = try TemporaryFolder()
    let config = Self.sequential(
      "{\"module\": \"keras.layers\", \"class_name\": \"LSTM\", \"config\": {\"units\": 1, \"name\": \"lstm\"}}")
    for (name, object) in [
      ("huge-shape.h5", "w"), ("huge-contiguous.h5", "w"), ("many-chunks.h5", "w"), ("deflate-bomb.h5", "w"),
    ] {
      #expect(!readable(fixtures.appendingPathComponent("hdf5/" + name).path).contains(object), "\(name)")
      #expect(failure(try keras(config, weights: try Self.fixture("hdf5/" + name), folder)) != nil, "\(name)")
    }
  }

  // MARK: - ONNX

  private static func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
    [number << 3 | 2, UInt8(bytes.count)] + bytes
  }

  /// A model of one tensor, W, of 16 bytes in another file.
  private static func onnx(_ location: String) -> [UInt8] {
    let place = field(13, field(1, Array("location".utf8)) + field(2, Array(location.utf8)))
    let tensor = [0x08, 4, 0x10, 1] + field(8, Array("W".utf8)) + [14 << 3, 1] + place
    let graph = field(5, tensor)
    return [0x08, 8] + field(7, graph) + field(8, [0x10, 17])
  }

  /// Links of both kinds, and paths, led out of the model's folder.
  private func externalData(_ location: String, prepare: (TemporaryFolder) throws -> Void) throws {
    let folder = try TemporaryFolder()
    try prepare(folder)
    try FileManager.default.createDirectory(atPath: folder.path("model"), withIntermediateDirectories: true)
    let path = folder.path("model/model.onnx")
    try Data(Self.onnx(location)).write(to: URL(fileURLWithPath: path))
    #expect(readable(path).isEmpty, "unasked")
    #expect(readable(path, allowsExternalData: true).isEmpty, "\(location)")
    // An honest one is read.
    unlink(folder.path("model/data"))
    try Data(repeating: 0x41, count: 16).write(to: URL(fileURLWithPath: folder.path("model/data")))
    try Data(Self.onnx("data")).write(to: URL(fileURLWithPath: path))
    #expect(readable(path).isEmpty, "unasked")
    #expect(readable(path, allowsExternalData: true) == ["W"])
  }

  private func secret(_ folder: TemporaryFolder) throws {
    try Data(repeating: 0x41, count: 16).write(to: URL(fileURLWithPath: folder.path("secret")))
    try FileManager.default.createDirectory(atPath: folder.path("model"), withIntermediateDirectories: true)
  }

  /// A symbolic link.
  @Test func cve_2026_27489() throws {
    try externalData("data") { folder in
      try secret(folder)
      try #require(symlink("../secret", folder.path("model/data")) == 0)
    }
  }

  /// A hard link.
  @Test func cve_2026_34446() throws {
    try externalData("data") { folder in
      try secret(folder)
      try #require(link(folder.path("secret"), folder.path("model/data")) == 0)
    }
  }

  /// Between the check of a path and its opening, it was changed. Here the path is a plain name and no link, and what is
  /// checked is the open file.
  @Test func cve_2026_34447() throws {
    for location in ["../secret", "./data", "sub/data", "sub/../../secret", "/etc/passwd"] {
      try externalData(location) { folder in
        try secret(folder)
        try FileManager.default.createDirectory(atPath: folder.path("model/sub"), withIntermediateDirectories: true)
        try #require(symlink("../../secret", folder.path("model/sub/data")) == 0)
      }
    }
  }

  // MARK: - libhdf5

  /// Files that made libhdf5 write or read past its buffers. They are read to the end, or refused with a typed error.
  @Test(
    .timeLimit(.minutes(1)),
    arguments: ["2025-2309", "2025-2915", "2025-6750", "2025-6816", "2025-7069", "2025-44905"])
  func hdf5(_ number: String) throws {
    let path = fixtures.appendingPathComponent("cve/cve-\(number).h5").path
    #expect(FileManager.default.fileExists(atPath: path))
    // None of them is a model.
    #expect(failure(path)?.category == .badInput)
  }
}
