import CLSTMKernels
import LSTMCheckpoints

/// A dense layer: y = activation(x W^T + b), with x (M, I) and y (M, O).
final class DenseLayer {
  let inputSize: Int
  let size: Int
  let activation: ModelConfiguration.Activation
  let weight: Int
  let bias: Int?
  private let weights: ParameterStore
  private let kernels: Kernels
  private var isPacked = false
  private let pack = FloatBuffer()
  private let productPack = FloatBuffer()
  let output = FloatBuffer()
  let slope = FloatBuffer()
  private var isActivated = false

  init?(
    _ configuration: ModelConfiguration.Dense, index: Int, inputSize: Int, weights: ParameterStore, kernels: Kernels
  ) {
    guard let weight = weights.index(of: "head.\(index).weight") else { return nil }
    self.weight = weight
    bias = weights.index(of: "head.\(index).bias")
    self.inputSize = inputSize
    size = configuration.size
    activation = configuration.activation
    self.weights = weights
    self.kernels = kernels
  }

  func weightsChanged() { isPacked = false }

  func packForForward() {
    guard !isPacked else { return }
    kernels.pack(inputSize, size, weights.pointer(weight), rowStride: 1, columnStride: inputSize, into: pack)
    isPacked = true
  }

  /// Computes one row y (O) from x (I), on this thread, without changing the layer, which must be packed.
  func step(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>) {
    kernels.table.pointee.multiply(
      1, size, inputSize, x, inputSize, 1, pack.pointer, y, size, bias.map { UnsafePointer(weights.pointer($0)) })
    Self.activate(activation, y, rows: 1, size: size, kernels)
  }

  /// - Parameter activate: false to return logits, for a loss that includes the activation.
  /// - Returns: y (M, O), valid until the next call.
  func forward(_ x: UnsafePointer<Float>, rows: Int, activate: Bool) -> UnsafeMutablePointer<Float> {
    packForForward()
    output.reserve(rows * size)
    kernels.multiplyOnAllThreads(
      m: rows, n: size, k: inputSize, x, rowStride: inputSize, pack, output.pointer, outputStride: size,
      start: bias.map { .row(weights.pointer($0)) } ?? .zero)
    isActivated = activate && activation != .none
    if isActivated { Self.activate(activation, output.pointer, rows: rows, size: size, kernels) }
    return output.pointer
  }

  /// Adds the gradients of W and b to `gradients` if they are trainable, and writes dL/dx (M, I) to `inputGradient` unless
  /// that is nil.
  func backward(
    _ gradient: UnsafePointer<Float>, x: UnsafePointer<Float>, rows: Int, gradients: ParameterStore, trainable: [Bool],
    inputGradient: UnsafeMutablePointer<Float>?
  ) {
    slope.reserve(rows * size)
    slope.pointer.update(from: gradient, count: rows * size)
    if isActivated {
      Self.multiplyBySlope(activation, slope.pointer, of: output.pointer, rows: rows, size: size, kernels)
    }
    if trainable[weight] {
      kernels.pack(rows, inputSize, x, rowStride: inputSize, columnStride: 1, into: productPack)
      kernels.multiplyOnAllThreads(
        m: size, n: inputSize, k: rows, slope.pointer, rowStride: 1, columnStride: size, productPack,
        gradients.pointer(weight), outputStride: inputSize, start: .output)
    }
    if let bias, trainable[bias] {
      kernels.addColumnSums(rows: rows, columns: size, slope.pointer, rowStride: size, into: gradients.pointer(bias))
    }
    if let inputGradient {
      kernels.pack(size, inputSize, weights.pointer(weight), rowStride: inputSize, columnStride: 1, into: productPack)
      kernels.multiplyOnAllThreads(
        m: rows, n: inputSize, k: size, slope.pointer, rowStride: size, productPack, inputGradient,
        outputStride: inputSize, start: .zero)
    }
  }

  /// Turns dL/dy into dL/dz in place, where y = activation(z).
  static func multiplyBySlope(
    _ activation: ModelConfiguration.Activation, _ d: UnsafeMutablePointer<Float>, of y: UnsafePointer<Float>,
    rows: Int, size: Int, _ kernels: Kernels
  ) {
    switch activation {
    case .none: break
    case .relu: for at in 0..<rows * size where y[at] <= 0 { d[at] = 0 }
    case .tanh: for at in 0..<rows * size { d[at] *= 1 - y[at] * y[at] }
    case .sigmoid: for at in 0..<rows * size { d[at] *= y[at] * (1 - y[at]) }
    case .softmax: kernels.softmaxBackward(d, of: y, rows: rows, size: size)
    }
  }

  static func activate(
    _ activation: ModelConfiguration.Activation, _ y: UnsafeMutablePointer<Float>, rows: Int, size: Int,
    _ kernels: Kernels
  ) {
    switch activation {
    case .none: break
    case .relu: kernels.apply(.relu, y, count: rows * size)
    case .tanh: kernels.apply(.tanh, y, count: rows * size)
    case .sigmoid: kernels.apply(.sigmoid, y, count: rows * size)
    case .softmax: kernels.softmax(y, rows: rows, size: size)
    }
  }
}
