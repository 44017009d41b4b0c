import FileIO
import Foundation
import HDF5
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite("Atomic, durable writes")
struct AtomicFileTests {
  private struct Refusal: Error, Equatable {}

  private func document(_ seed: UInt64, count: Int = 1000) -> HDF5Document {
    var document = HDF5Document()
    document.setAttribute("seed", .integers([Int64(seed)]))
    document.addDataset("a/w", shape: [count], type: .uint8) { pattern(count, seed: seed) }
    document.addDataset("a/z", shape: [count], type: .uint8, deflate: 3) { pattern(count, seed: seed + 1) }
    return document
  }

  private func names(_ directory: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: directory).sorted()
  }

  private func mode(_ path: String) throws -> Int {
    try #require(FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int)
  }

  @Test func intoAMissingDirectory() {
    let error = hdf5Error { try document(1).write(to: "no/such/place/file.h5") }
    #expect(error?.kind == .cannotCreate)
    #expect(error?.detail == "the directory no/such/place does not exist")
    #expect(error?.file == "no/such/place/file.h5")
  }

  @Test func overADirectory() throws {
    try withTemporaryDirectory { directory in
      let error = hdf5Error { try document(1).write(to: directory) }
      #expect(error?.kind == .cannotCreate)
      #expect(error?.detail.contains("is a directory") == true)
      #expect(hdf5Error { try document(1).write(to: directory + "/new/") }?.kind == .cannotCreate)
    }
    #expect(hdf5Error { try document(1).write(to: "/dev/null") }?.kind == .cannotCreate)
    #expect(hdf5Error { try document(1).write(to: "") }?.kind == .cannotCreate)
  }

  @Test func anExistingFileKeepsItsMode() throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/file.h5"
      try document(1).write(to: path)
      let mask = umask(0)
      umask(mask)
      #expect(try mode(path) == 0o644 & ~Int(mask))
      chmod(path, 0o640)
      try document(2).write(to: path)
      #expect(try mode(path) == 0o640)
      #expect(try HDF5File(reading: path).contents().attribute("seed")?.integer == 2)
      #expect(try names(directory) == ["file.h5"])
    }
  }

  @Test func nothingIsWrittenThroughALink() throws {
    try withTemporaryDirectory { directory in
      try FileManager.default.createDirectory(atPath: directory + "/real", withIntermediateDirectories: false)
      try document(1).write(to: directory + "/real/existing")
      let before = try contentsOfFile(directory + "/real/existing")
      for target in ["real/existing", "real/dangling", "link"] {
        let link = directory + "/link"
        try #require(symlink(target, link) == 0)
        let error = hdf5Error { try document(2).write(to: link) }
        #expect(error?.kind == .cannotCreate && error?.detail.contains("symbolic link") == true)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == target)
        unlink(link)
      }
      #expect(try names(directory + "/real") == ["existing"])
      #expect(try contentsOfFile(directory + "/real/existing") == before)
      // A folder may be reached through one.
      try #require(symlink("real", directory + "/folder") == 0)
      try document(2).write(to: directory + "/folder/existing")
      #expect(try contentsOfFile(directory + "/real/existing") != before)
    }
  }

  @Test func aReadOnlyFileIsNotReplaced() throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/file.h5"
      try document(1).write(to: path)
      let before = try contentsOfFile(path)
      chmod(path, 0o444)
      let error = hdf5Error { try document(2).write(to: path) }
      #expect(error?.kind == .cannotCreate && error?.detail.contains("read-only") == true)
      #expect(try contentsOfFile(path) == before)
      #expect(try names(directory) == ["file.h5"])
    }
  }

  @Test func whatAKilledProcessLeftIsRemovedByTheNextWrite() throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/file.h5"
      let remains = [".file.h5.3k9zq1.tmp", ".file.h5.zzzzzz.tmp"]
      // Others' files, and names that only look alike.
      let others = [".other.h5.3k9zq1.tmp", ".file.h5.notes.txt", ".file.h5.a-b.tmp"]
      for name in remains + others { try write([1, 2, 3], to: directory + "/" + name) }
      // One that a process is writing is locked.
      let busy = open(directory + "/" + remains[1], O_RDWR)
      defer { close(busy) }
      try #require(busy >= 0 && flock(busy, LOCK_EX) == 0)
      try document(1).write(to: path)
      #expect(try names(directory) == (others + [remains[1], "file.h5"]).sorted())
    }
  }

  @Test("a failing provider leaves the old file", arguments: [true, false], [true, false])
  func failingProvider(chunked: Bool, inMemory: Bool) throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/file.h5"
      try document(1).write(to: path)
      let before = try contentsOfFile(path)
      var failing = document(2)
      failing.addDataset("x", shape: [4], type: .uint8, chunkShape: chunked ? [2] : nil) { throw Refusal() }
      #expect(throws: Refusal()) { try failing.write(to: path, imageLimit: inMemory ? .max : -1) }
      #expect(try contentsOfFile(path) == before)
      #expect(try names(directory) == ["file.h5"])
    }
  }

  @Test("a fault at any step leaves the old file", arguments: [ENOSPC, EFBIG, EIO], [true, false])
  func faults(code: Int32, inMemory: Bool) throws {
    final class Counter: @unchecked Sendable { var steps = 0 }
    try withTemporaryDirectory { directory in
      let path = directory + "/file.h5"
      try document(1).write(to: path)
      let before = try contentsOfFile(path)
      let counter = Counter()
      func attempt(failingAt step: Int) throws {
        counter.steps = 0
        let faults = Faults { _ in
          counter.steps += 1
          return counter.steps == step ? code : nil
        }
        try document(2).write(to: path, imageLimit: inMemory ? .max : -1, faults: faults)
      }
      try attempt(failingAt: .max)
      let total = counter.steps
      // At least one write, fsync, rename and the directory's fsync.
      #expect(total >= 4)
      for step in 1...total {
        try write(before, to: path)
        #expect(hdf5Error { try attempt(failingAt: step) }?.kind == .io)
        // The last step is the directory's fsync, after the rename.
        if step < total { #expect(try contentsOfFile(path) == before, "step \(step)") }
        #expect(try names(directory) == ["file.h5"], "step \(step)")
      }
    }
  }

  @Test func killedAtAnyStepTheOldFileIsWhole() async throws {
    let directory = FileManager.default.temporaryDirectory
      .appendingPathComponent("hdf5-tests-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let path = directory + "/file.h5"
    try document(1).write(to: path)
    let before = try contentsOfFile(path)
    for step in 1...4 {
      await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, step = step as Int] in
        final class Counter: @unchecked Sendable { var steps = 0 }
        let counter = Counter()
        var document = HDF5Document()
        document.addDataset("w", shape: [1000], type: .uint8) { pattern(1000) }
        let faults = Faults { _ in
          counter.steps += 1
          if counter.steps == step { kill(getpid(), SIGKILL) }
          return nil
        }
        try document.write(to: path, faults: faults)
      }
      #expect(try contentsOfFile(path) == before, "step \(step)")
    }
  }

  @Test func otherFormatsUseItToo() throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/table.csv"
      try atomicallyWriteFile(to: path) { descriptor in
        try Array("a,b\n".utf8).withUnsafeBytes { try writeAll($0, to: descriptor) }
        try Array("1,2\n".utf8).withUnsafeBytes { try writeAll($0, to: descriptor) }
      }
      #expect(try contentsOfFile(path) == Array("a,b\n1,2\n".utf8))
      let error = #expect(throws: FileError.self) {
        try atomicallyWriteFile(to: path) { _ in try [1].withUnsafeBytes { try writeAll($0, to: -1) } }
      }
      guard case .writingFailed(path, _) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(throws: Refusal()) {
        try atomicallyWriteFile(to: path, verify: { _ in throw Refusal() }) { descriptor in
          try [1, 2].withUnsafeBytes { try writeAll($0, to: descriptor) }
        }
      }
      #expect(try contentsOfFile(path) == Array("a,b\n1,2\n".utf8))
      #expect(try names(directory) == ["table.csv"])
    }
  }
}
