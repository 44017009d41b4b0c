extension ModelConfiguration {
  /// Of each value, the columns that come from layers that run from the end: their final state stands at the first step.
  /// Layers that give each column of a step what they read there keep them; what mixes columns or steps has none.
  package var reversedColumns: [[Range<Int>]] {
    var columns = [[Range<Int>]](repeating: [], count: values.count)
    for (index, layer) in layers.enumerated() {
      let value = inputs.count + index
      guard values[value].isPerStep else { continue }
      let read = sources[index]
      switch layer.kind {
      case let kind as Layer.Recurrent where kind.isReversed: columns[value] = [0..<values[value].width]
      case let kind as Layer.Recurrent where kind.isBidirectional && kind.merge == .concatenate:
        columns[value] = [kind.stateSize..<2 * kind.stateSize]
      case let merge as Layer.Merge where merge.operation == .concatenate:
        var start = 0
        for source in read {
          columns[value] += columns[source].map { $0.lowerBound + start..<$0.upperBound + start }
          start += values[source].width
        }
      case let slice as Layer.Slice:
        columns[value] = columns[read[0]].compactMap { range in
          let common = range.clamped(to: slice.first..<slice.first + slice.count)
          return common.isEmpty ? nil : common.lowerBound - slice.first..<common.upperBound - slice.first
        }
      case is Layer.Dropout, is Layer.ActivationLayer, is Layer.BatchNorm, is Layer.LayerNorm, is Layer.GroupNorm,
        is Layer.Rescale,
        is Layer.L2, is Layer.PReLU,
        is Layer.Unmask, is Layer.Remask, is Layer.Readout:
        columns[value] = columns[read[0]]
      default: break
      }
    }
    return columns
  }

  /// The parts of a row that a layer's first source gives, in order: of the last step, or, of what runs from the end, of the
  /// first.
  func finalParts(ofLayer index: Int) -> [(columns: Range<Int>, isFirstStep: Bool)] {
    let source = sources[index][0]
    var parts: [(columns: Range<Int>, isFirstStep: Bool)] = []
    var start = 0
    for range in reversedColumns[source] {
      if start < range.lowerBound { parts.append((start..<range.lowerBound, false)) }
      if let last = parts.last, last.isFirstStep, last.columns.upperBound == range.lowerBound {
        parts[parts.count - 1].columns = last.columns.lowerBound..<range.upperBound
      } else {
        parts.append((range, true))
      }
      start = range.upperBound
    }
    if start < values[source].width { parts.append((start..<values[source].width, false)) }
    return parts
  }
}
