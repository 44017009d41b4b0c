import Foundation

typealias FloatBuffer = AlignedBuffer<Float>

/// A 64-byte aligned block of numbers that can grow, after which its contents are undefined.
final class AlignedBuffer<Number: BitwiseCopyable & ExpressibleByIntegerLiteral> {
  private(set) var pointer: UnsafeMutablePointer<Number>
  private(set) var capacity: Int

  init(_ count: Int = 0) {
    capacity = max(count, 16)
    pointer = Self.allocate(capacity)
  }

  deinit { free(pointer) }

  /// Makes room for `count` numbers; keeps the block if it is large enough.
  func reserve(_ count: Int) {
    guard count > capacity else { return }
    free(pointer)
    capacity = count
    pointer = Self.allocate(count)
  }

  func zero(_ count: Int) {
    reserve(count)
    pointer.update(repeating: 0, count: count)
  }

  private static func allocate(_ count: Int) -> UnsafeMutablePointer<Number> {
    let bytes = (count * MemoryLayout<Number>.stride + 63) & ~63
    let isLarge = bytes >= hugePage
    var raw: UnsafeMutableRawPointer?
    guard posix_memalign(&raw, isLarge ? hugePage : 64, bytes) == 0, let raw else {
      fatalError("out of memory: \(count) numbers")
    }
    #if os(Linux)
      // Streaming large weights through 4 KB pages misses the TLB. The end, less than a large page, keeps small pages.
      if isLarge { madvise(raw, bytes / hugePage * hugePage, MADV_HUGEPAGE) }
    #endif
    return raw.bindMemory(to: Number.self, capacity: count)
  }
}

/// The size of a large page on x86-64 and usually on ARM.
private let hugePage = 2 << 20
