import CLSTMKernels
import Testing

@testable import LSTMLayers

/// The loops over windows of rows against their scalar twins, bit by bit: they only move, compare and add values.
@Suite struct WindowKernelTests {
  @Test(arguments: KernelTests.paths, [1, 5, 16, 17, 40]) func windowsOfRows(_ path: String, count: Int) throws {
    for stride in 1...3 { try windowsOfRows(path, count: count, stride: stride) }
  }

  private func windowsOfRows(_ path: String, count: Int, stride: Int) throws {
    let (table, twin) = (
      try KernelTests.kernels(path).table.pointee, try KernelTests.kernels("scalar").table.pointee
    )
    var random = RandomNumbers(seed: UInt64(count))
    // No value behind the last one that is read.
    var x = (0..<(count - 1) * stride + 1).map { _ in random.normal() }
    x[x.count / 2] = .nan
    let y = (0..<count).map { $0 % 3 == 0 ? -Float.infinity : random.normal() }
    let offsets = (0..<count).map { Int32(7 * $0 - 3) }
    func run(_ table: lstmk_table) -> (largest: [UInt32], places: [Int32], unasked: [UInt32], sums: [UInt32]) {
      var (largest, unasked, sums, places) = (y, y, y, [Int32](repeating: -1, count: count))
      table.take_largest(count, stride, x, 100, offsets, &largest, &places)
      table.take_largest(count, stride, x, 100, offsets, &unasked, nil)
      table.add_apart(count, stride, x, &sums)
      func bits(_ values: [Float]) -> [UInt32] { values.map { $0.isNaN ? 0 : $0.bitPattern } }
      return (bits(largest), places, bits(unasked), bits(sums))
    }
    let (found, wanted) = (run(table), run(twin))
    #expect(found == wanted && found.largest == found.unasked)
    #expect(found.places.contains(-1) || count < 16)
  }

  @Test(arguments: KernelTests.paths, [1, 5, 16, 17, 40]) func pooledRows(_ path: String, count: Int) throws {
    let (table, twin) = (
      try KernelTests.kernels(path).table.pointee, try KernelTests.kernels("scalar").table.pointee
    )
    for (stride, taps, rows) in [(1, 1, 2), (2, 2, 2), (2, 1, 3), (3, 3, 1), (3, 2, 2)] {
      var random = RandomNumbers(seed: UInt64(count + stride))
      let width = count * stride
      // Equal values, NaN and nothing but -infinity are among them.
      var x = (0..<rows * width).map { _ in (random.normal() * 2).rounded() }
      x[x.count / 2] = .nan
      for row in 0..<rows { for tap in 0..<taps { x[row * width + tap] = -.infinity } }
      let (firsts, offsets) = ((0..<rows).map { Int32(1000 * $0) }, (0..<count).map { Int32($0 * stride) })
      let d = (0..<count).map { Float($0 % 5) - 2.5 }
      func run(_ table: lstmk_table) -> (
        y: [UInt32], unasked: [UInt32], places: [Int32], written: [Float], added: [Float]
      ) {
        var (y, unasked) = ([Float](repeating: 7, count: count), [Float](repeating: 7, count: count))
        var places = [Int32](repeating: -1, count: count)
        var (written, added): ([Float], [Float]) = ([], [])
        x.withUnsafeBufferPointer { x in
          let from = (0..<rows).map { row in x.baseAddress.map { $0 + row * width } }
          table.pool_largest(count, stride, taps, rows, from, firsts, offsets, &y, &places)
          table.pool_largest(count, stride, taps, rows, from, firsts, offsets, &unasked, nil)
        }
        for adds in [0, 1] {
          var all = [Float](repeating: 7, count: rows * width)
          all.withUnsafeMutableBufferPointer { all in
            let to = (0..<rows).map { row in all.baseAddress.map { $0 + row * width } }
            table.spread_largest(count, stride, rows, firsts, offsets, places, d, Int32(adds), to)
          }
          if adds == 0 { written = all } else { added = all }
        }
        func bits(_ values: [Float]) -> [UInt32] { values.map { $0.isNaN ? 0 : $0.bitPattern } }
        return (bits(y), bits(unasked), places, written, added)
      }
      let (found, wanted) = (run(table), run(twin))
      #expect(found == wanted && found.y == found.unasked)
      #expect(found.places[0] == 0 && found.written[0] == d[0] && found.added[0] == 7 + d[0])
      let (sum, all) = (found.written.reduce(0, +), d.reduce(0, +))
      #expect(sum == all, "\(stride) \(taps)")
    }
  }

  @Test(arguments: KernelTests.paths, [(1, 3), (2, 1), (3, 16), (4, 17), (9, 33)])
  func copiedWindows(_ path: String, shape: (spans: Int, span: Int)) throws {
    let count = 7
    let (table, twin) = (
      try KernelTests.kernels(path).table.pointee, try KernelTests.kernels("scalar").table.pointee
    )
    let (step, offsets) = (5, (0..<shape.spans).map { 3 * $0 })
    let x = (0..<(count - 1) * step + offsets[shape.spans - 1] + shape.span).map { Float($0) }
    func run(_ table: lstmk_table) -> [Float] {
      var to = [Float](repeating: -1, count: count * shape.spans * shape.span)
      table.copy_windows(count, step, x, shape.spans, offsets, shape.span, &to)
      return to
    }
    let found = run(table)
    #expect(found == run(twin) && found[0] == 0 && found[found.count - 1] == x[x.count - 1])
  }

  @Test(arguments: KernelTests.paths, [-40, -17, -1, 0, 1, 5, 30])
  func shiftedRows(_ path: String, first: Int) throws {
    let (table, twin) = (
      try KernelTests.kernels(path).table.pointee, try KernelTests.kernels("scalar").table.pointee
    )
    for (size, count) in [(20, 20), (33, 32), (3, 18), (0, 4)] {
      let x = (0..<3 * size).map { Float($0 + 1) }
      func run(_ table: lstmk_table) -> [Float] {
        var to = [Float](repeating: -1, count: 2 * 3 * 40)
        table.copy_shifted(2, 5, 3, size, first, x, count, 40, &to)
        return to
      }
      let found = run(table)
      #expect(found == run(twin) && found[count] == -1)
    }
  }

  @Test(arguments: KernelTests.paths, [(1, 5), (4, 4), (5, 9), (16, 32), (33, 18), (64, 3)])
  func transposedMatrices(_ path: String, shape: (rows: Int, columns: Int)) throws {
    let table = try KernelTests.kernels(path).table.pointee
    let (rows, columns) = shape
    let x = (0..<rows * columns).map { Float($0) }
    var y = [Float](repeating: -1, count: rows * columns)
    table.transpose(rows, columns, x, &y)
    #expect(y == (0..<rows * columns).map { x[$0 % rows * columns + $0 / rows] })
  }
}
