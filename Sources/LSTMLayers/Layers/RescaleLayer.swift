import LSTMCheckpoints

/// A fixed affine function of each feature, y = (x - center) scale + offset: (R, W) -> (R, W).
final class RescaleLayer: NetworkLayer {
  private let scale: Int
  private let offset: Int
  private let center: Int?

  init(_ context: LayerContext) {
    guard let scale = context.slot("scale"), let offset = context.slot("offset") else {
      fatalError("a rescaling without a scale and an offset")
    }
    (self.scale, self.offset, center) = (scale, offset, context.slot("center"))
    super.init(context)
  }

  override func forward(_ pass: LayerPass) {
    let (x, y) = (rows(), makeOutput())
    kernels.forEachShare(of: rowCount, work: width) { some in
      for row in some { rescale(x + row * width, into: y + row * width) }
    }
  }

  private func rescale(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>) {
    let (scale, offset) = (weights.pointer(scale), weights.pointer(offset))
    if let center {
      let center = weights.pointer(center)
      for j in 0..<width { y[j] = (x[j] - center[j]) * scale[j] + offset[j] }
    } else {
      for j in 0..<width { y[j] = x[j] * scale[j] + offset[j] }
    }
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    let scale = weights.pointer(scale)
    kernels.forEachShare(of: rowCount, work: width) { some in
      for row in some { for j in 0..<width { gradient[row * width + j] *= scale[j] } }
    }
    sources[0].addGradient(gradient)
  }

  override var streamObstacle: String? { nil }
  override func step(_ step: LayerStep) { rescale(step.inputs[0], into: step.output) }
}
