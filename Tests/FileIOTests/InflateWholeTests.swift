import CFileIO
import CZlib
import Testing

@testable import FileIO

/// Random numbers that are the same each time.
private struct Xorshift {
  var state: UInt64
  mutating func next(_ limit: Int) -> Int {
    state ^= state << 13
    state ^= state >> 7
    state ^= state << 17
    return Int(state >> 11) % limit
  }
}

@Suite("Streams inflated at once are what zlib makes of them")
struct InflateWholeTests {
  private struct Case {
    let content: [UInt8]
    let stream: [UInt8]
    let isRaw: Bool

    init(_ random: inout Xorshift) {
      let (count, kind) = (random.next(4) == 0 ? random.next(70_000) : random.next(3000), random.next(5))
      var content: [UInt8] = []
      content.reserveCapacity(count)
      for index in 0..<count {
        switch kind {
        case 0: content.append(UInt8(random.next(256)))
        case 1: content.append(UInt8(random.next(4)))
        // Copies from near and far.
        case 2 where index > 10 && random.next(10) > 0: content.append(content[index - 1 - random.next(index - 1)])
        case 3 where index > 3: content.append(content[index - 1 - random.next(3)])
        default: content.append(UInt8(truncatingIfNeeded: random.next(20) + index >> 6))
        }
      }
      self.content = content
      isRaw = random.next(2) == 0
      var stream = z_stream()
      // Every strategy, window and level, without compression too.
      let bits = Int32(9 + random.next(7))
      deflateInit2_(
        &stream, Int32(random.next(10)), Z_DEFLATED, isRaw ? -bits : bits, Int32(1 + random.next(9)),
        Int32(random.next(5)), ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
      defer { deflateEnd(&stream) }
      var output = [UInt8](repeating: 0, count: 2 * count + 4000)
      let room = output.count
      content.withUnsafeMutableBufferPointer { content in
        output.withUnsafeMutableBufferPointer { output in
          (stream.next_in, stream.avail_in) = (content.baseAddress, UInt32(count / 2))
          (stream.next_out, stream.avail_out) = (output.baseAddress, UInt32(room))
          // A block's end in the middle, as programs that flush have it.
          deflate(&stream, [Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FULL_FLUSH][random.next(3)])
          stream.avail_in += UInt32(count - count / 2)
          deflate(&stream, Z_FINISH)
        }
      }
      self.stream = Array(output[..<(room - Int(stream.avail_out))])
    }
  }

  private enum Outcome: Equatable {
    case made([UInt8], used: Int)
    case failed(InflateError)
  }

  private func outcome(
    _ stream: [UInt8], _ count: Int,
    _ inflate: (UnsafeRawBufferPointer, UnsafeMutableRawBufferPointer) throws(InflateError) -> Int
  ) -> Outcome {
    // Whatever is written beyond is seen.
    var output = [UInt8](repeating: 0xEE, count: count + 64)
    let result: Outcome = stream.withUnsafeBytes { stream in
      output.withUnsafeMutableBytes { output in
        let target = UnsafeMutableRawBufferPointer(rebasing: output[..<count])
        do throws(InflateError) {
          let used = try inflate(stream, target)
          return .made(Array(target), used: used)
        } catch {
          return .failed(error)
        }
      }
    }
    #expect(output[count...].allSatisfy { $0 == 0xEE })
    return result
  }

  @Test("right and damaged, cut short and of another size", arguments: 1...8)
  func streams(seed: Int) {
    var random = Xorshift(state: UInt64(seed) &* 0x9E37_79B9_7F4A_7C15)
    var whole = 0
    for _ in 0..<150 {
      let made = Case(&random)
      for change in 0..<4 {
        var (stream, count) = (made.stream, made.content.count)
        switch change {
        case 0: break
        case 1: stream.removeLast(random.next(stream.count) + 1)
        case 2: count = max(0, count + random.next(3) - 1)
        default:
          for _ in 0...random.next(3) { stream[random.next(min(stream.count, 60))] ^= 1 << UInt8(random.next(8)) }
        }
        let own = outcome(stream, count) { (input, output) throws(InflateError) in
          try Inflate.inflateExactly(input, into: output, raw: made.isRaw)
        }
        let zlib = outcome(stream, count) { (input, output) throws(InflateError) in
          try Inflate.inflateByZlib(input, into: output, raw: made.isRaw)
        }
        #expect(own == zlib)
        if change == 0 { #expect(own == .made(made.content, used: stream.count)) }
        // What is whole is not left to zlib.
        if change == 0, made.isRaw, count > 0 {
          var used = 0
          var output = [UInt8](repeating: 0, count: count)
          whole += Int(cfileio_inflate(stream, stream.count, &output, count, &used))
        }
      }
    }
    #expect(whole > 40)
  }

  @Test func checksums() {
    var random = Xorshift(state: 7)
    for count in [0, 1, 31, 32, 33, 5551, 5552, 5553, 100_000] {
      let bytes = (0..<count).map { _ in count > 50_000 ? 0xFF : UInt8(random.next(256)) }
      #expect(cfileio_adler32(bytes, count) == UInt32(adler32(1, bytes, UInt32(count))))
    }
  }
}
