import CLSTMKernels
import Foundation
import LSTMCheckpoints

/// An activation function with its alpha, for every kind of layer: forward and backward.
struct ActivationFunction: Sendable {
  let activation: Activation
  let alpha: Float

  /// - Parameter alpha: the activation's usual one when nil.
  init(_ activation: Activation, alpha: Float? = nil) {
    self.activation = activation
    self.alpha = alpha ?? activation.usualAlpha ?? 0
  }

  var isIdentity: Bool { activation == .none }

  /// Whether the slope is computed from the argument x, which the layer then keeps, and not from the value y alone.
  var needsArgument: Bool {
    switch activation {
    case .none, .relu, .tanh, .sigmoid, .softmax, .logSoftmax, .hardSigmoid, .hardSigmoidKeras3, .hardTanh, .softsign,
      .relu6, .exponential:
      false
    case .leakyReLU, .elu, .selu, .gelu, .geluTanh, .softplus, .swish, .mish, .hardSwish: true
    }
  }

  /// Values for which a thread is worth waking.
  fileprivate var grain: Int {
    switch activation {
    case .none, .relu, .hardSigmoid, .hardSigmoidKeras3, .hardTanh, .leakyReLU, .softsign, .relu6, .hardSwish: 1 << 15
    default: 1 << 13
    }
  }
}

extension Kernels {
  /// y = f(x), row by row of x (rows, size), on all threads. x and y may be the same.
  func apply(
    _ f: ActivationFunction, _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, rows: Int, size: Int
  ) {
    forEachPart(f, rows, size) { applyHere(f, x + $0 * size, into: y + $0 * size, rows: $1, size: size) } elements: {
      f.compute(x + $0.lowerBound, into: y + $0.lowerBound, count: $0.count, self)
    }
  }

  /// The same on this thread.
  func applyHere(
    _ f: ActivationFunction, _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, rows: Int, size: Int
  ) {
    switch f.activation {
    case .softmax:
      if UnsafePointer(y) != x { y.update(from: x, count: rows * size) }
      softmax(y, rows: rows, size: size)
    case .logSoftmax: for row in 0..<rows { logSoftmax(x + row * size, into: y + row * size, count: size) }
    default: f.compute(x, into: y, count: rows * size, self)
    }
  }

  /// Turns dL/dy into dL/dx in place, on all threads, where y = f(x), row by row (rows, size).
  /// - Parameter x: read only if `needsArgument`; may be y otherwise.
  func multiplyBySlope(
    _ f: ActivationFunction, _ d: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, y: UnsafePointer<Float>,
    rows: Int, size: Int
  ) {
    forEachPart(f, rows, size) { first, count in
      let at = first * size
      if f.activation == .softmax {
        softmaxBackward(d + at, of: y + at, rows: count, size: size)
      } else {
        for row in 0..<count { logSoftmaxBackward(d + at + row * size, of: y + at + row * size, count: size) }
      }
    } elements: {
      f.multiplyBySlope(d + $0.lowerBound, x: x + $0.lowerBound, y: y + $0.lowerBound, count: $0.count, self)
    }
  }

  /// Splits rows over the threads or, where values are independent, all values.
  private func forEachPart(
    _ f: ActivationFunction, _ rows: Int, _ size: Int, _ someRows: (_ first: Int, _ count: Int) -> Void,
    elements: (Range<Int>) -> Void
  ) {
    if f.activation.isElementwise {
      let count = rows * size
      let parts = self.parts(count, each: f.grain)
      parallel(parts) { elements(share(count, multiple: 16, part: $0, of: parts)) }
    } else {
      forEachShare(of: rows, work: size) { someRows($0.lowerBound, $0.count) }
    }
  }

  /// y = x - max x - log of the sum of e^(x - max x)
  private func logSoftmax(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, count: Int) {
    var largest = -Float.infinity
    for j in 0..<count where x[j] > largest { largest = x[j] }
    for j in 0..<count { y[j] = x[j] - largest }
    var total: Float = 0
    forEachChunk(count) { at, count, e in
      table.pointee.apply(Function.exp.rawValue, count, y + at, e)
      total += sum(e, count: count)
    }
    let logarithm = log(total)
    for j in 0..<count { y[j] -= logarithm }
  }

  /// dx = dy - e^y sum of dy
  private func logSoftmaxBackward(_ d: UnsafeMutablePointer<Float>, of y: UnsafePointer<Float>, count: Int) {
    let total = sum(d, count: count)
    forEachChunk(count) { at, count, e in
      table.pointee.apply(Function.exp.rawValue, count, y + at, e)
      for j in 0..<count { d[at + j] -= e[j] * total }
    }
  }
}

/// Visits `count` values in chunks of up to `size`, with scratch memory for 256 on the stack.
private func forEachChunk(
  _ count: Int, _ size: Int = 256, _ body: (_ at: Int, _ count: Int, UnsafeMutablePointer<Float>) -> Void
) {
  withUnsafeTemporaryAllocation(of: Float.self, capacity: 256) { scratch in
    guard let scratch = scratch.baseAddress else { return }
    for at in stride(from: 0, to: count, by: size) { body(at, min(size, count - at), scratch) }
  }
}

