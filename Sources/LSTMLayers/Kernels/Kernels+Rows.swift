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
    table.pointee.softmax(rows, size, x)
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
    table.pointee.softmax_backward(rows, size, y, d)
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
    var largest: Float = 0
    let sum = table.pointee.exponentials(count, x, exponentials, &largest)
    return (largest, sum)
  }
}
