import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// Graphs go out under their source's names, or under names that load again.
@Suite struct GraphExportTests {
  /// Of a fixture, as described or as found.
  static func imported(_ name: String) throws -> StoredModel {
    let checkpoint = try Checkpoint(path: GraphReadingTests.file("torch-graph/\(name).pt"))
    var options = LoadOptions(readout: .last)
    if let json = try? Data(contentsOf: fixtures.appendingPathComponent("torch-graph/\(name).json")) {
      options = LoadOptions(configuration: try ModelConfiguration(json: json, file: name))
    } else if let model = try GraphReadingTests.proposals(checkpoint, options).first {
      options = LoadOptions(configuration: model)
    }
    return try LoadPlan(checkpoint, options: options).imported()
  }

  /// What becomes other tensors: projections are joined, a slope is a setting, tags of start and end have scores of their own.
  private static let changed = ["attention_kdim", "crf_start_stop", "prelu"]

  @Test(
    arguments: fixtureNames(in: "torch-graph", suffix: ".pt").filter { !changed.contains($0) },
    ["pt", "safetensors", "npz", "pytorch-h5"])
  func whatWasReadIsWrittenByteForByte(_ name: String, _ format: String) throws {
    let folder = try TemporaryFolder()
    let source = try Checkpoint(path: GraphReadingTests.file("torch-graph/\(name).pt"))
    let format = try #require(Checkpoint.Format.writable.first { $0.rawValue == format })
    try Self.imported(name).write(path: folder.path("out"), as: format)
    let back = try Checkpoint(path: folder.path("out"))
    let names = Set(source.tensors.map { Self.whole($0.name, name) })
    #expect(Set(back.tensors.map { $0.name.replacing("/", with: ".") }) == names)
    for tensor in source.tensors where tensor.dataType == .float32 && Self.whole(tensor.name, name) == tensor.name {
      let other = try #require(back.tensors.first { $0.name.replacing("/", with: ".") == tensor.name })
      // A window of one step may come back as a dense layer.
      let isSame = other.shape == tensor.shape || other.shape + [1] == tensor.shape
      #expect(isSame, "\(tensor.name): \(other.shape)")
      #expect(try other.bytes() == tensor.bytes(), "\(tensor.name)")
    }
    if let counter = back.tensors.first(where: { $0.name.hasSuffix("num_batches_tracked") }) {
      #expect(counter.shape.isEmpty && counter.dataType == .int64)
    }
  }

  /// The weight that a tensor is a factor of: normalized weights go out as the one weight.
  private static func whole(_ tensor: String, _ fixture: String) -> String {
    guard fixture.hasPrefix("weight_norm") || fixture.hasPrefix("spectral_norm") else { return tensor }
    if let match = tensor.firstMatch(of: /(.+)\.parametrizations\.(\w+)\./) { return "\(match.1).\(match.2)" }
    return String(tensor.replacing(/(weight\w*?)_(g|v|u|orig)$/) { $0.1 })
  }

  @Test(arguments: fixtureNames(in: "torch-graph", suffix: ".pt").filter { $0.contains("_norm") })
  func normalizedWeightsGoOutAsTheyAreUsed(_ name: String) throws {
    let folder = try TemporaryFolder()
    let model = try Self.imported(name)
    try model.write(path: folder.path("out.pt"), as: .pt)
    let options = LoadOptions(configuration: model.configuration)
    let again = try LoadPlan(Checkpoint(path: folder.path("out.pt")), options: options).imported()
    #expect(try again.tensors.map { try $0.bytes() } == model.tensors.map { try $0.bytes() })
    #expect(again.configuration == model.configuration)
  }

  /// Without a source the names are the project's, and describing the model again finds every tensor.
  @Test(arguments: fixtureNames(in: "torch-graph", suffix: ".pt")) func ownNamesLoadAgain(_ name: String) throws {
    let folder = try TemporaryFolder()
    var model = try Self.imported(name)
    model.provenance = nil
    try model.write(path: folder.path("out.pt"), as: .pt)
    let plan = try LoadPlan(
      Checkpoint(path: folder.path("out.pt")), options: LoadOptions(configuration: model.configuration))
    try plan.validate()
    for tensor in model.tensors {
      #expect(try plan.tensors[tensor.name]?.bytes() == tensor.bytes(), "\(tensor.name)")
    }
  }

  @Test func oneBiasGoesOutWithZeros() throws {
    var gru = LSTMCheckpoints.Layer.Recurrent(.gru, size: 2)
    gru.bias = .single
    let graph = try ModelConfiguration(inputs: [.init(.features(size: 1))], layers: [.init("layer0", gru)])
    let model = StoredModel(
      graph,
      tensors: graph.parameters.map { place in
        StoredTensor(name: place.name, shape: place.shape, values: .init(repeating: 1, count: place.elementCount))
      })
    let folder = try TemporaryFolder()
    let written = try model.write(path: folder.path("g.pt"), as: .pt)
    #expect(
      written.map(\.target) == [
        "layer0.weight_ih_l0", "layer0.weight_hh_l0", "layer0.bias_ih_l0", "layer0.bias_hh_l0",
      ])
    #expect(written.last?.how == "zeros, there was one bias")
  }

  @Test func aMissingTensorIsNamed() throws {
    var model = try Self.imported("gru")
    model.tensors.removeLast()
    #expect(throws: CheckpointError.self) { try model.write(path: "unwritten.pt", as: .pt) }
  }
}
