import LSTMCheckpoints

/// Divides each row by its L2 norm, clamped to at least 1e-12: (R, W) -> (R, W).
final class L2Layer: NetworkLayer {
  private let norms = FloatBuffer()

  init(_ context: LayerContext) { super.init(context) }

  override func forward(_ pass: LayerPass) {
    let (count, y) = (rowCount, makeOutput())
    norms.reserve(count)
    y.update(from: rows(), count: count * width)
    for row in 0..<count { norms.pointer[row] = normalizeRow(y + row * width, size: width) }
  }

  /// y = z / |z|:  dz = (dy - y (y dy)) / |z|
  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    for row in 0..<rowCount {
      let (y, d) = (output + row * width, gradient + row * width)
      var along: Float = 0
      for j in 0..<width { along += y[j] * d[j] }
      for j in 0..<width { d[j] = (d[j] - y[j] * along) / norms.pointer[row] }
    }
    sources[0].addGradient(gradient)
  }

  override var streamObstacle: String? { nil }

  override func step(_ step: LayerStep) {
    step.output.update(from: step.inputs[0], count: width)
    normalizeRow(step.output, size: width)
  }
}
