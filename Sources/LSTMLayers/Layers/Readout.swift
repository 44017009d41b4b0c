import LSTMCheckpoints

/// The readout: from the LSTM layers' packed output (R, S) to the head's input, (R, S) for all steps and (B, S) otherwise.
final class ReadoutLayer {
  let kind: ModelConfiguration.Readout
  /// S
  let size: Int
  /// The columns of layers that run in reverse, for `final`.
  let reversedColumns: [Range<Int>]
  let attention: Int?
  let weights: ParameterStore
  private let kernels: Kernels

  let pooled = FloatBuffer()
  /// The row that each value comes from, for `max`.
  private var chosen: [Int] = []
  /// a_t (B, T), for `attention`.
  private let attentionWeights = FloatBuffer()

  init(
    _ kind: ModelConfiguration.Readout, size: Int, reversedColumns: [Range<Int>], weights: ParameterStore,
    kernels: Kernels
  ) {
    self.kind = kind
    self.size = size
    self.reversedColumns = reversedColumns
    self.weights = weights
    self.kernels = kernels
    attention = weights.index(of: "attention.weight")
  }

  func rows(_ shape: PackedShape) -> Int { kind == .all ? shape.rows : shape.count }

  /// - Returns: (rows, S), valid until the next call.
  func forward(_ x: UnsafeMutablePointer<Float>, shape: PackedShape) -> UnsafeMutablePointer<Float> {
    guard kind != .all else { return x }
    pooled.zero(shape.count * size)
    for b in 0..<shape.count {
      let out = pooled.pointer + b * size
      switch kind {
      case .all: break
      case .last: out.update(from: x + shape.lastRow(b) * size, count: size)
      case .final:
        out.update(from: x + shape.lastRow(b) * size, count: size)
        for columns in reversedColumns {
          (out + columns.lowerBound).update(from: x + b * size + columns.lowerBound, count: columns.count)
        }
      case .mean:
        for t in 0..<shape.lengths[b] { add(x + (shape.offsets[t] + b) * size, to: out) }
        let share = 1 / Float(shape.lengths[b])
        for j in 0..<size { out[j] *= share }
      case .max: takeMaximum(x, b, out, shape)
      case .attention: takeAttention(x, b, out, shape)
      }
    }
    return pooled.pointer
  }

  /// Computes dL/dx (R, S) from dL/d readout (rows, S), unless `dx` is nil, and adds the gradient of the attention's weight.
  /// Not needed for `all`, where the two gradients are the same.
  func backward(
    _ gradient: UnsafePointer<Float>, x: UnsafePointer<Float>, shape: PackedShape,
    into dx: UnsafeMutablePointer<Float>?, gradients: ParameterStore, trainable: [Bool]
  ) {
    if let attention, trainable[attention] {
      for b in 0..<shape.count { addAttentionGradient(gradient + b * size, x, b, shape, gradients.pointer(attention)) }
    }
    guard let dx else { return }
    dx.update(repeating: 0, count: shape.rows * size)
    for b in 0..<shape.count {
      let given = gradient + b * size
      switch kind {
      case .all: break
      case .last: (dx + shape.lastRow(b) * size).update(from: given, count: size)
      case .final:
        // In a sequence of one step both halves are in the same row, so the reverse columns are zeroed before they are set.
        let last = dx + shape.lastRow(b) * size
        last.update(from: given, count: size)
        for columns in reversedColumns {
          (last + columns.lowerBound).update(repeating: 0, count: columns.count)
          (dx + b * size + columns.lowerBound).update(from: given + columns.lowerBound, count: columns.count)
        }
      case .mean:
        let share = 1 / Float(shape.lengths[b])
        for t in 0..<shape.lengths[b] {
          let row = dx + (shape.offsets[t] + b) * size
          for j in 0..<size { row[j] = given[j] * share }
        }
      case .max:
        for j in 0..<size { dx[chosen[b * size + j] * size + j] = given[j] }
      case .attention: attentionBackward(given, x, b, shape, dx)
      }
    }
  }

  private func add(_ row: UnsafePointer<Float>, to out: UnsafeMutablePointer<Float>) {
    for j in 0..<size { out[j] += row[j] }
  }

  private func takeMaximum(
    _ x: UnsafePointer<Float>, _ b: Int, _ out: UnsafeMutablePointer<Float>, _ shape: PackedShape
  ) {
    while chosen.count < shape.count * size { chosen.append(0) }
    for j in 0..<size {
      out[j] = x[b * size + j]
      chosen[b * size + j] = b
    }
    for t in 1..<max(shape.lengths[b], 1) {
      let row = shape.offsets[t] + b
      // NaN propagates, as in PyTorch.
      for j in 0..<size where x[row * size + j] > out[j] || x[row * size + j].isNaN {
        out[j] = x[row * size + j]
        chosen[b * size + j] = row
      }
    }
  }

  private func takeAttention(
    _ x: UnsafePointer<Float>, _ b: Int, _ out: UnsafeMutablePointer<Float>, _ shape: PackedShape
  ) {
    guard let attention else { return }
    let w = weights.pointer(attention)
    attentionWeights.reserve(shape.count * shape.steps)
    let a = attentionWeights.pointer + b * shape.steps
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

  /// With a_t = softmax(w x_t) and out = sum a_t x_t:  ds_t = a_t (dout x_t - dout out),  dx_t = a_t dout + ds_t w.
  private func attentionBackward(
    _ given: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ b: Int, _ shape: PackedShape,
    _ dx: UnsafeMutablePointer<Float>
  ) {
    guard let attention else { return }
    let w = weights.pointer(attention)
    forEachSlope(given, x, b, shape) { row, share, slope in
      for j in 0..<size { dx[row * size + j] = share * given[j] + slope * w[j] }
    }
  }

  /// dw = sum ds_t x_t
  private func addAttentionGradient(
    _ given: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ b: Int, _ shape: PackedShape,
    _ dw: UnsafeMutablePointer<Float>
  ) {
    forEachSlope(given, x, b, shape) { row, _, slope in
      for j in 0..<size { dw[j] += slope * x[row * size + j] }
    }
  }

  /// Visits the steps of a sequence with a_t and ds_t, the gradient of the step's score.
  private func forEachSlope(
    _ given: UnsafePointer<Float>, _ x: UnsafePointer<Float>, _ b: Int, _ shape: PackedShape,
    _ body: (_ row: Int, _ share: Float, _ slope: Float) -> Void
  ) {
    let a = attentionWeights.pointer + b * shape.steps
    var mean: Float = 0
    for j in 0..<size { mean += given[j] * pooled.pointer[b * size + j] }
    for t in 0..<shape.lengths[b] {
      let row = shape.offsets[t] + b
      var along: Float = 0
      for j in 0..<size { along += given[j] * x[row * size + j] }
      body(row, a[t], a[t] * (along - mean))
    }
  }
}
