import FileIO
import Foundation
import Testing

@testable import HDF5

@Suite("Writing in pieces")
struct PiecewiseWritingTests {
  private struct Refusal: Error, Equatable {}

  private func names(_ directory: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
  }

  @Test("gives the file that writing at once gives", arguments: [HDF5ByteOrder.littleEndian, .bigEndian])
  func samesFile(order: HDF5ByteOrder) throws {
    try withTemporaryDirectory { directory in
      let given = pattern(4 * 25_007)
      for limit in [-1, 16 << 20] {
        for size in [4, 4 * 1000, 4 * 25_007] {
          var whole = HDF5Document()
          var parts = HDF5Document()
          whole.addDataset("a/w", shape: [25_007], type: .float32, byteOrder: order) { given }
          parts.addDataset("a/w", shape: [25_007], type: .float32, byteOrder: order) { write in
            for start in stride(from: 0, to: given.count, by: size) {
              try given[start..<min(start + size, given.count)].withUnsafeBytes { try write($0) }
            }
          }
          try whole.write(to: directory + "/whole.h5", imageLimit: limit)
          try parts.write(to: directory + "/parts.h5", imageLimit: limit)
          #expect(try contentsOfFile(directory + "/whole.h5") == contentsOfFile(directory + "/parts.h5"))
        }
      }
    }
  }

  @Test("a provider is held to its size", arguments: [-1, 16 << 20], [396, 404, 800])
  func wrongSize(limit: Int, count: Int) throws {
    try withTemporaryDirectory { directory in
      var document = HDF5Document()
      document.addDataset("w", shape: [100], type: .float32) { write in
        for _ in 0..<2 { try pattern(count / 2).withUnsafeBytes { try write($0) } }
      }
      document.addDataset("z", shape: [100], type: .float32) { pattern(400) }
      let error = hdf5Error { try document.write(to: directory + "/file.h5", imageLimit: limit) }
      #expect(error?.kind == .invalid)
      #expect(error?.object == "/w")
      #expect(error?.detail == "its shape [100] of float32 needs 400 bytes, but \(count) were given")
      let left = try names(directory)
      #expect(left.isEmpty)
    }
  }

