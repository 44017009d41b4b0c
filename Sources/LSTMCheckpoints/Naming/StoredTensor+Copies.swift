extension StoredTensor {
  /// Whether another tensor holds the very same bytes. Nothing is read unless type and shape are the same.
  func holdsSameBytes(as other: StoredTensor) -> Bool {
    guard dataType == other.dataType, shape == other.shape, byteCount <= 1 << 30, let own = try? bytes() else {
      return false
    }
    return (try? other.bytes()) == own
  }
}
