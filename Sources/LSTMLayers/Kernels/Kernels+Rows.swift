import CLSTMKernels

/// Loops over rows, for losses.
extension Kernels {
  /// Shares `count` rows among the threads, if there are enough of them: `work` is about how many values are visited in
  /// each. Every row must stand for itself, so that the split does not show.
  public func forEachShare(of count: Int, work: Int, _ body: (Range<Int>) -> Void) {
    let parts = self.parts(count * work, each: 1 << 13)
    parallel(parts) { body(share(count, multiple: 1, part: $0, of: parts)) }
  }

  /// e^(x - max x) for one row, and the sum of that.
  /// - Parameters:
  ///   - x: `count` values, at least one.
  ///   - exponentials: gets as many; may be `x`.
  /// - Returns: the largest x, NaN left out, and the sum, which is NaN when a value is.
  public func exponentials(
    _ x: UnsafePointer<Float>, count: Int, into exponentials: UnsafeMutablePointer<Float>
  ) -> (largest: Float, sum: Float) {
    let computing = Computing()
    defer { computing.end() }
    // Sixteen lanes, always, so that the sum's order is the same on every machine.
    typealias Lanes = SIMD16<Float>
    let whole = count / 16 * 16
    var lanes = Lanes(repeating: -.infinity)
    for j in stride(from: 0, to: whole, by: 16) {
      let values = UnsafeRawPointer(x + j).loadUnaligned(as: Lanes.self)
      lanes.replace(with: values, where: values .> lanes)
    }
    var largest = lanes.max()
    for j in whole..<count where x[j] > largest { largest = x[j] }
    for j in 0..<count { exponentials[j] = x[j] - largest }
    apply(.exp, exponentials, count: count)
    var sums = Lanes(repeating: 0)
    for j in stride(from: 0, to: whole, by: 16) {
      sums += UnsafeRawPointer(exponentials + j).loadUnaligned(as: Lanes.self)
    }
    var sum = sums.sum()
    for j in whole..<count { sum += exponentials[j] }
    return (largest, sum)
  }
}
