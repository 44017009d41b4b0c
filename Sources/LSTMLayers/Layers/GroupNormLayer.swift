import LSTMCheckpoints

/// Group normalization over all steps of a sequence: (R, W) -> (R, W). The columns of a group, and those of a channel of a
/// grid, lie side by side.
final class GroupNormLayer: NetworkLayer {
  private let weight: Int?
  private let bias: Int?
  private let epsilon: Double
  private let groups: Int
  /// Columns of one channel: the height of a grid.
  private let height: Int
  /// (x - mean) / sqrt(variance + epsilon) (R, W), kept for `backward`.
  private let normalized = FloatBuffer()
  /// 1 / sqrt(variance + epsilon) (B, groups)
  private let inverses = FloatBuffer()
  /// Sums of columns (W), for the gains of a grid.
  private let sums = FloatBuffer()

  init(_ kind: Layer.GroupNorm, _ context: LayerContext) {
    weight = context.slot("weight")
    bias = context.slot("bias")
    epsilon = Double(kind.epsilon)
    groups = kind.groups
    height = context.value.grid?.height ?? 1
    super.init(context)
  }

  /// The columns of a group.
  private var size: Int { width / groups }
  private var steps: Int { value.isPerStep ? shape.packed.steps : 1 }

  override func forward(_ pass: LayerPass) {
    let (x, y) = (rows(), makeOutput())
    let (count, keeps) = (shape.packed.count, keepsActivations)
    if keeps {
      normalized.reserve(rowCount * width)
      inverses.reserve(count * groups)
    }
    kernels.forEachShare(of: count, work: 4 * steps * width) { some in
      for b in some {
        normalize(
          x, sequence: b, length: length(b), z: keeps ? normalized.pointer : nil,
          inverses: keeps ? inverses.pointer + b * groups : nil, into: y)
      }
    }
  }

  private func length(_ b: Int) -> Int { value.isPerStep ? shape.packed.lengths[b] : 1 }

  /// The first column of a sequence's row.
  private func start(_ t: Int, _ b: Int) -> Int { (value.isPerStep ? shape.packed.offsets[t] + b : b) * width }

  private func normalize(
    _ x: UnsafePointer<Float>, sequence b: Int, length: Int, z: UnsafeMutablePointer<Float>?,
    inverses: UnsafeMutablePointer<Float>?, into y: UnsafeMutablePointer<Float>
  ) {
    let (gain, offset) = (weight.map(weights.pointer), bias.map(weights.pointer))
    for group in 0..<groups {
      let columns = group * size..<(group + 1) * size
      var (sum, squares) = (0.0, 0.0)
      for t in 0..<length {
        let at = start(t, b)
        for j in columns { sum += Double(x[at + j]) }
      }
      let mean = sum / Double(length * size)
      for t in 0..<length {
        let at = start(t, b)
        for j in columns {
          let difference = Double(x[at + j]) - mean
          squares += difference * difference
        }
      }
      let inverse = 1 / (squares / Double(length * size) + epsilon).squareRoot()
      inverses?[group] = Float(inverse)
      for t in 0..<length {
        let at = start(t, b)
        for j in columns {
          let value = (Double(x[at + j]) - mean) * inverse
          z?[at + j] = Float(value)
          y[at + j] = Float(value * Double(gain?[j / height] ?? 1) + Double(offset?[j / height] ?? 0))
        }
      }
    }
  }

  /// With z = (x - mean) inverse and g = dy weight, of a group:  dx = inverse (g - mean of g - z mean of g z)
  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    if let bias, pass.trainable[bias] {
      addColumns(into: pass.gradients.pointer(bias)) { sums in
        kernels.addColumnSums(rows: rowCount, columns: width, gradient, rowStride: width, into: sums)
      }
    }
    if let weight, pass.trainable[weight] {
      addColumns(into: pass.gradients.pointer(weight)) { sums in
        kernels.addColumnProducts(
          rows: rowCount, columns: width, gradient, normalized.pointer, rowStride: width, into: sums)
      }
    }
    guard sources[0].wantsGradient else { return }
    kernels.forEachShare(of: shape.packed.count, work: 4 * steps * width) { some in
      for b in some { passOn(gradient, sequence: b, length: length(b)) }
    }
    sources[0].addGradient(gradient)
  }

  private func passOn(_ d: UnsafeMutablePointer<Float>, sequence b: Int, length: Int) {
    let (z, gain) = (normalized.pointer, weight.map(weights.pointer))
    for group in 0..<groups {
      let columns = group * size..<(group + 1) * size
      var (sum, products) = (0.0, 0.0)
      for t in 0..<length {
        let at = start(t, b)
        for j in columns {
          d[at + j] *= gain?[j / height] ?? 1
          sum += Double(d[at + j])
          products += Double(d[at + j]) * Double(z[at + j])
        }
      }
      let (mean, along) = (sum / Double(length * size), products / Double(length * size))
      let inverse = Double(inverses.pointer[b * groups + group])
      for t in 0..<length {
        let at = start(t, b)
        for j in columns { d[at + j] = Float(inverse * (Double(d[at + j]) - mean - Double(z[at + j]) * along)) }
      }
    }
  }

  /// Adds what `body` adds up for each column to what a channel has.
  private func addColumns(
    into gains: UnsafeMutablePointer<Float>, _ body: (UnsafeMutablePointer<Float>) -> Void
  ) {
    if height == 1 { return body(gains) }
    sums.reserve(width)
    sums.pointer.update(repeating: 0, count: width)
    body(sums.pointer)
    for j in 0..<width { gains[j / height] += sums.pointer[j] }
  }

  /// A row of its own needs no other step.
  override var streamObstacle: String? { value.isPerStep ? super.streamObstacle : nil }

  override func step(_ step: LayerStep) {
    let (gain, offset, x) = (weight.map(weights.pointer), bias.map(weights.pointer), step.inputs[0])
    for group in 0..<groups {
      let columns = group * size..<(group + 1) * size
      let mean = columns.reduce(0) { $0 + Double(x[$1]) } / Double(size)
      let variance = columns.reduce(0) { $0 + (Double(x[$1]) - mean) * (Double(x[$1]) - mean) } / Double(size)
      let inverse = 1 / (variance + epsilon).squareRoot()
      for j in columns {
        let value = (Double(x[j]) - mean) * inverse
        step.output[j] = Float(value * Double(gain?[j / height] ?? 1) + Double(offset?[j / height] ?? 0))
      }
    }
  }
}
