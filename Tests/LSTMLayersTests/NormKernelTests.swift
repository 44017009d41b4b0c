import CLSTMKernels
import Testing

@testable import LSTMLayers

/// The loops of normalizations, softmax and sums over rows against their scalar twins.
@Suite struct NormKernelTests {
  static let sizes = [1, 3, 16, 31, 32, 33, 64, 150]
  private static let rows = 5

  private struct Values {
    let x, d, weight, bias: [Float]

    init(_ size: Int) {
      var random = RandomNumbers(seed: UInt64(size))
      func draw(_ count: Int) -> [Float] { (0..<count).map { _ in random.normal() } }
      (x, d) = (draw(rows * size).map { 3 * $0 + 2 }, draw(rows * size))
      (weight, bias) = (draw(size), draw(size))
    }
  }

  private func tables(_ path: String) throws -> (lstmk_table, twin: lstmk_table) {
    (try KernelTests.kernels(path).table.pointee, try KernelTests.kernels("scalar").table.pointee)
  }

  private func agree(_ found: [Float], _ wanted: [Float], _ limit: Float = 2e-6) -> Bool {
    zip(found, wanted).allSatisfy { abs($0 - $1) <= limit * max(1, abs($1)) }
  }

  @Test(arguments: KernelTests.paths, sizes) func rowsAreNormalized(_ path: String, size: Int) throws {
    let (table, twin) = try tables(path)
    let values = Values(size)
    let rows = Self.rows
    func run(_ table: lstmk_table, isPlain: Bool) -> (y: [Float], z: [Float], inverses: [Float], d: [Float]) {
      var y = [Float](repeating: .nan, count: rows * size)
      var (z, inverses, d) = (y, [Float](repeating: .nan, count: rows), values.d)
      values.weight.withUnsafeBufferPointer { weight in
        values.bias.withUnsafeBufferPointer { bias in
          let (weight, bias) = isPlain ? (nil, nil) : (weight.baseAddress, bias.baseAddress)
          table.normalize_rows(rows, size, 1e-3, values.x, weight, bias, &z, &inverses, &y)
          table.normalize_rows_backward(rows, size, weight, z, inverses, &d)
        }
      }
      return (y, z, inverses, d)
    }
    for isPlain in [false, true] {
      let (found, wanted) = (run(table, isPlain: isPlain), run(twin, isPlain: isPlain))
      #expect(agree(found.y, wanted.y, 1e-5) && agree(found.z, wanted.z, 1e-5))
      #expect(agree(found.inverses, wanted.inverses) && agree(found.d, wanted.d, size == 1 ? 1e-4 : 1e-5))
    }
    // In place and without keeping anything: the same bits.
    let kept = run(table, isPlain: false).y
    var inPlace = values.x
    inPlace.withUnsafeMutableBufferPointer { y in
      table.normalize_rows(rows, size, 1e-3, y.baseAddress, values.weight, values.bias, nil, nil, y.baseAddress)
    }
    #expect(inPlace == kept)
  }

  /// The rounding of the mean, a few times 1e-7 of it, was the error of every value of such rows.
  @Test(arguments: KernelTests.paths, [3, 12, 33, 150]) func aLargeMeanCostsNoDigits(_ path: String, size: Int) throws {
    let table = try KernelTests.kernels(path).table.pointee
    for offset in [Float(0), 1, 3, 5, 50, -1000, 100_000] {
      let x = Values(size).d.map { $0 + offset }
      var (y, z, inverses) = (x, x, [Float](repeating: 0, count: Self.rows))
      table.normalize_rows(Self.rows, size, 1e-5, x, nil, nil, &z, &inverses, &y)
      #expect(y == z)
      for row in 0..<Self.rows {
        let own = x[row * size..<(row + 1) * size].map(Double.init)
        let mean = own.reduce(0, +) / Double(size)
        let variance = own.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(size)
        let wanted = own.map { ($0 - mean) / (variance + 1e-5).squareRoot() }
        let largest = wanted.reduce(0) { max($0, abs($1)) }
        for (found, exact) in zip(y[row * size..<(row + 1) * size], wanted) {
          #expect(abs(Double(found) - exact) <= 1e-6 * largest, "\(offset): \(found), not \(exact)")
        }
        #expect(abs(Double(inverses[row]) * (variance + 1e-5).squareRoot() - 1) <= 1e-6)
        // A row by itself has the same bits.
        var alone = [Float](repeating: 0, count: size)
        table.normalize_rows(1, size, 1e-5, Array(x[row * size..<(row + 1) * size]), nil, nil, nil, nil, &alone)
        #expect(alone == Array(y[row * size..<(row + 1) * size]))
      }
    }
  }

