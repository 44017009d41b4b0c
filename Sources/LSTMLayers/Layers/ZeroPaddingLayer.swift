import LSTMCheckpoints

/// Steps of zeros around those of each sequence: (R, S) -> (R', S).
final class ZeroPaddingLayer: NetworkLayer {
  private let before: Int

  init(_ kind: Layer.ZeroPadding, _ context: LayerContext) {
    before = kind.before
    super.init(context, shape: RowShape.of(context) { kind.before + $0 + kind.after })
  }

  /// Calls `body` with each row that it gives, and the row that it is; nil for zeros.
  private func forEachRow(_ body: (_ row: Int, _ source: Int?) -> Void) {
    let (shape, given) = (shape.packed, sources[0].shape.packed)
    kernels.forEachShare(of: rowCount, work: width) { some in
      var t = 0
      for row in some {
        while t + 1 < shape.steps, shape.offsets[t + 1] <= row { t += 1 }
        let (b, step) = (row - shape.offsets[t], t - before)
        body(row, 0..<given.lengths[b] ~= step ? given.offsets[step] + b : nil)
      }
    }
  }

  override func forward(_ pass: LayerPass) {
    let (x, y, width) = (rows(), makeOutput(), width)
    forEachRow { row, source in
      let to = y + row * width
      if let source { to.update(from: x + source * width, count: width) } else { to.update(repeating: 0, count: width) }
    }
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    guard let sink = sink() else { return }
    let width = width
    sink.clear(count: sources[0].rowCount * width)
    forEachRow { row, source in
      guard let source else { return }
      let (from, to) = (gradient + row * width, sink.rows + source * width)
      for j in 0..<width { to[j] += from[j] }
    }
  }
}
