import FileIO

/// Recognizes HDF5 files by their signature, and names other formats.
enum Signature {
  /// The signature is at byte 0 or, after a user block, at 512, 1024, 2048 and so on.
  static func find(_ source: ByteSource, _ call: Call) throws(HDF5Error) -> Int {
    let byteCount = source.byteCount
    var offset = 0
    while offset < byteCount {
      if try read(source, 8, at: offset, call) == Superblock.signature { return offset }
      offset = max(512, offset * 2)
    }
    let start = try read(source, 64, at: 0, call)
    if start.count < 8, Superblock.signature.starts(with: start) {
      throw call.error(.corrupt, "it is truncated: it has only \(byteCount) bytes")
    }
    throw call.error(.notHDF5, "it is not an HDF5 file: \(describe(start, byteCount))")
  }

  private static func read(
    _ source: ByteSource, _ count: Int, at offset: Int, _ call: Call
  ) throws(HDF5Error) -> [UInt8] {
    do throws(UnreadableReason) {
      return try source.bytes(at: offset, count: min(count, source.byteCount - offset))
    } catch {
      throw call.error(.io, "it cannot be read: \(error.message)")
    }
  }

  private static func describe(_ start: [UInt8], _ byteCount: Int) -> String {
    if start.starts(with: [0x50, 0x4B, 0x03, 0x04]) {
      return "it begins with \"PK\", as ZIP archives do (PyTorch's .pt, NumPy's .npz, Keras' .keras)"
    }
    if start.count > 8, start[8] == UInt8(ascii: "{") {
      let length = start.prefix(8).reversed().reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
      if length <= UInt64(byteCount) {
        return "it begins with a length and a JSON header, as safetensors files do"
      }
    }
    if start.count > 1, start[0] == 0x80, (2...5).contains(start[1]) {
      return "it begins as a Python pickle does (an old PyTorch .pt, or .pkl)"
    }
    if start.starts(with: [0x93] + Array("NUMPY".utf8)) { return "it begins with \"NUMPY\", as .npy files do" }
    if start.starts(with: [0x1F, 0x8B]) { return "it begins as gzip-compressed files do; decompress it first" }
    if start.starts(with: Array("version https://git-lfs".utf8)) {
      return "it is a Git LFS pointer to the real file; fetch that with \"git lfs pull\""
    }
    if start.starts(with: [0x0E, 0x03, 0x13, 0x01]) {
      return "it begins as HDF4 files do, an older and different format"
    }
    let isText = start.allSatisfy { (0x20..<0x7F).contains($0) || (0x09...0x0D).contains($0) || $0 >= 0x80 }
    if isText {
      let line = start.prefix { $0 != 0x0A && $0 != 0x0D }
      return "it begins with the text \"\(String(decoding: line.prefix(40), as: UTF8.self))\""
    }
    let bytes = start.prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }
    return "it begins with the bytes \(bytes.joined(separator: " "))"
  }
}
