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

  @Test(arguments: KernelTests.paths, sizes) func unitRowsHaveTheLengthOne(_ path: String, size: Int) throws {
    let table = try KernelTests.kernels(path).table.pointee
    var random = RandomNumbers(seed: UInt64(size))
    let x = (0..<size).map { _ in random.normal() } + [Float](repeating: 0, count: size)
    var (y, norms) = (x, [Float](repeating: 0, count: 2))
    table.unit_rows(2, size, x, &norms, &y)
    let wanted = x.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
    #expect(abs(Double(norms[0]) - wanted) <= 1e-6 * wanted)
    #expect(zip(x, y).allSatisfy { abs(Double($1) - Double($0) / wanted) <= 1e-6 })
    #expect(norms[1] == 1e-12 && y[size...].allSatisfy { $0 == 0 })
  }

  @Test(arguments: KernelTests.paths, sizes)
  func sumsMatchThePlainLoop(_ path: String, size: Int) throws {
    let table = try KernelTests.kernels(path).table.pointee
    var random = RandomNumbers(seed: UInt64(size))
    for rows in [1, 5] {
      let x = (0..<rows * size).map { _ in random.normal() }
      var (sums, scaled) = ([Float](repeating: 1, count: size), x)
      table.add_column_sums(rows, size, x, size, &sums)
      for j in 0..<size {
        let wanted = (0..<rows).reduce(1.0) { $0 + Double(x[$1 * size + j]) }
        #expect(abs(Double(sums[j]) - wanted) <= 2e-6)
      }
      let squares = x.reduce(0) { $0 + Double($1) * Double($1) }
      #expect(abs(table.sum_of_squares(x.count, x) - squares) <= 1e-12 * squares)
      table.scale(x.count, -0.3, &scaled)
      #expect(scaled == x.map { $0 * -0.3 })
    }
  }

  @Test(arguments: KernelTests.paths, sizes)
  func normsAndScalingOfPartsMatchThePlainLoop(_ path: String, size: Int) throws {
    let updates = ParameterUpdates(try KernelTests.kernels(path))
    let store = ParameterStore(
      (0..<3).map { place -> ParameterSpecification in
        .init(name: "\(place)", shape: [size + place], role: .init(layer: "head.\(place)", kind: "dense"))
      })
    var random = RandomNumbers(seed: UInt64(size))
    for index in 0..<3 { store.set(index, (0..<size + index).map { _ in random.normal() }) }
    let values = (0..<3).map { store.values($0).map(Double.init) }
    func squares(_ list: some Sequence<Double>) -> Double { list.reduce(0) { $0 + $1 * $1 } }
    func agree(_ found: Double, _ wanted: Double) -> Bool { abs(found - wanted) <= 1e-12 * wanted }
    #expect(agree(updates.norm(store, where: [true, false, true]), squares(values[0] + values[2]).squareRoot()))
    #expect(agree(updates.sumOfSquares(store, 1), squares(values[1])))
    #expect(agree(updates.sumOfSquares(store, 2, 1..<size + 1), squares(values[2][1..<size + 1])))
    updates.scale(store, by: -0.3, where: [true, false, true], parts: [[0..<size], [], [0..<1, 2..<size + 2]])
    for index in 0..<3 {
      #expect(
        store.values(index)
          == values[index].enumerated().map { index == 1 || (index == 2 && $0 == 1) ? Float($1) : Float($1) * -0.3 })
    }
  }

  /// Two steps of each rule, against torch.optim's formulas in double precision.
  @Test(arguments: KernelTests.paths, sizes)
  func updatesMatchTheFormulas(_ path: String, size: Int) throws {
    let updates = ParameterUpdates(try KernelTests.kernels(path))
    var random = RandomNumbers(seed: UInt64(size))
    func draw() -> [Float] { (0..<size).map { _ in random.normal() } }
    let (start, gradients) = (draw(), [draw(), draw()])
    let (rate, decay, beta1, beta2, epsilon) = (0.1, 0.05, 0.9, 0.999, 1e-8)
    for (isDecoupled, hasLargest) in [(false, false), (true, true)] {
      var (weights, first, second) = (start, [Float](repeating: 0, count: size), [Float](repeating: 0, count: size))
      var largest = first
      for (index, gradient) in gradients.enumerated() {
        largest.withUnsafeMutableBufferPointer { largest in
          updates.adam(
            size, gradient, first: &first, second: &second, largest: hasLargest ? largest.baseAddress : nil, &weights,
            learningRate: rate, beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: decay,
            isDecoupled: isDecoupled, step: index + 1)
        }
      }
      for j in 0..<size {
        var (w, m, v, top) = (Double(start[j]), 0.0, 0.0, 0.0)
        for (index, gradient) in gradients.enumerated() {
          let g = Double(gradient[j]) + (isDecoupled ? 0 : decay * w)
          if isDecoupled { w -= rate * decay * w }
          (m, v) = (beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g * g)
          top = hasLargest ? max(top, v) : v
          let step = Double(index + 1)
          w -= rate * m / (1 - pow(beta1, step)) / ((top / (1 - pow(beta2, step))).squareRoot() + epsilon)
        }
        #expect(abs(Double(weights[j]) - w) <= 2e-6 * max(1, abs(w)))
      }
    }
    for (momentum, isNesterov) in [(0.0, false), (0.9, false), (0.9, true)] {
      var (weights, buffer) = (start, [Float](repeating: .nan, count: size))
      if momentum > 0 { buffer = [Float](repeating: 0, count: size) }
      for (index, gradient) in gradients.enumerated() {
        updates.sgd(
          size, gradient, momentum: &buffer, &weights, learningRate: rate, momentumFactor: momentum, dampening: 0.2,
          isNesterov: isNesterov, weightDecay: decay, isFirst: index == 0)
      }
      for j in 0..<size {
        var (w, b) = (Double(start[j]), 0.0)
        for (index, gradient) in gradients.enumerated() {
          let g = Double(gradient[j]) + decay * w
          b = index == 0 ? g : momentum * b + 0.8 * g
          w -= rate * (momentum == 0 ? g : isNesterov ? g + momentum * b : b)
        }
        #expect(abs(Double(weights[j]) - w) <= 2e-6 * max(1, abs(w)))
      }
    }
  }
}
