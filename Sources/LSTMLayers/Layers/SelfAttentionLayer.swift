import LSTMCheckpoints

/// Heads of self-attention over the steps of a sequence, PyTorch's MultiheadAttention: (R, E) -> (R, E).
final class SelfAttentionLayer: NetworkLayer {
  private let kind: Layer.SelfAttention
  private let products: AttentionProducts
  private let inner: Projection
  private let outer: Projection
  /// q, k and v side by side (R, 3E), and their gradient.
  private let projected = FloatBuffer()
  private let projectedGradient = FloatBuffer()
  /// What the heads give, side by side (R, E), and its gradient.
  private let heads = FloatBuffer()
  private let headsGradient = FloatBuffer()

  init(_ kind: Layer.SelfAttention, _ context: LayerContext) {
    guard let inner = context.slot("in_proj_weight"), let outer = context.slot("out_proj.weight") else {
      fatalError("self-attention without projections")
    }
    self.kind = kind
    let (size, weights) = (context.inputs[0].width, context.weights)
    products = AttentionProducts(context.kernels)
    self.inner = Projection(
      inner, context.slot("in_proj_bias"), from: size, to: 3 * size, weights: weights, kernels: context.kernels)
    self.outer = Projection(
      outer, context.slot("out_proj.bias"), from: size, to: size, weights: weights, kernels: context.kernels)
    super.init(context)
  }

  override func weightsChanged() {
    inner.weightsChanged()
    outer.weightsChanged()
  }

  /// Columns of q, k, v or of what the heads give.
  private func columns(_ buffer: FloatBuffer, parts: Int, _ part: Int) -> AttentionRows {
    AttentionRows(
      buffer.pointer, of: self, stride: parts * width, first: part * width, width: width / kind.heads)
  }

  private var operands: AttentionProducts.Operands {
    .init(
      q: columns(projected, parts: 3, 0), k: columns(projected, parts: 3, 1), v: columns(projected, parts: 3, 2),
      heads: kind.heads, scale: 1 / Float(width / kind.heads).squareRoot(), isCausal: kind.isCausal)
  }

  override func forward(_ pass: LayerPass) {
    let rows = rowCount
    projected.reserve(rows * 3 * width)
    heads.reserve(rows * width)
    inner.forward(self.rows(), rows: rows, into: projected.pointer)
    products.forward(operands, into: columns(heads, parts: 1, 0))
    outer.forward(heads.pointer, rows: rows, into: makeOutput())
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    let rows = rowCount
    outer.addGradients(gradient, x: heads.pointer, rows: rows, pass)
    guard inner.trains(pass) || sources[0].wantsGradient else { return }
    headsGradient.reserve(rows * width)
    outer.backward(gradient, rows: rows, into: GradientSink(rows: headsGradient.pointer, accumulates: false))
    projectedGradient.zero(rows * 3 * width)
    products.backward(
      operands, outputGradient: columns(headsGradient, parts: 1, 0),
      into: .init(
        q: columns(projectedGradient, parts: 3, 0), k: columns(projectedGradient, parts: 3, 1),
        v: columns(projectedGradient, parts: 3, 2)))
    inner.addGradients(projectedGradient.pointer, x: self.rows(), rows: rows, pass)
    if let sink = sink() { inner.backward(projectedGradient.pointer, rows: rows, into: sink) }
  }
}

/// x W^T + b for rows x (R, I), giving (R, O).
private final class Projection {
  private let weight: Int
  private let bias: Int?
  private let (inputSize, size): (Int, Int)
  private let weights: ParameterStore
  private let kernels: Kernels
  private let pack = FloatBuffer()
  private var isPacked = false
  private let productPack = FloatBuffer()

  init(_ weight: Int, _ bias: Int?, from inputSize: Int, to size: Int, weights: ParameterStore, kernels: Kernels) {
    (self.weight, self.bias) = (weight, bias)
    (self.inputSize, self.size) = (inputSize, size)
    (self.weights, self.kernels) = (weights, kernels)
  }

  func weightsChanged() { isPacked = false }

  func forward(_ x: UnsafePointer<Float>, rows: Int, into y: UnsafeMutablePointer<Float>) {
    if !isPacked {
      kernels.pack(inputSize, size, weights.pointer(weight), rowStride: 1, columnStride: inputSize, into: pack)
      isPacked = true
    }
    kernels.multiplyOnAllThreads(
      m: rows, n: size, k: inputSize, x, rowStride: inputSize, pack, y, outputStride: size,
      start: bias.map { .row(weights.pointer($0)) } ?? .zero)
  }

  func trains(_ pass: GradientPass) -> Bool { pass.trainable[weight] || bias.map { pass.trainable[$0] } ?? false }

  /// Adds dL/dW and dL/db for dL/dy (R, O).
  func addGradients(_ gradient: UnsafePointer<Float>, x: UnsafePointer<Float>, rows: Int, _ pass: GradientPass) {
    if pass.trainable[weight] {
      kernels.pack(rows, inputSize, x, rowStride: inputSize, columnStride: 1, into: productPack)
      kernels.multiplyOnAllThreads(
        m: size, n: inputSize, k: rows, gradient, rowStride: 1, columnStride: size, productPack,
        pass.gradients.pointer(weight), outputStride: inputSize, start: .output)
    }
    if let bias, pass.trainable[bias] {
      kernels.addColumnSums(rows: rows, columns: size, gradient, rowStride: size, into: pass.gradients.pointer(bias))
    }
  }

  /// dL/dx for dL/dy (R, O).
  func backward(_ gradient: UnsafePointer<Float>, rows: Int, into sink: GradientSink) {
    kernels.pack(size, inputSize, weights.pointer(weight), rowStride: inputSize, columnStride: 1, into: productPack)
    kernels.multiplyOnAllThreads(
      m: rows, n: inputSize, k: size, gradient, rowStride: size, productPack, sink.rows, outputStride: inputSize,
      start: sink.accumulates ? .output : .zero)
  }
}
