/// Bob Jenkins' lookup3 (`hashlittle`, starting from 0), the checksum of HDF5's metadata.
enum Lookup3 {
  static func sum(_ bytes: [UInt8], _ range: Range<Int>) -> UInt32 {
    bytes.withUnsafeBytes { sum(UnsafeRawBufferPointer(rebasing: $0[range])) }
  }

  static func sum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    let initial = 0xDEAD_BEEF &+ UInt32(truncatingIfNeeded: bytes.count)
    var (a, b, c) = (initial, initial, initial)
    func word(_ offset: Int) -> UInt32 {
      UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    var offset = 0
    while bytes.count - offset > 12 {
      a &+= word(offset)
      b &+= word(offset + 4)
      c &+= word(offset + 8)
      mix(&a, &b, &c)
      offset += 12
    }
    // The rest, up to 12 bytes, is padded with zeros; of no rest nothing is made.
    guard offset < bytes.count else { return c }
    var rest: (UInt32, UInt32, UInt32) = (0, 0, 0)
    withUnsafeMutableBytes(of: &rest) { $0.copyBytes(from: bytes[offset...]) }
    a &+= UInt32(littleEndian: rest.0)
    b &+= UInt32(littleEndian: rest.1)
    c &+= UInt32(littleEndian: rest.2)
    return finish(a, b, c)
  }

  private static func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 { value &<< count | value &>> (32 &- count) }

  private static func mix(_ a: inout UInt32, _ b: inout UInt32, _ c: inout UInt32) {
    a &-= c
    a ^= rotate(c, 4)
    c &+= b
    b &-= a
    b ^= rotate(a, 6)
    a &+= c
    c &-= b
    c ^= rotate(b, 8)
    b &+= a
    a &-= c
    a ^= rotate(c, 16)
    c &+= b
    b &-= a
    b ^= rotate(a, 19)
    a &+= c
    c &-= b
    c ^= rotate(b, 4)
    b &+= a
  }

  private static func finish(_ first: UInt32, _ second: UInt32, _ third: UInt32) -> UInt32 {
    var (a, b, c) = (first, second, third)
    c ^= b
    c &-= rotate(b, 14)
    a ^= c
    a &-= rotate(c, 11)
    b ^= a
    b &-= rotate(a, 25)
    c ^= b
    c &-= rotate(b, 16)
    a ^= c
    a &-= rotate(c, 4)
    b ^= a
    b &-= rotate(a, 14)
    c ^= b
    c &-= rotate(b, 24)
    return c
  }
}