// MARK: - Values and slopes

private let seluScale: Float = 1.0507009873554805
private let seluAlpha: Float = 1.6732632423543772
private let geluRoot: Float = 0.7978845608028654  // sqrt(2 / pi)
private let geluCube: Float = 0.044715
private let halfRoot: Float = 0.7071067811865476  // sqrt(1 / 2)

/// NaN stays NaN.
@inline(__always)
private func clip(_ x: Float, _ low: Float, _ high: Float) -> Float { x < low ? low : x > high ? high : x }

extension ActivationFunction {
  /// y = f(x) of a function that is element by element; x and y may be the same.
  fileprivate func compute(
    _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, count: Int, _ kernels: Kernels
  ) {
    func apply(_ function: Kernels.Function) { kernels.table.pointee.apply(function.rawValue, count, x, y) }
    switch activation {
    case .none: if UnsafePointer(y) != x { y.update(from: x, count: count) }
    case .relu: apply(.relu)
    case .tanh: apply(.tanh)
    case .sigmoid: apply(.sigmoid)
    case .exponential: apply(.exp)
    case .hardSigmoid: for j in 0..<count { y[j] = clip(0.2 * x[j] + 0.5, 0, 1) }
    case .hardSigmoidKeras3: for j in 0..<count { y[j] = clip(x[j] / 6 + 0.5, 0, 1) }
    case .hardTanh: for j in 0..<count { y[j] = clip(x[j], -1, 1) }
    case .relu6: for j in 0..<count { y[j] = clip(x[j], 0, 6) }
    case .leakyReLU: for j in 0..<count { y[j] = x[j] > 0 ? x[j] : alpha * x[j] }
    case .softsign: for j in 0..<count { y[j] = x[j] / (1 + abs(x[j])) }
    case .hardSwish: for j in 0..<count { y[j] = x[j] * clip(x[j] / 6 + 0.5, 0, 1) }
    case .elu: computeELU(x, into: y, count, kernels, scale: 1, alpha: alpha)
    case .selu: computeELU(x, into: y, count, kernels, scale: seluScale, alpha: seluAlpha)
    case .gelu:
      forEachChunk(count) { at, count, p in
        normalDistribution(x + at, p, count, kernels)
        for j in 0..<count { y[at + j] = x[at + j] * p[j] }
      }
    case .geluTanh:
      forEachChunk(count) { at, count, t in
        geluTangent(x + at, t, count, kernels)
        for j in 0..<count { y[at + j] = 0.5 * x[at + j] * (1 + t[j]) }
      }
    case .softplus:
      forEachChunk(count) { at, count, e in
        for j in 0..<count { e[j] = -abs(x[at + j]) }
        kernels.apply(.exp, e, count: count)
        for j in 0..<count { y[at + j] = (x[at + j] > 0 ? x[at + j] : 0) + log1pf(e[j]) }
      }
    case .swish:
      forEachChunk(count) { at, count, s in
        kernels.table.pointee.apply(Kernels.Function.sigmoid.rawValue, count, x + at, s)
        for j in 0..<count { y[at + j] = x[at + j] * s[j] }
      }
    case .mish:
      forEachChunk(count) { at, count, e in
        mishExponential(x + at, e, count, kernels)
        for j in 0..<count { y[at + j] = x[at + j] * mishTangent(e[j]) }
      }
    case .softmax, .logSoftmax: preconditionFailure("\(activation.rawValue) is over rows")
    }
  }

