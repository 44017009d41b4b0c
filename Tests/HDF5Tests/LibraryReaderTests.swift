import Foundation
import Testing

@testable import HDF5

/// A shell in the place of the program that reads through libhdf5.
private func reader(_ script: String, seconds: Int = 120) -> HDF5LibraryReader {
  var limits = HDF5LibraryReader.Limits()
  limits.seconds = seconds
  // $0 is the first of four numbers, $4 the file, $5 the copy, $6 the report.
  return HDF5LibraryReader(program: "/bin/sh", arguments: ["-c", script], limits: limits)
}

@Suite("What libhdf5 reads in a process of its own")
struct LibraryReaderTests {
  private static let good = #"echo '{"leftOut":[]}' > "$6""#

  @Test(
    "is an error when the process fails",
    arguments: [
      ("kill -SEGV $$", "crashed"), ("exit 3", "status 3"), ("exit 0", "has not said"),
      ("echo nonsense > \"$6\"", "has not said"), (good, "copy of it cannot be read"),
      (good + "; echo nonsense > \"$5\"", "copy of it cannot be read"),
      ("head -c 2000000 /dev/zero > \"$6\"", "has not said"),
    ])
  func failures(script: String, message: String) {
    let error = hdf5Error { _ = try reader(script).open(fixture("plain.h5")) }
    #expect(error?.kind == .libraryFailed)
    #expect(error?.detail.contains(message) == true, "\(error?.detail ?? "none")")
    #expect(error?.file == fixture("plain.h5"))
  }

  @Test(.timeLimit(.minutes(1))) func aProcessThatHangsIsEnded() {
    let began = ContinuousClock.now
    let error = hdf5Error { _ = try reader("exec sleep 50", seconds: 1).open(fixture("plain.h5")) }
    #expect(error?.kind == .libraryFailed)
    #expect(error?.detail.contains("within 1 seconds") == true)
    #expect(ContinuousClock.now - began < .seconds(20))
  }

  @Test func aMissingProgram() {
    let none = HDF5LibraryReader(program: "/nowhere/lstm-ft")
    #expect(hdf5Error { _ = try none.open(fixture("plain.h5")) }?.kind == .libraryFailed)
  }

  @Test func whatIsNoFileIsSaidBeforeAnythingIsStarted() {
    #expect(hdf5Error { _ = try reader("exit 9").open("/nowhere.h5") }?.kind == .notFound)
    #expect(hdf5Error { _ = try reader("exit 9").open("/dev/null") }?.kind == .notRegularFile)
    #expect(hdf5Error { _ = try reader("exit 9").open(fixture("expected.json")) }?.kind == .notHDF5)
  }

  /// The copy is a file like any other: what it says is read by the same rules.
  @Test func theCopyIsReadInThePlaceOfTheFile() throws {
    let script = #"cp "$4" "$5"; echo '{"leftOut":[{"kind":"refused","object":"/gone","detail":"why"}]}' > "$6""#
    let file = try reader(script).open(fixture("plain.h5"), named: "mine")
    #expect(file.path == "mine")
    let root = try file.contents()
    #expect(root.allDatasets().count == (try HDF5File(reading: fixture("plain.h5")).contents().allDatasets().count))
    #expect(root.unreadable.map(\.object) == ["/gone"] && root.unreadable.map(\.detail) == ["why"])
    // The copy is gone, and what is open stays readable.
    for dataset in root.allDatasets() where !dataset.type.isString { _ = try dataset.readBytes() }
  }

  /// What the process does, in this one: files that do no harm are copied value for value.
  @Test(
    "is what this library reads",
    arguments: ["plain.h5", "chunked.h5", "attributes.h5", "scalars.h5", "strings.h5", "compact.h5", "user-block.h5"])
  func copies(name: String) throws {
    try withTemporaryDirectory { directory in
      let copy = directory + "/copy.h5"
      _ = try LibraryCopy.make(of: fixture(name), at: copy, byteLimit: 1 << 30)
      let root = try HDF5File(reading: copy).contents()
      for dataset in try HDF5File(reading: fixture(name)).contents().allDatasets() {
        if dataset.type == .string(length: nil, utf8: true), dataset.shape.count != 1 { continue }
        if case .unsupported = dataset.type { continue }
        if dataset.refusal != nil { continue }
        let copied = try #require(root.dataset(at: dataset.path), "\(dataset.path)")
        #expect(copied.shape == dataset.shape, "\(dataset.path)")
        if dataset.type.isString {
          #expect(try copied.readStrings() == dataset.readStrings(), "\(dataset.path)")
        } else {
          #expect(try copied.readBytes() == dataset.readBytes(), "\(dataset.path)")
        }
        for attribute in dataset.attributes {
          if case .unsupported = attribute.value { continue }
          #expect(copied.attribute(attribute.name)?.value == attribute.value, "\(dataset.path) \(attribute.name)")
        }
      }
    }
  }

  @Test func numbersAndFiltersThatOnlyLibhdf5Reads() throws {
    let own = try HDF5File(reading: readerFixture("library.h5")).contents()
    for name in ["scale-offset", "n-bit", "szip", "wide", "lstm/weight_ih_l0"] {
      let dataset = try #require(own.dataset(at: name))
      #expect(dataset.isForLibrary, "\(name)")
      #expect(hdf5Error { _ = try dataset.readBytes() } != nil, "\(name)")
    }
    #expect(own.dataset(at: "lstm/bias_ih_l0")?.isForLibrary == false)
    try withTemporaryDirectory { directory in
      let copy = directory + "/copy.h5"
      let leftOut = try LibraryCopy.make(of: readerFixture("library.h5"), at: copy, byteLimit: 1 << 30)
      // A library may be built without szip.
      #expect(Set(leftOut.map(\.object)).subtracting(["/szip"]) == ["/soft"])
      let root = try HDF5File(reading: copy).contents()
      func words<Word: BitwiseCopyable>(_ path: String, _ type: Word.Type) throws -> [Word] {
        try #require(root.dataset(at: path)).readBytes().withUnsafeBytes { bytes in
          (0..<bytes.count / MemoryLayout<Word>.size).map {
            bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Word>.size, as: type)
          }
        }
      }
      #expect(try words("scale-offset", Int32.self) == Array(0..<20))
      #expect(try words("n-bit", Int32.self) == Array(-10..<10))
      #expect(try words("wide", Int32.self) == [-1, 70000, 5])
      if !leftOut.contains(where: { $0.object == "/szip" }) {
        #expect(try words("szip", Float.self) == (0..<64).map { Float($0) })
      }
      #expect(try words("lstm/weight_ih_l0", Float.self) == (0..<48).map { Float($0) * 0.75 - 3 })
      #expect(try root.dataset(at: "words")?.readStrings() == ["a", "grün"])
      #expect(root.attribute("text")?.string == "here")
      #expect(root.attribute("flags")?.value == .bools([true, false]))
    }
  }

  @Test(
    "opens no other file", arguments: ["virtual.h5", "external-storage.h5", "external-link.h5", "foreign-filter.h5"])
  func foreign(name: String) throws {
    try withTemporaryDirectory { directory in
      let copy = directory + "/copy.h5"
      let leftOut = try LibraryCopy.make(of: fixture(name), at: copy, byteLimit: 1 << 30)
      #expect(!leftOut.isEmpty)
      for dataset in try HDF5File(reading: copy).contents().allDatasets() { _ = try dataset.readBytes() }
    }
  }
}
