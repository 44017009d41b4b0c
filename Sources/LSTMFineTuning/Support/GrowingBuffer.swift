/// A block of plain values that grows and is kept from batch to batch. Its contents are undefined after it grows.
final class GrowingBuffer<Element: BitwiseCopyable> {
  private(set) var pointer: UnsafeMutablePointer<Element>
  private var capacity = 16

  init() { pointer = .allocate(capacity: capacity) }

  deinit { pointer.deallocate() }

  /// Makes room for `count` values.
  @discardableResult
  func reserve(_ count: Int) -> UnsafeMutablePointer<Element> {
    if count > capacity {
      pointer.deallocate()
      capacity = count
      pointer = .allocate(capacity: count)
    }
    return pointer
  }
}
