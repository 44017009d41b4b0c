/// Tensors made from others, read only when asked for: bytes are moved, never changed, but where it says so.
extension StoredTensor {
  /// (R, C) -> (C, R)
  func transposed() -> StoredTensor {
    let (rows, columns, width) = (shape[0], shape[1], dataType.byteCount)
    return derived(shape: [columns, rows]) { bytes in
      switch width {
      case 1: swapAxes(bytes, rows, columns, UInt8.self)
      case 2: swapAxes(bytes, rows, columns, UInt16.self)
      case 4: swapAxes(bytes, rows, columns, UInt32.self)
      default: swapAxes(bytes, rows, columns, UInt64.self)
      }
    }
  }

  /// The elements in the same order under another shape.
  func reshaped(_ shape: [Int]) -> StoredTensor {
    precondition(LSTMCheckpoints.elementCount(shape) == elementCount)
    return derived(shape: shape) { $0 }
  }

  /// Runs of an axis one after the other: `[4..<8, 0..<4]` swaps two blocks.
  func gathering(_ ranges: [Range<Int>], axis: Int = 0) -> StoredTensor {
    let inner = shape[(axis + 1)...].reduce(dataType.byteCount, *)
    let (outer, length) = (shape[..<axis].reduce(1, *), shape[axis])
    precondition(ranges.allSatisfy { $0.lowerBound >= 0 && $0.upperBound <= length })
    let count = ranges.reduce(0) { $0 + $1.count }
    var made = shape
    made[axis] = count
    return derived(shape: made) { bytes in
      filledBytes(outer * count * inner) { to in
        var at = 0
        for part in 0..<outer {
          for range in ranges {
            copy(bytes, (part * length + range.lowerBound) * inner, to, at, range.count * inner)
            at += range.count * inner
          }
        }
      }
    }
  }

  /// One index of the first axis, which goes: (D, ...) -> (...).
  func element(_ index: Int) -> StoredTensor {
    gathering([index..<index + 1]).reshaped(Array(shape.dropFirst()))
  }

  /// Blocks of equal size along an axis, in another order: `order[n]` is the block that comes n-th.
  func reordering(_ order: [Int], axis: Int = 0) -> StoredTensor {
    if order == Array(order.indices) { return self }
    let size = shape[axis] / order.count
    return gathering(order.map { $0 * size..<($0 + 1) * size }, axis: axis)
  }

  /// Tensors that agree in all but one axis, one after the other along it.
  static func concatenating(_ tensors: [StoredTensor], axis: Int = 0) -> StoredTensor {
    let first = tensors[0]
    if tensors.count == 1 { return first }
    var made = first.shape
    made[axis] = tensors.reduce(0) { $0 + $1.shape[axis] }
    let outer = first.shape[..<axis].reduce(1, *)
    // Different types meet in the one that holds them all, or in float64.
    let type = tensors.allSatisfy { $0.dataType == first.dataType } ? first.dataType : .float64
    let parts = tensors.map { $0.converted(to: type) }
    let inner = made[(axis + 1)...].reduce(type.byteCount, *)
    let (shape, rows) = (made, parts.map { $0.shape[axis] * inner })
    return StoredTensor(
      name: joined(tensors.map(\.name)), shape: shape, dataType: type, isBigEndian: first.isBigEndian
    ) {
      let all = try parts.map { try $0.bytes() }
      return filledBytes(outer * shape[axis] * inner) { to in
        var at = 0
        for part in 0..<outer {
          for (bytes, count) in zip(all, rows) {
            copy(bytes, part * count, to, at, count)
            at += count
          }
        }
      }
    }
  }

  /// The elementwise sum, rounded once to this tensor's type.
  func adding(_ other: StoredTensor) -> StoredTensor {
    precondition(shape == other.shape)
    let (one, type) = (self, dataType)
    return StoredTensor(
      name: Self.joined([name, other.name]), shape: shape, dataType: type, isBigEndian: isBigEndian
    ) { ElementConversion.bytes(zip(try one.doubles(), try other.doubles()).map { $0 + $1 }, type) }
  }

  /// A value added to some elements of a vector, rounded once to its type.
  func adding(_ value: Float, to range: Range<Int>) -> StoredTensor {
    if value == 0 { return self }
    let (one, type) = (self, dataType)
    return StoredTensor(name: name, shape: shape, dataType: type, isBigEndian: isBigEndian) {
      var values = try one.doubles()
      for index in range { values[index] += Double(value) }
      return ElementConversion.bytes(values, type)
    }
  }

  /// The values as another floating-point type, each rounded to nearest; as it is when it has that type already.
  public func converted(to type: DataType) -> StoredTensor {
    if type == dataType { return self }
    let one = self
    return StoredTensor(name: name, shape: shape, dataType: type, isBigEndian: isBigEndian) {
      ElementConversion.bytes(try one.doubles(), type)
    }
  }

  /// Zeros of the type of another, and of its shape where none is given.
  static func zeros(_ name: String, shape: [Int]? = nil, like other: StoredTensor) -> StoredTensor {
    let shape = shape ?? other.shape
    let count = shape.reduce(other.dataType.byteCount, *)
    return StoredTensor(name: name, shape: shape, dataType: other.dataType, isBigEndian: other.isBigEndian) {
      [UInt8](repeating: 0, count: count)
    }
  }

  private func derived(shape: [Int], _ make: @escaping @Sendable ([UInt8]) -> [UInt8]) -> StoredTensor {
    let one = self
    return StoredTensor(name: name, shape: shape, dataType: dataType, isBigEndian: isBigEndian) {
      make(try one.bytes())
    }
  }

  private static func joined(_ names: [String]) -> String {
    var seen = Set<String>()
    return names.filter { seen.insert($0).inserted }.joined(separator: " + ")
  }
}

private func copy(_ from: [UInt8], _ start: Int, _ to: UnsafeMutableRawBufferPointer, _ at: Int, _ count: Int) {
  from.withUnsafeBytes { bytes in
    UnsafeMutableRawBufferPointer(rebasing: to[at..<at + count])
      .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + count]))
  }
}

private func swapAxes<Element: BitwiseCopyable>(_ bytes: [UInt8], _ rows: Int, _ columns: Int, _: Element.Type)
  -> [UInt8]
{
  let width = MemoryLayout<Element>.size
  return filledBytes(bytes.count) { to in
    bytes.withUnsafeBytes { from in
      // Squares that both sides keep in the cache.
      for firstRow in stride(from: 0, to: rows, by: 32) {
        for firstColumn in stride(from: 0, to: columns, by: 32) {
          for row in firstRow..<min(firstRow + 32, rows) {
            for column in firstColumn..<min(firstColumn + 32, columns) {
              let value = from.loadUnaligned(fromByteOffset: (row * columns + column) * width, as: Element.self)
              to.storeBytes(of: value, toByteOffset: (column * rows + row) * width, as: Element.self)
            }
          }
        }
      }
    }
  }
}
