import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// Files in which an embedding and a dense layer are one tensor, and embeddings with a padding row.
@Suite struct TiedFileTests {
  static let tie = [["embedding.weight", "head.0.weight"]]

  static func plan(_ name: String, _ change: (inout LoadOptions) -> Void = { _ in }) throws -> LoadPlan {
    var options = LoadOptions()
    change(&options)
    return try LoadPlan(Checkpoint(contentsOf: fixtures.appendingPathComponent("wild/\(name)")), options: options)
  }

  /// What proves a tie is a note, what makes it likely is said as an assumption.
  @Test(arguments: [
    ("tied/tied.pt", true), ("tied/tied.safetensors", true), ("tied/tied.onnx", true), ("tied/triple.pt", true),
    ("tied/clone.pt", false), ("tied/half.safetensors", false), ("tied/once.safetensors", false),
  ])
  func anEmbeddingThatIsTheDecoderToo(_ name: String, isProven: Bool) throws {
    let plan = try Self.plan(name)
    #expect(plan.report.isComplete, "\(plan.report.failureSummary)")
    #expect(plan.configuration.ties == Self.tie)
    #expect(plan.configuration.plain.paddingToken == nil)
    #expect(plan.report.notes.contains { $0.contains("one tensor in the file: tied") } == isProven)
    #expect(plan.report.assumed.contains { $0.what.contains("tied") } == !isProven)
    let made = try plan.imported()
    #expect(made.tensors.map(\.name) == plan.configuration.parameters.map(\.name))
    #expect(made.tensors.count { $0.shape == [11, 8] } == 1)
    #expect(plan.mapping["head.0.weight"] != nil && plan.mapping["head.0.bias"] != nil)
  }

