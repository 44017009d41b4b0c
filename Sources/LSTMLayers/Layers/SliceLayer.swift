import LSTMCheckpoints

/// Some of the features of each row: (R, S) -> (R, count).
final class SliceLayer: NetworkLayer {
  let columns: Range<Int>

  init(_ kind: Layer.Slice, _ context: LayerContext) {
    columns = kind.first..<kind.first + kind.count
    super.init(context)
  }

  override func forward(_ pass: LayerPass) {
    let (x, y, size) = (rows() + columns.lowerBound, makeOutput(), sources[0].width)
    kernels.forEachShare(of: rowCount, work: width) { some in
      for row in some { (y + row * width).update(from: x + row * size, count: width) }
    }
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    guard let sink = sink() else { return }
    let size = sources[0].width
    sink.clear(count: rowCount * size)
    let to = sink.rows + columns.lowerBound
    kernels.forEachShare(of: rowCount, work: width) { some in
      for row in some { for j in 0..<width { to[row * size + j] += gradient[row * width + j] } }
    }
  }

  override var streamObstacle: String? { nil }

  override func step(_ step: LayerStep) {
    step.output.update(from: step.inputs[0] + columns.lowerBound, count: width)
  }
}
