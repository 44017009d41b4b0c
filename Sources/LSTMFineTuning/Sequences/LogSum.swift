import Foundation

/// log of the sum of e^x[i], without overflow; -infinity for nothing but -infinities.
@inline(__always)
func logSum(_ count: Int, _ x: (Int) -> Double) -> Double {
  var largest = -Double.infinity
  for i in 0..<count { largest = max(largest, x(i)) }
  var sum = 0.0
  // A NaN, which max may pass over, is seen in either sum.
  guard largest > -.infinity else {
    for i in 0..<count { sum += x(i) }
    return count == 0 ? -.infinity : sum
  }
  for i in 0..<count { sum += exp(x(i) - largest) }
  return largest + log(sum)
}

/// log(e^a + e^b)
@inline(__always)
func logSum(_ a: Double, _ b: Double) -> Double {
  let (high, low) = a < b ? (b, a) : (a, b)
  return low == -.infinity ? high : high + log1p(exp(low - high))
}

/// log of the sum of e^x over a row of logits.
func logSum(_ row: UnsafePointer<Float>, count: Int) -> Double { logSum(count) { Double(row[$0]) } }
