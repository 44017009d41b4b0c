extension HDF5Group {
  /// Takes out datasets whose data has bytes in common with another's: no program writes such, and one of them shows the
  /// other's numbers. A dataset with several names has the same bytes under each.
  mutating func refuseOverlaps() {
    let placed = allDatasets().compactMap { dataset in dataset.bytesInFile.map { (range: $0, path: dataset.path) } }
      .sorted { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
    var others: [Range<Int>: String] = [:]
    guard var farthest = placed.first else { return }
    for next in placed.dropFirst() {
      if next.range.lowerBound < farthest.range.upperBound, next.range != farthest.range {
        others[next.range] = farthest.path
        others[farthest.range] = others[farthest.range] ?? next.path
      }
      if next.range.upperBound > farthest.range.upperBound { farthest = next }
    }
    if !others.isEmpty { refuse(others) }
  }

  private mutating func refuse(_ others: [Range<Int>: String]) {
    datasets.removeAll { dataset in
      guard let other = dataset.bytesInFile.flatMap({ others[$0] }) else { return false }
      unreadable.append(dataset.call.error(.corrupt, "its data overlaps that of \(other)"))
      return true
    }
    for index in groups.indices { groups[index].refuse(others) }
  }
}

extension HDF5Dataset {
  /// Where contiguous data lies; nil for other storage, and for none.
  fileprivate var bytesInFile: Range<Int>? {
    guard case .contiguous(let offset?) = storage, byteCount > 0 else { return nil }
    return offset..<offset + byteCount
  }
}
