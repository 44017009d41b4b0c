import Foundation
import TestSupport
import Testing

@testable import FileIO
@testable import LSTMCheckpoints

/// Files of the real torch.save and safetensors.
@Suite struct PyTorchFileTests {
  @Test(arguments: PyTorchFixtures.files)
  func everyTensorHasItsValues(_ file: String) throws {
    let expected = try PyTorchFixtures.expected(file)
    let checkpoint = try Checkpoint(path: PyTorchFixtures.path(file))
    #expect(checkpoint.format == (file.contains("safetensors") ? .safetensors : .pt))
    #expect(Set(checkpoint.tensors.map(\.name)) == Set(expected.keys))
    for tensor in checkpoint.tensors {
      let wanted = try #require(expected[tensor.name])
      #expect(tensor.shape == wanted.shape, "\(tensor.name)")
      #expect(try tensor.doubles() == wanted.doubles(), "\(tensor.name)")
      // By whichever way they are read.
      var pieces: [UInt8] = []
      try tensor.forEachPiece { pieces += $0 }
      #expect(try tensor.bytes() == pieces, "\(tensor.name)")
      let floats = UnsafeMutableBufferPointer<Float>.allocate(capacity: tensor.elementCount)
      defer { floats.deallocate() }
      try tensor.readFloats(into: floats)
      #expect(try tensor.floats() == Array(floats), "\(tensor.name)")
    }
  }

  @Test(arguments: PyTorchFixtures.models)
  func aModelImportsWithoutAFlag(_ file: String) throws {
    let plan = try LoadPlan(Checkpoint(path: PyTorchFixtures.path(file)))
    try plan.validate()
    #expect(plan.report.unexpected.isEmpty)
    #expect(plan.configuration.plain.layers.map(\.hiddenSize) == [6, 6])
    #expect(plan.configuration.plain.head.map(\.size) == [3])
  }

