/// The first 48 bytes of a file of superblock version 2.
///
/// `H5Fget_file_image` clears the "open for writing" flag in the image but not in the superblock's checksum, so that
/// no library opens the image. The checksum is corrected here.
enum Superblock {
  private static let checkedBytes = 44

  static func repairChecksum(_ image: inout [UInt8]) {
    // The writer requests version 2, with offsets and lengths of 8 bytes.
    guard image.count >= checkedBytes + 4, image[8] == 2, image[9] == 8, image[10] == 8 else { return }
    let sum = lookup3(image[..<checkedBytes])
    for byte in 0..<4 { image[checkedBytes + byte] = UInt8(truncatingIfNeeded: sum >> (8 * byte)) }
  }

  /// Bob Jenkins' lookup3 (`hashlittle`, starting from 0), for a length that is a multiple of 4 and above 12.
  static func lookup3(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 { value << count | value >> (32 - count) }
    let words = stride(from: bytes.startIndex, to: bytes.endIndex, by: 4).map { start in
      bytes[start..<start + 4].reversed().reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
    }
    var a = 0xDEAD_BEEF &+ UInt32(bytes.count)
    var b = a
    var c = a
    var index = 0
    while words.count - index > 3 {
      a &+= words[index]
      b &+= words[index + 1]
      c &+= words[index + 2]
      index += 3
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
    let rest = words[index...]
    if rest.count > 0 { a &+= words[index] }
    if rest.count > 1 { b &+= words[index + 1] }
    if rest.count > 2 { c &+= words[index + 2] }
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
