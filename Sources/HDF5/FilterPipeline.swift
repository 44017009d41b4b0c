/// Undoes the filters of one chunk, last to first. Every size is known beforehand, so that nothing grows.
struct FilterPipeline {
  let filters: [HDF5Filter]
  let width: Int
  let chunkBytes: Int
  let call: Call

  /// - Parameter mask: bit i is set when filter i was skipped for this chunk.
  func decode(_ stored: [UInt8], mask: UInt32, at origin: [Int]) throws(HDF5Error) -> [UInt8] {
    let applied = filters.enumerated().filter { mask & (1 << UInt32($0.offset)) == 0 }.map(\.element)
    var bytes = stored
    for index in applied.indices.reversed() {
      switch applied[index] {
      case .fletcher32: bytes = try verified(bytes, at: origin)
      case .shuffle: bytes = unshuffled(bytes)
      case .deflate:
        // Of the filters before it, only fletcher32 changes the size.
        let size = chunkBytes + (applied[..<index].contains(.fletcher32) ? 4 : 0)
        bytes = try inflated(bytes, to: size, at: origin)
      }
    }
    guard bytes.count == chunkBytes else {
      throw call.error(.corrupt, "the chunk at \(origin) has \(bytes.count) bytes; expected \(chunkBytes)")
    }
    return bytes
  }

  private func inflated(_ bytes: [UInt8], to size: Int, at origin: [Int]) throws(HDF5Error) -> [UInt8] {
    guard bytes.count >= size / Inflate.greatestRatio else {
      throw call.error(.corrupt, "the chunk at \(origin) has \(bytes.count) bytes, too few to inflate to \(size)")
    }
    var failure: InflateError?
    let result = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      let output = UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: size)
      do throws(InflateError) {
        try bytes.lend { input throws(InflateError) in
          _ = try Inflate.inflateExactly(input, into: output, raw: false)
        }
        count = size
      } catch {
        failure = error
      }
    }
    if let failure { throw call.error(.corrupt, "the chunk at \(origin): \(failure)") }
    return result
  }

  private func verified(_ bytes: [UInt8], at origin: [Int]) throws(HDF5Error) -> [UInt8] {
    guard bytes.count >= 4 else {
      throw call.error(.corrupt, "the chunk at \(origin) has \(bytes.count) bytes, too few for its checksum")
    }
    let stored = bytes.suffix(4).reversed().reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
    let data = bytes.dropLast(4)
    let computed = data.withUnsafeBytes { Self.fletcher32($0) }
    // Early releases on big-endian machines stored each half with its bytes exchanged.
    let exchanged = (computed & 0x00FF_00FF) << 8 | (computed & 0xFF00_FF00) >> 8
    guard stored == computed || stored == exchanged else {
      throw call.error(.corrupt, "the chunk at \(origin) fails its fletcher32 checksum")
    }
    return Array(data)
  }

  /// HDF5's variant: big-endian 16-bit words, sums folded once per 360 words, an odd last byte as a high byte.
  static func fletcher32(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    var first: UInt32 = 0
    var second: UInt32 = 0
    func fold() {
      first = (first & 0xFFFF) + (first >> 16)
      second = (second & 0xFFFF) + (second >> 16)
    }
    let even = bytes.count & ~1
    var start = 0
    while start < even {
      let end = min(start + 720, even)
      for index in stride(from: start, to: end, by: 2) {
        first &+= UInt32(bytes[index]) << 8 | UInt32(bytes[index + 1])
        second &+= first
      }
      fold()
      start = end
    }
    if even < bytes.count {
      first &+= UInt32(bytes[even]) << 8
      second &+= first
      fold()
    }
    fold()
    return second << 16 | first
  }

  /// Shuffle stores the first byte of every element, then the second of every element, and so on; what is left
  /// over after whole elements stays at the end.
  private func unshuffled(_ bytes: [UInt8]) -> [UInt8] {
    let count = bytes.count / width
    guard width > 1, count > 1 else { return bytes }
    var result = bytes
    result.withUnsafeMutableBufferPointer { result in
      bytes.withUnsafeBufferPointer { bytes in
        for byte in 0..<width {
          let plane = byte * count
          var to = byte
          for element in 0..<count {
            result[to] = bytes[plane + element]
            to += width
          }
        }
      }
    }
    return result
  }
}
