import LSTMLayers
import Testing

/// How much a loss changes with a number that `change` adds to, by central differences.
func centralDifference(step: Double = 1e-5, _ loss: () -> Double, _ change: (Double) -> Void) -> Double {
  change(step)
  let above = loss()
  change(-2 * step)
  let below = loss()
  change(step)
  return (above - below) / (2 * step)
}

/// The sum of a twin's rows, sequence by sequence and step by step, weighted by a tensor (N, T, O) or (N, O).
func weightedSum(_ output: [[[Double]]], _ weighting: Tensor, steps: Int, size: Int) -> Double {
  var sum = 0.0
  for (n, rows) in output.enumerated() {
    for (t, row) in rows.enumerated() {
      for j in 0..<size { sum += row[j] * Double(weighting.values[(n * steps + t) * size + j]) }
    }
  }
  return sum
}

/// Expects an output (N, T, O) or (N, O) to be a twin's within 2e-6.
func expectOutput(_ found: [Float], _ wanted: [[[Double]]], steps: Int, size: Int, _ kernels: String) {
  for (n, rows) in wanted.enumerated() {
    for (t, row) in rows.enumerated() {
      for j in 0..<size {
        let value = Double(found[(n * steps + t) * size + j])
        #expect(abs(value - row[j]) <= 2e-6 * max(1, abs(row[j])), "\(kernels): \(n) \(t) \(j) \(value) \(row[j])")
      }
    }
  }
}
