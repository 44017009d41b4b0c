import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// A described graph finds its tensors in files that call them otherwise.
@Suite struct GraphResolutionTests {
  private typealias Layer = LSTMCheckpoints.Layer

  private func graph(_ layers: [Layer], features: Int = 3) throws -> ModelConfiguration {
    try ModelConfiguration(inputs: [.init(.features(size: features))], layers: layers)
  }

  private func options(_ layers: [Layer], features: Int = 3, rules: [String] = []) throws -> LoadOptions {
    LoadOptions(
      rules: try rules.map { try RenamingRule($0) }, configuration: try graph(layers, features: features))
  }

  private let head = Layer("head.0", Layer.Dense(size: 2))
  private let last = Layer("readout", Layer.Readout(.last))

  @Test func byShape() throws {
    let layers = [
      Layer("conv1", Layer.Convolution(size: 5, kernel: [3])), Layer("norm1", Layer.BatchNorm()),
      Layer("layer0", Layer.Recurrent(.gru, size: 4)), last, Layer("norm2", Layer.LayerNorm()), head,
    ]
    let shapes: [(String, [Int])] = [
      ("net.0.weight", [5, 3, 3]), ("net.0.bias", [5]), ("net.1.weight", [5]), ("net.1.bias", [5]),
      ("net.1.running_mean", [5]), ("net.1.running_var", [5]), ("net.1.num_batches_tracked", []),
      ("g.weight_ih_l0", [12, 5]), ("g.weight_hh_l0", [12, 4]), ("g.bias_ih_l0", [12]), ("g.bias_hh_l0", [12]),
      ("z.weight", [4]), ("z.bias", [4]), ("out.weight", [2, 4]), ("out.bias", [2]),
    ]
    let found = checkpoint(shapes, types: ["net.1.num_batches_tracked": .int64])
    let plan = try LoadPlan(found, options: options(layers))
    try plan.validate()
    #expect(plan.mapping["conv1.weight"] == "net.0.weight")
    #expect(plan.mapping["norm1.running_var"] == "net.1.running_var")
    #expect(plan.mapping["gru.weight_hh_l0"] == "g.weight_hh_l0")
    #expect(plan.mapping["norm2.bias"] == "z.bias")
    #expect(plan.mapping["head.0.weight"] == "out.weight")
  }

  /// Modules of equal shapes go by their numbers, else by the order of the file, else they are asked about.
  @Test func equalShapes() throws {
    let layers = [
      Layer("dense1", Layer.Dense(size: 4)), Layer("dense2", Layer.Dense(size: 4)),
      Layer("layer0", Layer.Recurrent(.lstm, size: 4)),
    ]
    func shapes(_ a: String, _ b: String) -> [(String, [Int])] {
      [("\(b).weight", [4, 4]), ("\(b).bias", [4]), ("\(a).weight", [4, 4]), ("\(a).bias", [4])] + layer("l.", 0, 4, 4)
    }
    let numbered = try LoadPlan(checkpoint(shapes("fc2", "fc10")), options: options(layers, features: 4))
    #expect(numbered.mapping["dense1.weight"] == "fc2.weight")
    #expect(
      numbered.report.assumed.first?.what == "dense1 is fc2, dense2 is fc10: of equal shapes, taken by their numbers")

