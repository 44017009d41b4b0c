import LSTMCheckpoints

extension Scaler {
  /// Fits some rows of a table (rows, columns). Sums are in double, in two passes.
  public init(fitting values: [Float], columns: Int, rows: some Sequence<Int>) {
    var count = 0.0
    var sum = [Double](repeating: 0, count: columns)
    for row in rows {
      for column in 0..<columns { sum[column] += Double(values[row * columns + column]) }
      count += 1
    }
    let mean = sum.map { count > 0 ? $0 / count : 0 }
    var square = [Double](repeating: 0, count: columns)
    for row in rows {
      for column in 0..<columns {
        let distance = Double(values[row * columns + column]) - mean[column]
        square[column] += distance * distance
      }
    }
    let deviations = zip(square, mean).map { square, mean in
      let deviation = count > 0 ? (square / count).squareRoot() : 0
      // The mean of a constant column may be off by rounding in double, far below what a float can tell apart. What
      // is too small for a float to divide by is constant, too.
      return deviation > abs(mean) * 1e-12 && Float(deviation).isNormal ? Float(deviation) : 1
    }
    self.init(mean: mean.map(Float.init), deviation: deviations)
  }

  /// Standardizes rows in place. `values` may hold several rows of the columns.
  public func apply(_ values: inout [Float]) {
    forEachPlace(in: values.count) { at, column in values[at] = (values[at] - mean[column]) / deviation[column] }
  }

  /// Undoes it.
  public func undo(_ values: inout [Float]) {
    forEachPlace(in: values.count) { at, column in values[at] = values[at] * deviation[column] + mean[column] }
  }

  @inline(__always)
  private func forEachPlace(in count: Int, _ body: (_ at: Int, _ column: Int) -> Void) {
    var column = 0
    for at in 0..<count {
      body(at, column)
      column = column + 1 == columns ? 0 : column + 1
    }
  }
}
