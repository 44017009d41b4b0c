import LSTMCheckpoints

/// Divides each row by its L2 norm, clamped to at least 1e-12: (R, W) -> (R, W).
final class L2Layer: NetworkLayer {
  private let norms = FloatBuffer()

  init(_ context: LayerContext) { super.init(context) }

  override func forward(_ pass: LayerPass) {
    let (x, y, width) = (rows(), makeOutput(), width)
    norms.reserve(rowCount)
    kernels.forEachShare(of: rowCount, work: width) { some in
      let first = some.lowerBound
      kernels.table.pointee.unit_rows(
        some.count, width, x + first * width, norms.pointer + first, y + first * width)
    }
  }

  /// y = z / |z|:  dz = (dy - y (y dy)) / |z|
  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    let width = width
    kernels.forEachShare(of: rowCount, work: width) { some in
      let first = some.lowerBound
      kernels.table.pointee.unit_rows_backward(
        some.count, width, output + first * width, norms.pointer + first, gradient + first * width)
    }
    sources[0].addGradient(gradient)
  }

  override var streamObstacle: String? { nil }
  override var scratchCount: Int { 1 }

  override func step(_ step: LayerStep) {
    kernels.table.pointee.unit_rows(1, width, step.inputs[0], step.scratch, step.output)
  }
}