  @Test(arguments: KernelTests.paths, sizes) func softmaxAndUnitRows(_ path: String, size: Int) throws {
    let (table, twin) = try tables(path)
    let values = Values(size)
    func run(_ table: lstmk_table) -> [[Float]] {
      var (y, d, unit, slope) = (values.x, values.d, values.x, values.d)
      var norms = [Float](repeating: 0, count: Self.rows)
      table.softmax(Self.rows, size, &y)
      table.softmax_backward(Self.rows, size, y, &d)
      table.unit_rows(Self.rows, size, values.x, &norms, &unit)
      table.unit_rows_backward(Self.rows, size, unit, norms, &slope)
      return [y, d, norms, unit, slope]
    }
    for (found, wanted) in zip(run(table), run(twin)) { #expect(agree(found, wanted)) }
  }

  @Test(arguments: KernelTests.paths, sizes) func sumsOverRows(_ path: String, size: Int) throws {
    let (table, twin) = try tables(path)
    let values = Values(size)
    let rows = Self.rows
    func run(_ table: lstmk_table) -> (products: [Float], sums: [[Double]], y: [[Float]]) {
      var products = values.bias
      table.add_column_products(rows, size, values.x, values.d, size, &products)
      let center = values.bias.map(Double.init)
      var (sums, squares, first, second) = (center, center, center, center)
      table.add_moments(rows, size, values.x, size, nil, &sums)
      table.add_moments(rows, size, values.x, size, center, &squares)
      table.add_gradient_moments(
        rows, size, values.d, values.x, size, values.bias, values.weight, &first, &second)
      var (scaled, plain, d) = (values.x, values.x, values.d)
      table.scale_columns(rows, size, values.x, values.bias, values.weight, values.bias, &scaled)
      table.scale_columns(rows, size, values.x, nil, values.weight, nil, &plain)
      table.normalize_columns_backward(
        rows, size, values.x, values.bias, values.weight, values.bias, values.weight, values.bias, &d)
      return (products, [sums, squares, first, second], [scaled, plain, d])
    }
    let (found, wanted) = (run(table), run(twin))
    #expect(agree(found.products, wanted.products))
    for (found, wanted) in zip(found.sums, wanted.sums) {
      #expect(zip(found, wanted).allSatisfy { abs($0 - $1) <= 1e-6 * max(1, abs($1)) })
    }
    for (found, wanted) in zip(found.y, wanted.y) { #expect(agree(found, wanted, 4e-6)) }
  }

  /// A row's bits do not depend on the rows beside it, nor a column's on the columns.
  @Test(arguments: KernelTests.paths) func bitsDoNotDependOnTheSplit(_ path: String) throws {
    let table = try KernelTests.kernels(path).table.pointee
    let size = 75
    let values = Values(size)
    var (whole, apart) = (values.x, values.x)
    table.softmax(Self.rows, size, &whole)
    apart.withUnsafeMutableBufferPointer { y in
      for row in 0..<Self.rows { table.softmax(1, size, y.baseAddress.map { $0 + row * size }) }
    }
    #expect(whole == apart)
    (whole, apart) = (values.x, values.x)
    table.normalize_rows(Self.rows, size, 1e-3, values.x, values.weight, values.bias, nil, nil, &whole)
    apart.withUnsafeMutableBufferPointer { y in
      for row in 0..<Self.rows {
        let y = y.baseAddress.map { $0 + row * size }
        table.normalize_rows(1, size, 1e-3, y, values.weight, values.bias, nil, nil, y)
      }
    }
    #expect(whole == apart)
    var (sums, parts) = ([Double](repeating: 0, count: size), [Double](repeating: 0, count: size))
    table.add_moments(Self.rows, size, values.x, size, nil, &sums)
    parts.withUnsafeMutableBufferPointer { parts in
      values.x.withUnsafeBufferPointer { x in
        guard let parts = parts.baseAddress, let x = x.baseAddress else { return }
        for columns in [0..<16, 16..<64, 64..<75] {
          table.add_moments(
            Self.rows, columns.count, x + columns.lowerBound, size, nil, parts + columns.lowerBound)
        }
      }
    }
    #expect(sums == parts)
  }
}
