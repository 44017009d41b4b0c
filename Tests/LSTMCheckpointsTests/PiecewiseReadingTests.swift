import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

@Suite struct PiecewiseReadingTests {
  @Test(arguments: fixtureNames(in: "golden-dtypes").filter { $0 != "expected" })
  func everyTypeReadsTheSameInPiecesAndAsFloats(_ name: String) throws {
    for tensor in try goldenCheckpoint("golden-dtypes/\(name).h5").tensors {
      var bytes: [UInt8] = []
      try tensor.forEachPiece { bytes.append(contentsOf: $0) }
      #expect(try bytes == tensor.bytes(), "\(tensor.name)")
      var floats = [Float](repeating: -1, count: tensor.elementCount)
      try floats.withUnsafeMutableBufferPointer { try tensor.readFloats(into: $0) }
      #expect(try floats.map(\.bitPattern) == tensor.floats().map(\.bitPattern), "\(tensor.name)")
    }
  }

  @Test("a source that gives too little or too much is told so", arguments: [8, 16])
  func wrongSize(count: Int) throws {
    let tensor = StoredTensor(name: "w", shape: [3], dataType: .float32) { [UInt8](repeating: 0, count: count) }
    for read in [
      { _ = try tensor.bytes() }, { try tensor.forEachPiece { _ in } },
      {
        var floats = [Float](repeating: 0, count: 3)
        try floats.withUnsafeMutableBufferPointer { try tensor.readFloats(into: $0) }
      },
    ] {
      let error = #expect(throws: CheckpointError.self) { try read() }
      #expect(error?.message == "tensor \"w\": expected 12 bytes for shape [3] of float32, found \(count)")
    }
  }

  /// More than what is laid out in memory, so that the digest is filled in last.
  @Test("a digest that is still being computed gives the same file", arguments: [1 << 10, 5 << 20])
  func digestComesLast(count: Int) throws {
    let folder = try TemporaryFolder()
    let values = (0..<count).map { Float($0 % 1013) }
    try Data(littleEndianBytes(values)).write(to: URL(fileURLWithPath: folder.path("source")))
    var made = StoredModel(
      ModelConfiguration(input: .features(size: 1), layers: [.init(hiddenSize: 1)]),
      tensors: [StoredTensor(name: "w", shape: [count], values: values)],
      provenance: Provenance(source: "source", sha256: "", layout: "npy", mapping: ["w": "v"]))
    try made.write(path: folder.path("late.h5"), sourceDigest: FileDigest(ofFile: folder.path("source")))
    made.provenance?.sha256 = try sha256(ofFile: folder.path("source"))
    try made.write(path: folder.path("known.h5"))
    #expect(try sha256(ofFile: folder.path("late.h5")) == sha256(ofFile: folder.path("known.h5")))
    #expect(try Checkpoint(path: folder.path("late.h5")).provenance == made.provenance)

    let error = #expect(throws: FileError.self) {
      try made.write(path: folder.path("none.h5"), sourceDigest: FileDigest(ofFile: folder.path("missing")))
    }
    #expect(error?.message == "\(folder.path("missing")): no such file")
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() == [
        "known.h5", "late.h5", "source",
      ])
  }

  @Test func aSourceCutShortWhileItIsImportedLeavesNothing() throws {
    let folder = try TemporaryFolder()
    let values = [Float](repeating: 1.5, count: 6 << 20)
    try StoredTensor.write(
      [StoredTensor(name: "w", shape: [6 << 20], values: values)], path: folder.path("source.h5"), as: .pytorchHDF5)
    let source = try Checkpoint(path: folder.path("source.h5"))
    #expect(truncate(folder.path("source.h5"), 2 << 20) == 0)
    let error = #expect(throws: CheckpointError.self) {
      try StoredTensor.write(source.tensors, path: folder.path("model.h5"), as: .pytorchHDF5)
    }
    #expect(error?.category == .badInput)
    #expect(error?.message.contains("source.h5: /w: its data is truncated") == true, "\(error?.message ?? "")")
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.url.path) == ["source.h5"])
  }
}
