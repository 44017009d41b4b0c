import Foundation
import HDF5
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite("What is not a readable HDF5 file")
struct OpenErrorTests {
  @Test func missing() {
    let error = hdf5Error { _ = try HDF5File(reading: "no/such/file.h5") }
    #expect(error?.kind == .notFound)
    #expect(error?.description == "no/such/file.h5: no such file")
  }

  @Test func directory() throws {
    try withTemporaryDirectory { directory in
      #expect(hdf5Error { _ = try HDF5File(reading: directory) }?.kind == .isDirectory)
    }
  }

  @Test(.timeLimit(.minutes(1))) func fifo() throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/fifo"
      try #require(mkfifo(path, 0o600) == 0)
      let error = hdf5Error { _ = try HDF5File(reading: path) }
      #expect(error?.kind == .notRegularFile)
      #expect(error?.detail.contains("a pipe") == true)
    }
  }

  @Test func device() {
    #expect(hdf5Error { _ = try HDF5File(reading: "/dev/null") }?.kind == .notRegularFile)
  }

  @Test(.enabled(if: geteuid() != 0)) func permissionDenied() throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/private.h5"
      try write([1], to: path)
      chmod(path, 0)
      #expect(hdf5Error { _ = try HDF5File(reading: path) }?.kind == .permissionDenied)
    }
  }

  @Test(
    "other formats are named",
    arguments: [
      (Array("epoch,loss\n1,0.5\n".utf8), "the text \"epoch,loss\""),
      ([0x50, 0x4B, 3, 4, 0, 0, 0, 0, 0, 0], "ZIP"),
      ([2, 0, 0, 0, 0, 0, 0, 0] + Array("{}".utf8), "safetensors"),
      ([0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC], "pickle"),
      ([0x93] + Array("NUMPY\u{1}".utf8), ".npy"),
      (Array("version https://git-lfs.github.com/spec/v1\n".utf8), "Git LFS"),
      ([0x1F, 0x8B, 8, 0], "gzip"),
      ([0, 1, 2, 0xFF], "the bytes 00 01 02 ff"),
    ] as [([UInt8], String)])
  func foreign(bytes: [UInt8], hint: String) throws {
    try withTemporaryDirectory { directory in
      let path = directory + "/file"
      try write(bytes, to: path)
      let error = hdf5Error { _ = try HDF5File(reading: path) }
      #expect(error?.kind == .notHDF5)
      #expect(error?.detail.hasPrefix("it is not an HDF5 file: it begins") == true || hint == "Git LFS")
      #expect(error?.detail.contains(hint) == true, "\(error?.detail ?? "")")
    }
  }

  @Test func empty() throws {
    try withTemporaryDirectory { directory in
      try write([], to: directory + "/empty")
      #expect(hdf5Error { _ = try HDF5File(reading: directory + "/empty") }?.kind == .empty)
    }
  }

  @Test(
    "a file cut at any byte is an error, never a crash",
    arguments: ["plain.h5", "latest-chunked.h5", "user-block.h5"])
  func truncation(name: String) throws {
    try withTemporaryDirectory { directory in
      let whole = try contentsOfFile(fixture(name))
      let path = directory + "/cut.h5"
      for length in Array(0..<160) + Array(stride(from: 160, to: whole.count, by: 97)) + [whole.count - 1] {
        try write(Array(whole[..<length]), to: path)
        let error = hdf5Error {
          for dataset in try HDF5File(reading: path).contents().allDatasets() {
            _ = dataset.type.isString ? [] : try dataset.readBytes()
          }
        }
        #expect(error.map { [.empty, .notHDF5, .corrupt].contains($0.kind) } == true, "cut at \(length)")
        if length > 600 { #expect(error?.detail.contains("truncated") == true) }
      }
    }
  }

  @Test func randomDamageIsAnErrorOrHarmless() throws {
    // The format's newest metadata has checksums; damage to it is found, damage to raw data is not.
    try withTemporaryDirectory { directory in
      let whole = try contentsOfFile(fixture("latest-chunked.h5"))
      let path = directory + "/damaged.h5"
      for (index, place) in stride(from: 0, to: whole.count, by: 41).enumerated() {
        var bytes = whole
        bytes[place] ^= UInt8(1 << (index % 8))
        try write(bytes, to: path)
        _ = try? HDF5File(reading: path).contents().allDatasets().map { try $0.readBytes() }
      }
    }
  }

  @Test func controlCharactersDoNotReachTheTerminal() {
    let error = HDF5Error(.corrupt, file: "a\u{1B}[31m", object: "/b\n", message: "c")
    #expect(error.description == "a?[31m: /b?: c")
  }
}
