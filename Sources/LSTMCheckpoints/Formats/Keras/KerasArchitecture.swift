import FileIO
import Foundation

/// A model's description by itself, `model.to_json()`, which goes with a file of weights.
struct KerasArchitecture {
  let name: String
  let model: KerasJSON
  let version: KerasVersion?

  /// - Throws: `CheckpointError` when the file is none.
  init(path: String) throws(CheckpointError) {
    let data = try CheckpointError.reading(path) { () throws(UnreadableReason) in
      Data(try RegularFile(path: path).contents(times: 3))
    }
    guard let found = Self(name: URL(fileURLWithPath: path).lastPathComponent, try KerasJSON(data, "it", file: path))
    else {
      throw .unknownFormat(file: path, detail: "it describes no model of Keras', as model.to_json() gives it")
    }
    self = found
  }

  private init?(name: String, _ json: KerasJSON) {
    guard let className = json["class_name"]?.string, KerasGraph.modelClasses.contains(className),
      let config = json["config"], config["layers"]?.array != nil || config.array != nil
    else { return nil }
    self.name = name
    model = json
    version =
      json["keras_version"]?.string.map(KerasVersion.init) ?? (json["module"] != nil ? KerasVersion("3.0.0") : nil)
  }

  /// Those that lie beside a file.
  /// - Throws: `CheckpointError` when the system fails to read one: without it the weights would be read as another network.
  static func all(beside path: String) throws(CheckpointError) -> [KerasArchitecture] {
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    let names = try allowed(folder) { () throws(UnreadableReason) in try namesInFolder(folder) } ?? []
    let files = names.filter { $0.hasSuffix(".json") }.sorted()
    guard files.count <= 100 else { return [] }
    var found: [KerasArchitecture] = []
    for name in files {
      let file = folder + "/" + name
      // Most JSON is none: only what names a class is read through.
      guard let data = try Self.small(file), data.range(of: Data("class_name".utf8)) != nil,
        let json = try? KerasJSON(data, "it", file: file), let one = KerasArchitecture(name: name, json)
      else { continue }
      found.append(one)
    }
    return found
  }

  /// The bytes of a file; nil for what is too large, and for what may not be read.
  private static func small(_ path: String) throws(CheckpointError) -> Data? {
    try allowed(path) { () throws(UnreadableReason) in
      let file = try RegularFile(path: path)
      return file.byteCount <= 16 << 20 ? Data(try file.contents()) : nil
    } ?? nil
  }

  /// nil for what may not be read.
  private static func allowed<Value>(
    _ path: String, _ body: () throws(UnreadableReason) -> Value
  ) throws(CheckpointError) -> Value? {
    do throws(UnreadableReason) {
      return try body()
    } catch {
      if error.isFailingSystem { throw .unreadable(file: path, reason: error) }
      return nil
    }
  }
}

extension KerasStructure {
  /// With a description that is found beside the file: the only one whose layers have all of its weights and no more.
  /// - Throws: `CheckpointError` when the system fails to read a description.
  mutating func takeArchitecture(beside path: String, _ notes: inout [Message]) throws(CheckpointError) {
    let fitting = try KerasArchitecture.all(beside: path).filter { described(by: $0).fits(path) }
    guard let only = fitting.first else { return }
    guard fitting.count == 1 else {
      notes.append(
        "\(nameList(fitting.map(\.name))) beside it each describe a model with such weights: none was used; "
          + "\(.architecture, only.name) names one")
      return
    }
    self = described(by: only)
    notes.append("the model is described by \(only.name) beside it")
  }

  /// The same weights with a model.
  func described(by architecture: KerasArchitecture) -> KerasStructure {
    var copy = self
    copy.model = architecture.model
    copy.architecture = architecture.name
    if !version.isKnown, let known = architecture.version { copy.version = known }
    return copy
  }

  /// Whether the model's layers have as many weights as the file, and the same ones.
  private func fits(_ path: String) -> Bool {
    guard let model else { return false }
    let graph = KerasGraph(structure: self, file: path)
    guard let network = try? KerasNetwork(model, graph.place, graph) else { return false }
    var taken: [String] = []
    func collect(_ network: KerasNetwork) -> Bool {
      for member in network.members {
        if let inside = member.inside.first {
          guard collect(inside) else { return false }
          continue
        }
        let count = member.layer.weightCount(keras1: version.major == 1)
        guard count == nil || count == member.layer.weights.count else { return false }
        taken += member.layer.weights
      }
      return true
    }
    guard collect(network) else { return false }
    let all = everyWeight.filter { !Self.isHarmless($0) }
    return Set(taken) == Set(all) && taken.count == all.count
  }
}
