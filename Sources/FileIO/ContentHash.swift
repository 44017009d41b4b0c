/// The XXH64 hash (Y. Collet, xxHash) of bytes given in pieces. It compares what was written with what is read back,
/// at the speed of memory; native files keep it for each tensor.
package struct ContentHash: Equatable, Sendable {
  private static let prime1: UInt64 = 0x9E37_79B1_85EB_CA87
  private static let prime2: UInt64 = 0xC2B2_AE3D_27D4_EB4F
  private static let prime3: UInt64 = 0x1656_67B1_9E37_79F9
  private static let prime4: UInt64 = 0x85EB_CA77_C2B2_AE63
  private static let prime5: UInt64 = 0x27D4_EB2F_1656_67C5

  private var lanes: SIMD4<UInt64> = [prime1 &+ prime2, prime2, 0, 0 &- prime1]
  /// Bytes of an incomplete stripe of 32.
  private var rest: [UInt8] = []
  private var byteCount: UInt64 = 0

  package init() {}

  package init(_ bytes: UnsafeRawBufferPointer) { update(bytes) }

  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    byteCount &+= UInt64(bytes.count)
    var start = 0
    if !rest.isEmpty {
      start = min(32 - rest.count, bytes.count)
      rest.append(contentsOf: bytes[..<start])
      guard rest.count == 32 else { return }
      rest.withUnsafeBytes { stripes($0) }
      rest.removeAll(keepingCapacity: true)
    }
    let end = bytes.count - (bytes.count - start) % 32
    stripes(UnsafeRawBufferPointer(rebasing: bytes[start..<end]))
    rest.append(contentsOf: bytes[end...])
  }

  private mutating func stripes(_ bytes: UnsafeRawBufferPointer) {
    var (a, b, c, d) = (lanes[0], lanes[1], lanes[2], lanes[3])
    for start in stride(from: 0, to: bytes.count, by: 32) {
      a = Self.round(a, Self.word(bytes, start))
      b = Self.round(b, Self.word(bytes, start + 8))
      c = Self.round(c, Self.word(bytes, start + 16))
      d = Self.round(d, Self.word(bytes, start + 24))
    }
    lanes = [a, b, c, d]
  }

  /// The hash of all bytes so far.
  package var value: UInt64 {
    var hash = Self.prime5
    if byteCount >= 32 {
      hash =
        Self.rotate(lanes[0], 1) &+ Self.rotate(lanes[1], 7) &+ Self.rotate(lanes[2], 12) &+ Self.rotate(lanes[3], 18)
      for lane in 0..<4 { hash = (hash ^ Self.round(0, lanes[lane])) &* Self.prime1 &+ Self.prime4 }
    }
    hash = hash &+ byteCount
    rest.withUnsafeBytes { rest in
      var start = 0
      while start + 8 <= rest.count {
        hash = Self.rotate(hash ^ Self.round(0, Self.word(rest, start)), 27) &* Self.prime1 &+ Self.prime4
        start += 8
      }
      if start + 4 <= rest.count {
        let word = UInt64(UInt32(littleEndian: rest.loadUnaligned(fromByteOffset: start, as: UInt32.self)))
        hash = Self.rotate(hash ^ (word &* Self.prime1), 23) &* Self.prime2 &+ Self.prime3
        start += 4
      }
      for byte in rest[start...] {
        hash = Self.rotate(hash ^ (UInt64(byte) &* Self.prime5), 11) &* Self.prime1
      }
    }
    hash = (hash ^ (hash >> 33)) &* Self.prime2
    hash = (hash ^ (hash >> 29)) &* Self.prime3
    return hash ^ (hash >> 32)
  }

  @inline(__always)
  private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
    UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
  }

  @inline(__always)
  private static func round(_ lane: UInt64, _ word: UInt64) -> UInt64 {
    rotate(lane &+ word &* prime2, 31) &* prime1
  }

  @inline(__always)
  private static func rotate(_ x: UInt64, _ count: UInt64) -> UInt64 { x &<< count | x &>> (64 &- count) }
}
