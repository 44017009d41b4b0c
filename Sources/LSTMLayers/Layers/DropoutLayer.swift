import LSTMCheckpoints

/// A place where values are dropped in training: (R, W) -> (R, W). Elsewhere nothing is copied.
///
/// Random numbers are those of `Regularization.Draw`, a stream for each sequence: a resumed run drops the same values, and
/// neither threads nor other sequences of the batch change them.
final class DropoutLayer: NetworkLayer {
  private let kind: Layer.Dropout
  /// Its number among the layers of the model.
  private let place: Int
  /// Columns of a feature that is dropped as a whole: the height of a grid.
  private let height: Int
  /// Whether the last pass dropped anything.
  private var isOn = false
  /// (R, W), or (B, W) of the spatial form, in the packed order.
  private let factors = FloatBuffer()

  init(_ kind: Layer.Dropout, _ context: LayerContext) {
    self.kind = kind
    place = context.earlier.count
    height = kind.form == .spatial ? context.inputs[0].grid?.height ?? 1 : 1
    super.init(context)
  }

  override func forward(_ pass: LayerPass) {
    guard pass.isTraining, !isSettled, let draw = pass.draw, kind.rate > 0 else {
      isOn = false
      output = rows()
      return
    }
    isOn = true
    makeFactors(draw)
    let (x, y, width) = (rows(), makeOutput(), width)
    forEachFactors { row, factors in
      for j in 0..<width { y[row * width + j] = x[row * width + j] * factors[j] }
    }
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    if isOn {
      let width = width
      forEachFactors { row, factors in
        for j in 0..<width { gradient[row * width + j] *= factors[j] }
      }
    }
    sources[0].addGradient(gradient)
  }

  /// Visits every row with its factors, on all threads.
  private func forEachFactors(_ body: (_ row: Int, _ factors: UnsafePointer<Float>) -> Void) {
    let (factors, width, shape) = (factors.pointer, width, shape.packed)
    forEachSequence { b in
      for t in 0..<steps(b) {
        let row = value.isPerStep ? shape.offsets[t] + b : b
        body(row, factors + (kind.form == .spatial ? b : row) * width)
      }
    }
  }

  private func makeFactors(_ draw: Regularization.Draw) {
    let (width, shape) = (width, shape.packed)
    factors.reserve((kind.form == .spatial ? shape.count : rowCount) * width)
    forEachSequence { b in
      var stream = draw.stream(.layer, place, shape.order[b])
      guard kind.form != .spatial else { return fillSpatial(factors.pointer + b * width, &stream) }
      let deviation = (kind.rate / (1 - kind.rate)).squareRoot()
      for t in 0..<steps(b) {
        let row = factors.pointer + (value.isPerStep ? shape.offsets[t] + b : b) * width
        if kind.form == .gaussian {
          for j in 0..<width { row[j] = 1 + deviation * stream.random.normal() }
        } else {
          stream.fill(row, count: width, dropping: kind.rate)
        }
      }
    }
  }

  /// One factor for each feature, or channel of a grid.
  private func fillSpatial(_ row: UnsafeMutablePointer<Float>, _ stream: inout MaskStream) {
    stream.fill(row, count: width / height, dropping: kind.rate)
    guard height > 1 else { return }
    for column in stride(from: width - 1, through: 0, by: -1) { row[column] = row[column / height] }
  }

  private func steps(_ b: Int) -> Int { value.isPerStep ? shape.packed.lengths[b] : 1 }

  private func forEachSequence(_ body: (_ b: Int) -> Void) {
    let (count, parts) = (shape.packed.count, kernels.parts(rowCount * width, each: 1 << 14))
    parallel(parts) { for b in share(count, multiple: 1, part: $0, of: parts) { body(b) } }
  }

  override var streamObstacle: String? { nil }
  override func step(_ step: LayerStep) { step.output.update(from: step.inputs[0], count: width) }
}
