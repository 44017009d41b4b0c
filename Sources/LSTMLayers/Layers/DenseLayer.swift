import CLSTMKernels
import LSTMCheckpoints

/// A dense layer: y = activation(x W^T + b), with x (R, I) and y (R, O).
final class DenseLayer: NetworkLayer {
  let inputSize: Int
  let size: Int
  let activation: Activation
  private let function: ActivationFunction
  let weight: Int
  let bias: Int?
  private var isPacked = false
  private let pack = FloatBuffer()
  private let productPack = FloatBuffer()
  private var isActivated = false
  /// z = x W^T + b, where the activation's slope needs it.
  private let arguments = FloatBuffer()

  init(_ kind: Layer.Dense, _ context: LayerContext) {
    guard let weight = context.slot("weight") else { fatalError("a dense layer without a weight") }
    self.weight = weight
    bias = context.slot("bias")
    inputSize = context.inputs[0].width
    size = kind.size
    activation = kind.activation
    function = ActivationFunction(kind.activation)
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
    isActivated = !givesLogits && !function.isIdentity
    let keepsArguments = isActivated && keepsActivations && function.needsArgument
    if keepsArguments { arguments.reserve(rows * size) }
    let z = keepsArguments ? arguments.pointer : output
    kernels.multiplyOnAllThreads(
      m: rows, n: size, k: inputSize, self.rows(), rowStride: inputSize, pack, z, outputStride: size,
      start: bias.map { .row(weights.pointer($0)) } ?? .zero)
    if isActivated { kernels.apply(function, z, into: output, rows: rows, size: size) }
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    let rows = rowCount
    if isActivated {
      kernels.multiplyBySlope(
        function, gradient, x: function.needsArgument ? arguments.pointer : output, y: output, rows: rows, size: size)
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
    kernels.applyHere(function, step.output, into: step.output, rows: 1, size: size)
  }
}
