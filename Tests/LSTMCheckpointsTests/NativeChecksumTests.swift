import FileIO
import Foundation
import HDF5
import TestSupport
import Testing

@testable import LSTMCheckpoints

@Suite("Checksums of native files") struct NativeChecksumTests {
  private static func model() throws -> StoredModel {
    let configuration = ModelConfiguration(
      input: .features(size: 2), layers: [.init(hiddenSize: 3)], readout: .last, head: [.init(size: 1)])
    var preprocessing = Preprocessing()
    preprocessing.targets = ["temperature"]
    let tensors = configuration.parameters.enumerated().map { place, parameter in
      let count = parameter.shape.reduce(1, *)
      return StoredTensor(
        name: parameter.name, shape: parameter.shape, values: (0..<count).map { Float(place * 100 + $0) / 7 })
    }
    var model = StoredModel(configuration, tensors: tensors)
    model.preprocessing = preprocessing
    model.provenance = Provenance(source: "weights.pt", sha256: "", layout: "pytorch", mapping: [:])
    return model
  }

  /// Everything that a person gets out of a file.
  private struct Contents: Equatable {
    let texts: [String]
    let tensors: [String: [UInt8]]

    init(_ path: String) throws {
      let checkpoint = try Checkpoint(path: path)
      if let error = checkpoint.preprocessingError { throw error }
      texts = [
        try checkpoint.configuration.map { try json($0) } ?? "", try json(checkpoint.preprocessing),
        try checkpoint.provenance.map { try json($0) } ?? "",
      ]
      tensors = try Dictionary(uniqueKeysWithValues: checkpoint.tensors.map { ($0.name, try $0.bytes()) })
    }
  }

  /// Each byte is changed in three ways. LSTM_FT_EVERY_BYTE=255 takes all values.
  @Test(.timeLimit(.minutes(10))) func everyChangedByteIsNoticedOrHarmless() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("model.h5")
    try Self.model().write(path: path)
    let whole = try Contents(path)
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    #expect(bytes.count < 20_000)
    let many = ProcessInfo.processInfo.environment["LSTM_FT_EVERY_BYTE"].flatMap { UInt8($0) }
    let changes: [UInt8] = many.map { Array(1...$0) } ?? [0x01, 0x80, 0xff]
    var (noticed, harmless, wrong) = (0, 0, [Int]())
    let changed = folder.path("changed.h5")
    for place in bytes.indices {
      for change in changes {
        bytes[place] ^= change
        defer { bytes[place] ^= change }
        try Data(bytes).write(to: URL(fileURLWithPath: changed))
        do {
          if try Contents(changed) == whole { harmless += 1 } else { wrong.append(place) }
        } catch is any DescribedFailure {
          noticed += 1
        }
      }
    }
    #expect(wrong.isEmpty, "other contents without a word after a change at \(wrong)")
    #expect(noticed + harmless == bytes.count * changes.count)
    // At least the data and the texts; of so small a file much is space that nothing uses.
    let used = whole.tensors.values.reduce(0) { $0 + $1.count } + whole.texts.reduce(0) { $0 + $1.utf8.count }
    #expect(noticed >= used * changes.count, "\(noticed) noticed, \(harmless) harmless")
  }

  @Test func aChangedValueIsSaidWithItsTensor() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("model.h5")
    try Self.model().write(path: path)
    let checkpoint = try Checkpoint(path: path)
    #expect(checkpoint.hasChecksums)
    let tensor = try #require(checkpoint["lstm.weight_hh_l0"])
    var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    let place = try #require(bytes.firstRange(of: try tensor.bytes())?.lowerBound)
    bytes[place + 5] ^= 4
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    let damaged = try #require(try Checkpoint(path: path)["lstm.weight_hh_l0"])
    let message = "the bytes of its tensor \"lstm.weight_hh_l0\" are not what was written (their checksum differs)"
    for read in [{ _ = try damaged.bytes() }, { try damaged.forEachPiece { _ in } }, { _ = try damaged.floats() }] {
      let error = #expect(throws: CheckpointError.self) { try read() }
      #expect(error?.message.description == "\(path): \(message)")
      #expect(error?.category == .badInput)
      let advice = error?.advice.last?.description
      #expect(advice?.hasSuffix("del h5py.File(\"\(path)\", \"r+\").attrs[\"checksums\"]") == true)
    }
    var floats = [Float](repeating: 0, count: damaged.elementCount)
    #expect(throws: CheckpointError.self) {
      try floats.withUnsafeMutableBufferPointer { try damaged.readFloats(into: $0) }
    }
    // The others are whole.
    #expect(try Checkpoint(path: path)["head.0.weight"]?.bytes().isEmpty == false)
  }

  @Test func filesWithoutChecksumsAreReadForEver() throws {
    let folder = try TemporaryFolder()
    let model = try Self.model()
    var document = HDF5Document()
    document.setAttribute("lstm_ft_version", .integers([1]))
    document.setAttribute("configuration", .strings([try json(model.configuration)]))
    for tensor in model.tensors { document.add(tensor, at: tensor.name) }
    try document.write(to: folder.path("old.h5"))
    let checkpoint = try Checkpoint(path: folder.path("old.h5"))
    #expect(!checkpoint.hasChecksums)
    #expect(try checkpoint.tensors.map { try $0.bytes() }.count == model.tensors.count)
  }

  @Test func theSameModelIsTheSameFile() throws {
    let folder = try TemporaryFolder()
    for name in ["a.h5", "b.h5"] { try Self.model().write(path: folder.path(name)) }
    let files = try ["a.h5", "b.h5"].map { try Data(contentsOf: URL(fileURLWithPath: folder.path($0))) }
    #expect(files[0] == files[1])
  }
}
