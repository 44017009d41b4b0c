/// Tensors of a pickle as views of the storages of its file.
struct PTReader {
  let storages: [String: PTStorage]
  let isBigEndian: Bool
  let file: String

  /// - Throws: `PTError` when the tensor does not lie in its storage.
  func view(_ tensor: Pickle.Tensor, name: String) throws(PTError) -> PTView {
    guard let storage = tensor.storage.held ?? storages[tensor.storage.key] else {
      throw PTError(.missingStorage(key: tensor.storage.key), file: file, tensor: name)
    }
    return PTView(
      storage: storage, start: try checkedStart(tensor, storage, name: name), shape: tensor.shape,
      strides: tensor.strides, width: tensor.type.byteCount, isBigEndian: tensor.isBigEndian ?? isBigEndian)
  }

  /// Where the tensor's first element is in its storage, in bytes, once the whole tensor is known to lie in it.
  private func checkedStart(_ tensor: Pickle.Tensor, _ storage: PTStorage, name: String) throws(PTError) -> Int {
    func fail(_ kind: PTError.Kind) -> PTError { PTError(kind, file: file, tensor: name) }
    let (shape, strides) = (tensor.shape, tensor.strides)
    // The part of the storage that is this tensor's to see, in its own elements.
    let seen = tensor.storage.view ?? 0..<tensor.storage.count
    let storageWidth = tensor.storage.type?.byteCount ?? 1
    let (base, baseOverflow) = seen.lowerBound.multipliedReportingOverflow(by: storageWidth)
    let (bytes, bytesOverflow) = seen.count.multipliedReportingOverflow(by: storageWidth)
    let width = tensor.type.byteCount
    guard !baseOverflow, !bytesOverflow, shape.count == strides.count, tensor.offset >= 0,
      shape.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 }), let byteCount = elementCount(shape + [width])
    else { throw fail(.shape(shape, strides: strides)) }
    let count = bytes / width
    var last = tensor.offset
    var overflow = false
    if !shape.contains(0) {
      for (size, stride) in zip(shape, strides) {
        let (step, over) = (size - 1).multipliedReportingOverflow(by: stride)
        let (sum, more) = last.addingReportingOverflow(step)
        (last, overflow) = (sum, overflow || over || more)
      }
    }
    guard !overflow, shape.contains(0) ? last <= count : last < count else {
      throw fail(.outside(last: overflow ? .max : last, count: count))
    }
    // Strides of 0 repeat what is stored; honest ones do so for a little.
    guard byteCount <= 64 << 20 || byteCount / 1000 <= storage.byteCount else {
      throw fail(.expanded(byteCount: byteCount, stored: storage.byteCount))
    }
    return base + tensor.offset * width
  }
}
