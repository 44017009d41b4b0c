import LSTMCheckpoints

/// Attention over time: with a_t = softmax(score of x_t), out = sum of a_t x_t; (R, S) -> (B, S).
///
/// The score is f(w x + b), or f(v tanh(W x + b) + c) with A values inside; f is the identity in most models.
final class AttentionLayer: NetworkLayer {
  private let kind: Layer.Attention
  private let function: ActivationFunction
  private let weight: Int
  private let bias: Int?
  /// Of the form with tanh.
  private let score: Int?
  private let scoreBias: Int?

  /// Scores (R) before and after f, and dL/d of those before.
  private let arguments = FloatBuffer()
  private let scores = FloatBuffer()
  private let slopes = FloatBuffer()
  /// a_t (B, T)
  private let shares = FloatBuffer()
  /// tanh(W x + b) (R, A), and dL/d of what it is taken of.
  private let hidden = FloatBuffer()
  private let hiddenGradient = FloatBuffer()
  private let pack = FloatBuffer()
  private var isPacked = false
  private let productPack = FloatBuffer()

  init(_ kind: Layer.Attention, _ context: LayerContext) {
    guard let weight = context.slot("weight") else { fatalError("attention without a weight") }
    self.kind = kind
    function = ActivationFunction(kind.scoreActivation)
    self.weight = weight
    bias = context.slot("bias")
    score = context.slot("score")
    scoreBias = context.slot("score_bias")
    super.init(context)
  }

  private var size: Int { width }
  /// A
  private var innerSize: Int { kind.size }

  override func weightsChanged() { isPacked = false }

  // MARK: - Forward

  override func forward(_ pass: LayerPass) {
    let (x, pooled, shape) = (rows(), makeOutput(), shape.packed)
    computeScores(x, rows: shape.rows)
    let scores = scores.pointer
    shares.reserve(shape.count * shape.steps)
    forEachSequence { b in
      let (out, a) = (pooled + b * size, shares.pointer + b * shape.steps)
      for t in 0..<shape.lengths[b] { a[t] = scores[shape.offsets[t] + b] }
      kernels.softmax(a, rows: 1, size: shape.lengths[b])
      out.update(repeating: 0, count: size)
      for t in 0..<shape.lengths[b] { addScaled(x + (shape.offsets[t] + b) * size, by: a[t], to: out, count: size) }
    }
  }

  private func computeScores(_ x: UnsafePointer<Float>, rows: Int) {
    scores.reserve(rows)
    arguments.reserve(rows)
    let z = function.isIdentity ? scores.pointer : arguments.pointer
    var (from, w, count, offset) = (x, weights.pointer(weight), size, bias)
    if let score {
      computeHidden(x, rows: rows)
      (from, w, count, offset) = (UnsafePointer(hidden.pointer), weights.pointer(score), innerSize, scoreBias)
    }
    let start = offset.map { weights.pointer($0)[0] } ?? 0
    kernels.forEachShare(of: rows, work: count) { some in
      for row in some { z[row] = dotProduct(from + row * count, w, count: count) + start }
    }
    if !function.isIdentity { kernels.apply(function, z, into: scores.pointer, rows: rows, size: 1) }
  }

  private func computeHidden(_ x: UnsafePointer<Float>, rows: Int) {
    if !isPacked {
      kernels.pack(size, innerSize, weights.pointer(weight), rowStride: 1, columnStride: size, into: pack)
      isPacked = true
    }
    hidden.reserve(rows * innerSize)
    kernels.multiplyOnAllThreads(
      m: rows, n: innerSize, k: size, x, rowStride: size, pack, hidden.pointer, outputStride: innerSize,
      start: bias.map { .row(weights.pointer($0)) } ?? .zero)
    kernels.apply(ActivationFunction(.tanh), hidden.pointer, into: hidden.pointer, rows: rows, size: innerSize)
  }

