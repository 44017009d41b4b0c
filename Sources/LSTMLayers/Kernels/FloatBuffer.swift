#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

typealias FloatBuffer = AlignedBuffer<Float>

/// A growing, 64-byte aligned block of numbers. Its contents are undefined after it grows.
final class AlignedBuffer<Number: BitwiseCopyable & ExpressibleByIntegerLiteral> {
  private(set) var pointer: UnsafeMutablePointer<Number>
  private(set) var capacity: Int

  init(_ count: Int = 0) {
    capacity = max(count, 16)
    pointer = Self.allocate(capacity)
  }

  deinit { free(pointer) }

  /// Makes room for `count` floats; keeps the block when it is large enough.
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
      // Streaming large weights through 4 KB pages misses the TLB. A remainder below a large page keeps small pages.
      if isLarge { madvise(raw, bytes / hugePage * hugePage, MADV_HUGEPAGE) }
    #endif
    return raw.bindMemory(to: Number.self, capacity: count)
  }
}

/// Bytes of a large page on x86-64 and, usually, on ARM.
private let hugePage = 2 << 20
