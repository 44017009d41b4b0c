import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// Every element-wise function of the kernels, and its slope, against its formula in double precision.
@Suite struct FunctionTests {
  static let functions = Activation.allCases.filter(\.isElementwise)
  static let special: [Float] = [0, -0.0, 1, -1, 3, -3, 6, 2.5, -2.5, 1e-20, -1e-20, 80, -80, 1e5, -1e5]

  static let arguments: [Float] = {
    var random = RandomNumbers(seed: 3)
    return special + (0..<3000).map { random.uniform([0.01, 1, 4, 12, 50][$0 % 5]) }
  }()

  @Test(arguments: KernelTests.paths, functions)
  func valuesAreThoseOfTheFormula(_ path: String, activation: Activation) throws {
    let kernels = try KernelTests.kernels(path)
    let function = try #require(Kernels.Function(activation))
    var y = Self.arguments
    let count = y.count
    y.withUnsafeMutableBufferPointer { y in
      if let base = y.baseAddress { kernels.apply(function, base, count: count) }
    }
    for (value, x) in zip(y, Self.arguments) {
      let wanted = LSTMLayersTests.value(of: activation, Double(x))
      guard wanted < Double(Float.greatestFiniteMagnitude) else {
        #expect(value == .infinity, "\(x)")
        continue
      }
      // Near zero the error is absolute: a tail such as gelu's at -5 has lost its bits in every framework.
      #expect(abs(Double(value) - wanted) <= 4e-7 * max(abs(wanted), 0.2), "\(x): \(value) \(wanted)")
    }
    var missing: [Float] = [.nan, 1]
    missing.withUnsafeMutableBufferPointer { y in
      if let base = y.baseAddress { kernels.apply(function, base, count: 2) }
    }
    #expect(missing[0].isNaN || activation == .hardTanh)
  }

  /// Within 3 units in the last place of the exact value, or of that of an argument 3 / 2 units away: where a function falls
  /// like e^-x, an argument's own last bit matters more.
  @Test(arguments: KernelTests.paths, [Activation.elu, .selu, .gelu, .geluTanh, .softplus, .swish, .mish])
  func valuesAreRightToTheLastDigits(_ path: String, activation: Activation) throws {
    let kernels = try KernelTests.kernels(path)
    let function = try #require(Kernels.Function(activation))
    // Every 9973rd float of ordinary size, and the range where functions bend.
    let all = stride(from: UInt32(0), through: .max - 9973, by: 9973).map { Float(bitPattern: $0) }
    let x = all.filter { abs($0) < 1e30 } + (-40_000...40_000).map { Float($0) * 5e-4 }
    var y = x
    y.withUnsafeMutableBufferPointer { y in
      if let base = y.baseAddress { kernels.apply(function, base, count: x.count) }
    }
    var worst = (error: 0.0, at: Float(0))
    for (value, x) in zip(y, x) {
      let wanted = LSTMLayersTests.value(of: activation, Double(x))
      // Smaller ones are made of denormals, which are flushed.
      guard abs(wanted) > 1e-30 else { continue }
      let step = Double(x) * 0x1p-23
      let moved = abs(LSTMLayersTests.value(of: activation, Double(x) + step) - wanted)
      let error = abs(Double(value) - wanted) / (Double(Float(abs(wanted)).ulp) + moved / 2)
      if !(error <= worst.error) { worst = (error, x) }
    }
    #expect(worst.error <= 3, "\(worst.error) at \(worst.at)")
  }

  @Test(arguments: KernelTests.paths, functions)
  func slopesAreCentralDifferences(_ path: String, activation: Activation) throws {
    let kernels = try KernelTests.kernels(path)
    let function = try #require(Kernels.Function(activation))
    // Not at a corner.
    let corners: [Float] = [0, 1, -1, 3, -3, 6, 2.5, -2.5]
    let x = Self.arguments.filter { x in abs(x) < 60 && !corners.contains { abs(x - $0) < 1e-4 } }
    var (y, d) = (x, x.indices.map { Float($0 % 3 + 1) })
    y.withUnsafeMutableBufferPointer { y in
      d.withUnsafeMutableBufferPointer { d in
        x.withUnsafeBufferPointer { x in
          guard let y = y.baseAddress, let d = d.baseAddress, let at = x.baseAddress else { return }
          kernels.apply(function, y, count: x.count)
          kernels.multiplyBySlope(function, d, of: y, at: at, count: x.count)
        }
      }
    }
    for (at, x) in x.enumerated() {
      let step = 1e-5
      let (above, below) = (
        LSTMLayersTests.value(of: activation, Double(x) + step),
        LSTMLayersTests.value(of: activation, Double(x) - step)
      )
      let wanted = (above - below) / (2 * step) * Double(at % 3 + 1)
      #expect(abs(Double(d[at]) - wanted) <= 2e-6 * max(abs(wanted), 1), "\(x): \(d[at]) \(wanted)")
    }
  }
}