  @Test func aProviderThatFailsOnItsWayLeavesTheOldFile() throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/file.h5"
      try write([1, 2, 3], to: path)
      var document = HDF5Document()
      document.addDataset("w", shape: [100], type: .uint8) { write in
        try pattern(50).withUnsafeBytes { try write($0) }
        throw Refusal()
      }
      #expect(throws: Refusal()) { try document.write(to: path, imageLimit: -1) }
      #expect(try contentsOfFile(path) == [1, 2, 3])
      #expect(try names(directory) == ["file.h5"])
    }
  }

  /// The device writes something else than it was given.
  @Test func whatDoesNotReadBackIsNotPutInPlace() throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/file.h5"
      try write([1, 2, 3], to: path)
      let given = pattern(1 << 20)
      var document = HDF5Document()
      document.addDataset("w", shape: [1 << 20], type: .uint8) { given }
      let faults = Faults { step in
        guard step == .synchronize else { return nil }
        // All is written; a bit of it flips.
        let name = (try? names(directory))?.first { $0.hasSuffix(".tmp") } ?? ""
        let file = FileHandle(forUpdatingAtPath: directory + "/" + name)
        try? file?.seek(toOffset: 700_000)
        try? file?.write(contentsOf: Data([given[0] ^ 1, given[1], given[2] ^ 0x80]))
        try? file?.close()
        return nil
      }
      let error = hdf5Error { try document.write(to: path, imageLimit: -1, faults: faults) }
      #expect(error?.kind == .io)
      #expect(error?.detail.contains("its bytes are not what was written") == true, "\(String(describing: error))")
      #expect(try contentsOfFile(path) == [1, 2, 3])
      #expect(try names(directory) == ["file.h5"])
    }
  }

  /// With a text that comes last, the data is read back before it and the attributes after it.
  @Test("what is damaged before a late text comes, or after it", arguments: ["its bytes", "its attributes"])
  func damagedBesideALateText(what: String) throws {
    try withTemporaryDirectory { directory in
      var late = document("placehold.")
      late.complete("placehold.") { "0123456789" }
      // The data of w is the first write, the late text the third; what is to be damaged is written by now.
      final class Counter: @unchecked Sendable { var writes = 0 }
      let counter = Counter()
      let old = what == "its bytes" ? Array(pattern(5000)[..<20]) : Array("something else".utf8)
      let faults = Faults { step in
        if step == .write { counter.writes += 1 }
        guard
          step == .synchronize && what != "its bytes" || step == .write && counter.writes == 2 && what == "its bytes"
        else { return nil }
        let name = (try? names(directory))?.first { $0.hasSuffix(".tmp") } ?? ""
        guard var bytes = try? contentsOfFile(directory + "/" + name), let place = bytes.firstRange(of: old) else {
          return nil
        }
        bytes[place.lowerBound + 3] ^= 1
        guard let file = FileHandle(forUpdatingAtPath: directory + "/" + name) else { return nil }
        try? file.write(contentsOf: Data(bytes))
        try? file.close()
        return nil
      }
      let error = hdf5Error { try late.write(to: directory + "/file.h5", imageLimit: -1, faults: faults) }
      #expect(error?.kind == .io)
      #expect(error?.detail.contains("\(what) are not what was written") == true, "\(String(describing: error))")
      let left = try names(directory)
      #expect(left.isEmpty)
    }
  }

  private func document(_ text: String) -> HDF5Document {
    var document = HDF5Document()
    document.setAttribute("before", .strings(["something else"]))
    document.setAttribute("text", .strings(["{\"digest\":\"\(text)\",\"more\":1}"]))
    document.addDataset("w", shape: [5000], type: .uint8) { pattern(5000) }
    document.addDataset("z", shape: [5000], type: .uint8) { pattern(5000, seed: 2) }
    return document
  }

  @Test("a text that comes last gives the file that it gives when it is known", arguments: [-1, 16 << 20])
  func lateText(limit: Int) throws {
    try withTemporaryDirectory { directory in
      try document("0123456789").write(to: directory + "/known.h5", imageLimit: limit)
      var late = document("placehold.")
      late.complete("placehold.") { "0123456789" }
      try late.write(to: directory + "/late.h5", imageLimit: limit)
      #expect(try contentsOfFile(directory + "/late.h5") == contentsOfFile(directory + "/known.h5"))
      late.complete("placehold.") { throw Refusal() }
      #expect(throws: Refusal()) { try late.write(to: directory + "/failing.h5", imageLimit: limit) }
      #expect(try names(directory) == ["known.h5", "late.h5"])
    }
  }

  @Test func aLateTextOfAnotherLengthOrPlaceIsRefused() throws {
    try withTemporaryDirectory { directory in
      var longer = document("placehold.")
      longer.complete("placehold.") { "0123456789a" }
      #expect(hdf5Error { try longer.write(to: directory + "/file.h5", imageLimit: -1) }?.kind == .invalid)
      var twice = document("placehold.")
      twice.setAttribute("again", .strings(["placehold."]))
      twice.complete("placehold.") { "0123456789" }
      #expect(hdf5Error { try twice.write(to: directory + "/file.h5", imageLimit: -1) }?.kind == .io)
      let left = try names(directory)
      #expect(left.isEmpty)
    }
  }

  /// XXH64's published values.
  @Test func contentHash() {
    for (text, expected) in [
      ("", 0xEF46_DB37_51D8_E999), ("abc", 0x44BC_2CF5_AD77_0999),
      ("Nobody inspects the spammish repetition", 0xFBCE_A83C_8A37_8BF1),
    ] as [(String, UInt64)] {
      #expect(Array(text.utf8).withUnsafeBytes { ContentHash($0) }.value == expected, "\(text)")
    }
    let bytes = pattern(1000)
    for count in [31, 32, 33, 64, 999, 1000] {
      let whole = bytes[..<count].withUnsafeBytes { ContentHash($0) }
      for size in [1, 5, 31, 32, 33, 500] {
        var pieces = ContentHash()
        for start in stride(from: 0, to: count, by: size) {
          bytes[start..<min(start + size, count)].withUnsafeBytes { pieces.update($0) }
        }
        #expect(pieces == whole)
        #expect(pieces.value == whole.value)
      }
    }
  }
}
