import LSTMCheckpoints

/// Several rows into one: side by side, or value by value.
final class MergeLayer: NetworkLayer {
  let operation: Layer.Merge.Operation

  init(_ kind: Layer.Merge, _ context: LayerContext) {
    operation = kind.operation
    super.init(context)
  }

  override func forward(_ pass: LayerPass) {
    let (out, width) = (makeOutput(), width)
    var column = 0
    for (index, source) in sources.enumerated() {
      let (part, size) = (rows(index), source.width)
      for row in 0..<rowCount { (out + row * width + column).update(from: part + row * size, count: size) }
      column += size
    }
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    var column = 0
    for (index, source) in sources.enumerated() {
      let size = source.width
      if let sink = sink(index) {
        for row in 0..<rowCount {
          let (to, from) = (sink.rows + row * size, gradient + row * width + column)
          if sink.accumulates { for j in 0..<size { to[j] += from[j] } } else { to.update(from: from, count: size) }
        }
      }
      column += size
    }
  }

  override var streamObstacle: String? { nil }

  override func step(_ step: LayerStep) {
    var column = 0
    for (index, source) in sources.enumerated() {
      (step.output + column).update(from: step.inputs[index], count: source.width)
      column += source.width
    }
  }
}
