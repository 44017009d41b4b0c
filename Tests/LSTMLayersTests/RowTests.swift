import Foundation
import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// Loops over rows against the formulas in double precision.
@Suite struct RowTests {
  static let sizes = [1, 7, 16, 33, 129]

  @Test(arguments: KernelTests.paths, sizes)
  func softmaxMatchesTheFormula(_ path: String, size: Int) throws {
    let kernels = try KernelTests.kernels(path)
    var random = RandomNumbers(seed: UInt64(size))
    let rows = 3
    // Rows of ordinary, large and very negative values.
    let x = (0..<rows * size).map { [0, 3e4, -3e4][$0 / size] + 5 * random.normal() }
    let dy = (0..<rows * size).map { _ in random.normal() }
    var (y, dx) = (x, dy)
    kernels.softmax(&y, rows: rows, size: size)
    kernels.softmaxBackward(&dx, of: y, rows: rows, size: size)
    for row in 0..<rows {
      let range = row * size..<(row + 1) * size
      let wanted = Self.softmax(x[range].map(Double.init))
      let mean = zip(wanted, dy[range]).reduce(0) { $0 + $1.0 * Double($1.1) }
      for (j, at) in range.enumerated() {
        #expect(abs(Double(y[at]) - wanted[j]) <= 4e-6 * wanted[j] + 1e-30)
        #expect(abs(Double(dx[at]) - wanted[j] * (Double(dy[at]) - mean)) <= 2e-6)
      }
      var exponentials = [Float](repeating: .nan, count: size)
      let (largest, sum) = kernels.exponentials(Array(x[range]), count: size, into: &exponentials)
      let logSum = log(x[range].reduce(0) { $0 + exp(Double($1) - Double(largest)) })
      #expect(largest == x[range].max() && abs(log(Double(sum)) - logSum) <= 2e-6)
    }
  }

  static func softmax(_ x: [Double]) -> [Double] {
    let largest = x.max() ?? 0
    let e = x.map { exp($0 - largest) }
    return e.map { $0 / e.reduce(0, +) }
  }

  @Test(arguments: KernelTests.paths)
  func softmaxOfInfinitiesAndNaN(_ path: String) throws {
    let kernels = try KernelTests.kernels(path)
    for place in [0, 3, 16, 18] {
      var x = [Float](repeating: -.infinity, count: 19)
      x[place] = 2
      kernels.softmax(&x, rows: 1, size: 19)
      #expect(x == (0..<19).map { $0 == place ? 1 : 0 })
      for bad in [Float.nan, .infinity] {
        var x = [Float](repeating: 0, count: 19)
        x[place] = bad
        kernels.softmax(&x, rows: 1, size: 19)
        #expect(x.allSatisfy { $0.isNaN })
      }
    }
  }

  @Test(arguments: sizes) func normalizedRowsHaveTheLengthOne(_ size: Int) {
    var random = RandomNumbers(seed: UInt64(size))
    let x = (0..<size).map { _ in random.normal() }
    var y = x
    let norm = normalizeRow(&y, size: size)
    let wanted = x.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    #expect(abs(Double(norm) - wanted) <= 1e-6 * wanted)
    #expect(zip(x, y).allSatisfy { abs(Double($1) - Double($0) / wanted) <= 1e-6 })
    var zeros = [Float](repeating: 0, count: size)
    #expect(normalizeRow(&zeros, size: size) == 1e-12 && zeros.allSatisfy { $0 == 0 })
  }
}
