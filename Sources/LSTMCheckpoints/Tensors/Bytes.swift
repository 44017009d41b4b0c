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
