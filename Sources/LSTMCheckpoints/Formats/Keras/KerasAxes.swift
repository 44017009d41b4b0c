/// Tensors of Keras turned into the project's orientation: bytes are moved, never changed.
extension StoredTensor {
  /// The axes in another order: `order[n]` is the axis that comes n-th.
  func permutingAxes(_ order: [Int]) -> StoredTensor {
    precondition(order.sorted() == Array(shape.indices))
    if order == Array(shape.indices) { return self }
    let (one, width, old) = (self, dataType.byteCount, shape)
    var strides = [Int](repeating: width, count: old.count)
    for axis in old.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * old[axis + 1] }
    let (made, steps) = (order.map { old[$0] }, order.map { strides[$0] })
    return StoredTensor(name: name, shape: made, dataType: dataType, isBigEndian: isBigEndian) {
      let bytes = try one.bytes()
      var result: [UInt8] = []
      result.reserveCapacity(bytes.count)
      var index = [Int](repeating: 0, count: made.count)
      var from = 0
      while result.count < bytes.count {
        result.append(contentsOf: bytes[from..<from + width])
        var axis = made.count - 1
        while axis >= 0 {
          index[axis] += 1
          from += steps[axis]
          if index[axis] < made[axis] { break }
          from -= steps[axis] * made[axis]
          index[axis] = 0
          axis -= 1
        }
      }
      return result
    }
  }

  /// A CuDNN kernel (K, G * H) whose blocks of columns are in truth (H, K), as (G * H, K).
  func fromCuDNNBlocks(_ count: Int) -> StoredTensor {
    let (k, h) = (shape[0], shape[1] / count)
    return .concatenating((0..<count).map { gathering([$0 * h..<($0 + 1) * h], axis: 1).reshaped([h, k]) })
  }
}
