import CLSTMKernels
import LSTMCheckpoints

/// A dense layer: y = activation(x W^T + b), with x (R, I) and y (R, O).
final class DenseLayer: NetworkLayer {
  let inputSize: Int
  let size: Int
  let activation: Activation
  let weight: Int
  let bias: Int?
  private var isPacked = false
  private let pack = FloatBuffer()
  private let productPack = FloatBuffer()
  private var isActivated = false

  init(_ kind: Layer.Dense, _ context: LayerContext) {
    guard let weight = context.slot("weight") else { fatalError("a dense layer without a weight") }
    self.weight = weight
    bias = context.slot("bias")
    inputSize = context.inputs[0].width
    size = kind.size
    activation = kind.activation
    super.init(context)
  }

  override func weightsChanged() { isPacked = false }

  func packForForward() {
    guard !isPacked else { return }
    kernels.pack(inputSize, size, weights.pointer(weight), rowStride: 1, columnStride: inputSize, into: pack)
    isPacked = true
  }

  override func forward(_ pass: LayerPass) {
    packForForward()
    let rows = rowCount
    let output = makeOutput()
    kernels.multiplyOnAllThreads(
      m: rows, n: size, k: inputSize, self.rows(), rowStride: inputSize, pack, output, outputStride: size,
      start: bias.map { .row(weights.pointer($0)) } ?? .zero)
    isActivated = !givesLogits && activation != .none
    if isActivated { Self.activate(activation, output, rows: rows, size: size, kernels) }
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    let rows = rowCount
    if isActivated {
      Self.multiplyBySlope(activation, gradient, of: output, rows: rows, size: size, kernels)
    }
    if pass.trainable[weight] {
      kernels.pack(rows, inputSize, self.rows(), rowStride: inputSize, columnStride: 1, into: productPack)
      kernels.multiplyOnAllThreads(
        m: size, n: inputSize, k: rows, gradient, rowStride: 1, columnStride: size, productPack,
        pass.gradients.pointer(weight), outputStride: inputSize, start: .output)
    }
    if let bias, pass.trainable[bias] {
      kernels.addColumnSums(rows: rows, columns: size, gradient, rowStride: size, into: pass.gradients.pointer(bias))
    }
    if let sink = sink() {
      kernels.pack(size, inputSize, weights.pointer(weight), rowStride: inputSize, columnStride: 1, into: productPack)
      kernels.multiplyOnAllThreads(
        m: rows, n: inputSize, k: size, gradient, rowStride: size, productPack, sink.rows, outputStride: inputSize,
        start: sink.accumulates ? .output : .zero)
    }
  }

  override var streamObstacle: String? { nil }
  override func prepareToStep() { packForForward() }

  override func step(_ step: LayerStep) {
    kernels.table.pointee.multiply(
      1, size, inputSize, step.inputs[0], inputSize, 1, pack.pointer, step.output, size,
      bias.map { UnsafePointer(weights.pointer($0)) })
    Self.activate(activation, step.output, rows: 1, size: size, kernels)
  }

  /// Turns dL/dy into dL/dz in place, where y = activation(z).
  static func multiplyBySlope(
    _ activation: Activation, _ d: UnsafeMutablePointer<Float>, of y: UnsafePointer<Float>,
    rows: Int, size: Int, _ kernels: Kernels
  ) {
    switch activation {
    case .none: break
    case .relu: for at in 0..<rows * size where y[at] <= 0 { d[at] = 0 }
    case .tanh: for at in 0..<rows * size { d[at] *= 1 - y[at] * y[at] }
    case .sigmoid: for at in 0..<rows * size { d[at] *= y[at] * (1 - y[at]) }
    case .softmax: kernels.softmaxBackward(d, of: y, rows: rows, size: size)
    default: fatalError("\(activation.rawValue) is not computed")
    }
  }

  static func activate(
    _ activation: Activation, _ y: UnsafeMutablePointer<Float>, rows: Int, size: Int,
    _ kernels: Kernels
  ) {
    switch activation {
    case .none: break
    case .relu: kernels.apply(.relu, y, count: rows * size)
    case .tanh: kernels.apply(.tanh, y, count: rows * size)
    case .sigmoid: kernels.apply(.sigmoid, y, count: rows * size)
    case .softmax: kernels.softmax(y, rows: rows, size: size)
    default: fatalError("\(activation.rawValue) is not computed")
    }
  }
}
