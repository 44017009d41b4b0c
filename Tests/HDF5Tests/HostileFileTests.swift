import Foundation
import TestSupport
import Testing

@testable import HDF5

@Suite("Files that lie")
struct HostileFileTests {
  @Test(
    "have what is refused listed with its reason, and nothing of it read",
    .timeLimit(.minutes(1)),
    arguments: [
      ("external-link.h5", .refused, "/lstm/passwd", "external link"),
      ("soft-cycle.h5", .refused, "/a", "soft link to /b, which leads in a circle"),
      ("virtual.h5", .refused, "/v", "virtual"),
      ("external-storage.h5", .refused, "/stolen", "external file"),
      ("huge-shape.h5", .limitExceeded, "/w", "beyond|chunks|stored"),
      ("huge-contiguous.h5", .limitExceeded, "/w", "only 0 are stored"),
      ("many-chunks.h5", .limitExceeded, "/w", "chunks"),
      ("past-end.h5", .corrupt, "/w", "the file has"),
      ("deep.h5", .limitExceeded, "/g/g", "nested"),
      ("bad-name.h5", .refused, "/caf", "UTF-8"),
    ] as [(String, HDF5Error.Kind, String, String)])
  func refused(name: String, kind: HDF5Error.Kind, object: String, message: String) throws {
    let file = try HDF5File(reading: fixture(name))
    let error: HDF5Error
    if name == "deep.h5" {
      error = try #require(hdf5Error { _ = try file.contents() })
    } else {
      error = try #require(file.contents().allUnreadable().first)
    }
    #expect(error.kind == kind, "\(error)")
    #expect(error.object?.hasPrefix(object) == true, "\(error)")
    #expect(message.split(separator: "|").contains { error.detail.contains($0) }, "\(error)")
  }

  /// A small file may claim any number of chunks that were never written. They cost the memory that they fill, and no more.
  @Test func chunksThatWereNeverWrittenTakeNoTime() throws {
    let datasets = try HDF5File(reading: fixture("unwritten.h5")).contents().allDatasets()
    #expect(datasets.count == 10)
    var read: [[UInt8]] = []
    let time = try processorTime { read = try datasets.map { try $0.readBytes() } }
    #expect(time < .seconds(1), "\(time)")
    for (index, bytes) in read.enumerated() {
      var expected = [UInt8](repeating: 7, count: 900_000)
      expected[3 * 90_000 + 5 + index] = 1
      #expect(bytes == expected)
    }
  }

