import LSTMCheckpoints

/// Attention over time for each feature by itself: with a_tj = softmax over t of f(W x_t + b)_j, out_j = sum of
/// a_tj x_tj; (R, S) -> (B, S).
final class FeatureAttentionLayer: NetworkLayer {
  private let function: ActivationFunction
  private let weight: Int
  private let bias: Int?

  /// Scores (R, S) before and after f, and dL/d of those before.
  private let arguments = FloatBuffer()
  private let scores = FloatBuffer()
  private let slopes = FloatBuffer()
  /// a_tj (B, S, T): the steps of a feature lie side by side.
  private let shares = FloatBuffer()
  private let pack = FloatBuffer()
  private var isPacked = false
  private let productPack = FloatBuffer()

  init(_ kind: Layer.Attention, _ context: LayerContext) {
    guard let weight = context.slot("weight") else { fatalError("attention without a weight") }
    function = ActivationFunction(kind.scoreActivation)
    self.weight = weight
    bias = context.slot("bias")
    super.init(context)
  }

  private var size: Int { width }

  override func weightsChanged() { isPacked = false }

  override func forward(_ pass: LayerPass) {
    let (x, pooled, shape) = (rows(), makeOutput(), shape.packed)
    computeScores(x, rows: shape.rows)
    let (scores, size) = (scores.pointer, size)
    shares.reserve(shape.count * size * shape.steps)
    forEachSequence { b in
      let (out, length) = (pooled + b * size, shape.lengths[b])
      let all = shares.pointer + b * size * shape.steps
      for t in 0..<length {
        let row = scores + (shape.offsets[t] + b) * size
        for j in 0..<size { all[j * length + t] = row[j] }
      }
      kernels.softmax(all, rows: size, size: length)
      out.update(repeating: 0, count: size)
      for t in 0..<length {
        let row = x + (shape.offsets[t] + b) * size
        for j in 0..<size { out[j] += all[j * length + t] * row[j] }
      }
    }
  }

  private func computeScores(_ x: UnsafePointer<Float>, rows: Int) {
    if !isPacked {
      kernels.pack(size, size, weights.pointer(weight), rowStride: 1, columnStride: size, into: pack)
      isPacked = true
    }
    scores.reserve(rows * size)
    arguments.reserve(rows * size)
    let z = function.isIdentity ? scores.pointer : arguments.pointer
    kernels.multiplyOnAllThreads(
      m: rows, n: size, k: size, x, rowStride: size, pack, z, outputStride: size,
      start: bias.map { .row(weights.pointer($0)) } ?? .zero)
    if !function.isIdentity { kernels.apply(function, z, into: scores.pointer, rows: rows, size: size) }
  }

  private func forEachSequence(_ body: (_ b: Int) -> Void) {
    let (count, parts) = (shape.packed.count, kernels.parts(shape.packed.rows * width, each: 1 << 14))
    parallel(parts) { for b in share(count, multiple: 1, part: $0, of: parts) { body(b) } }
  }

  /// ds_tj = a_tj dout_j (x_tj - out_j),  dx_tj = a_tj dout_j + what comes from ds_t through the score
  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    let (x, shape, sink, size) = (rows(), shape.packed, sink(), size)
    sink?.clear(count: shape.rows * size)
    self.slopes.reserve(shape.rows * size)
    let slopes = self.slopes.pointer
    forEachSequence { b in
      let (given, out, length) = (gradient + b * size, output + b * size, shape.lengths[b])
      let all = shares.pointer + b * size * shape.steps
      for t in 0..<length {
        let at = (shape.offsets[t] + b) * size
        for j in 0..<size {
          let along = all[j * length + t] * given[j]
          slopes[at + j] = along * (x[at + j] - out[j])
          if let sink { sink.rows[at + j] += along }
        }
      }
    }
    if !function.isIdentity {
      kernels.multiplyBySlope(function, slopes, x: arguments.pointer, y: scores.pointer, rows: shape.rows, size: size)
    }
    if pass.trainable[weight] {
      kernels.pack(shape.rows, size, x, rowStride: size, columnStride: 1, into: productPack)
      kernels.multiplyOnAllThreads(
        m: size, n: size, k: shape.rows, slopes, rowStride: 1, columnStride: size, productPack,
        pass.gradients.pointer(weight), outputStride: size, start: .output)
    }
    if let bias, pass.trainable[bias] {
      kernels.addColumnSums(
        rows: shape.rows, columns: size, slopes, rowStride: size, into: pass.gradients.pointer(bias))
    }
    guard let sink else { return }
    kernels.pack(size, size, weights.pointer(weight), rowStride: size, columnStride: 1, into: productPack)
    kernels.multiplyOnAllThreads(
      m: shape.rows, n: size, k: size, slopes, rowStride: size, productPack, sink.rows, outputStride: size,
      start: .output)
  }
}
