import LSTMCheckpoints

/// Gives what it reads: a readout of every step, dropout outside of training. Nothing is copied.
final class IdentityLayer: NetworkLayer {
  init(_ context: LayerContext) { super.init(context) }

  override func forward(_ pass: LayerPass) { output = rows() }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    sources[0].addGradient(gradient)
  }

  override var streamObstacle: String? { nil }
  override func step(_ step: LayerStep) { step.output.update(from: step.inputs[0], count: width) }
}

extension NetworkLayer {
  /// Adds rows of gradient that the caller no longer needs; the first are taken without a copy.
  final func addGradient(_ rows: UnsafeMutablePointer<Float>) {
    guard wantsGradient else { return }
    if hasGradient {
      for at in 0..<rowCount * width { gradient[at] += rows[at] }
    } else {
      (gradient, hasGradient) = (rows, true)
    }
  }
}
