/// The first 48 bytes of a file of superblock version 2.
///
/// `H5Fget_file_image` clears the "open for writing" flag in the image but not in the superblock's checksum, so that
/// no library opens the image. The checksum is corrected here.
enum ImageChecksum {
  private static let checkedBytes = 44

  static func repair(_ image: inout [UInt8]) {
    // The writer requests version 2, with offsets and lengths of 8 bytes.
    guard image.count >= checkedBytes + 4, image[8] == 2, image[9] == 8, image[10] == 8 else { return }
    let sum = Lookup3.sum(image, 0..<checkedBytes)
    for byte in 0..<4 { image[checkedBytes + byte] = UInt8(truncatingIfNeeded: sum >> (8 * byte)) }
  }
}
