import FileIO
import Foundation
import HDF5
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// What comes in goes out byte for byte, under the names it came with.
@Suite struct RoundTripTests {
  static let files =
    GoldenModelTests.names.map { "golden-models/\($0)" }
    + fixtureNames(in: "golden-dtypes").filter { $0 != "expected" }.map { "golden-dtypes/\($0)" }
    + ["demo/seattle"]

  /// As `import` makes it.
  private func imported(_ source: Checkpoint, _ options: LoadOptions) throws -> StoredModel {
    let plan = try LoadPlan(source, options: options)
    var made = try plan.imported()
    made.provenance = plan.provenance(sha256: try sha256(ofFile: source.path))
    made.provenance?.history.append(
      .init(date: "2026-01-02T03:04:05Z", action: "import", details: ["who": "ß\n\"test\""]))
    made.preprocessing = Preprocessing(inputScaler: Scaler(mean: [1.5], deviation: [0.1]))
    return made
  }

  @Test(arguments: files)
  func everyTensorComesBackByteForByte(_ name: String) throws {
    let folder = try TemporaryFolder()
    let source = try goldenCheckpoint(name + ".h5")
    let made = try imported(source, goldenOptions(String(name.split(separator: "/").last ?? "")))
    try made.write(path: folder.path("model.h5"))

    let model = try Checkpoint(path: folder.path("model.h5"))
    #expect(model.format == .native)
    #expect(model.configuration == made.configuration)
    #expect(model.provenance == made.provenance)
    #expect(model.preprocessing == made.preprocessing)
    #expect(model.tensors.map(\.name) == made.tensors.map(\.name))
    // A native file loads as what it says it is.
    let plan = try LoadPlan(model)
    try plan.validate()
    #expect(plan.configuration == made.configuration)
    #expect(plan.provenance(sha256: "") == made.provenance)

    try StoredModel(model).write(path: folder.path("back.h5"), as: .pytorchHDF5)
    let back = try Checkpoint(path: folder.path("back.h5"))
    #expect(back.format == .pytorchHDF5)
    let left = source.tensors.filter { tensor in made.provenance?.mapping.values.contains(tensor.name) == true }
    // A tied parameter, stored once, is written in each of its places.
    #expect(left.count == made.configuration.places.count)
    #expect(Set(back.tensors.map(\.name)) == Set(left.map(\.name)))
    for original in left {
      let tensor = try #require(back[original.name])
      #expect(tensor.shape == original.shape)
      #expect(tensor.dataType == original.dataType)
      #expect(tensor.isBigEndian == original.isBigEndian)
      #expect(try tensor.bytes() == original.bytes(), "\(original.name)")
    }
  }

  /// The bytes as they lie in the file: a big-endian dump is big-endian again.
  @Test(arguments: ["f4_be", "f2_be", "f8_be", "bfloat16_be"])
  func theByteOrderIsKept(_ variant: String) throws {
    let folder = try TemporaryFolder()
    let source = try goldenCheckpoint("golden-dtypes/\(variant).h5")
    try imported(source, LoadOptions()).write(path: folder.path("model.h5"))
    for dataset in try HDF5File(reading: folder.path("model.h5")).contents().allDatasets() {
      #expect(dataset.byteOrder == .bigEndian)
    }
  }

  @Test(arguments: [Checkpoint.Format.native, .pytorchHDF5])
  func equalCheckpointsGiveEqualFiles(_ format: Checkpoint.Format) throws {
    let folder = try TemporaryFolder()
    for name in ["a.h5", "b.h5"] {
      let source = try goldenCheckpoint("golden-models/nested_groups.h5")
      try imported(source, goldenOptions("nested_groups")).write(path: folder.path(name), as: format)
    }
    #expect(try sha256(ofFile: folder.path("a.h5")) == sha256(ofFile: folder.path("b.h5")))
  }

  @Test func aFileCanReplaceTheOneItWasReadFrom() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("model.h5")
    try imported(goldenCheckpoint("golden-models/bare.h5"), LoadOptions()).write(path: path)
    let before = try sha256(ofFile: path)
    try StoredModel(Checkpoint(path: path)).write(path: path)
    #expect(try sha256(ofFile: path) == before)
  }

  @Test func trainingStateIsNoPartOfTheModel() throws {
    let folder = try TemporaryFolder()
    var made = try imported(goldenCheckpoint("golden-models/bare.h5"), LoadOptions())
    made.extras = [StoredTensor(name: "training/step", shape: [1], values: [7])]
    try made.write(path: folder.path("last.h5"))
    let read = try Checkpoint(path: folder.path("last.h5"))
    #expect(read.extras.map(\.name) == ["training/step"])
    #expect(try read.extras.first?.floats() == [7])
    #expect(read["training/step"] == nil)
    try LoadPlan(read).validate()
    try StoredModel(read).write(path: folder.path("out.h5"), as: .pytorchHDF5)
    #expect(try Checkpoint(path: folder.path("out.h5"))["training/step"] == nil)
  }

  @Test func anArrayIsNoModel() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("x")
    let error = #expect(throws: CheckpointError.self) { try StoredTensor.write([], path: path, as: .npy) }
    #expect(error?.message == "cannot write \(path): a .npy file holds one array")
    #expect(error?.category == .cannotCreate)
  }
}