  /// d *= f'(x), of a function that is element by element with y = f(x).
  fileprivate func multiplyBySlope(
    _ d: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, y: UnsafePointer<Float>, count: Int, _ kernels: Kernels
  ) {
    switch activation {
    case .none: break
    case .relu: for j in 0..<count where y[j] <= 0 { d[j] = 0 }
    case .tanh: for j in 0..<count { d[j] *= 1 - y[j] * y[j] }
    case .sigmoid: for j in 0..<count { d[j] *= y[j] * (1 - y[j]) }
    case .exponential: for j in 0..<count { d[j] *= y[j] }
    case .hardSigmoid: for j in 0..<count { d[j] *= y[j] <= 0 || y[j] >= 1 ? 0 : 0.2 }
    case .hardSigmoidKeras3: for j in 0..<count { d[j] *= y[j] <= 0 || y[j] >= 1 ? 0 : 1 / 6 }
    case .hardTanh: for j in 0..<count { d[j] *= y[j] <= -1 || y[j] >= 1 ? 0 : 1 }
    case .relu6: for j in 0..<count { d[j] *= y[j] <= 0 || y[j] >= 6 ? 0 : 1 }
    case .leakyReLU: for j in 0..<count { d[j] *= x[j] > 0 ? 1 : alpha }
    case .softsign: for j in 0..<count { d[j] *= (1 - abs(y[j])) * (1 - abs(y[j])) }
    case .hardSwish: for j in 0..<count { d[j] *= x[j] <= -3 ? 0 : x[j] >= 3 ? 1 : x[j] / 3 + 0.5 }
    case .elu: for j in 0..<count { d[j] *= x[j] > 0 ? 1 : y[j] + alpha }
    case .selu: for j in 0..<count { d[j] *= x[j] > 0 ? seluScale : y[j] + seluScale * seluAlpha }
    case .gelu:
      // Phi(x) + x phi(x)
      forEachChunk(count, 128) { at, count, p in
        let (x, d, e) = (x + at, d + at, p + count)
        for j in 0..<count { e[j] = -0.5 * x[j] * x[j] }
        kernels.apply(.exp, e, count: count)
        normalDistribution(x, p, count, kernels)
        for j in 0..<count { d[j] *= p[j] + x[j] * e[j] * 0.3989422804014327 }
      }
    case .geluTanh:
      forEachChunk(count) { at, count, t in
        geluTangent(x + at, t, count, kernels)
        for j in 0..<count {
          let x = x[at + j]
          let inner = geluRoot * (1 + 3 * geluCube * x * x)
          d[at + j] *= 0.5 * (1 + t[j]) + 0.5 * x * (1 - t[j] * t[j]) * inner
        }
      }
    case .softplus:
      forEachChunk(count) { at, count, s in
        kernels.table.pointee.apply(Kernels.Function.sigmoid.rawValue, count, x + at, s)
        for j in 0..<count { d[at + j] *= s[j] }
      }
    case .swish:
      forEachChunk(count) { at, count, s in
        kernels.table.pointee.apply(Kernels.Function.sigmoid.rawValue, count, x + at, s)
        for j in 0..<count { d[at + j] *= s[j] * (1 + x[at + j] * (1 - s[j])) }
      }
    case .mish:
      forEachChunk(count) { at, count, e in
        mishExponential(x + at, e, count, kernels)
        for j in 0..<count {
          let t = mishTangent(e[j])
          d[at + j] *= t + x[at + j] * (1 - t * t) * e[j] / (1 + e[j])
        }
      }
    case .softmax, .logSoftmax: preconditionFailure("\(activation.rawValue) is over rows")
    }
  }

  /// e^x - 1 = 2 t / (1 - t) with t = tanh(x / 2), which is exact near zero, where e^x - 1 cancels.
  private func computeELU(
    _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, _ count: Int, _ kernels: Kernels, scale: Float,
    alpha: Float
  ) {
    forEachChunk(count) { at, count, t in
      for j in 0..<count { t[j] = 0.5 * (x[at + j] > 0 ? 0 : x[at + j]) }
      kernels.apply(.tanh, t, count: count)
      for j in 0..<count { y[at + j] = scale * (x[at + j] > 0 ? x[at + j] : alpha * (2 * t[j] / (1 - t[j]))) }
    }
  }

  /// p = Phi(x), with the complementary error function of Press et al., Numerical Recipes (1.2e-7 of its value). Where x is
  /// negative nothing cancels.
  private func normalDistribution(
    _ x: UnsafePointer<Float>, _ p: UnsafeMutablePointer<Float>, _ count: Int, _ kernels: Kernels
  ) {
    for j in 0..<count {
      let z = abs(x[j]) * halfRoot
      let t = 1 / (1 + 0.5 * z)
      var sum: Float = 0.17087277
      sum = sum * t - 0.82215223
      sum = sum * t + 1.48851587
      sum = sum * t - 1.13520398
      sum = sum * t + 0.27886807
      sum = sum * t - 0.18628806
      sum = sum * t + 0.09678418
      sum = sum * t + 0.37409196
      sum = sum * t + 1.00002368
      p[j] = sum * t - 1.26551223 - z * z
    }
    kernels.apply(.exp, p, count: count)
    for j in 0..<count {
      let tail = 0.5 / (1 + 0.5 * abs(x[j]) * halfRoot) * p[j]
      p[j] = x[j] < 0 ? tail : 1 - tail
    }
  }

  /// t = tanh(sqrt(2 / pi) (x + 0.044715 x^3))
  private func geluTangent(
    _ x: UnsafePointer<Float>, _ t: UnsafeMutablePointer<Float>, _ count: Int, _ kernels: Kernels
  ) {
    for j in 0..<count { t[j] = geluRoot * (x[j] + geluCube * x[j] * x[j] * x[j]) }
    kernels.apply(.tanh, t, count: count)
  }

  /// e^x, bounded where its square would overflow and tanh(softplus(x)) is 1.
  private func mishExponential(
    _ x: UnsafePointer<Float>, _ e: UnsafeMutablePointer<Float>, _ count: Int, _ kernels: Kernels
  ) {
    for j in 0..<count { e[j] = x[j] > 20 ? 20 : x[j] }
    kernels.apply(.exp, e, count: count)
  }

  /// tanh(softplus(x)) = n / (n + 2) with n = e^x (e^x + 2)
  @inline(__always)
  private func mishTangent(_ e: Float) -> Float {
    let n = e * (e + 2)
    return n / (n + 2)
  }
}
