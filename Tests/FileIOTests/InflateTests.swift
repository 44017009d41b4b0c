import Foundation
import Testing

@testable import FileIO

@Suite("Inflate")
struct InflateTests {

  private func inflate(_ input: [UInt8], to count: Int, raw: Bool = false) -> Result<[UInt8], InflateError> {
    var output = [UInt8](repeating: 0, count: count)
    do {
      try input.withUnsafeBytes { input in
        try output.withUnsafeMutableBytes { output in
          _ = try Inflate.inflateExactly(input, into: output, raw: raw)
        }
      }
      return .success(output)
    } catch let error as InflateError {
      return .failure(error)
    } catch {
      return .failure(.corrupt("another error"))
    }
  }

  @Test func storedBlock() {
    let raw: [UInt8] = [1, 3, 0, 0xFC, 0xFF, 7, 8, 9]
    #expect(inflate(raw, to: 3, raw: true) == .success([7, 8, 9]))
    #expect(inflate(raw, to: 2, raw: true) == .failure(.tooLong(expected: 2)))
    #expect(inflate(raw, to: 0, raw: true) == .failure(.tooLong(expected: 0)))
    #expect(inflate(raw, to: 4, raw: true) == .failure(.tooShort(produced: 3, expected: 4)))
    #expect(inflate(Array(raw.dropLast()), to: 3, raw: true) == .failure(.truncated))
    #expect(inflate([], to: 3, raw: true) == .failure(.truncated))
  }

  @Test func emptyStream() {
    #expect(inflate([3, 0], to: 0, raw: true) == .success([]))
  }

  @Test func garbage() {
    guard case .failure(.corrupt) = inflate([0xFF, 0xFF, 0xFF, 0xFF], to: 3) else {
      Issue.record("garbage was accepted")
      return
    }
  }

  @Test func returnsWhatItTook() throws {
    let raw: [UInt8] = [1, 1, 0, 0xFE, 0xFF, 5, 99, 99]
    var output: [UInt8] = [0]
    let taken = try raw.withUnsafeBytes { input in
      try output.withUnsafeMutableBytes { try Inflate.inflateExactly(input, into: $0, raw: true) }
    }
    #expect(taken == 6)
  }

  @Test func crc32() {
    let text = Array("123456789".utf8)
    #expect(text.withUnsafeBytes { Inflate.crc32($0) } == 0xCBF4_3926)
    let first = text[..<4].withUnsafeBytes { Inflate.crc32($0) }
    #expect(text[4...].withUnsafeBytes { Inflate.crc32($0, continuing: first) } == 0xCBF4_3926)
  }

  /// By whichever instructions, and however it is cut.
  @Test func theChecksumIsZlibs() {
    let bytes = (0..<3000).map { UInt8(truncatingIfNeeded: $0 &* 167 >> 3 ^ $0) }
    bytes.withUnsafeBytes { all in
      for start in [0, 1, 7] {
        for count in Array(0...400) + [1023, 1024, 1025, 2993] {
          let part = UnsafeRawBufferPointer(rebasing: all[start..<start + count])
          for previous in [0, 1, 0x8000_0000, .max] as [UInt32] {
            #expect(
              Inflate.crc32(part, continuing: previous) == Inflate.plainCRC32(part, continuing: previous), "\(count)")
          }
          let first = UnsafeRawBufferPointer(rebasing: all[0..<start])
          let both = UnsafeRawBufferPointer(rebasing: all[0..<start + count])
          #expect(
            Inflate.crc32(joining: Inflate.crc32(first), Inflate.crc32(part), byteCount: count) == Inflate.crc32(both))
        }
      }
    }
    #expect(Array("123456789".utf8).withUnsafeBytes { Inflate.crc32($0) } == 0xcbf4_3926)
  }
}