  @Test(arguments: ["tied.pt", "tied.safetensors", "tied.onnx", "clone.pt", "half.safetensors"])
  func itIsKeptApartWhenAskedFor(_ name: String) throws {
    let plan = try Self.plan("tied/" + name) { $0.untie = true }
    #expect(plan.report.isComplete)
    #expect(plan.configuration.ties.isEmpty && !plan.report.assumed.contains { $0.what.contains("tied") })
    #expect(plan.report.notes.contains { $0.contains("not tied, as asked") })
    let (table, weight) = (try #require(plan.tensors["embedding.weight"]), try #require(plan.tensors["head.0.weight"]))
    #expect(try table.bytes() == weight.bytes())
  }

  @Test func viewsOfOneStorageAreNoTie() throws {
    let file = fixtures.appendingPathComponent("wild/tied/flattened.pt")
    #expect(try Checkpoint(contentsOf: file).sharing.isEmpty)
    #expect(try Self.plan("tied/flattened.pt").configuration.ties.isEmpty)
  }

  @Test func aTwinUnderAThirdNameIsNothingLost() throws {
    let plan = try Self.plan("tied/triple.pt")
    let left = plan.report.unexpected.map(\.source) + plan.report.applied.map(\.source)
    #expect(Set(left).isSuperset(of: ["lm_head.weight", "lm_head.bias", "decoder.weight", "embedding.weight"]))
    let allowed = plan.report.unexpected.filter(\.isAllowed)
    #expect(allowed.count == plan.report.unexpected.count)
    let folder = try TemporaryFolder()
    let made = try plan.imported()
    try made.write(path: folder.path("back.pt"), as: .pt)
    let back = try Checkpoint(path: folder.path("back.pt"))
    #expect(Set(back.tensors.map(\.name)) == Set(left))
    #expect(back.sharing.map { Set($0) }.contains(["decoder.bias", "lm_head.bias"]))
  }

  /// fast.ai's language model has its encoder twice, and the decoder is tied to it.
  @Test(arguments: [true, false]) func anAWDLSTMIsTied(_ isShared: Bool) throws {
    var checkpoint = try Checkpoint(contentsOf: fixtures.appendingPathComponent("wild/awd-lstm/lm_v2.pth"))
    #expect(checkpoint.sharing.map(\.count).max() == 3)
    if !isShared { checkpoint.sharing = [] }
    let plan = try LoadPlan(checkpoint, options: LoadOptions(readout: .all))
    #expect(plan.report.isComplete, "\(plan.report.failureSummary)")
    #expect(plan.configuration.ties == Self.tie)
    #expect(plan.configuration.plain.head.map(\.size) == [13])
    #expect(plan.twins == ["0.encoder_dp.emb.weight": "0.encoder.weight"])
    #expect(plan.report.assumed.contains { $0.what.contains("tied") } == !isShared)

    // load_state_dict finds every name that it looks for.
    let folder = try TemporaryFolder()
    let made = try plan.imported()
    try made.write(path: folder.path("model.h5"))
    try StoredModel(Checkpoint(path: folder.path("model.h5"))).write(path: folder.path("back.pth"), as: .pt)
    let back = try Checkpoint(path: folder.path("back.pth"))
    let three = ["0.encoder.weight", "1.decoder.weight", "0.encoder_dp.emb.weight"]
    #expect(back.sharing == [three])
    #expect(try back["0.encoder_dp.emb.weight"]?.bytes() == checkpoint["0.encoder.weight"]?.bytes())
  }

  /// The layer of a weight that is stored once, described by a person.
  @Test func aConfigurationTiesWhatTheFileHasOnce() throws {
    let said = try Self.plan("tied/once.safetensors").configuration
    let plan = try Self.plan("tied/once.safetensors") { $0.configuration = said }
    #expect(plan.report.isComplete, "\(plan.report.failureSummary)")
    #expect(plan.configuration == said && plan.report.assumed.isEmpty)
    #expect(plan.mapping["head.0.weight"] == "decoder.weight" && plan.mapping["head.0.bias"] == "decoder.bias")
  }

  @Test func anOutputLayerThatCallsItselfAnEmbeddingIsNoTwin() throws {
    let (table, lstm) = ((0..<15).map(Float.init), [Float](repeating: 0.1, count: 36))
    var tensors = [("embedding.weight", [5, 3], table), ("out_embedding.weight", [5, 3], table)]
    tensors += [("lstm.weight_ih_l0", [12, 3], lstm), ("lstm.weight_hh_l0", [12, 3], lstm)]
    let checkpoint = Checkpoint(
      tensors: tensors.map { StoredTensor(name: $0.0, shape: $0.1, values: $0.2) }, path: "x.pt", format: .pt)
    let report = try? LoadPlan(checkpoint, options: LoadOptions(readout: .all)).report
    // Not understood, or all of it: but nothing that computes is left out.
    #expect(report?.unexpected.allSatisfy { !$0.isAllowed } ?? true)
  }

  @Test func equalConstantsAreNoTie() throws {
    let configuration = ModelConfiguration(
      input: .tokens(vocabulary: 5, size: 3), layers: [.init(hiddenSize: 3)], readout: .all, head: [.init(size: 5)])
    let tensors = configuration.parameters.map { parameter in
      StoredTensor(
        name: parameter.name, shape: parameter.shape,
        values: [Float](repeating: 0.5, count: parameter.elementCount))
    }
    let plan = try LoadPlan(Checkpoint(tensors: tensors, path: "x.pt", format: .pt))
    #expect(
      plan.report.isComplete && plan.configuration.ties.isEmpty
        && !plan.report.assumed.contains { $0.what.contains("tied") })
  }