/// Export of models that did not come from a file.
@Suite struct PyTorchNameTests {
  private func model(_ layers: [PlainStack.Layer], head: [PlainStack.Dense] = []) -> StoredModel {
    let configuration = ModelConfiguration(input: .features(size: 3), layers: layers, head: head)
    return StoredModel(
      configuration,
      tensors: configuration.parameters.map {
        StoredTensor(name: $0.name, shape: $0.shape, values: .init(repeating: 0.5, count: $0.elementCount))
      })
  }

  private func exported(_ model: StoredModel) throws -> Checkpoint {
    let folder = try TemporaryFolder()
    let path = folder.path("out.h5")
    try model.write(path: path, as: .pytorchHDF5)
    let read = try Checkpoint(path: path)
    // What it says is what it loads as.
    let plan = try LoadPlan(
      read, options: LoadOptions(activation: model.configuration.plain.head.count == 2 ? .relu : nil))
    try plan.validate()
    var kept = read
    kept.tensors = try read.tensors.map { tensor in
      let bytes = try tensor.bytes()
      return StoredTensor(name: tensor.name, shape: tensor.shape, dataType: tensor.dataType) { bytes }
    }
    return kept
  }

  @Test func equalLayersAreOneModule() throws {
    let made = model(.init(repeating: .init(hiddenSize: 4, isBidirectional: true), count: 2), head: [.init(size: 1)])
    #expect(try exported(made).tensors.map(\.name) == made.tensors.map(\.name))
  }

  @Test func unequalLayersAreOneModuleEach() throws {
    let names = try exported(
      model([.init(hiddenSize: 4, isBidirectional: true, bias: .none), .init(hiddenSize: 2)], head: [.init(size: 1)])
    )
    .tensors.map(\.name)
    #expect(
      names == [
        "rnns.0.weight_ih_l0", "rnns.0.weight_hh_l0", "rnns.0.weight_ih_l0_reverse", "rnns.0.weight_hh_l0_reverse",
        "rnns.1.weight_ih_l0", "rnns.1.weight_hh_l0", "rnns.1.bias_ih_l0", "rnns.1.bias_hh_l0", "head.0.weight",
        "head.0.bias",
      ])
  }

  @Test func aSingleBiasIsSplitIntoItselfAndZero() throws {
    let out = try exported(model([.init(hiddenSize: 2, isBidirectional: true, bias: .single)]))
    #expect(out.tensors.count == 8)
    #expect(try out["lstm.bias_ih_l0_reverse"]?.floats() == .init(repeating: 0.5, count: 8))
    #expect(try out["lstm.bias_hh_l0_reverse"]?.floats() == .init(repeating: 0, count: 8))
  }

  @Test func aSingleBiasThatCameAloneStaysAlone() throws {
    let folder = try TemporaryFolder()
    var made = model([.init(hiddenSize: 2, bias: .single)])
    let names = Dictionary(
      uniqueKeysWithValues: made.tensors.map { ($0.name, $0.name.replacing("lstm", with: "net/rnn")) })
    made.provenance = Provenance(source: "w.h5", sha256: "", layout: "pytorch-h5", mapping: names)
    try made.write(path: folder.path("out.h5"), as: .pytorchHDF5)
    let read = try Checkpoint(path: folder.path("out.h5"))
    #expect(Set(read.tensors.map(\.name)) == Set(names.values))
  }

  @Test func whatPyTorchLacksIsRefused() {
    func message(_ layer: PlainStack.Layer) -> Message? {
      #expect(throws: CheckpointError.self) { try model([layer]).write(path: "/nowhere/out.h5", as: .pytorchHDF5) }?
        .message
    }
    #expect(
      message(.init(hiddenSize: 2, hasPeepholes: true))
        == "cannot write /nowhere/out.h5: layer 0 has peepholes, which PyTorch's LSTM has not")
    #expect(
      message(.init(hiddenSize: 2, gateActivation: .hardSigmoid))
        == "cannot write /nowhere/out.h5: layer 0 has hard_sigmoid gates, which PyTorch's LSTM has not")
  }
}
