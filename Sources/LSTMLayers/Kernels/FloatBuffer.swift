#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A growing, 64-byte aligned block of floats. Its contents are undefined after it grows.
final class FloatBuffer {
  private(set) var pointer: UnsafeMutablePointer<Float>
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

  private static func allocate(_ count: Int) -> UnsafeMutablePointer<Float> {
    var raw: UnsafeMutableRawPointer?
    guard posix_memalign(&raw, 64, (count * 4 + 63) & ~63) == 0, let raw else {
      fatalError("out of memory: \(count) floats")
    }
    return raw.bindMemory(to: Float.self, capacity: count)
  }
}
