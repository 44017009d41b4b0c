import Foundation
import TestSupport
import Testing

@testable import FileIO

@Suite struct SHA256Tests {
  /// NIST's examples, and lengths around a block and around the padding.
  static let vectors: [(bytes: [UInt8], digest: String)] = [
    ([], "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (Array("abc".utf8), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8),
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (
      Array(
        ("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
          + "lmnopqrsmnopqrstnopqrstu").utf8),
      "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
    ),
    (
      [UInt8](repeating: UInt8(ascii: "a"), count: 1_000_000),
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    ),
  ]

  @Test(arguments: vectors)
  func vectorsOfTheStandard(_ bytes: [UInt8], _ digest: String) throws {
    let folder = try TemporaryFolder()
    let path = folder.path("file")
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    #expect(try sha256(ofFile: path) == digest)
  }

  @Test("every path of this processor", arguments: SHA256.paths.indices)
  func paths(_ index: Int) {
    let path = SHA256.paths[index]
    for (bytes, digest) in Self.vectors {
      var hash = SHA256(path: path)
      hash.update(bytes)
      #expect(hash.finish() == digest, "\(path.name)")
    }
  }

  @Test func theLastPathIsPlainC() throws {
    #expect(SHA256.paths.last?.name == "portable")
    #if arch(arm64) && canImport(Darwin)
      #expect(SHA256.paths.first?.name == "ARMv8")
    #elseif os(Linux) && arch(x86_64)
      let processor = try String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
      #expect((SHA256.paths.first?.name == "SHA-NI") == processor.contains(" sha_ni "))
    #endif
  }

  @Test func pathsAgreeAtOddSizesAndAddresses() {
    let bytes = (0..<5000).map { UInt8(truncatingIfNeeded: ($0 &* 167) ^ ($0 >> 5)) }
    for count in [0, 1, 3, 55, 56, 63, 64, 65, 127, 129, 191, 1023, 4096, 4991] {
      for offset in [0, 1, 3, 7] {
        let digests = SHA256.paths.map { path in
          var hash = SHA256(path: path)
          bytes.withUnsafeBytes { hash.update(UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count])) }
          return hash.finish()
        }
        #expect(Set(digests).count == 1, "\(count) bytes from \(offset)")
      }
    }
  }

  @Test func inTheBackground() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("file")
    try Data(count: (1 << 20) + 1).write(to: URL(fileURLWithPath: path))
    let digest = FileDigest(ofFile: path)
    for _ in 0..<2 {
      #expect(try digest.value() == "2cb74edba754a81d121c9db6833704a8e7d417e5b13d1a19f4a52f007d644264")
    }
    let missing = FileDigest(ofFile: folder.path("none"))
    #expect(throws: FileError.self) { try missing.value() }
  }

  @Test func piecesGiveTheSameDigest() {
    let bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    for count in [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 300] {
      var whole = SHA256()
      whole.update(Array(bytes.prefix(count)))
      let expected = whole.finish()
      for size in [1, 7, 63, 64, 65] {
        var digest = SHA256()
        for start in stride(from: 0, to: count, by: size) {
          digest.update(Array(bytes[start..<min(start + size, count)]))
        }
        #expect(digest.finish() == expected, "\(count) bytes in pieces of \(size)")
      }
    }
  }

  @Test func moreThanOneReadOfAFile() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("file")
    try Data(count: (1 << 20) + 1).write(to: URL(fileURLWithPath: path))
    #expect(try sha256(ofFile: path) == "2cb74edba754a81d121c9db6833704a8e7d417e5b13d1a19f4a52f007d644264")
  }

  @Test func whatCannotBeRead() throws {
    let folder = try TemporaryFolder()
    let missing = folder.path("none")
    let error = #expect(throws: FileError.self) { try sha256(ofFile: missing) }
    #expect(error?.message == "\(missing): no such file")
    #expect(error?.category == .notFound)
    let directory = #expect(throws: FileError.self) { try sha256(ofFile: folder.url.path) }
    #expect(directory?.message == "\(folder.url.path): it is a directory, not a file")
    #expect(directory?.category == .badInput)
  }
}
