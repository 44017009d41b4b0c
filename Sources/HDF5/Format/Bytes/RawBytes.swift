import Foundation

/// The product of sizes: nil on overflow, 1 without factors, 0 if any factor is 0, even if the others overflow.
func checkedProduct(_ factors: [Int]) -> Int? {
  if factors.contains(0) { return 0 }
  var product = 1
  for factor in factors {
    let (partial, overflow) = product.multipliedReportingOverflow(by: factor)
    if overflow { return nil }
    product = partial
  }
  return product
}

/// Reusable memory that grows to the largest requested size.
final class Scratch {
  private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)

  /// `count` bytes of the memory, with undefined content.
  func room(_ count: Int) -> UnsafeMutableRawBufferPointer {
    if memory.count < count {
      memory.deallocate()
      memory = .allocate(byteCount: count, alignment: 64)
    }
    return UnsafeMutableRawBufferPointer(rebasing: memory[..<count])
  }

  deinit { memory.deallocate() }
}

extension UnsafeMutableRawBufferPointer {
  /// Fills memory with copies of an element; with zeros if the element is empty.
  func fill(with element: [UInt8]) {
    guard let base = baseAddress else { return }
    guard element.contains(where: { $0 != 0 }) else {
      memset(base, 0, count)
      return
    }
    var done = Swift.min(element.count, count)
    copyBytes(from: element.prefix(done))
    // Twice as many each time, as long as they stay in the processor's cache.
    let most = Swift.max(1, (1 << 16) / element.count) * element.count
    while done < count {
      let more = Swift.min(done, most, count - done)
      memcpy(base + done, base, more)
      done += more
    }
  }
}

/// Reverses the bytes of every element.
enum ByteSwap {
  static func swap(_ buffer: UnsafeMutableRawBufferPointer, width: Int) {
    switch width {
    case 2: swap(buffer, as: UInt16.self)
    case 4: swap(buffer, as: UInt32.self)
    case 8: swap(buffer, as: UInt64.self)
    default: break
    }
  }

  private static func swap<Word: FixedWidthInteger & BitwiseCopyable>(
    _ buffer: UnsafeMutableRawBufferPointer, as type: Word.Type
  ) {
    for offset in stride(from: 0, to: buffer.count, by: MemoryLayout<Word>.size) {
      let word = buffer.loadUnaligned(fromByteOffset: offset, as: type)
      buffer.storeBytes(of: word.byteSwapped, toByteOffset: offset, as: type)
    }
  }
}
