import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

/// Files of which this project reads a part, and libhdf5 the rest.
@Suite struct LibraryReaderCommandTests {
  @Test func adviceLeadsToTheWeights() async throws {
    let place = try Workplace()
    try place.copy("hdf5-reader/library.h5", as: "weights.h5")
    let refused = try await place.run("import", "weights.h5", "--prefix", "lstm")
    #expect(refused.code == 65, "\(refused.stderr)")
    #expect(refused.stderr.contains("scale-offset"), "\(refused.stderr)")
    #expect(refused.stderr.contains("--reader libhdf5"), "\(refused.stderr)")
    let read = try await place.run("import", "weights.h5", "--prefix", "lstm", "--reader", "libhdf5")
    #expect(read.code == 0, "\(read.stderr)")
    let tensor = try #require(Checkpoint(path: place.path("model.h5"))["lstm.weight_ih_l0"])
    let values = (0..<48).map { Float($0) * 0.75 - 3 }
    #expect(try tensor.bytes() == values.withUnsafeBytes { Array($0) })
  }

  @Test func inspectShowsWhatEachReads() async throws {
    let place = try Workplace()
    try place.copy("hdf5-reader/library.h5", as: "weights.h5")
    let own = try await place.run("inspect", "weights.h5", "--json")
    #expect(!own.stdout.contains("\"n-bit\""))
    let library = try await place.run("inspect", "weights.h5", "--json", "--reader", "libhdf5")
    #expect(library.code == 0, "\(library.stderr)")
    for name in ["n-bit", "scale-offset", "wide", "lstm/weight_hh_l0"] {
      #expect(library.stdout.contains("\"\(name)\""), "\(name)")
    }
    #expect(library.stdout.contains("\"bytes\":23160"), "the size of the file, not of its copy")
  }

  /// Nothing of it is left in the folder of temporary files.
  @Test func leavesNothingBehind() async throws {
    let place = try Workplace()
    try place.copy("hdf5-reader/library.h5", as: "weights.h5")
    try place.makeFolder("temporary")
    let done = try await place.run(
      ["inspect", "weights.h5", "--reader", "libhdf5"], environment: ["TMPDIR": place.path("temporary")])
    #expect(done.code == 0, "\(done.stderr)")
    #expect(try FileManager.default.contentsOfDirectory(atPath: place.path("temporary")).isEmpty)
  }

  @Test func whatIsNoHDF5IsReadAsEver() async throws {
    let place = try Workplace()
    try place.copy("hdf5/deflate-bomb.h5", as: "bomb.h5")
    let bomb = try await place.run("inspect", "bomb.h5", "--stats", "--reader", "libhdf5")
    #expect(bomb.code == 65 || bomb.code == 0, "\(bomb.stderr)")
    let missing = try await place.run("inspect", "none.h5", "--reader", "libhdf5")
    #expect(missing.code == 66)
    let other = try await place.run("inspect", "none.h5", "--reader", "others")
    #expect(other.code == 64)
  }
}
