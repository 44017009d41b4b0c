import LSTMCheckpoints

/// An activation function by itself: (R, W) -> (R, W).
final class ActivationLayer: NetworkLayer {
  let activation: Activation
  private let alpha: Float?

  init(_ kind: Layer.ActivationLayer, _ context: LayerContext) {
    activation = kind.activation
    alpha = kind.alpha ?? kind.activation.usualAlpha
    super.init(context)
  }

  override func forward(_ pass: LayerPass) {
    if givesLogits {
      output = rows()
      return
    }
    let count = rowCount
    let y = makeOutput()
    y.update(from: rows(), count: count * width)
    DenseLayer.activate(activation, y, rows: count, size: width, kernels)
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    if !givesLogits {
      DenseLayer.multiplyBySlope(activation, gradient, of: output, rows: rowCount, size: width, kernels)
    }
    sources[0].addGradient(gradient)
  }

  override var streamObstacle: String? { nil }

  override func step(_ step: LayerStep) {
    step.output.update(from: step.inputs[0], count: width)
    DenseLayer.activate(activation, step.output, rows: 1, size: width, kernels)
  }
}
