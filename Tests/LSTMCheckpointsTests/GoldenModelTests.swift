import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// What a user says when importing a golden model, and nothing more.
func goldenOptions(_ name: String) throws -> LoadOptions {
  switch name {
  case "compiled_extras": LoadOptions(allowedUnexpected: ["optimizer/*", "step", "bn.*"])
  case "head_fc1_fc2", "nested_groups": LoadOptions(activation: .relu)
  default: LoadOptions()
  }
}

func goldenCheckpoint(_ path: String) throws -> Checkpoint {
  try Checkpoint(path: fixtures.appendingPathComponent(path).path)
}

/// Checkpoints as PyTorch users dump them: every tensor gets the name that its place in the module calls for.
@Suite struct GoldenModelTests {
  static let names = fixtureNames(in: "golden-models").filter { !$0.hasSuffix(".reference") }

  @Test func thereAreTwenty() { #expect(Self.names.count == 20) }

  @Test(arguments: names)
  func mapsEveryTensor(_ name: String) throws {
    let reference = try Golden("golden-models/\(name).reference.h5")
    let checkpoint = try goldenCheckpoint("golden-models/\(name).h5")
    let plan = try LoadPlan(checkpoint, options: goldenOptions(name))
    try plan.validate()

    let expected = try reference.json("mapping", as: [String: String].self)
    let found = Dictionary(uniqueKeysWithValues: plan.mapping.map { ("/" + $0.value, $0.key) })
    #expect(found == expected)
    #expect(plan.report.missing.isEmpty)
    #expect(plan.report.mismatched.isEmpty)
    let unexpected = try reference.json("unexpected", as: [String].self)
    #expect(plan.report.unexpected.map { "/" + $0.source }.sorted() == unexpected.sorted())
  }

  @Test(arguments: names)
  func infersTheConfiguration(_ name: String) throws {
    let reference = try Golden("golden-models/\(name).reference.h5")
    let plan = try LoadPlan(goldenCheckpoint("golden-models/\(name).h5"), options: goldenOptions(name))
    let configuration = plan.configuration
    #expect(configuration.plain.input.size == (try reference.integer("input_size")))
    #expect(configuration.plain.layers.map(\.hiddenSize) == (try reference.json("hidden_sizes")))
    let isBidirectional = try reference.integer("bidirectional") == 1
    let projection = try reference.integer("proj_size")
    let hasBias = try reference.integer("bias") == 1
    for layer in configuration.plain.layers {
      #expect(layer.isBidirectional == isBidirectional)
      #expect(layer.projectionSize == (projection == 0 ? nil : projection))
      #expect(layer.bias == (hasBias ? .dual : .none))
    }
    #expect(configuration.plain.head.map(\.activation.rawValue) == (try reference.json("activations")))
    #expect(configuration.readout == nil)
    if case .tokens(let vocabulary, _) = configuration.plain.input {
      #expect(vocabulary == ["awd": 29, "embedding_fc": 23][name])
    } else {
      #expect(!reference.has("tokens"))
    }
  }

  @Test func whatLiesBesideTheWeightsIsRefusedUntilAllowed() throws {
    let plan = try LoadPlan(goldenCheckpoint("golden-models/compiled_extras.h5"))
    let error = #expect(throws: CheckpointError.self) { try plan.validate() }
    #expect(plan.report.unexpected.count == 5)
    #expect(
      error?.advice == [
        "leave out what is not needed with allowedUnexpected optimizer/*, or rename it with rules REGEX=REPLACEMENT"
      ])
  }

  @Test(arguments: ["model_state", "model_state/", "/model_state"])
  func aGroupCanBeThePrefix(_ prefix: String) throws {
    let plan = try LoadPlan(
      goldenCheckpoint("golden-models/model_state.h5"), options: LoadOptions(prefix: prefix))
    try plan.validate()
    #expect(plan.mapping["head.0.weight"] == "model_state/fc.weight")
  }

  @Test func aPrefixThatLeavesTheHeadOutsideSaysSo() throws {
    let plan = try LoadPlan(
      goldenCheckpoint("golden-models/prefix_module.h5"), options: LoadOptions(prefix: "module/encoder.lstm"))
    try plan.validate()
    #expect(plan.configuration.plain.head.isEmpty)
    #expect(plan.mapping["lstm.weight_hh_l1"] == "module.encoder.lstm.weight_hh_l1")
    #expect(
      plan.report.notes == [
        "prefix module.encoder.lstm: 2 tensors outside not looked at: module.decoder.bias, module.decoder.weight"
      ])
  }

  @Test func aTwoLayerHeadAsksForItsActivation() throws {
    let checkpoint = try goldenCheckpoint("golden-models/head_fc1_fc2.h5")
    let error = #expect(throws: CheckpointError.self) { try LoadPlan(checkpoint) }
    #expect(
      error?.message.description
        == "\(checkpoint.path): the head has 2 dense layers (fc1.weight, fc2.weight) and the tensors do "
        + "not show which activation is between them")
    #expect(
      error?.advice == [
        "say it with activation none, relu, tanh or sigmoid, or describe the model with configuration FILE"
      ])
  }

  @Test(arguments: fixtureNames(in: "golden-dtypes").filter { $0 != "expected" })
  func dumpsOfEveryTypeAndStorageGiveTheRightValues(_ variant: String) throws {
    let expected = try Golden("golden-dtypes/expected.h5")
    let checkpoint = try goldenCheckpoint("golden-dtypes/\(variant).h5")
    let plan = try LoadPlan(checkpoint)
    try plan.validate()
    #expect(plan.tensors.count == 10)
    for (target, source) in plan.mapping {
      let tensor = try #require(plan.tensors[target])
      let bits = try tensor.floats().map(\.bitPattern)
      #expect(bits == (try expected.tensor("\(variant)/\(source)").values.map(\.bitPattern)), "\(source)")
      #expect(tensor.isBigEndian == variant.hasSuffix("_be"))
    }
    let casts = Set(plan.report.applied.map(\.cast))
    #expect(casts == [variant.hasPrefix("f8") ? "computed with as float32" : nil])
  }
}
