import LSTMCheckpoints

/// Layer normalization: y = (x - mean) / sqrt(variance + epsilon) * weight + bias with each row's own mean and variance,
/// (R, W) -> (R, W).
final class LayerNormLayer: NetworkLayer {
  private let weight: Int?
  private let bias: Int?
  private let epsilon: Double
  /// (x - mean) / sqrt(variance + epsilon) (R, W), kept for `backward`.
  private let normalized = FloatBuffer()
  /// 1 / sqrt(variance + epsilon) (R)
  private let inverses = FloatBuffer()

  init(_ kind: Layer.LayerNorm, _ context: LayerContext) {
    weight = context.slot("weight")
    bias = context.slot("bias")
    epsilon = Double(kind.epsilon)
    super.init(context)
  }

  override func forward(_ pass: LayerPass) {
    let (x, y, width) = (rows(), makeOutput(), width)
    if keepsActivations {
      normalized.reserve(rowCount * width)
      inverses.reserve(rowCount)
    }
    let keeps = keepsActivations
    kernels.forEachShare(of: rowCount, work: 4 * width) { some in
      let at = some.lowerBound * width
      normalize(
        x + at, rows: some.count, z: keeps ? normalized.pointer + at : nil,
        inverses: keeps ? inverses.pointer + some.lowerBound : nil, into: y + at)
    }
  }

  private func normalize(
    _ x: UnsafePointer<Float>, rows: Int, z: UnsafeMutablePointer<Float>?, inverses: UnsafeMutablePointer<Float>?,
    into y: UnsafeMutablePointer<Float>
  ) {
    kernels.table.pointee.normalize_rows(
      rows, width, epsilon, x, weight.map(weights.pointer), bias.map(weights.pointer), z, inverses, y)
  }

  /// With z = (x - mean) inverse and g = dy weight:  dx = inverse (g - mean of g - z mean of g z)
  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    let (rows, width) = (rowCount, width)
    if let bias, pass.trainable[bias] {
      kernels.addColumnSums(rows: rows, columns: width, gradient, rowStride: width, into: pass.gradients.pointer(bias))
    }
    if let weight, pass.trainable[weight] {
      kernels.addColumnProducts(
        rows: rows, columns: width, gradient, normalized.pointer, rowStride: width,
        into: pass.gradients.pointer(weight))
    }
    guard sources[0].wantsGradient else { return }
    let w = weight.map { UnsafePointer(weights.pointer($0)) }
    kernels.forEachShare(of: rows, work: 4 * width) { some in
      let at = some.lowerBound * width
      kernels.table.pointee.normalize_rows_backward(
        some.count, width, w, normalized.pointer + at, inverses.pointer + some.lowerBound, gradient + at)
    }
    sources[0].addGradient(gradient)
  }

  override var streamObstacle: String? { nil }

  override func step(_ step: LayerStep) {
    normalize(step.inputs[0], rows: 1, z: nil, inverses: nil, into: step.output)
  }
}
