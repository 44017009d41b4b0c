import LSTMCheckpoints

/// sqrt(a^2 + b^2) of the two halves a and b of each row: (R, 2W) -> (R, W).
final class MagnitudeLayer: NetworkLayer {
  init(_ context: LayerContext) { super.init(context) }

  override func forward(_ pass: LayerPass) {
    let (x, y, width) = (rows(), makeOutput(), width)
    for row in 0..<rowCount { Self.compute(x + 2 * row * width, y + row * width, width) }
  }

  private static func compute(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, _ width: Int) {
    for j in 0..<width { y[j] = (x[j] * x[j] + x[width + j] * x[width + j]).squareRoot() }
  }

  /// da = dy a / y, and of a magnitude of 0 nothing.
  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    guard let sink = sink() else { return }
    let (x, width) = (rows(), width)
    for row in 0..<rowCount {
      let (part, to) = (x + 2 * row * width, sink.rows + 2 * row * width)
      for j in 0..<width {
        let y = output[row * width + j]
        let share = y > 0 ? gradient[row * width + j] / y : 0
        for at in [j, width + j] { to[at] = (sink.accumulates ? to[at] : 0) + share * part[at] }
      }
    }
  }

  override var streamObstacle: String? { nil }

  override func step(_ step: LayerStep) { Self.compute(step.inputs[0], step.output, width) }
}
