import Foundation
import HDF5
import TestSupport
import Testing

@testable import FileIO
@testable import LSTMCheckpoints

/// Files that are not what they should be, with the words a user reads.
@Suite struct CheckpointFileTests {
  /// Message and advice of what opening a file throws.
  private func refusal(_ path: String) -> [String] {
    do {
      _ = try Checkpoint(path: path)
      return []
    } catch let error as any DescribedFailure {
      return ([error.message] + error.advice).map(\.description)
    } catch {
      return ["no described failure: \(error)"]
    }
  }

  private func native(_ folder: TemporaryFolder, _ change: (inout HDF5Document) -> Void) throws -> String {
    var document = HDF5Document()
    document.setAttribute("lstm_ft_version", .integers([1]))
    change(&document)
    let path = folder.path("model.h5")
    try document.write(to: path)
    return path
  }

  @Test func aNewerVersion() throws {
    let folder = try TemporaryFolder()
    let path = try native(folder) { $0.setAttribute("lstm_ft_version", .integers([2])) }
    #expect(
      refusal(path) == ["\(path): written by a newer lstm-ft (file version 2; this one reads 1)", "update lstm-ft"])
  }

  @Test func noVersionNumber() throws {
    let folder = try TemporaryFolder()
    for value in [HDF5Value.strings(["one"]), .integers([0]), .integers([1, 1])] {
      let path = try native(folder) { $0.setAttribute("lstm_ft_version", value) }
      #expect(refusal(path) == ["\(path): its lstm_ft_version attribute is not a version number"])
    }
  }

  @Test(arguments: ["configuration", "preprocessing", "provenance"])
  func anAttributeThatIsNoText(_ name: String) throws {
    let folder = try TemporaryFolder()
    let path = try native(folder) { $0.setAttribute(name, .integers([1])) }
    #expect(refusal(path) == ["\(path): its \(name) attribute is not one text"])
  }

  @Test func aConfigurationThatIsNone() throws {
    let folder = try TemporaryFolder()
    let path = try native(folder) { $0.setAttribute("configuration", .strings([#"{"input": {"features": 1}}"#])) }
    #expect(refusal(path) == ["\(path): not a model configuration: \"layers\" is missing"])
  }

  @Test func aProvenanceThatIsNone() throws {
    let folder = try TemporaryFolder()
    let path = try native(folder) { $0.setAttribute("provenance", .strings([#"{"source": "w.h5"}"#])) }
    #expect(
      refusal(path) == ["\(path): its provenance attribute is not what lstm-ft writes: \"sha256\" is missing"])
  }

  @Test func preprocessingThatIsNone() throws {
    let folder = try TemporaryFolder()
    let path = try native(folder) {
      $0.setAttribute("preprocessing", .strings([#"{"inputScaler": {"mean": [1], "deviation": [0]}}"#]))
    }
    // It opens, so that what it holds can be shown; only a model of it is refused.
    let checkpoint = try Checkpoint(path: path)
    #expect(checkpoint.preprocessing.isEmpty)
    #expect {
      try LoadPlan(checkpoint)
    } throws: { error in
      (error as? CheckpointError)?.message.description
        == "\(path): its preprocessing attribute is not what lstm-ft writes: inputScaler.deviation: expected finite means "
        + "and deviations above 0"
    }
  }

  @Test func textDatasetsAreListedAsSkipped() throws {
    let folder = try TemporaryFolder()
    var document = HDF5Document()
    document.addStrings("vocabulary", ["a", "b"])
    document.addDataset("x", shape: [], type: .int8) { [3] }
    try document.write(to: folder.path("w.h5"))
    let checkpoint = try Checkpoint(path: folder.path("w.h5"))
    #expect(checkpoint.tensors.map(\.name) == ["x"])
    #expect(checkpoint.skipped == [.init(name: "vocabulary", reason: "its elements are of type string")])
  }

  @Test(arguments: ["torch.pt", "torch-nocrc.pt"])
  func aPyTorchArchive(_ name: String) throws {
    let checkpoint = try Checkpoint(path: FormatFixtures.path(name))
    #expect(checkpoint.format == .pt)
    #expect(checkpoint.tensors.map(\.name) == ["w"])
    #expect(try checkpoint["w"]?.floats() == [0, 1, 2, 3, 4, 5])
  }

  @Test func aForeignArchive() {
    let path = FormatFixtures.path("zeros.zip")
    #expect(
      refusal(path) == ["\(path): is a ZIP archive of neither PyTorch, NumPy nor Keras", "it holds zeros"])
  }

  @Test func missingFileDirectoryAndText() throws {
    let folder = try TemporaryFolder()
    #expect(refusal(folder.path("none.h5")) == ["\(folder.path("none.h5")): no such file"])
    #expect(refusal(folder.url.path).first?.contains("it is a directory") == true)
    try Data("a,b\n1,2\n".utf8).write(to: URL(fileURLWithPath: folder.path("text.h5")))
    #expect(refusal(folder.path("text.h5")).first?.hasPrefix(folder.path("text.h5") + ": ") == true)
  }

  @Test(arguments: ["stored.npz", "deflated.npz"])
  func npz(_ name: String) throws {
    let checkpoint = try Checkpoint(path: FormatFixtures.path(name))
    #expect(checkpoint.format == .npz)
    #expect(checkpoint.tensors.map(\.name) == ["weight", "bias", "half"])
    #expect(checkpoint.tensors.map(\.shape) == [[8, 3], [8], [4]])
    #expect(checkpoint["half"]?.dataType == .float16)
    #expect(try checkpoint["weight"]?.doubles() == FormatFixtures.ramp(24, float: true, signed: true))
    #expect(checkpoint.byteCount == (try FormatFixtures.bytes(name).count))
  }

  @Test func npyIsOneTensorReadLate() throws {
    let checkpoint = try Checkpoint(path: FormatFixtures.path("be-f4.npy"))
    let tensor = try #require(checkpoint["x"])
    #expect(tensor.isBigEndian)
    #expect(tensor.dataType == .float32)
    #expect(try tensor.doubles() == FormatFixtures.ramp(24, float: true, signed: true))
  }

  @Test func anArchiveIsListedWithoutItsArrays() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("big.npz")
    // One gibibyte of hole between the header and the directory; a CRC of 0 means "not computed".
    let size = 1 << 30
    let count = (size - 128) / 4
    let dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(count),), }"
    let padding = String(repeating: " ", count: 117 - dictionary.utf8.count) + "\n"
    let npy = NPYHeader.signature + [1, 0, 118, 0] + Array((dictionary + padding).utf8)
    var layout = ZipLayout(archive: "big", alignment: 64, forceZip64: false)
    let local = try layout.add("w.npy", size: 128 + 4 * count, crc: 0)
    let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL, 0o600)
    defer { close(descriptor) }
    func write(_ bytes: [UInt8], at offset: Int) {
      #expect(pwrite(descriptor, bytes, bytes.count, off_t(offset)) == bytes.count)
    }
    write(local, at: 0)
    write(npy, at: local.count)
    let directory = layout.position
    write(try layout.finish(), at: directory)

    var checkpoint: Checkpoint?
    let time = try processorTime { checkpoint = try Checkpoint(path: path) }
    #expect(time < .milliseconds(200))
    #expect(checkpoint?["w"]?.shape == [count])
  }

  @Test func aHeaderThatDisagreesWithItsEntryIsFoundWhenOpening() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("short.npz")
    let npy = try NPY.encode(floats: [1, 2, 3], shape: [3])
    try Data(ZipWriter.encode([("w.npy", Array(npy.dropLast(4)))])).write(to: URL(fileURLWithPath: path))
    #expect(refusal(path) == ["\(path): w.npy: expected 12 data bytes, found 8"])
  }

  @Test func prefixesOfEntries() throws {
    let content = (0..<50_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
    let stored = try ZipArchive(bytes: ZipWriter.encode([("a", content)]), name: "a.zip")
    let zeros = try ZipArchive(contentsOf: FormatFixtures.path("zeros.zip"))
    for count in [0, 1, 1000, 50_000, 60_000] {
      let entry = try #require(stored.entries.first)
      #expect(try stored.readPrefix(entry, count: count) == Array(content.prefix(count)))
      let deflated = try #require(zeros.entries.first)
      #expect(try zeros.readPrefix(deflated, count: count) == [UInt8](repeating: 0, count: count))
    }
    let deflated = try ZipArchive(contentsOf: FormatFixtures.path("deflated.npz"))
    for entry in deflated.entries {
      let whole = try deflated.read(entry)
      for count in 0...whole.count {
        #expect(try deflated.readPrefix(entry, count: count) == Array(whole.prefix(count)))
      }
    }
  }

  @Test func damageAtTheStartOfAnEntryIsFoundByItsPrefix() throws {
    var bytes = try FormatFixtures.bytes("zeros.zip")
    let offset = try ZipArchive(bytes: bytes, name: "x").entries[0].dataOffset
    bytes[offset] = 0xff
    let archive = try ZipArchive(bytes: bytes, name: "x")
    let error = #expect(throws: ZipError.self) { try archive.readPrefix(archive.entries[0], count: 10) }
    #expect(error?.kind == .corruptData)
  }
}