  @Test func whatTrainingKeepsIsLeftOut() throws {
    let nested = try Checkpoint(path: PyTorchFixtures.path("model-nested.pt"))
    #expect(nested.stateKey == "model_state")
    #expect(
      nested.skipped == [
        .init(name: "optimizer_state.*", reason: "training state, no part of the model (54 tensors)"),
        .init(name: "best_loss, losses", reason: "it lies beside the state_dict and is no layer's (2 tensors)"),
      ])
    let lightning = try Checkpoint(path: PyTorchFixtures.path("model-lightning.ckpt"))
    #expect(lightning.stateKey == "state_dict")
    #expect(
      lightning.skipped == [
        .init(
          name: "callbacks.ModelCheckpoint{'monitor': 'loss'}.best_model_score",
          reason: "training state, no part of the model"),
        .init(name: "optimizer_states.0.*", reason: "training state, no part of the model (54 tensors)"),
      ])
  }

  @Test func whatALayerCouldUseIsNotLeftOut() throws {
    var pickle = PickleText()
    pickle.code("}(")
    pickle.text("encoder")
    pickle.code("}")
    pickle.text("weight_ih_l0")
    pickle.tensor()
    pickle.code("s")
    pickle.text("head")
    pickle.code("}(")
    pickle.text("weight")
    pickle.tensor()
    pickle.text("scale")
    pickle.tensor()
    pickle.code("u")
    pickle.text("ema")
    pickle.code("}")
    pickle.text("weight_ih_l0")
    pickle.tensor()
    pickle.code("s")
    pickle.text("statistics")
    pickle.tensor()
    pickle.code("u.")
    let folder = try TemporaryFolder()
    try Data(pickle.archive()).write(to: URL(fileURLWithPath: folder.path("x.pt")))
    let checkpoint = try Checkpoint(path: folder.path("x.pt"))
    #expect(
      checkpoint.tensors.map(\.name) == ["encoder.weight_ih_l0", "head.weight", "head.scale", "ema.weight_ih_l0"])
    #expect(checkpoint.skipped.map(\.name) == ["statistics"])
    #expect(checkpoint.stateKey == nil)
  }

  @Test func typesThatHaveNoPlaceAreListedAsSkipped() throws {
    #expect(
      try Checkpoint(path: PyTorchFixtures.path("odd-types.pt")).skipped == [
        .init(name: "f8", reason: "its elements are of type float8_e4m3fn"),
        .init(name: "z", reason: "its elements are of type complex64"),
      ])
    #expect(
      try Checkpoint(path: PyTorchFixtures.path("odd-types.safetensors")).skipped == [
        .init(name: "f8", reason: "its elements are of type F8_E4M3")
      ])
  }

  @Test func metadataIsKept() throws {
    let checkpoint = try Checkpoint(path: PyTorchFixtures.path("model.safetensors"))
    #expect(checkpoint.metadata == ["format": "pt", "trained on": "noise \"ü\""])
    #expect(try LoadPlan(checkpoint).provenance(sha256: "").metadata == checkpoint.metadata)
  }

  @Test func bigEndianFilesSaySo() throws {
    let checkpoint = try Checkpoint(path: PyTorchFixtures.path("big-endian.pt"))
    #expect(checkpoint.tensors.filter(\.isBigEndian).count == 6)
  }

  @Test(arguments: ["module.pt", "module-legacy.pt", "namespace.pt"])
  func objectsAndWholeModules(_ name: String) throws {
    let expected = try PyTorchFixtures.expected("model.pt")
    let checkpoint = try Checkpoint(path: PyTorchFixtures.path(name))
    #expect(checkpoint.tensors.count == expected.count)
    let prefix = checkpoint.stateKey.map { $0 + "." } ?? ""
    for tensor in checkpoint.tensors {
      #expect(try tensor.floats() == expected[String(tensor.name.dropFirst(prefix.count))]?.floats(), "\(tensor.name)")
    }
    try LoadPlan(checkpoint).validate()
  }

  @Test func aNumberOfNumPys() throws {
    let checkpoint = try Checkpoint(path: PyTorchFixtures.path("numpy.pt"))
    #expect(checkpoint.tensors.map(\.name) == ["w"])
    #expect(checkpoint.skipped.isEmpty)
  }

  @Test func picklesAndArchivesOfOthers() throws {
    #expect(
      try refusal(ofFile: PyTorchFixtures.bytes("refused-plain.pkl")) == [
        "x.pt: is a Python pickle in which there are no tensors and no arrays"
      ])
    #expect(
      try refusal(ofFile: PyTorchFixtures.bytes("refused-tar.pt")).first
        == "x.pt: is a tar archive, as PyTorch before version 0.1.10 may have saved it; only later files are read")
    let script = try PickleText.dictionary { $0.tensor() }.archive(extra: [("m/code/__torch__.py", [])])
    #expect(try refusal(ofFile: script).first == "x.pt: is a TorchScript program, not a state_dict")
  }

  @Test func aGibibyteIsListedAtOnce() throws {
    let folder = try TemporaryFolder()
    // Holes, which no disk has to hold; a CRC of 0 means "not computed".
    let count = 1 << 28
    let pickle = PickleText.dictionary { $0.tensor(shape: [count], strides: [1], count: count) }
    var layout = ZipLayout(archive: "big", alignment: 64, forceZip64: false)
    let first = try layout.add("m/data.pkl", size: pickle.bytes.count, crc: 0) + pickle.bytes
    let second = try layout.add("m/data/0", size: 4 * count, crc: 0)
    let directory = layout.position
    func write(_ name: String, _ parts: [(Int, [UInt8])]) throws -> String {
      let path = folder.path(name)
      let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
      defer { close(descriptor) }
      for (offset, bytes) in parts { #expect(pwrite(descriptor, bytes, bytes.count, off_t(offset)) == bytes.count) }
      return path
    }
    let archive = try write("big.pt", [(0, first + second), (directory, layout.finish())])
    let header = Array(#"{"w":{"dtype":"F32","shape":[268435456],"data_offsets":[0,1073741824]}}"#.utf8)
    var length: [UInt8] = []
    length.append(littleEndian: UInt64(header.count))
    let flat = try write("big.safetensors", [(0, length + header), (8 + header.count + 4 * count - 1, [0])])
    for path in [archive, flat] {
      var checkpoint: Checkpoint?
      let time = try processorTime { checkpoint = try Checkpoint(path: path) }
      #expect(time < .milliseconds(50))
      #expect(checkpoint?["w"]?.shape == [count])
    }
  }
}
