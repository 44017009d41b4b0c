import LSTMCheckpoints

/// Attention over time: with a_t = softmax(score of x_t), out = sum of a_t x_t; (R, S) -> (B, S).
final class AttentionLayer: NetworkLayer {
  private let weight: Int
  /// a_t (B, T)
  private let shares = FloatBuffer()

  init(_ kind: Layer.Attention, _ context: LayerContext) {
    guard let weight = context.slot("weight") else { fatalError("attention without a weight") }
    self.weight = weight
    super.init(context)
  }

  private var size: Int { width }

  override func forward(_ pass: LayerPass) {
    let (x, pooled, shape, w) = (rows(), makeOutput(), shape.packed, weights.pointer(weight))
    shares.reserve(shape.count * shape.steps)
    pooled.update(repeating: 0, count: shape.count * size)
    for b in 0..<shape.count {
      let (out, a) = (pooled + b * size, shares.pointer + b * shape.steps)
      for t in 0..<shape.lengths[b] {
        let row = x + (shape.offsets[t] + b) * size
        var score: Float = 0
        for j in 0..<size { score += w[j] * row[j] }
        a[t] = score
      }
      kernels.softmax(a, rows: 1, size: shape.lengths[b])
      for t in 0..<shape.lengths[b] {
        let row = x + (shape.offsets[t] + b) * size
        for j in 0..<size { out[j] += a[t] * row[j] }
      }
    }
  }

  /// ds_t = a_t (dout x_t - dout out),  dw = sum of ds_t x_t,  dx_t = a_t dout + ds_t w
  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    let (x, shape, w) = (rows(), shape.packed, weights.pointer(weight))
    let dw = pass.trainable[weight] ? pass.gradients.pointer(weight) : nil
    let dx = sink()
    dx?.clear(count: shape.rows * size)
    for b in 0..<shape.count {
      let (given, a) = (gradient + b * size, shares.pointer + b * shape.steps)
      var mean: Float = 0
      for j in 0..<size { mean += given[j] * output[b * size + j] }
      for t in 0..<shape.lengths[b] {
        let at = (shape.offsets[t] + b) * size
        var along: Float = 0
        for j in 0..<size { along += given[j] * x[at + j] }
        let slope = a[t] * (along - mean)
        if let dw { for j in 0..<size { dw[j] += slope * x[at + j] } }
        if let dx { for j in 0..<size { dx.rows[at + j] += a[t] * given[j] + slope * w[j] } }
      }
    }
  }
}
