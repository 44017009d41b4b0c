/// Sums over one row, always in sixteen lanes, so that the order of summation is the same on every machine.
private typealias Lanes = SIMD16<Float>

@inline(__always)
private func lanes(_ x: UnsafePointer<Float>) -> Lanes { UnsafeRawPointer(x).loadUnaligned(as: Lanes.self) }

/// The sum of x (count).
func sum(_ x: UnsafePointer<Float>, count: Int) -> Float {
  let whole = count / 16 * 16
  var sums = Lanes(repeating: 0)
  for j in stride(from: 0, to: whole, by: 16) { sums += lanes(x + j) }
  var sum = sums.sum()
  for j in whole..<count { sum += x[j] }
  return sum
}

/// The sum of x[j] y[j].
func dotProduct(_ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, count: Int) -> Float {
  let whole = count / 16 * 16
  var sums = Lanes(repeating: 0)
  for j in stride(from: 0, to: whole, by: 16) { sums += lanes(x + j) * lanes(y + j) }
  var sum = sums.sum()
  for j in whole..<count { sum += x[j] * y[j] }
  return sum
}

/// y += factor x
func addScaled(_ x: UnsafePointer<Float>, by factor: Float, to y: UnsafeMutablePointer<Float>, count: Int) {
  for j in 0..<count { y[j] += factor * x[j] }
}

extension Kernels {
  /// Adds the sum of factors[row] x[row] over the rows of x (rows, columns) to `sums` (columns), in the order of the rows.
  func addWeightedRows(
    rows: Int, columns: Int, _ x: UnsafePointer<Float>, factors: UnsafePointer<Float>,
    into sums: UnsafeMutablePointer<Float>
  ) {
    let parts = self.parts(rows * columns, each: 1 << 14)
    parallel(parts) { part in
      let some = share(columns, multiple: 16, part: part, of: parts)
      for row in 0..<rows {
        addScaled(x + row * columns + some.lowerBound, by: factors[row], to: sums + some.lowerBound, count: some.count)
      }
    }
  }
}
