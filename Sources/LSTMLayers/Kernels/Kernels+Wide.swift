import CLSTMKernels

/// Loops in double precision, for the probabilities of whole sequences.
extension Kernels {
  /// to = log(e^a + e^b + e^(c + offset)), which is -infinity where all are.
  /// - Parameter to: receives `count` values; none of the others.
  package func logSums(
    _ a: UnsafePointer<Double>, _ b: UnsafePointer<Double>, _ c: UnsafePointer<Double>,
    offsets: UnsafePointer<Double>, into to: UnsafeMutablePointer<Double>, count: Int
  ) {
    table.pointee.log_sums(count, a, b, c, offsets, to)
  }

  /// to = e^(x + y - shift), for exponents up to 709.
  /// - Parameter to: receives `count` values; may be x or y.
  package func exponentials(
    _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>, shift: Double, into to: UnsafeMutablePointer<Double>,
    count: Int
  ) {
    table.pointee.wide_exponentials(count, x, y, shift, to)
  }

  /// The logarithm of the sum of e^x, in double precision; NaN if an x is.
  package func logSum(_ x: UnsafePointer<Float>, count: Int) -> Double { table.pointee.log_sum(count, x) }

  /// d = (e^(x - total) - share) factor: the slope of a loss, where `total` is `logSum` of x.
  package func logSumSlopes(
    _ x: UnsafePointer<Float>, total: Double, shares: UnsafePointer<Double>, factor: Double,
    into d: UnsafeMutablePointer<Float>, count: Int
  ) {
    table.pointee.log_sum_slopes(count, x, total, shares, factor, d)
  }
}
