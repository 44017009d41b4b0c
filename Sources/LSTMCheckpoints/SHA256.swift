/// The SHA-256 of a file, hexadecimal, read a mebibyte at a time. FIPS 180-4.
/// - Throws: `CheckpointError.unreadable` naming the file and why.
public func sha256(ofFile path: String) throws -> String {
  do throws(RegularFile.Failure) {
    let file = try RegularFile(path: path)
    let source = ByteSource.file(file)
    var digest = SHA256()
    var offset = 0
    while offset < file.byteCount {
      let chunk = try source.bytes(at: offset, count: min(1 << 20, file.byteCount - offset))
      digest.update(chunk)
      offset += chunk.count
    }
    return digest.finish()
  } catch {
    throw CheckpointError.unreadable(file: path, reason: error)
  }
}

/// SHA-256 of bytes that come in pieces.
struct SHA256 {
  private var state: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19
  )
  /// Less than a block that waits for more.
  private var rest: [UInt8] = []
  private var byteCount: UInt64 = 0

  private static let blockSize = 64

  mutating func update(_ bytes: [UInt8]) {
    byteCount += UInt64(bytes.count)
    var start = 0
    if !rest.isEmpty {
      start = min(Self.blockSize - rest.count, bytes.count)
      rest += bytes[..<start]
      guard rest.count == Self.blockSize else { return }
      let block = rest
      rest = []
      compress(block, from: 0, blocks: 1)
    }
    let blocks = (bytes.count - start) / Self.blockSize
    compress(bytes, from: start, blocks: blocks)
    rest += bytes[(start + blocks * Self.blockSize)...]
  }

  /// Pads and returns the digest, hexadecimal.
  mutating func finish() -> String {
    let bitCount = byteCount * 8
    let zeros = (2 * Self.blockSize - 9 - rest.count) % Self.blockSize
    update(
      [0x80] + [UInt8](repeating: 0, count: zeros)
        + (0..<8).map { UInt8(truncatingIfNeeded: bitCount >> (56 - 8 * $0)) })
    let words = [state.0, state.1, state.2, state.3, state.4, state.5, state.6, state.7]
    return words.map { word in
      let text = String(word, radix: 16)
      return String(repeating: "0", count: 8 - text.count) + text
    }.joined()
  }

  private mutating func compress(_ bytes: [UInt8], from start: Int, blocks: Int) {
    guard blocks > 0 else { return }
    bytes.withUnsafeBytes { raw in
      Self.constants.withUnsafeBufferPointer { constants in
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { words in
          for block in 0..<blocks {
            for t in 0..<16 {
              words[t] = UInt32(
                bigEndian: raw.loadUnaligned(fromByteOffset: start + block * Self.blockSize + 4 * t, as: UInt32.self))
            }
            round(words, constants)
          }
        }
      }
    }
  }

  /// One block: the message schedule, then 64 rounds (FIPS 180-4, 6.2.2).
  @inline(__always)
  private mutating func round(_ words: UnsafeMutableBufferPointer<UInt32>, _ constants: UnsafeBufferPointer<UInt32>) {
    for t in 16..<64 {
      let (x, y) = (words[t - 15], words[t - 2])
      let small0 = Self.rotate(x, 7) ^ Self.rotate(x, 18) ^ (x >> 3)
      let small1 = Self.rotate(y, 17) ^ Self.rotate(y, 19) ^ (y >> 10)
      words[t] = small1 &+ words[t - 7] &+ small0 &+ words[t - 16]
    }
    var (a, b, c, d, e, f, g, h) = state
    for t in 0..<64 {
      let sum1 = Self.rotate(e, 6) ^ Self.rotate(e, 11) ^ Self.rotate(e, 25)
      let first = h &+ sum1 &+ ((e & f) ^ (~e & g)) &+ constants[t] &+ words[t]
      let sum0 = Self.rotate(a, 2) ^ Self.rotate(a, 13) ^ Self.rotate(a, 22)
      let second = sum0 &+ ((a & b) ^ (a & c) ^ (b & c))
      (h, g, f, e, d, c, b, a) = (g, f, e, d &+ first, c, b, a, first &+ second)
    }
    state.0 &+= a
    state.1 &+= b
    state.2 &+= c
    state.3 &+= d
    state.4 &+= e
    state.5 &+= f
    state.6 &+= g
    state.7 &+= h
  }

  @inline(__always)
  private static func rotate(_ x: UInt32, _ count: UInt32) -> UInt32 { x >> count | x << (32 &- count) }

  /// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
  private static let constants: [UInt32] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
  ]
}
