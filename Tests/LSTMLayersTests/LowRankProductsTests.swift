import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// W + s B A and its gradients, against double precision.
@Suite struct LowRankProductsTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let rows: Int
    let columns: Int
    let rank: Int
    var testDescription: String { "(\(rows), \(columns)), rank \(rank)" }

    func values(_ count: Int, _ seed: UInt64) -> [Float] {
      var random = RandomNumbers(seed: seed)
      return (0..<count).map { _ in random.normal() }
    }

    var w: [Float] { values(rows * columns, 1) }
    var a: [Float] { values(rank * columns, 2) }
    var b: [Float] { values(rows * rank, 3) }
    var gradient: [Float] { values(rows * columns, 4) }
  }

  static let cases = [(1, 1, 1), (32, 5, 2), (260, 70, 8), (9, 1, 4), (40, 33, 17), (150, 200, 1)].map {
    Case(rows: $0.0, columns: $0.1, rank: $0.2)
  }

  static let scale: Float = 1.75

  static func sum(_ test: Case, _ b: [Float], _ kernels: Kernels) -> [Float] {
    var sum = [Float](repeating: .nan, count: test.rows * test.columns)
    LowRankProducts(kernels).add(
      test.w, test.a, b, scale: scale, rows: test.rows, columns: test.columns, rank: test.rank, into: &sum)
    return sum
  }

  static func gradients(_ test: Case, _ kernels: Kernels) -> (a: [Float], b: [Float]) {
    var a = [Float](repeating: .nan, count: test.rank * test.columns)
    var b = [Float](repeating: .nan, count: test.rows * test.rank)
    LowRankProducts(kernels).project(
      test.gradient, test.a, test.b, scale: scale, rows: test.rows, columns: test.columns, rank: test.rank, intoA: &a,
      intoB: &b)
    return (a, b)
  }

  @Test(arguments: KernelTests.paths, cases)
  func theyAreTheDoubles(_ path: String, _ test: Case) throws {
    let kernels = try KernelTests.kernels(path)
    let (o, i, r, s) = (test.rows, test.columns, test.rank, Double(Self.scale))
    let (w, a, b, g) = (
      test.w.map(Double.init), test.a.map(Double.init), test.b.map(Double.init), test.gradient.map(Double.init)
    )
    func check(_ found: [Float], _ rows: Int, _ columns: Int, terms: Int, _ wanted: (Int, Int) -> Double) {
      for row in 0..<rows {
        for column in 0..<columns {
          let error = abs(Double(found[row * columns + column]) - wanted(row, column))
          #expect(error <= 2e-6 * Double(terms).squareRoot() * 3, "\(row), \(column)")
        }
      }
    }
    check(Self.sum(test, test.b, kernels), o, i, terms: r + 1) { row, column in
      w[row * i + column] + s * (0..<r).reduce(0) { $0 + b[row * r + $1] * a[$1 * i + column] }
    }
    let found = Self.gradients(test, kernels)
    check(found.a, r, i, terms: o) { row, column in
      s * (0..<o).reduce(0) { $0 + b[$1 * r + row] * g[$1 * i + column] }
    }
    check(found.b, o, r, terms: i) { row, column in
      s * (0..<i).reduce(0) { $0 + g[row * i + $1] * a[column * i + $1] }
    }
  }

  @Test(arguments: KernelTests.paths, cases)
  func theyAreTheSameBitsOnAnyNumberOfThreads(_ path: String, _ test: Case) throws {
    var kernels = try KernelTests.kernels(path)
    kernels.threads = 1
    let (sum, gradients) = (Self.sum(test, test.b, kernels), Self.gradients(test, kernels))
    for threads in [2, 3, 7] {
      kernels.threads = threads
      #expect(Self.sum(test, test.b, kernels) == sum)
      let others = Self.gradients(test, kernels)
      #expect(others.a == gradients.a && others.b == gradients.b)
    }
  }

  /// Whatever they are: a sum with zero would make 0 of -0.
  @Test(arguments: KernelTests.paths)
  func withBAtZeroTheBitsAreThoseOfW(_ path: String) throws {
    let kernels = try KernelTests.kernels(path)
    var w: [Float] = [0, -0.0, .leastNonzeroMagnitude, -.leastNormalMagnitude, .greatestFiniteMagnitude, 0.1]
    w += w.map { -$0 }
    let a: [Float] = (0..<12).map { Float($0) - 6.5 }
    for zero: Float in [0, -0.0] {
      var sum = [Float](repeating: .nan, count: 12)
      LowRankProducts(kernels).add(
        w, a, [zero, zero, zero], scale: 2, rows: 3, columns: 4, rank: 1, into: &sum)
      #expect(sum.map(\.bitPattern) == w.map(\.bitPattern))
    }
  }
}
