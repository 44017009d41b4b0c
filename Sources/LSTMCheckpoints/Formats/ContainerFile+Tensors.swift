import FileIO

extension ContainerFile {
  /// The bytes of all tensors.
  /// - Throws: `CheckpointError.corrupt` for a shape that no file holds, before anything is made of it.
  static func byteCount(of tensors: [NamedTensor]) throws(CheckpointError) -> Int {
    var total = 0
    for item in tensors {
      let (sum, overflow) = total.addingReportingOverflow(item.tensor.byteCount)
      guard !overflow, sum < 1 << 60 else {
        throw .corrupt(tensor: item.name, detail: "its shape \(shapeText(item.tensor.shape)) holds more than any file")
      }
      total = sum
    }
    return total
  }

  func write(_ tensor: StoredTensor) throws { try tensor.forEachPiece { try write($0) } }
}
