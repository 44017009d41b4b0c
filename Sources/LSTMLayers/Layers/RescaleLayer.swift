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
    let (x, y, width) = (rows(), makeOutput(), width)
    kernels.forEachShare(of: rowCount, work: width) { some in
      rescale(x + some.lowerBound * width, rows: some.count, into: y + some.lowerBound * width)
    }
  }

  private func rescale(_ x: UnsafePointer<Float>, rows: Int, into y: UnsafeMutablePointer<Float>) {
    kernels.table.pointee.scale_columns(
      rows, width, x, center.map(weights.pointer), weights.pointer(scale), weights.pointer(offset), y)
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    let (scale, width) = (weights.pointer(scale), width)
    kernels.forEachShare(of: rowCount, work: width) { some in
      let d = gradient + some.lowerBound * width
      kernels.table.pointee.scale_columns(some.count, width, d, nil, scale, nil, d)
    }
    sources[0].addGradient(gradient)
  }

  override var streamObstacle: String? { nil }
  override func step(_ step: LayerStep) { rescale(step.inputs[0], rows: 1, into: step.output) }
}
