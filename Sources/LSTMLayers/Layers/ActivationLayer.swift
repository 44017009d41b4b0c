import LSTMCheckpoints

/// An activation function by itself: (R, W) -> (R, W).
final class ActivationLayer: NetworkLayer {
  let activation: Activation
  private let function: ActivationFunction

  init(_ kind: Layer.ActivationLayer, _ context: LayerContext) {
    activation = kind.activation
    function = ActivationFunction(kind.activation, alpha: kind.alpha)
    super.init(context)
  }

  private var passesOn: Bool { givesLogits || function.isIdentity }

  override func forward(_ pass: LayerPass) {
    if passesOn {
      output = rows()
    } else {
      kernels.apply(function, rows(), into: makeOutput(), rows: rowCount, size: width)
    }
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    if !passesOn { kernels.multiplyBySlope(function, gradient, x: rows(), y: output, rows: rowCount, size: width) }
    sources[0].addGradient(gradient)
  }

  override var streamObstacle: String? { nil }

  override func step(_ step: LayerStep) {
    kernels.applyHere(function, step.inputs[0], into: step.output, rows: 1, size: width)
  }
}
