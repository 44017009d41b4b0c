import CLSTMKernels

/// The sums of windows of a grid, written as they are wanted, (O, F'), without a tile: for each step of output a product of
/// the weights (O, K) and the step's windows, a column each. Its rows are contiguous where windows move by one value.
extension ConvolutionProduct {
  /// Whether that is faster than tiles: rows that are wide enough, and windows small enough for the order of the sums to
  /// matter beside the products.
  var isByHeights: Bool {
    let geometry = geometry
    return geometry.outputHeight >= 16 && geometry.windowSize <= 64 && geometry.stride.height == 1
      && geometry.groups == 1 && !geometry.isInDepth && !geometry.kind.reflects && !geometry.isPointwise
  }

  /// Rows of the product: those of a window, and one for the bias.
  private var depth: Int { geometry.windowSize + 1 }

  /// The weights (O, K + 1), the bias before them.
  private func weigh(_ bias: UnsafePointer<Float>?) {
    let (window, depth) = (geometry.windowSize, depth)
    biased.reserve(geometry.size * depth)
    for o in 0..<geometry.size {
      biased.pointer[o * depth] = bias?[o] ?? 0
      (biased.pointer + o * depth + 1).update(from: orderedWeights + o * window, count: window)
    }
  }

  /// Computes all sums.
  /// - Parameters:
  ///   - x: (R, C x F), of the steps of `given`.
  ///   - shape: of the windows.
  ///   - bias: added first; nil for none.
  ///   - sums: receives (R', O x F').
  ///   - accumulates: whether they are added to what is there; the bias is then nil.
  ///   - use: is called for each row that is complete, on any thread.
  func runByHeights(
    _ x: UnsafePointer<Float>, _ given: PackedShape, to shape: PackedShape, bias: UnsafePointer<Float>?,
    into sums: UnsafeMutablePointer<Float>, accumulates: Bool = false, _ use: (_ row: Int) -> Void = { _ in }
  ) {
    let (geometry, table, depth) = (geometry, kernels.table, depth)
    let (size, columns) = (geometry.size, geometry.outputHeight)
    weigh(bias)
    let count = (kernels.packedCount(depth, columns) + 15) & ~15
    let parts = kernels.parts(shape.rows * columns * geometry.windowSize * size, each: 1 << 17)
    scratch.reserve(parts * count)
    parallel(parts) { part in
      let windows = scratch.pointer + part * count
      let some = share(shape.rows, multiple: 1, part: part, of: parts)
      var t = 0
      for row in some {
        while t + 1 < shape.steps, shape.offsets[t + 1] <= row { t += 1 }
        let b = row - shape.offsets[t]
        let steps = given.lengths[b]
        let first = t * geometry.stride.time - geometry.before(steps)
        gather(first, steps, into: windows) { x + (given.offsets[$0] + b) * geometry.rowSize }
        let to = sums + row * size * columns
        table.pointee.multiply(
          size, columns, depth, biased.pointer, depth, 1, windows, to, columns, accumulates ? UnsafePointer(to) : nil)
        use(row)
      }
    }
  }

  /// Packs the windows of one step of output, (K + 1, F'), whose first row is ones.
  private func gather(
    _ first: Int, _ steps: Int, into packed: UnsafeMutablePointer<Float>, row: (Int) -> UnsafePointer<Float>
  ) {
    let (geometry, table, columns, depth) = (geometry, kernels.table, geometry.outputHeight, depth)
    let panel = table.pointee.panel_width
    for start in stride(from: 0, to: columns, by: panel) {
      let count = min(panel, columns - start)
      var to = packed + start * depth
      to.update(repeating: 1, count: count)
      to += panel
      for tap in 0..<geometry.taps.time {
        let step = first + tap * geometry.dilation.time
        let from = 0..<steps ~= step ? row(step) : nil
        table.pointee.copy_shifted(
          geometry.taps.height, geometry.dilation.height, geometry.channels, from == nil ? 0 : geometry.height,
          start - geometry.below, from, count, panel, to)
        to += geometry.taps.height * geometry.channels * panel
      }
    }
  }
}
