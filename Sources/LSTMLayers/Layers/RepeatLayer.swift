import LSTMCheckpoints

/// The row of a sequence at each of some steps: (B, S) -> (R, S).
final class RepeatLayer: NetworkLayer {
  init(_ context: LayerContext) {
    let steps = context.value.steps ?? 1
    super.init(context, shape: RowShape(after: context.sources[0].shape) { _ in steps })
  }

  override func forward(_ pass: LayerPass) {
    let (x, y, shape) = (rows(), makeOutput(), shape.packed)
    // Every sequence has all steps: those of a step are a block.
    for t in 0..<shape.steps { (y + shape.offsets[t] * width).update(from: x, count: shape.count * width) }
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    guard let sink = sink() else { return }
    let (shape, size) = (shape.packed, shape.packed.count * width)
    sink.clear(count: size)
    for t in 0..<shape.steps {
      let from = gradient + shape.offsets[t] * width
      for at in 0..<size { sink.rows[at] += from[at] }
    }
  }
}
