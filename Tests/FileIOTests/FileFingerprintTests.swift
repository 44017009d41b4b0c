import Foundation
import TestSupport
import Testing

@testable import FileIO

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct FileFingerprintTests {
  /// A file of holes with some bytes at some places.
  private func make(_ path: String, size: Int, _ bytes: [Int: [UInt8]]) throws {
    let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    try #require(ftruncate(descriptor, off_t(size)) == 0)
    for (place, bytes) in bytes { try #require(pwrite(descriptor, bytes, bytes.count, off_t(place)) == bytes.count) }
  }

  @Test func anOrdinaryFileHasItsSHA256() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("file")
    try Data("abc".utf8).write(to: URL(fileURLWithPath: path))
    #expect(try FileFingerprint(ofFile: path).text == sha256(ofFile: path))
    #expect(try FileFingerprint.matches(sha256(ofFile: path), file: path))
    try Data("abd".utf8).write(to: URL(fileURLWithPath: path))
    #expect(
      try !FileFingerprint.matches("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", file: path))
  }

  @Test func aTerabyteOfHolesTakesNoTime() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("file")
    let size = 1 << 40
    let bytes: [Int: [UInt8]] = [0: [1, 2, 3], 1 << 33: [4], (1 << 33) + 4095: [5, 6], size - 1: [7]]
    try make(path, size: size, bytes)
    var first = ""
    let time = try processorTime { first = try FileFingerprint(ofFile: path).text }
    #expect(first.hasPrefix("sparse-") && time < .seconds(2), "\(first) \(time)")
    #expect(try FileFingerprint.matches(first, file: path))
    // Each byte counts, and its place, and the size.
    var others: [[Int: [UInt8]]] = [bytes, bytes, bytes]
    others[0][1 << 33] = [8]
    others[1][size - 1] = []
    others[2][1 << 33] = [0]
    others[2][1 << 34] = [4]
    for other in others {
      try make(path, size: size, other)
      #expect(try !FileFingerprint.matches(first, file: path))
    }
    try make(path, size: size + 1, bytes)
    #expect(try !FileFingerprint.matches(first, file: path))
  }

  @Test func holesAndZerosAreTheSame() throws {
    let folder = try TemporaryFolder()
    let (path, copy) = (folder.path("holes"), folder.path("zeros"))
    let size = 65 << 20
    try make(path, size: size, [5000: [1], size - 5000: [2, 0, 3]])
    let recorded = try FileFingerprint(ofFile: path).text
    #expect(recorded.hasPrefix("sparse-"))
    try make(copy, size: 0, [0: Array(Data(contentsOf: URL(fileURLWithPath: path)))])
    #expect(try FileFingerprint.matches(recorded, file: copy))
    #expect(try FileFingerprint(ofFile: copy).text == sha256(ofFile: path))
    #expect(try FileFingerprint.matches(sha256(ofFile: path), file: path))
  }
}
