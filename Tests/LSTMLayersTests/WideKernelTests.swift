import CLSTMKernels
import Foundation
import Testing

@testable import LSTMLayers

/// The loops in double precision against their scalar twins.
@Suite struct WideKernelTests {
  private func numbers(_ count: Int, _ random: inout RandomNumbers) -> [Double] {
    (0..<count).map { at in
      at % 7 == 3 ? -Double.infinity : -Double(random.uniform(at % 5 == 0 ? 700 : 20)) * 1.0000001
    }
  }

  @Test(arguments: KernelTests.paths, [1, 7, 8, 61]) func logarithmsOfSums(_ path: String, count: Int) throws {
    let (table, twin) = (
      try KernelTests.kernels(path).table.pointee, try KernelTests.kernels("scalar").table.pointee
    )
    var random = RandomNumbers(seed: UInt64(count))
    var (a, b, c) = (numbers(count, &random), numbers(count + 1, &random), numbers(count + 2, &random))
    var offsets = (0..<count).map { $0 % 2 == 0 ? 0 : -Double.infinity }
    // Nothing but -infinity, far apart, and NaN.
    (a[0], b[0], c[0], offsets[0]) = (-.infinity, -.infinity, 0, -.infinity)
    if count > 4 { (a[4], b[4], c[4], offsets[4]) = (-1e4, -3, -1e5, 0) }
    if count > 5 { a[5] = .nan }
    func run(_ table: lstmk_table) -> [Double] {
      // Nothing behind the last value is written.
      var to = [Double](repeating: 7, count: count + 1)
      table.log_sums(count, a, b, c, offsets, &to)
      #expect(to[count] == 7)
      return to
    }
    let (found, wanted) = (run(table), run(twin))
    #expect(wanted[0] == -.infinity)
    for at in 0..<count {
      let (x, y) = (found[at], wanted[at])
      let isRight = x == y || x.isNaN && y.isNaN || abs(x - y) <= 1e-15 * max(1, abs(y))
      #expect(isRight, "\(at): \(x) \(y)")
    }
    if count > 5 { #expect(found[5].isNaN && found[4] == -3) }
  }

  @Test(arguments: KernelTests.paths, [1, 7, 8, 61]) func exponentials(_ path: String, count: Int) throws {
    let table = try KernelTests.kernels(path).table.pointee
    var random = RandomNumbers(seed: UInt64(count))
    var (x, y) = (numbers(count, &random), numbers(count, &random))
    (x[0], y[0]) = (708, 2.25)
    if count > 1 { x[1] = .nan }
    if count > 2 { (x[2], y[2]) = (-1e5, 3) }
    var to = [Double](repeating: 7, count: count + 1)
    table.wide_exponentials(count, x, y, 1.5, &to)
    #expect(to[count] == 7)
    for at in 0..<count {
      let wanted = exp(x[at] + y[at] - 1.5)
      // Below e^-708 it is zero.
      let isRight = wanted.isNaN ? to[at].isNaN : abs(to[at] - wanted) <= 1e-15 * wanted + 4e-308
      #expect(isRight, "\(at): \(to[at]) \(wanted)")
    }
  }

  @Test(arguments: KernelTests.paths, [1, 7, 8, 37, 128]) func slopesOfLogarithms(_ path: String, count: Int) throws {
    let (table, twin) = (
      try KernelTests.kernels(path).table.pointee, try KernelTests.kernels("scalar").table.pointee
    )
    var random = RandomNumbers(seed: UInt64(count))
    var x = (0..<count).map { _ in random.normal() * 5 }
    if count > 7 { x[3] = -.infinity }
    let shares = (0..<count).map { Double($0 % 3) / 7 }
    let total = table.log_sum(count, x)
    #expect(abs(total - twin.log_sum(count, x)) <= 1e-14 * max(1, abs(total)))
    func slopes(_ table: lstmk_table) -> [Float] {
      var d = [Float](repeating: 7, count: count + 1)
      table.log_sum_slopes(count, x, total, shares, 0.25, &d)
      return d
    }
    let (found, wanted) = (slopes(table), slopes(twin))
    #expect(found[count] == 7 && zip(found, wanted).allSatisfy { abs($0 - $1) <= 6e-8 * max(abs($1), 1e-3) })
    x[count / 2] = .nan
    #expect(table.log_sum(count, x).isNaN)
  }
}
