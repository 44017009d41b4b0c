extension Array {
  /// All `count` elements set by `fill`. It is not run for none: the standard library would write their number into the
  /// storage that all empty arrays share, from whichever thread.
  init(filling count: Int, _ fill: (UnsafeMutableBufferPointer<Element>) throws -> Void) rethrows {
    guard count > 0 else {
      self = []
      return
    }
    try self.init(unsafeUninitializedCapacity: count) { buffer, made in
      try fill(UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
      made = count
    }
  }
}

/// Bytes that are written once, by `body`.
func filledBytes(_ count: Int, _ body: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows -> [UInt8] {
  try [UInt8](filling: count) { try body(UnsafeMutableRawBufferPointer($0)) }
}

/// Turns the bytes of each element round.
func swapBytes(_ bytes: UnsafeMutableRawBufferPointer, width: Int) {
  func swap<T: FixedWidthInteger>(_: T.Type) {
    for offset in stride(from: 0, to: bytes.count - MemoryLayout<T>.size + 1, by: MemoryLayout<T>.size) {
      let value = bytes.loadUnaligned(fromByteOffset: offset, as: T.self)
      bytes.storeBytes(of: value.byteSwapped, toByteOffset: offset, as: T.self)
    }
  }
  switch width {
  case 2: swap(UInt16.self)
  case 4: swap(UInt32.self)
  case 8: swap(UInt64.self)
  default: break
  }
}

/// Copies elements by their strides, which count elements, into C order. There is at least one, and one dimension.
func gatherElements(
  _ from: UnsafeRawBufferPointer, into to: UnsafeMutableRawBufferPointer, _ shape: [Int], strides: [Int], width: Int
) {
  func gather<Element: BitwiseCopyable>(_: Element.Type) {
    guard let columns = shape.last, let step = strides.last else { return }
    var index = [Int](repeating: 0, count: shape.count - 1)
    var (source, target) = (0, 0)
    while true {
      for column in 0..<columns {
        let value = from.loadUnaligned(fromByteOffset: (source + column * step) * width, as: Element.self)
        to.storeBytes(of: value, toByteOffset: target, as: Element.self)
        target += width
      }
      var axis = index.count - 1
      while axis >= 0 {
        index[axis] += 1
        source += strides[axis]
        if index[axis] < shape[axis] { break }
        source -= strides[axis] * shape[axis]
        index[axis] = 0
        axis -= 1
      }
      if axis < 0 { return }
    }
  }
  switch width {
  case 1: gather(UInt8.self)
  case 2: gather(UInt16.self)
  case 4: gather(UInt32.self)
  default: gather(UInt64.self)
  }
}

/// The index along each axis of an element, by its place in C order.
package func unravelled(_ place: Int, _ shape: [Int]) -> [Int] {
  var rest = place
  return shape.reversed().map { size in
    defer { rest /= max(size, 1) }
    return rest % max(size, 1)
  }.reversed()
}