  @Test func dataInCommonIsRefusedAndSeveralNamesAreNot() throws {
    let root = try HDF5File(reading: fixture("overlap.h5")).contents()
    #expect(root.allDatasets().map(\.path) == ["/again", "/c"])
    #expect(root.allUnreadable().map(\.object) == ["/a", "/b"])
    #expect(root.allUnreadable().map(\.kind) == [.corrupt, .corrupt])
    #expect(
      root.allUnreadable().map(\.detail) == ["its data overlaps that of /b", "its data overlaps that of /a"])
  }

  @Test func aForeignFilterIsNamedWhenItsDatasetIsRead() throws {
    let root = try HDF5File(reading: fixture("foreign-filter.h5")).contents()
    #expect(root.allUnreadable().isEmpty)
    #expect(try root.dataset(at: "fine")?.readBytes() == littleEndian([1, 1]))
    let dataset = try #require(root.dataset(at: "x"))
    #expect(dataset.shape == [64])
    let error = try #require(hdf5Error { _ = try dataset.readBytes() })
    #expect(error.kind == .refused)
    #expect(error.object == "/x")
    #expect(error.detail.contains("filter 32015"), "\(error)")
    #expect(dataset.refusal?.detail == error.detail)
  }

  @Test func oneUnreadableObjectLeavesTheOthers() throws {
    let root = try HDF5File(reading: fixture("external-link.h5")).contents()
    #expect(root.allUnreadable().map(\.object) == ["/lstm/passwd"])
    #expect(root.allDatasets().allSatisfy { (try? $0.readBytes()) != nil })
    #expect(root.reason(toMiss: "/lstm/passwd/weight")?.kind == .refused)
    #expect(root.reason(toMiss: "/lstm/passw") == nil)
  }

  /// In files of the older form no checksum covers a header.
  @Test func oneUnreadableAttributeLeavesItsObject() throws {
    let name = Array("a17".utf8) + [0]
    var bytes = try contentsOfFile(readerFixture("many-earliest.h5"))
    let place = try #require(bytes.indices.first { bytes[$0...].starts(with: name) })
    // The version of the attribute's message, before the sizes of its parts.
    #expect(bytes[place - 8] == 1)
    bytes[place - 8] = 9
    var root = try HDF5File(bytes: bytes, named: "file").contents()
    var few = try #require(root.group(at: "few"))
    #expect(few.attributes.count == 61)
    #expect(few.attribute("a17") == nil && few.attribute("a18")?.integer == 18)
    #expect(few.unreadableAttributes.map(\.kind) == [.corrupt])
    #expect(few.unreadableAttributes.map(\.object) == ["/few"])
    #expect(root.allUnreadable().allSatisfy { $0.object == "/nowhere" || $0.object == "/outside" })
    #expect(few.datasets.count == 3)
    // Of its datatype, the class: the attribute is named.
    bytes[place - 8] = 1
    bytes[place + 8] = 0xF0
    root = try HDF5File(bytes: bytes, named: "file").contents()
    few = try #require(root.group(at: "few"))
    #expect(root.allUnreadableAttributes().first?.detail.contains("its attribute \"a17\"") == true)
    #expect(few.attributes.count == 61)
  }

  @Test func hardLinksToGroupsAboveEndTheWalk() throws {
    let root = try HDF5File(reading: fixture("hard-cycle.h5")).contents()
    #expect(root.group(at: "a/root")?.aliasOf == "/")
    #expect(root.group(at: "a/again")?.aliasOf == "/a")
    #expect(root.group(at: "b")?.aliasOf == "/a")
    // A dataset of two names has both.
    #expect(root.allDatasets().map(\.path) == ["/second-name", "/a/weight"])
    for dataset in root.allDatasets() { #expect(try dataset.readBytes() == littleEndian([1, 2])) }
  }

  @Test(
    "chunks that inflate to anything but their size are refused",
    .timeLimit(.minutes(1)),
    arguments: [
      ("w", "more than the 4096 bytes"), ("short", "inflates to 4095 bytes"),
      ("tiny-for-huge", "only 12 are stored"), ("raw-short", "expected 4096"),
    ])
  func bomb(name: String, message: String) throws {
    let root = try HDF5File(reading: fixture("deflate-bomb.h5")).contents()
    let error: HDF5Error
    if let dataset = root.dataset(at: name) {
      error = try #require(hdf5Error { _ = try dataset.readBytes() })
      #expect(error.kind == .corrupt)
    } else {
      error = try #require(root.allUnreadable().first)
      #expect(error.kind == .limitExceeded)
    }
    #expect(error.object == "/" + name)
    #expect(error.detail.contains(message), "\(error)")
  }

  @Test func bombOfStrings() throws {
    let root = try HDF5File(reading: fixture("deflate-bomb.h5")).contents()
    let dataset = try #require(root.dataset(at: "strings"))
    #expect(hdf5Error { _ = try dataset.readStrings() }?.kind == .corrupt)
  }

  @Test func stringsBeyondTheirLimit() throws {
    var limits = HDF5Limits()
    limits.stringBytes = 10_000
    let file = try HDF5File(reading: fixture("long-strings.h5"), limits: limits)
    let dataset = try #require(file.contents().dataset(at: "text"))
    #expect(hdf5Error { _ = try dataset.readStrings() }?.kind == .limitExceeded)
    let free = try #require(HDF5File(reading: fixture("long-strings.h5")).contents().dataset(at: "text"))
    #expect(try free.readStrings().map(\.utf8.count) == Array(repeating: 1000, count: 16))
  }

  @Test func flippedChecksumByte() throws {
    let root = try HDF5File(reading: fixture("flipped-checksum.h5")).contents()
    let error = hdf5Error { _ = try root.datasets.first?.readBytes() }
    #expect(error?.kind == .corrupt)
    #expect(error?.detail.contains("fletcher32") == true)
  }

  @Test(
    "limits are kept",
    arguments: [\HDF5Limits.objects, \.attributes, \.attributeBytes, \.depth, \.rank, \.filters]
      as [WritableKeyPath<HDF5Limits, Int> & Sendable])
  func limits(limit: WritableKeyPath<HDF5Limits, Int> & Sendable) throws {
    var limits = HDF5Limits()
    limits[keyPath: limit] = 1
    let error = hdf5Error {
      for name in ["scalars.h5", "attributes.h5", "chunked.h5", "keras-like.h5"] {
        let contents = try HDF5File(reading: fixture(name), limits: limits).contents()
        if let error = (contents.allUnreadable() + contents.allUnreadableAttributes()).first { throw error }
      }
    }
    #expect(error?.kind == .limitExceeded)
  }
}
