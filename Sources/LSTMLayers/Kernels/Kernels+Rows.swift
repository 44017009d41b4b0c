/// Loops over rows: softmax, losses, normalization.
extension Kernels {
  /// Splits `count` rows over the threads if there is enough work; `work` is roughly the number of values per row. Rows
  /// must be independent, so results do not depend on the split.
  package func forEachShare(of count: Int, work: Int, _ body: (Range<Int>) -> Void) {
    let parts = self.parts(count * work, each: 1 << 13)
    parallel(parts) { body(share(count, multiple: 1, part: $0, of: parts)) }
  }

  /// softmax(x)[j] = e^x[j] / sum over k of e^x[k], in place, for each row of x (rows, size).
  package func softmax(_ x: UnsafeMutablePointer<Float>, rows: Int, size: Int) {
    for row in 0..<rows {
      let y = x + row * size
      let sum = exponentials(y, count: size, into: y).sum
      for j in 0..<size { y[j] /= sum }
    }
  }

  /// Turns the logits of one row into probabilities in place: softmax, or for a single logit the sigmoid.
  package func makeProbabilities(_ logits: inout ArraySlice<Float>) {
    logits.withUnsafeMutableBufferPointer { row in
      guard let x = row.baseAddress else { return }
      if row.count == 1 { apply(.sigmoid, x, count: 1) } else { softmax(x, rows: 1, size: row.count) }
    }
  }

  /// Turns dL/dy into dL/dx in place, row by row, where y = softmax(x):  dx = y (dy - sum of y dy).
  package func softmaxBackward(
    _ d: UnsafeMutablePointer<Float>, of y: UnsafePointer<Float>, rows: Int, size: Int
  ) {
    for row in 0..<rows {
      let (d, y) = (d + row * size, y + row * size)
      var mean: Float = 0
      for j in 0..<size { mean += d[j] * y[j] }
      for j in 0..<size { d[j] = y[j] * (d[j] - mean) }
    }
  }

  /// Numerator and denominator of a row's softmax: e^(x - max x), and their sum. log(sum) + max x is the row's
  /// log-sum-exp, which a cross-entropy needs.
  /// - Parameters:
  ///   - x: `count` values.
  ///   - exponentials: receives `count` values; may be `x`.
  /// - Returns: the largest x other than NaN, and the sum, which is NaN if a value is.
  package func exponentials(
    _ x: UnsafePointer<Float>, count: Int, into exponentials: UnsafeMutablePointer<Float>
  ) -> (largest: Float, sum: Float) {
    let computing = Computing()
    defer { computing.end() }
    // Always sixteen lanes, so that the order of summation is the same on every machine.
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

/// Divides x (size) by its L2 norm, clamped to at least 1e-12.
/// - Returns: the norm that it was divided by.
@discardableResult
func normalizeRow(_ x: UnsafeMutablePointer<Float>, size: Int) -> Float {
  var sum: Float = 0
  for j in 0..<size { sum += x[j] * x[j] }
  let norm = max(sum.squareRoot(), 1e-12)
  for j in 0..<size { x[j] /= norm }
  return norm
}