    var ordered = checkpoint(shapes("a", "b"))
    ordered.keepsOrder = true
    let plan = try LoadPlan(ordered, options: options(layers, features: 4))
    #expect(plan.mapping["dense1.weight"] == "b.weight")
    #expect(
      plan.report.assumed.first?.what == "dense1 is b, dense2 is a: of equal shapes, taken in the order of the file")

    let asked = refusal(checkpoint(shapes("a", "b")), try options(layers, features: 4))
    #expect(
      asked.first
        == "w.h5: dense1, dense2 have the same shapes (weight (4, 4), bias (4,)), and nothing tells which of b, a each of "
        + "them is")
    #expect(asked.last == "say it with rules ^b[.]=dense1.")
    // The advice, typed.
    let told = try LoadPlan(
      checkpoint(shapes("a", "b")), options: options(layers, features: 4, rules: ["^b[.]=dense1."]))
    try told.validate()
    #expect(told.mapping["dense2.weight"] == "a.weight")
  }

  @Test func moreModulesThanLayers() throws {
    let found = checkpoint(
      layer("l.", 0, 3, 4) + [("a.weight", [2, 4]), ("a.bias", [2]), ("b.weight", [2, 4]), ("b.bias", [2])])
    let layers = [Layer("layer0", Layer.Recurrent(.lstm, size: 4)), last, Layer("norm1", Layer.L2()), head]
    #expect(
      refusal(found, try options(layers)) == [
        "w.h5: 2 modules have the shapes of head.0 (weight (2, 4), bias (2,)): a, b",
        "name the one that it is: rules ^a[.]=head.0.", "or give the model a layer for each",
      ])
  }

  @Test func numbersOfGatesTellTheCell() throws {
    let gru: [(String, [Int])] = [
      ("r.weight_ih_l0", [12, 3]), ("r.weight_hh_l0", [12, 4]), ("r.bias_ih_l0", [12]), ("r.bias_hh_l0", [12]),
    ]
    let layers = [Layer("layer0", Layer.Recurrent(.lstm, size: 4)), last, Layer("norm1", Layer.L2())]
    #expect(
      refusal(checkpoint(gru), try options(layers)).first?.hasPrefix(
        "w.h5: r.weight_ih_l0: expected shape (16, 3), found (12, 3) (3H = 12: a GRU)") == true)
    let other = [Layer("layer0", Layer.Recurrent(.gru, size: 4)), last]
    #expect(
      refusal(checkpoint(layer("r.", 0, 3, 4)), try options(other)).first?.contains("(4H = 16: an LSTM)") == true)
  }

  @Test func aTransposedMatrixIsSaid() throws {
    let layers = [
      Layer("dense1", Layer.Dense(size: 5)), Layer("layer0", Layer.Recurrent(.lstm, size: 4)), last, head,
    ]
    let found = checkpoint(
      [("a.weight", [3, 5]), ("a.bias", [5]), ("b.weight", [2, 4]), ("b.bias", [2])] + layer("l.", 0, 5, 4))
    #expect(
      refusal(found, try options(layers)).first
        == "w.h5: a.weight: expected shape (5, 3), found (3, 5) (this is the transpose)")
  }

  @Test func whatIsMissingAndWhatIsLeft() throws {
    let layers = [Layer("layer0", Layer.Recurrent(.gru, size: 4)), last, Layer("norm1", Layer.LayerNorm()), head]
    let found = checkpoint([
      ("g.weight_ih_l0", [12, 3]), ("g.weight_hh_l0", [12, 4]), ("g.bias_ih_l0", [12]), ("g.bias_hh_l0", [12]),
      ("fc.weight", [2, 4]), ("fc.bias", [2]), ("conv.weight", [2, 2, 2]),
    ])
    let report = try LoadPlan(found, options: options(layers)).report
    #expect(report.missing.map(\.target) == ["norm1.weight", "norm1.bias"])
    #expect(report.unexpected.map(\.source) == ["conv.weight"])
  }

  /// PyTorch's images are (C, height, width), and their kernels too.
  @Test func kernelsOfImagesAreTurned() throws {
    let plan = try LoadPlan(
      Checkpoint(path: GraphReadingTests.file("torch-graph/crnn.pt")),
      options: LoadOptions(
        configuration: try ModelConfiguration(
          json: Data(contentsOf: fixtures.appendingPathComponent("torch-graph/crnn.json")), file: "crnn.json")))
    try plan.validate()
    let stored = try #require(try Checkpoint(path: GraphReadingTests.file("torch-graph/crnn.pt"))["cnn.0.weight"])
    let turned = try #require(plan.tensors["conv1.weight"]).floats()
    let values = try stored.floats()
    #expect(turned[1] == values[3] && turned[3] == values[1] && turned != values)
  }

  /// Each file with its description, or the model that is proposed, imports whole.
  @Test(arguments: fixtureNames(in: "torch-graph", suffix: ".json")) func describedFilesImport(_ name: String) throws {
    let json = try Data(contentsOf: fixtures.appendingPathComponent("torch-graph/\(name).json"))
    let plan = try LoadPlan(
      Checkpoint(path: GraphReadingTests.file("torch-graph/\(name).pt")),
      options: LoadOptions(configuration: try ModelConfiguration(json: json, file: name)))
    try plan.validate()
  }
}
