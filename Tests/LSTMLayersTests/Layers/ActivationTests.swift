import Foundation
import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// Activations and their slopes by themselves, over the range of floats and at their corners.
@Suite struct ActivationTests {
  static let elementwise = Activation.allCases.filter(\.isElementwise)

  private func apply(_ function: ActivationFunction, _ x: [Float], _ kernels: Kernels) -> [Float] {
    var y = [Float](repeating: 0, count: x.count)
    y.withUnsafeMutableBufferPointer { y in
      guard let y = y.baseAddress else { return }
      kernels.apply(function, x, into: y, rows: 1, size: x.count)
    }
    return y
  }

  private func slope(_ function: ActivationFunction, _ x: [Float], _ kernels: Kernels) -> [Float] {
    let y = apply(function, x, kernels)
    var d = [Float](repeating: 1, count: x.count)
    d.withUnsafeMutableBufferPointer { d in
      guard let d = d.baseAddress else { return }
      kernels.multiplyBySlope(function, d, x: x, y: y, rows: 1, size: x.count)
    }
    return d
  }

  @Test(arguments: elementwise) func overTheRange(_ activation: Activation) {
    let magnitudes = stride(from: Float(-30), through: 30, by: 0.37).map { exp2($0) }
    let x = (magnitudes + magnitudes.map { -$0 } + [0]).filter { activation != .exponential || $0 < 80 }
    let function = ActivationFunction(activation)
    for kernels in Kernels.available {
      for (x, y) in zip(x, apply(function, x, kernels)) {
        let wanted = LayerTwin.plain(activation, Double(function.alpha), Double(x))
        #expect(abs(Double(y) - wanted) <= 1e-6 * max(1, abs(wanted)), "\(kernels.name): \(x) \(y) \(wanted)")
      }
    }
  }

  /// e^x - 1 is not computed by a difference that loses all digits near zero.
  @Test(arguments: [Activation.elu, .selu]) func nearZero(_ activation: Activation) {
    let x: [Float] = [-1e-3, -1e-5, -1e-7, -1e-10]
    for kernels in Kernels.available {
      for (x, y) in zip(x, apply(ActivationFunction(activation), x, kernels)) {
        let wanted = LayerTwin.plain(activation, 1, Double(x))
        #expect(abs(Double(y) / wanted - 1) <= 1e-6, "\(kernels.name): \(x) \(y)")
      }
    }
  }

  @Test(arguments: Activation.allCases) func notANumberStaysOne(_ activation: Activation) {
    for kernels in Kernels.available {
      #expect(apply(ActivationFunction(activation), [1, .nan, 2], kernels)[1].isNaN, "\(kernels.name)")
    }
  }

  /// As in PyTorch, where the slope jumps.
  @Test func slopesAtTheCorners() {
    let corners: [(Activation, Float, Float)] = [
      (.relu, 0, 0), (.leakyReLU, 0, 0.01), (.hardTanh, 1, 0), (.hardTanh, -1, 0), (.relu6, 0, 0), (.relu6, 6, 0),
      (.hardSigmoidKeras3, 3, 0), (.hardSigmoidKeras3, -3, 0), (.hardSwish, -3, 0), (.hardSwish, 3, 1),
      (.softsign, 0, 1), (.elu, 0, 1),
    ]
    for (activation, x, wanted) in corners {
      #expect(slope(ActivationFunction(activation), [x], .best) == [wanted], "\(activation) at \(x)")
    }
  }

  @Test(arguments: elementwise) func slopesMatchCentralDifferences(_ activation: Activation) {
    // Between the corners.
    let x = stride(from: Float(-7.3), through: 7.3, by: 0.173).map { $0 }
    for alpha in activation.usualAlpha == nil ? [nil] : [nil, Float(0.3), -0.4] {
      let function = ActivationFunction(activation, alpha: alpha)
      let wanted = x.map { x in
        (LayerTwin.plain(activation, Double(function.alpha), Double(x) + 1e-6)
          - LayerTwin.plain(activation, Double(function.alpha), Double(x) - 1e-6)) / 2e-6
      }
      for kernels in Kernels.available {
        for (at, d) in slope(function, x, kernels).enumerated() {
          #expect(abs(Double(d) - wanted[at]) <= 3e-6 * max(1, abs(wanted[at])), "\(kernels.name): \(x[at]) \(d)")
        }
      }
    }
  }

  /// The same bits in place, for any number of threads, and for a part of the values.
  @Test(arguments: Activation.allCases) func bitsDoNotDependOnTheSplit(_ activation: Activation) {
    var random = RandomNumbers(seed: 2)
    let (rows, size) = (301, 129)
    let x = (0..<rows * size).map { _ in 3 * random.normal() }
    let function = ActivationFunction(activation)
    for kernels in Kernels.all {
      var (apart, inPlace) = ([Float](repeating: 0, count: x.count), x)
      apart.withUnsafeMutableBufferPointer { y in
        guard let y = y.baseAddress else { return }
        kernels.apply(function, x, into: y, rows: rows, size: size)
      }
      inPlace.withUnsafeMutableBufferPointer { y in
        guard let y = y.baseAddress else { return }
        for row in 0..<rows {
          kernels.applyHere(function, y + row * size, into: y + row * size, rows: 1, size: size)
        }
      }
      #expect(apart == inPlace, "\(kernels.name)")
    }
  }
}
