import FileIO
import Foundation
import LSTMLayers

/// Compares sigmoid and tanh of every instruction set, over all 2^32 floats, with the C library in double precision.
struct Exhaustive {
  /// In units in the last place (ulp) of the exact value as a float; subnormal values have the smallest normal value's ulp.
  static let limit = 2.0

  struct Result: Encodable {
    let kernels, function: String
    /// The largest error, and the argument that has it.
    var ulp = 0.0
    var at: Float = 0
    /// The number of floats whose result is wrongly NaN, or wrongly not NaN.
    var wrongNaNs = 0

    var isWithinLimit: Bool { ulp <= Exhaustive.limit && wrongNaNs == 0 }

    mutating func take(_ other: Result) {
      if other.ulp > ulp { (ulp, at) = (other.ulp, other.at) }
      wrongNaNs += other.wrongNaNs
    }

    mutating func note(_ x: Float, _ found: Float, exact: Double, scale: Double) {
      if found.isNaN || exact.isNaN {
        if found.isNaN != exact.isNaN { wrongNaNs += 1 }
        return
      }
      let error = abs(Double(found) - exact) * scale
      if error > ulp { (ulp, at) = (error, x) }
    }
  }

  private static let blockSize = 1 << 16

  /// - Parameter stride: 1 for all floats; n for every nth block of 65536.
  static func run(threads: Int, stride: Int = 1) -> [Result] {
    let total = Monitor([Result]())
    let next = Monitor(0)
    let blocks = (1 << 32) / blockSize
    DispatchQueue.concurrentPerform(iterations: threads) { _ in
      var worker = Worker()
      while true {
        let block = next.update { next in
          defer { next += stride }
          return next
        }
        guard block < blocks else { break }
        worker.run(firstPattern: UInt32(block * blockSize))
      }
      let results = worker.results
      total.update { total in
        if total.isEmpty { return total = results }
        for k in total.indices { total[k].take(results[k]) }
      }
    }
    return total.update { $0 }
  }

  private struct Worker {
    var results: [Result]
    private let paths: [(kernels: Kernels, activation: Kernels.Function)]
    private var inputs = [Float](repeating: 0, count: blockSize)
    private var outputs = [Float](repeating: 0, count: blockSize)
    private var exact = [Double](repeating: 0, count: blockSize)
    /// 1 / ulp of the exact value.
    private var scales = [Double](repeating: 0, count: blockSize)

    init() {
      paths = [Kernels.Function.sigmoid, .tanh].flatMap { activation in Kernels.available.map { ($0, activation) } }
      results = paths.map { Result(kernels: $0.kernels.name, function: "\($0.activation)") }
    }

    mutating func run(firstPattern: UInt32) {
      for k in 0..<blockSize { inputs[k] = Float(bitPattern: firstPattern + UInt32(k)) }
      var known: Kernels.Function?
      for (place, path) in paths.enumerated() {
        if path.activation != known { fill(path.activation) }
        known = path.activation
        outputs.withUnsafeMutableBufferPointer { out in
          guard let base = out.baseAddress else { return }
          inputs.withUnsafeBufferPointer { for k in 0..<blockSize { base[k] = $0[k] } }
          path.kernels.apply(path.activation, base, count: blockSize)
        }
        for k in 0..<blockSize { results[place].note(inputs[k], outputs[k], exact: exact[k], scale: scales[k]) }
      }
    }

    private mutating func fill(_ activation: Kernels.Function) {
      for k in 0..<blockSize {
        let x = Double(inputs[k])
        // 1 / (1 + e^-x) loses nothing that a float could see.
        let value = activation == .tanh ? tanh(x) : 1 / (1 + exp(-x))
        exact[k] = value
        // A float of this exponent e has the ulp 2^(e - 23), at least 2^-149.
        let exponent = Int((value.bitPattern >> 52) & 0x7ff) - 1023
        let power = 23 - max(exponent, -126)
        scales[k] = Double(bitPattern: UInt64(power + 1023) << 52)
      }
    }
  }
}
