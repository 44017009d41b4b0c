import CLSTMKernels

/// The sums of windows of a single channel over time, written as they are wanted, (R', O): as sequences lie side by side,
/// (T, N), a tap of all windows is the values from its step on. So windows are the rows of one product, without a copy of
/// them.
extension ConvolutionProduct {
  /// Whether it can be done, for sequences of one length.
  func isByColumns(_ given: PackedShape, to shape: PackedShape) -> Bool {
    geometry.channels == 1 && geometry.kind.kernel.count == 1 && geometry.stride.time == 1 && !geometry.kind.reflects
      && !geometry.isPointwise && given.isEven && shape.isEven
  }

  /// Computes all sums.
  /// - Parameters:
  ///   - x: (T, N)
  ///   - sums: receives (R', O).
  func runByColumns(
    _ x: UnsafePointer<Float>, _ given: PackedShape, to shape: PackedShape, bias: UnsafePointer<Float>?,
    into sums: UnsafeMutablePointer<Float>
  ) {
    let (count, size) = (given.count, geometry.size)
    // The steps around the sequences, as zeros.
    let before = geometry.before(given.steps) * count
    let (reached, known) = ((shape.steps + geometry.reach) * count, given.rows)
    scratch.reserve(reached)
    let steps = scratch.pointer
    let kept = max(min(known, reached - before), 0)
    steps.update(repeating: 0, count: min(before, reached))
    (steps + before).update(from: x, count: kept)
    if before + kept < reached { (steps + before + kept).update(repeating: 0, count: reached - before - kept) }
    kernels.multiplyOnAllThreads(
      m: shape.rows, n: size, k: geometry.tapCount, steps, rowStride: 1,
      columnStride: geometry.dilation.time * count, packed, sums, outputStride: size,
      start: bias.map { .row($0) } ?? .zero)
  }
}
