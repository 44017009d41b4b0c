/// Maxima whose windows, of all channels, are the same distance apart: each is computed at once, and rows of a step side by
/// side where sequences have one length.
extension PoolingLayer {
  /// Whether they are, and reach no value around a column.
  var isAligned: Bool {
    below == 0 && outputHeight * stride.height == height
      && (kind.window.count < 2 || kind.window[1] <= stride.height)
  }

  /// Whether no windows overlap, and those of a step reach all of its values.
  var isApart: Bool {
    stride.time >= kind.window[0] && (kind.window.count < 2 || kind.window[1] == stride.height)
  }

  /// Rows that are computed together.
  private var together: Int {
    let shape = shape.packed
    return shape.isEven && sources[0].shape.packed.isEven && shape.steps >= kernels.threads ? shape.count : 1
  }

  /// Visits the rows of output on all threads: the first of those that are computed together, its step, sequence, and the
  /// steps of its window.
  private func forEachGroup(
    of together: Int, _ body: (_ row: Int, _ t: Int, _ b: Int, _ steps: Range<Int>) -> Void
  ) {
    let (shape, given) = (shape.packed, sources[0].shape.packed)
    kernels.forEachShare(of: rowCount / together, work: together * width * kind.window.reduce(1, *)) { some in
      var t = 0
      for group in some {
        let row = group * together
        while t + 1 < shape.steps, shape.offsets[t + 1] <= row { t += 1 }
        let b = row - shape.offsets[t]
        body(row, t, b, window(t, of: given.lengths[b], axis: 0).range)
      }
    }
  }

  /// Calls `body` with something of each step of a window, and each step as it is in `chosen`.
  private func withRows<Row>(
    _ steps: Range<Int>, _ row: (Int) -> Row, _ body: (UnsafePointer<Row?>, UnsafePointer<Int32>) -> Void
  ) {
    withUnsafeTemporaryAllocation(of: Row?.self, capacity: steps.count) { rows in
      withUnsafeTemporaryAllocation(of: Int32.self, capacity: steps.count) { firsts in
        for (place, step) in steps.enumerated() {
          rows.initializeElement(at: place, to: row(step))
          firsts.initializeElement(at: place, to: Int32(step << heightBits))
        }
        if let rows = rows.baseAddress, let firsts = firsts.baseAddress { body(rows, firsts) }
      }
    }
  }

  /// All maxima; `output` and `chosen` are made.
  func takeWhole() {
    let (x, given, rowSize, together) = (rows(), sources[0].shape.packed, sources[0].width, together)
    let taps = kind.window.count == 2 ? kind.window[1] : 1
    setWindowStarts(rows: together)
    forEachGroup(of: together) { row, _, b, steps in
      withRows(steps, { UnsafePointer(x + (given.offsets[$0] + b) * rowSize) }) { rows, firsts in
        kernels.table.pointee.pool_largest(
          together * width, stride.height, taps, steps.count, rows, firsts, windowStarts.pointer, output + row * width,
          keepsActivations ? chosen.pointer + row * width : nil)
      }
    }
  }

  /// The gradient where no windows overlap: each writes all that it reaches, and the steps behind it that none does.
  func spread(_ gradient: UnsafePointer<Float>, _ sink: GradientSink) {
    let (shape, given, rowSize, together) = (shape.packed, sources[0].shape.packed, sources[0].width, together)
    forEachGroup(of: together) { row, t, b, steps in
      // A closure in a constant would be allocated for each group.
      func to(_ step: Int) -> UnsafeMutablePointer<Float> { sink.rows + (given.offsets[step] + b) * rowSize }
      withRows(steps, to) { rows, firsts in
        kernels.table.pointee.spread_largest(
          together * width, stride.height, steps.count, firsts, windowStarts.pointer, chosen.pointer + row * width,
          gradient + row * width, sink.accumulates ? 1 : 0, rows)
      }
      guard !sink.accumulates else { return }
      let isLast = t + 1 == shape.lengths[b]
      let next = isLast ? given.lengths[b] : window(t + 1, of: given.lengths[b], axis: 0).range.lowerBound
      let count = together * rowSize
      for step in steps.upperBound..<max(next, steps.upperBound) { to(step).update(repeating: 0, count: count) }
      if t == 0 { for step in 0..<steps.lowerBound { to(step).update(repeating: 0, count: count) } }
    }
  }
}
