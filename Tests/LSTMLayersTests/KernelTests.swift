import CLSTMKernels
import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// The fast paths against the scalar twin, and what must not show: the number of threads, the place of a tail.
@Suite struct KernelTests {
  static let paths = Kernels.available.map(\.name)

  static func kernels(_ name: String) throws -> Kernels {
    try #require(Kernels.available.first { $0.name == name })
  }

  @Test(arguments: paths, [1, 2, 7, 8, 9, 31, 129])
  func productsMatchTheObviousLoop(_ path: String, size: Int) throws {
    let kernels = try Self.kernels(path)
    var random = RandomNumbers(seed: UInt64(size))
    for (m, n, k) in [
      (size, 3, 5), (3, size, 17), (5, 33, size), (size, size, size), (1, size, 600), (1, 9 * size + 1, 40),
      (9, size, 1030),
    ] {
      for (isTransposed, accumulate) in [(false, false), (true, true)] {
        let a = (0..<m * k).map { _ in random.uniform(1) }
        let b = (0..<k * n).map { _ in random.uniform(1) }
        let start = (0..<m * n).map { _ in random.uniform(1) }
        var wanted = [Double](repeating: 0, count: m * n)
        for i in 0..<m {
          for j in 0..<n {
            var sum = accumulate ? Double(start[i * n + j]) : 0
            for s in 0..<k {
              sum +=
                Double(isTransposed ? a[s * m + i] : a[i * k + s]) * Double(isTransposed ? b[j * k + s] : b[s * n + j])
            }
            wanted[i * n + j] = sum
          }
        }
        var c = start
        let packed = FloatBuffer()
        c.withUnsafeMutableBufferPointer { c in
          guard let c = c.baseAddress else { return }
          kernels.pack(k, n, b, rowStride: isTransposed ? 1 : n, columnStride: isTransposed ? k : 1, into: packed)
          kernels.multiply(
            m: m, n: n, k: k, a, rowStride: isTransposed ? 1 : k, columnStride: isTransposed ? m : 1, packed, c,
            outputStride: n, start: accumulate ? .output : .zero)
        }
        let bound = 1.2e-7 * Double(k) + 1e-6
        #expect(zip(c, wanted).allSatisfy { abs(Double($0) - $1) <= bound }, "\(m) x \(n) x \(k)")
      }
    }
  }

  /// A row's result must not depend on how many rows stand beside it, nor a column's on how many columns.
  @Test(arguments: paths)
  func tailsAreTheBitsOfTheBody(_ path: String) throws {
    let kernels = try Self.kernels(path)
    var random = RandomNumbers(seed: 5)
    let (m, n, k) = (37, 75, 530)
    let a = (0..<m * k).map { _ in random.uniform(1) }
    let b = (0..<k * n).map { _ in random.uniform(1) }
    func product(rows: Range<Int>, columns: Range<Int>) -> [Float] {
      var c = [Float](repeating: 0, count: rows.count * columns.count)
      let packed = FloatBuffer()
      a.withUnsafeBufferPointer { a in
        b.withUnsafeBufferPointer { b in
          c.withUnsafeMutableBufferPointer { c in
            guard let a = a.baseAddress, let b = b.baseAddress, let c = c.baseAddress else { return }
            kernels.pack(k, columns.count, b + columns.lowerBound, rowStride: n, columnStride: 1, into: packed)
            kernels.multiply(
              m: rows.count, n: columns.count, k: k, a + rows.lowerBound * k, rowStride: k, packed, c,
              outputStride: columns.count, start: .zero)
          }
        }
      }
      return c
    }
    let whole = product(rows: 0..<m, columns: 0..<n)
    for rows in [0..<1, 3..<4, 5..<12, 36..<37, 0..<30] {
      for columns in [0..<1, 10..<43, 74..<75, 0..<32] {
        let part = product(rows: rows, columns: columns)
        var expected: [Float] = []
        for row in rows { expected += whole[row * n + columns.lowerBound..<row * n + columns.upperBound] }
        #expect(part == expected, "\(rows) \(columns)")
      }
    }
  }

  @Test(arguments: paths)
  func activationsAreWithinTwoUlps(_ path: String) throws {
    let kernels = try Self.kernels(path)
    // Every 4099th float of all there are, and the special ones.
    var x: [Float] = stride(from: UInt32(0), through: .max - 4099, by: 4099).map { Float(bitPattern: $0) }
    x += [
      0, -0.0, .infinity, -.infinity, .nan, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, 88.7, 89, -103.9, -104,
      0.625,
    ]
    for (function, exact) in [
      (Kernels.Function.sigmoid, { (x: Double) -> Double in x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)) }),
      (.tanh, { tanh($0) }),
    ] {
      var y = x
      y.withUnsafeMutableBufferPointer { y in
        guard let base = y.baseAddress else { return }
        kernels.apply(function, base, count: y.count)
      }
      var worst = 0.0
      for (value, argument) in zip(y, x) {
        if argument.isNaN {
          #expect(value.isNaN)
          continue
        }
        let wanted = exact(Double(argument))
        let ulp = Double(max(Float(abs(wanted)), .leastNormalMagnitude).ulp)
        let error = abs(Double(value) - wanted) / ulp
        if !(error <= worst) { worst = error }
      }
      #expect(worst <= 2, "\(function): \(worst) ulp")
    }
  }

  @Test(arguments: paths)
  func threadsDoNotShow(_ path: String) throws {
    let configuration = ModelConfiguration(
      input: .features(size: 40),
      layers: [.init(hiddenSize: 72, isBidirectional: true), .init(hiddenSize: 65, projectionSize: 33)], readout: .all,
      head: [.init(size: 19)])
    let model = LSTMModel(configuration, seed: 4)
    var random = RandomNumbers(seed: 9)
    let (count, steps) = (37, 11)
    let x = Tensor(shape: [count, steps, 40], values: (0..<count * steps * 40).map { _ in random.normal() })
    let batch = try SequenceBatch(x, lengths: (0..<count).map { 1 + ($0 * 7) % steps })
    var reference: (output: [Float], gradients: [[Float]])?
    for threads in [1, 2, 3, 5, 16] {
      var kernels = try Self.kernels(path)
      kernels.threads = threads
      let network = Network(model, kernels: kernels)
      let output = try network.forward(batch)
      let gradients = ParameterStore(configuration.parameters)
      try network.backward(output, into: gradients, trainable: gradients.slots.map { _ in true }, wantsInput: true)
      let values = gradients.slots.indices.map(gradients.values)
      if let reference {
        #expect(output.values == reference.output, "\(threads) threads")
        #expect(values == reference.gradients, "\(threads) threads")
      } else {
        reference = (output.values, values)
      }
    }
  }
}
