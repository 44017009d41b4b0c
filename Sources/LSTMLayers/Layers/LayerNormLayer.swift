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
  /// dL/dy times `normalized` (R, W).
  private let products = FloatBuffer()

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
    kernels.forEachShare(of: rowCount, work: 4 * width) { some in
      for row in some {
        let at = row * width
        let to = keepsActivations ? normalized.pointer + at : y + at
        let inverse = normalize(x + at, into: to)
        if keepsActivations { inverses.pointer[row] = inverse }
        scale(to, into: y + at)
      }
    }
  }

  /// - Returns: 1 / sqrt(variance + epsilon)
  private func normalize(_ x: UnsafePointer<Float>, into z: UnsafeMutablePointer<Float>) -> Float {
    let mean = sum(x, count: width) / Float(width)
    for j in 0..<width { z[j] = x[j] - mean }
    let variance = kernels.table.pointee.sum_of_squares(width, z) / Double(width)
    let inverse = Float(1 / (variance + epsilon).squareRoot())
    for j in 0..<width { z[j] *= inverse }
    return inverse
  }

  /// y = z * weight + bias; z and y may be the same.
  private func scale(_ z: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>) {
    switch (weight.map(weights.pointer), bias.map(weights.pointer)) {
    case (let w?, let b?): for j in 0..<width { y[j] = z[j] * w[j] + b[j] }
    case (let w?, nil): for j in 0..<width { y[j] = z[j] * w[j] }
    case (nil, let b?): for j in 0..<width { y[j] = z[j] + b[j] }
    case (nil, nil): if UnsafePointer(y) != z { y.update(from: z, count: width) }
    }
  }

  /// With z = (x - mean) inverse and g = dy weight:  dx = inverse (g - mean of g - z mean of g z)
  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    let (rows, width) = (rowCount, width)
    if let bias, pass.trainable[bias] {
      kernels.addColumnSums(rows: rows, columns: width, gradient, rowStride: width, into: pass.gradients.pointer(bias))
    }
    if let weight, pass.trainable[weight] {
      products.reserve(rows * width)
      let (products, z) = (products.pointer, normalized.pointer)
      kernels.forEachShare(of: rows, work: width) { some in
        for at in some.lowerBound * width..<some.upperBound * width { products[at] = gradient[at] * z[at] }
      }
      kernels.addColumnSums(
        rows: rows, columns: width, products, rowStride: width, into: pass.gradients.pointer(weight))
    }
    guard sources[0].wantsGradient else { return }
    let w = weight.map(weights.pointer)
    kernels.forEachShare(of: rows, work: 4 * width) { some in
      for row in some {
        let (d, z) = (gradient + row * width, normalized.pointer + row * width)
        if let w { for j in 0..<width { d[j] *= w[j] } }
        let mean = sum(d, count: width) / Float(width)
        let along = dotProduct(d, z, count: width) / Float(width)
        let inverse = inverses.pointer[row]
        for j in 0..<width { d[j] = inverse * (d[j] - mean - z[j] * along) }
      }
    }
    sources[0].addGradient(gradient)
  }

  override var streamObstacle: String? { nil }

  override func step(_ step: LayerStep) {
    _ = normalize(step.inputs[0], into: step.output)
    scale(step.output, into: step.output)
  }
}
