import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// Containers of named tensors: what is written is read again, byte for byte.
@Suite struct ContainerWritingTests {
  private static let formats: [Checkpoint.Format] = [.pt, .safetensors, .npz]

  private func values(_ checkpoint: Checkpoint) throws -> [String: [UInt8]] {
    Dictionary(uniqueKeysWithValues: try checkpoint.tensors.map { ($0.name, try $0.bytes()) })
  }

  @Test(arguments: formats, ["types.pt", "views.pt", "model-nested.pt", "big-endian.pt", "types.safetensors"])
  func everyTypeComesBack(_ format: Checkpoint.Format, _ file: String) throws {
    let folder = try TemporaryFolder()
    var source = try Checkpoint(path: PyTorchFixtures.path(file))
    if format == .npz { source.tensors.removeAll { $0.dataType == .bfloat16 } }
    let path = folder.path("out")
    let written = try StoredTensor.write(source.tensors, path: path, as: format)
    #expect(written.count == source.tensors.count)
    let back = try Checkpoint(path: path)
    #expect(back.format == format)
    #expect(try values(back) == values(source))
    for tensor in source.tensors {
      #expect(back[tensor.name]?.shape == tensor.shape)
      #expect(back[tensor.name]?.dataType == tensor.dataType)
    }
  }

  @Test(arguments: formats)
  func equalTensorsGiveEqualFiles(_ format: Checkpoint.Format) throws {
    let folder = try TemporaryFolder()
    for name in ["a", "b"] {
      try StoredTensor.write(
        Checkpoint(path: PyTorchFixtures.path("model.pt")).tensors, path: folder.path(name), as: format)
    }
    #expect(try sha256(ofFile: folder.path("a")) == sha256(ofFile: folder.path("b")))
  }

  @Test(arguments: formats, [DataType.float16, .float64])
  func theTypeAskedForIsWritten(_ format: Checkpoint.Format, _ type: DataType) throws {
    let folder = try TemporaryFolder()
    let source = try Checkpoint(path: PyTorchFixtures.path("model.pt"))
    try LoadPlan(source).imported()
      .write(path: folder.path("x"), as: format, options: WriteOptions(dataType: type))
    let back = try Checkpoint(path: folder.path("x"))
    for tensor in source.tensors {
      #expect(back[tensor.name]?.dataType == type)
      #expect(try back[tensor.name]?.bytes() == tensor.converted(to: type).bytes())
    }
  }

  @Test func numPyHasNoBFloat16() throws {
    let folder = try TemporaryFolder()
    let source = try Checkpoint(path: PyTorchFixtures.path("types.pt"))
    let error = #expect(throws: CheckpointError.self) {
      try StoredTensor.write(source.tensors, path: folder.path("x.npz"), as: .npz)
    }
    #expect(
      error?.message == "cannot write \(folder.path("x.npz")): bfloat16 is bfloat16, a type that NumPy has not")
    #expect(error?.advice == ["write float32, which holds each of its values exactly: dataType float32"])
    #expect(!FileManager.default.fileExists(atPath: folder.path("x.npz")))
  }

  /// Every record of a .pt and every tensor of a safetensors file where readers that map it want it.
  @Test func alignment() throws {
    let folder = try TemporaryFolder()
    let source = try Checkpoint(path: PyTorchFixtures.path("types.pt"))
    try StoredTensor.write(source.tensors, path: folder.path("x.pt"), as: .pt)
    let archive = try ZipArchive(contentsOf: folder.path("x.pt"))
    for entry in archive.entries {
      #expect(entry.dataOffset % 64 == 0)
      #expect(entry.method == .stored)
    }
    #expect(
      archive.entries.prefix(5).map(\.name) == [
        "archive/data.pkl", "archive/.format_version", "archive/.storage_alignment", "archive/byteorder",
        "archive/data/0",
      ])
    try StoredTensor.write(source.tensors, path: folder.path("x.safetensors"), as: .safetensors)
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: folder.path("x.safetensors"))))
    let length = Int(bytes[0]) | Int(bytes[1]) << 8
    #expect(length % 8 == 0)
    let header = try SafetensorsHeader(Array(bytes[8..<8 + length]), file: "x")
    #expect(header.metadata == ["format": "pt"])
    for entry in header.entries {
      let type = try #require(DataType(safetensors: entry.dtype))
      #expect(entry.start % type.byteCount == 0)
    }
  }

  @Test(arguments: formats)
  func aFailureKeepsTheOldFile(_ format: Checkpoint.Format) throws {
    struct Failure: Error {}
    let folder = try TemporaryFolder()
    let path = folder.path("x")
    try Data("old".utf8).write(to: URL(fileURLWithPath: path))
    var broken = checkpoint(layer("lstm.", 0, 3, 4))
    broken.tensors.append(StoredTensor(name: "z", shape: [2], dataType: .float32) { throw Failure() })
    #expect(throws: Failure.self) { try StoredTensor.write(broken.tensors, path: path, as: format) }
    // Fewer bytes than shape and type say.
    broken.tensors[broken.tensors.count - 1] = StoredTensor(name: "z", shape: [2], dataType: .float32) { [1, 2, 3, 4] }
    #expect(throws: CheckpointError.self) { try StoredTensor.write(broken.tensors, path: path, as: format) }
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == Data("old".utf8))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["x"])
    #expect(throws: FileError.self) { try StoredTensor.write([], path: folder.path("none/x"), as: format) }
  }

  @Test(arguments: formats)
  func aShapeThatNoFileHolds(_ format: Checkpoint.Format) throws {
    let folder = try TemporaryFolder()
    for shape in [[1 << 62, 4], [1 << 58]] {
      let lie = checkpoint([("a", [2]), ("w", shape)])
      #expect(throws: CheckpointError.self) { try StoredTensor.write(lie.tensors, path: folder.path("x"), as: format) }
    }
    try StoredTensor.write(
      checkpoint([("none", [0, 1 << 40, 1 << 40])]).tensors, path: folder.path("x"), as: format)
    // It holds nothing, but nobody can multiply its sizes.
    let read = try Checkpoint(path: folder.path("x"))
    #expect(read["none"] == nil)
    #expect(read.skipped.contains { $0.name == "none" && $0.reason.contains("beyond any memory") })
  }

  /// What a `.pt` file keeps its state_dict under is no part of a module's names.
  @Test(arguments: [("model-nested.pt", "lstm."), ("model-lightning.ckpt", "net.lstm."), ("model.pt", "lstm.")])
  func anExportHasTheModulesOwnNames(_ file: String, _ module: String) throws {
    let folder = try TemporaryFolder()
    let plan = try LoadPlan(Checkpoint(path: PyTorchFixtures.path(file)))
    try plan.validate()
    let made = try plan.imported()
    try made.write(path: folder.path("model.h5"))
    let model = try Checkpoint(path: folder.path("model.h5"))
    try StoredModel(model).write(path: folder.path("out.pt"), as: .pt)
    let back = try Checkpoint(path: folder.path("out.pt"))
    #expect(back[module + "weight_ih_l0"] != nil)
    #expect(back.tensors.count == 18)
    #expect(back.stateKey == nil)
    // All three are one model.
    let source = try Checkpoint(path: PyTorchFixtures.path(file))
    #expect(try CheckpointDifference(model, back).identical.count == 18)
    #expect(try CheckpointDifference(model, source).identical.count == 18)
    #expect(try CheckpointDifference(source, back).identical.count == 18)
  }
}
