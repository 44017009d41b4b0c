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
    forEachPart(f, rows, size) {
      applyHere(f, x + $0 * size, into: y + $0 * size, rows: $1, size: size)
    } elements: {
      f.compute(x + $0.lowerBound, into: y + $0.lowerBound, count: $0.count, self)
    }
  }

  /// The same on this thread.
  func applyHere(
    _ f: ActivationFunction, _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, rows: Int, size: Int
  ) {
    let computing = Computing()
    defer { computing.end() }
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
      table.pointee.apply(Function.exp.rawValue, 1, count, y + at, e)
      total += sum(e, count: count)
    }
    let logarithm = log(total)
    for j in 0..<count { y[j] -= logarithm }
  }

  /// dx = dy - e^y sum of dy
  private func logSoftmaxBackward(_ d: UnsafeMutablePointer<Float>, of y: UnsafePointer<Float>, count: Int) {
    let total = sum(d, count: count)
    forEachChunk(count) { at, count, e in
      table.pointee.apply(Function.exp.rawValue, 1, count, y + at, e)
      for j in 0..<count { d[at + j] -= e[j] * total }
    }
  }
}

/// Visits `count` values in chunks, with scratch memory for one on the stack.
private func forEachChunk(_ count: Int, _ body: (_ at: Int, _ count: Int, UnsafeMutablePointer<Float>) -> Void) {
  withUnsafeTemporaryAllocation(of: Float.self, capacity: 256) { scratch in
    guard let scratch = scratch.baseAddress else { return }
    for at in stride(from: 0, to: count, by: 256) { body(at, min(256, count - at), scratch) }
  }
}

// MARK: - Values and slopes

extension ActivationFunction {
  /// y = f(x) of a function that is element by element; x and y may be the same.
  fileprivate func compute(
    _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, count: Int, _ kernels: Kernels
  ) {
    guard let function = Kernels.Function(activation) else {
      preconditionFailure("\(activation.rawValue) is over rows")
    }
    kernels.table.pointee.apply(function.rawValue, alpha, count, x, y)
  }

  /// d *= f'(x), of a function that is element by element with y = f(x).
  fileprivate func multiplyBySlope(
    _ d: UnsafeMutablePointer<Float>, x: UnsafePointer<Float>, y: UnsafePointer<Float>, count: Int, _ kernels: Kernels
  ) {
    guard let function = Kernels.Function(activation) else {
      preconditionFailure("\(activation.rawValue) is over rows")
    }
    kernels.table.pointee.apply_slope(function.rawValue, alpha, count, x, y, d)
  }
}