  /// A configuration may tie what the file has twice only where it has it twice.
  @Test func aConfigurationThatTiesOtherValuesIsRefused() throws {
    var configuration = ModelConfiguration(
      input: .tokens(vocabulary: 5, size: 3), layers: [.init(hiddenSize: 3)], readout: .all, head: [.init(size: 5)])
    let tensors = configuration.parameters.enumerated().map { index, parameter in
      StoredTensor(
        name: parameter.name, shape: parameter.shape,
        values: (0..<parameter.elementCount).map { Float($0 + 1) + Float(index) / 16 })
    }
    let checkpoint = Checkpoint(tensors: tensors, path: "x.h5", format: .pytorchHDF5)
    configuration.ties = Self.tie
    let plan = try LoadPlan(checkpoint, options: LoadOptions(configuration: configuration))
    #expect(!plan.report.isComplete)
    #expect(
      plan.report.failureSummary.contains(
        "head.0.weight: the configuration ties it to embedding.weight, and its values are not those of embedding.weight"
      ))
    // One place of the two is enough.
    var once = checkpoint
    once.tensors.removeAll { $0.name == "embedding.weight" }
    let other = try LoadPlan(once, options: LoadOptions(configuration: configuration))
    #expect(other.report.isComplete, "\(other.report.failureSummary)")
    #expect(try other.tensors["embedding.weight"]?.bytes() == checkpoint["head.0.weight"]?.bytes())
  }

  // MARK: - The padding row

  @Test func aRowOfZerosIsAssumedToBePadding() throws {
    let plan = try Self.plan("padding-row/m.pt")
    #expect(plan.report.isComplete && plan.configuration.plain.paddingToken == 0)
    let assumption = try #require(plan.report.assumed.first { $0.what.contains("padding") })
    #expect(
      assumption.what
        == "row 0 of embedding.weight is all zero: it stands for padding (padding_idx=0) and is not trained")
    #expect(assumption.change == "padding none")
    let none = try Self.plan("padding-row/m.pt") { $0.padding = .absent }
    #expect(
      none.configuration.plain.paddingToken == nil && !none.report.assumed.contains { $0.what.contains("padding") })
    let said = try Self.plan("padding-row/m.pt") { $0.padding = .row(7) }
    #expect(said.configuration.plain.paddingToken == 7 && !said.report.assumed.contains { $0.what.contains("padding") })
    #expect(throws: CheckpointError.self) { try Self.plan("padding-row/m.pt") { $0.padding = .row(20) } }
  }

  @Test(
    arguments: [
      ([0], 0), ([3], 3), ([0, 2], 0), ([2, 3], nil), ([], nil), ([0, 1, 2, 3, 4], nil),
    ] as [([Int], Int?)])
  func whichRowItIs(_ zeros: [Int], _ row: Int?) throws {
    let configuration = ModelConfiguration(
      input: .tokens(vocabulary: 5, size: 3), layers: [.init(hiddenSize: 4)], readout: .last, head: [.init(size: 2)])
    for type in [DataType.float32, .float16, .float64] {
      let tensors = configuration.parameters.map { parameter in
        StoredTensor(
          name: parameter.name, shape: parameter.shape,
          values: (0..<parameter.elementCount).map { at in
            parameter.role.layer == "embedding" && zeros.contains(at / 3) ? 0 : Float(at % 7) - 3.5
          }
        ).converted(to: type)
      }
      let plan = try LoadPlan(Checkpoint(tensors: tensors, path: "x.pt", format: .pt))
      #expect(plan.configuration.plain.paddingToken == row, "\(type)")
      // What the tool itself has written is not guessed at.
      let native = Checkpoint(tensors: tensors, configuration: configuration, path: "model.h5")
      #expect(try LoadPlan(native).configuration.plain.paddingToken == nil)
    }
  }

  // MARK: - Writing

  static func imported() throws -> StoredModel {
    try plan("tied/tied.pt") { $0.readout = .all }.imported()
  }

  @Test(arguments: Checkpoint.Format.writable.filter { $0 != .rtneural })
  func everyFormatHasAllPlacesAndComesBackTied(_ format: Checkpoint.Format) throws {
    let folder = try TemporaryFolder()
    let names: [Checkpoint.Format: String] = [
      .kerasWeights: "x.weights.h5", .kerasArchive: "x.keras", .pt: "x.pt", .onnx: "x.onnx", .npz: "x.npz",
      .safetensors: "x.safetensors", .mlx: "x.safetensors",
    ]
    let path = folder.path(names[format] ?? "x.h5")
    var options = WriteOptions()
    if [.kerasH5, .kerasWeights, .kerasArchive, .mlx].contains(format) { options.bias = .single }
    let original = try Self.imported()
    try original.write(path: path, as: format, options: options)
    let back = try Checkpoint(path: path)
    let plan = try LoadPlan(back, options: LoadOptions(readout: .all))
    #expect(plan.report.isComplete, "\(plan.report.failureSummary)")
    let isKeras = [.kerasH5, .kerasWeights, .kerasArchive].contains(format)
    #expect(plan.configuration.ties == (isKeras ? [] : Self.tie))
    let table = try #require(original["embedding.weight"]).bytes()
    #expect(try plan.tensors["embedding.weight"]?.bytes() == table)
    if isKeras { #expect(try plan.tensors["head.0.weight"]?.bytes() == table) }
    let isProven = [.pt, .safetensors].contains(format)
    // The native file and the graph's metadata hold the configuration.
    let isSaid = [.native, .onnx].contains(format)
    #expect(plan.report.notes.contains { $0.contains("one tensor in the file") } == isProven)
    #expect(plan.report.assumed.contains { $0.what.contains("tied") } == (!isProven && !isKeras && !isSaid))
  }

  @Test func ptSharesItsStorageAndSafetensorsItsMetadata() throws {
    let folder = try TemporaryFolder()
    let model = try Self.imported()
    let written = try model.write(path: folder.path("x.pt"), as: .pt)
    #expect(written.map(\.target).sorted() == (try Checkpoint(path: folder.path("x.pt"))).tensors.map(\.name).sorted())
    #expect(written.first { $0.target == "decoder.weight" }?.how == "one with embedding.weight")
    #expect(try Checkpoint(path: folder.path("x.pt")).sharing == [["embedding.weight", "decoder.weight"]])
    try model.write(path: folder.path("x.safetensors"), as: .safetensors)
    let once = try Checkpoint(path: folder.path("x.safetensors"))
    #expect(
      once.metadata["embedding.weight"] == "decoder.weight" && once.sharing == [["decoder.weight", "embedding.weight"]])
    // As save_model has it, which says no format.
    let own = try Checkpoint(contentsOf: fixtures.appendingPathComponent("wild/tied/tied.safetensors"))
    #expect(once.metadata == own.metadata.merging(["format": "pt"]) { first, _ in first })
    #expect(once.tensors.map(\.name).sorted() == own.tensors.map(\.name).sorted() && once.sharing == own.sharing)
    // With two biases in the type asked for, it is still one.
    try model.write(path: folder.path("half.pt"), as: .pt, options: WriteOptions(dataType: .float16))
    #expect(try Checkpoint(path: folder.path("half.pt")).sharing.count == 1)
  }

  @Test func anUntiedModelSaysNothingOfATie() throws {
    let folder = try TemporaryFolder()
    let plan = try Self.plan("tied/tied.safetensors") { $0.untie = true }
    let model = try plan.imported()
    try model.write(path: folder.path("x.safetensors"), as: .safetensors)
    let back = try Checkpoint(path: folder.path("x.safetensors"))
    #expect(back.sharing.isEmpty && back.metadata["embedding.weight"] == nil)
    #expect(back["decoder.weight"] != nil && back["embedding.weight"] != nil)
  }

  @Test(arguments: [("tied/tied.pt", 7), ("tied/triple.pt", 9), ("awd-lstm/lm_v2.pth", 16)])
  func aDifferenceWithTheSourceIsNone(_ name: String, count: Int) throws {
    let source = try Checkpoint(contentsOf: fixtures.appendingPathComponent("wild/" + name))
    let folder = try TemporaryFolder()
    let plan = try Self.plan(name)
    let model = try plan.imported()
    try model.write(path: folder.path("model.h5"))
    let difference = try CheckpointDifference(source, Checkpoint(path: folder.path("model.h5")))
    // A copy with dropout applied is no weight.
    #expect(difference.onlyInFirst.allSatisfy { $0.hasSuffix(".module.weight_hh_l0") })
    #expect(difference.onlyInSecond.isEmpty && difference.values.isEmpty)
    #expect(difference.identical.count == count)
  }
}