  private func forEachSequence(_ body: (_ b: Int) -> Void) {
    let (count, parts) = (shape.packed.count, kernels.parts(shape.packed.rows * width, each: 1 << 14))
    parallel(parts) { for b in share(count, multiple: 1, part: $0, of: parts) { body(b) } }
  }

  // MARK: - Backward

  /// ds_t = a_t (dout x_t - dout out),  dx_t = a_t dout + what comes from ds_t through the score
  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    let (x, shape, sink) = (rows(), shape.packed, sink())
    sink?.clear(count: shape.rows * size)
    self.slopes.reserve(shape.rows)
    let slopes = self.slopes.pointer
    forEachSequence { b in
      let (given, a) = (gradient + b * size, shares.pointer + b * shape.steps)
      let mean = dotProduct(given, output + b * size, count: size)
      for t in 0..<shape.lengths[b] {
        let row = shape.offsets[t] + b
        slopes[row] = a[t] * (dotProduct(given, x + row * size, count: size) - mean)
        if let sink { addScaled(given, by: a[t], to: sink.rows + row * size, count: size) }
      }
    }
    if !function.isIdentity {
      kernels.multiplyBySlope(function, slopes, x: arguments.pointer, y: scores.pointer, rows: shape.rows, size: 1)
    }
    if let score {
      backwardHidden(x, score, rows: shape.rows, sink, pass)
      return
    }
    addSum(slopes, rows: shape.rows, to: bias, pass)
    if pass.trainable[weight] {
      kernels.addWeightedRows(rows: shape.rows, columns: size, x, factors: slopes, into: pass.gradients.pointer(weight))
    }
    guard let sink else { return }
    let w = weights.pointer(weight)
    kernels.forEachShare(of: shape.rows, work: size) { some in
      for row in some { addScaled(w, by: slopes[row], to: sink.rows + row * size, count: size) }
    }
  }

  /// With h = tanh(W x + b):  dv = sum of ds_t h_t,  d(W x + b) = ds_t v (1 - h^2)
  private func backwardHidden(
    _ x: UnsafePointer<Float>, _ score: Int, rows: Int, _ sink: GradientSink?, _ pass: GradientPass
  ) {
    let (h, slopes, v, count) = (hidden.pointer, slopes.pointer, weights.pointer(score), innerSize)
    addSum(slopes, rows: rows, to: scoreBias, pass)
    if pass.trainable[score] {
      kernels.addWeightedRows(rows: rows, columns: count, h, factors: slopes, into: pass.gradients.pointer(score))
    }
    hiddenGradient.reserve(rows * count)
    let d = hiddenGradient.pointer
    kernels.forEachShare(of: rows, work: 2 * count) { some in
      for row in some {
        let (d, h) = (d + row * count, h + row * count)
        for j in 0..<count { d[j] = slopes[row] * v[j] * (1 - h[j] * h[j]) }
      }
    }
    if pass.trainable[weight] {
      kernels.pack(rows, size, x, rowStride: size, columnStride: 1, into: productPack)
      kernels.multiplyOnAllThreads(
        m: count, n: size, k: rows, d, rowStride: 1, columnStride: count, productPack, pass.gradients.pointer(weight),
        outputStride: size, start: .output)
    }
    if let bias, pass.trainable[bias] {
      kernels.addColumnSums(rows: rows, columns: count, d, rowStride: count, into: pass.gradients.pointer(bias))
    }
    if let sink {
      kernels.pack(count, size, weights.pointer(weight), rowStride: size, columnStride: 1, into: productPack)
      kernels.multiplyOnAllThreads(
        m: rows, n: size, k: count, d, rowStride: count, productPack, sink.rows, outputStride: size, start: .output)
    }
  }

  private func addSum(_ x: UnsafePointer<Float>, rows: Int, to slot: Int?, _ pass: GradientPass) {
    guard let slot, pass.trainable[slot] else { return }
    pass.gradients.pointer(slot)[0] += sum(x, count: rows)
  }
}
