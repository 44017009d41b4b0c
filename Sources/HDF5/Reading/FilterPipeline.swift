import FileIO

/// Undoes the filters of a chunk, last to first. All sizes are known beforehand, so memory is bounded.
struct FilterPipeline: Sendable {
  let filters: [HDF5Filter]
  let width: Int
  let chunkBytes: Int
  let call: Call

  /// The memory in which one thread decodes.
  struct Workspace {
    fileprivate let first = Scratch()
    fileprivate let second = Scratch()
  }

  /// - Parameters:
  ///   - mask: bit i is set if filter i was skipped for this chunk.
  ///   - target: the chunk's place in the result if it is contiguous there; the last step writes to it directly.
  /// - Returns: the decoded chunk, in `target`, in `stored`, or in the workspace and then valid until the next call.
  func decode(
    _ stored: UnsafeRawBufferPointer, mask: UInt32, at origin: [Int], _ workspace: Workspace,
    target: UnsafeMutableRawBufferPointer? = nil
  ) throws(HDF5Error) -> UnsafeRawBufferPointer {
    let applied = filters.enumerated().filter { mask & (1 << UInt32($0.offset)) == 0 }.map(\.element)
    // A checksum as the first filter only removes its four bytes at the end; it writes nothing.
    let last = applied.indices.first { applied[$0] != .fletcher32 }
    var bytes = stored
    for index in applied.indices.reversed() {
      func room(_ count: Int) -> UnsafeMutableRawBufferPointer {
        if index == last, let target, target.count == count { return target }
        // Shuffle cannot work in place: two buffers take turns.
        return
          (bytes.baseAddress == UnsafeRawPointer(workspace.first.room(0).baseAddress)
          ? workspace.second : workspace.first)
          .room(count)
      }
      switch applied[index] {
      case .fletcher32: bytes = try verified(bytes, at: origin)
      case .shuffle:
        guard width > 1, bytes.count / width > 1 else { continue }
        let output = room(bytes.count)
        Shuffle.undo(bytes, width: width, into: output)
        bytes = UnsafeRawBufferPointer(output)
      case .other: throw call.error(.refused, HDF5Filter.refusal(of: filters) ?? "its filters are not read")
      case .deflate, .lzf:
        // Of the filters before a compression, only fletcher32 changes the size.
        let size = chunkBytes + (applied[..<index].contains(.fletcher32) ? 4 : 0)
        let isLZF = applied[index] == .lzf
        guard bytes.count >= size / (isLZF ? LZF.greatestRatio : Inflate.greatestRatio) else {
          throw call.error(
            .corrupt, "the chunk at \(origin) has \(bytes.count) bytes, too few to inflate to \(size)")
        }
        let output = room(size)
        if isLZF {
          guard LZF.expand(bytes, into: output) else {
            throw call.error(.corrupt, "the chunk at \(origin): the data that LZF compressed is damaged")
          }
          bytes = UnsafeRawBufferPointer(output)
          continue
        }
        do throws(InflateError) {
          _ = try Inflate.inflateExactly(bytes, into: output, raw: false)
        } catch {
          throw call.error(.corrupt, "the chunk at \(origin): \(error)")
        }
        bytes = UnsafeRawBufferPointer(output)
      }
    }
    guard bytes.count == chunkBytes else {
      throw call.error(.corrupt, "the chunk at \(origin) has \(bytes.count) bytes; expected \(chunkBytes)")
    }
    return bytes
  }

  private func verified(
    _ bytes: UnsafeRawBufferPointer, at origin: [Int]
  ) throws(HDF5Error) -> UnsafeRawBufferPointer {
    guard bytes.count >= 4 else {
      throw call.error(.corrupt, "the chunk at \(origin) has \(bytes.count) bytes, too few for its checksum")
    }
    let stored = bytes.suffix(4).reversed().reduce(0 as UInt32) { $0 << 8 | UInt32($1) }
    let data = UnsafeRawBufferPointer(rebasing: bytes.dropLast(4))
    let computed = Self.fletcher32(data)
    // Early releases on big-endian machines stored each half with its bytes swapped.
    let exchanged = (computed & 0x00FF_00FF) << 8 | (computed & 0xFF00_FF00) >> 8
    guard isChecksum(stored, of: computed) || stored == exchanged else {
      throw call.error(.corrupt, "the chunk at \(origin) fails its fletcher32 checksum")
    }
    return data
  }

  /// HDF5's variant of Fletcher-32: big-endian 16-bit words, sums folded every 360 words, an odd last byte as a high
  /// byte.
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
}

/// The shuffle filter stores the first byte of every element, then the second byte of every element, and so on; bytes
/// after the last whole element stay at the end.
enum Shuffle {
  /// - Parameter output: as many bytes as the input, not overlapping it.
  static func undo(_ bytes: UnsafeRawBufferPointer, width: Int, into output: UnsafeMutableRawBufferPointer) {
    guard let planes = bytes.baseAddress, let target = output.baseAddress, bytes.count == output.count else { return }
    let count = bytes.count / width
    let from = planes.assumingMemoryBound(to: UInt8.self)
    // Elements are assembled in registers; the compiler vectorizes these loops.
    switch width {
    case 2:
      let (a, b) = (from, from + count)
      for i in 0..<count {
        let word = UInt16(a[i]) | UInt16(b[i]) &<< 8
        target.storeBytes(of: word.littleEndian, toByteOffset: 2 &* i, as: UInt16.self)
      }
    case 4:
      let (a, b, c, d) = (from, from + count, from + 2 * count, from + 3 * count)
      for i in 0..<count {
        let word = UInt32(a[i]) | UInt32(b[i]) &<< 8 | UInt32(c[i]) &<< 16 | UInt32(d[i]) &<< 24
        target.storeBytes(of: word.littleEndian, toByteOffset: 4 &* i, as: UInt32.self)
      }
    case 8:
      for i in 0..<count {
        var word: UInt64 = 0
        for byte in 0..<8 { word |= UInt64(from[byte &* count &+ i]) &<< UInt64(8 &* byte) }
        target.storeBytes(of: word.littleEndian, toByteOffset: 8 &* i, as: UInt64.self)
      }
    default:
      for byte in 0..<width {
        for i in 0..<count {
          target.storeBytes(of: from[byte &* count &+ i], toByteOffset: i &* width &+ byte, as: UInt8.self)
        }
      }
    }
    let whole = count * width
    (target + whole).copyMemory(from: planes + whole, byteCount: bytes.count - whole)
  }
}
