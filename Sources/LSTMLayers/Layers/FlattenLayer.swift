import LSTMCheckpoints

/// All steps of a sequence side by side: (R, S) -> (B, T x S). One row a sequence stays as it is.
final class FlattenLayer: NetworkLayer {
  private let isFeatureFirst: Bool
  /// T; nil for one row a sequence.
  private let steps: Int?

  init(_ kind: Layer.Flatten, _ context: LayerContext) {
    isFeatureFirst = kind.isFeatureFirst
    steps = context.inputs[0].isPerStep ? context.inputs[0].steps : nil
    super.init(context)
  }

  override func checkShape() throws(ShapeError) {
    guard let steps else { return }
    let given = sources[0].shape.packed
    let shortest = given.lengths[given.count - 1]
    guard given.steps == steps, shortest == steps else {
      throw ShapeError(
        what: name, expected: "sequences of \(steps) steps",
        found: "one of \(given.steps == steps ? shortest : given.steps)")
    }
  }

  override func forward(_ pass: LayerPass) {
    guard steps != nil else { return output = rows() }
    let (x, y) = (rows(), makeOutput())
    forEachPart { row, sequence, step, size, steps in
      let (from, to) = (x + row * size, y + sequence)
      if isFeatureFirst {
        for j in 0..<size { to[j * steps + step] = from[j] }
      } else {
        (to + step * size).update(from: from, count: size)
      }
    }
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    guard steps != nil else { return sources[0].addGradient(gradient) }
    guard let sink = sink() else { return }
    sink.clear(count: sources[0].rowCount * sources[0].width)
    forEachPart { row, sequence, step, size, steps in
      let (to, from) = (sink.rows + row * size, gradient + sequence)
      if isFeatureFirst {
        for j in 0..<size { to[j] += from[j * steps + step] }
      } else {
        for j in 0..<size { to[j] += from[step * size + j] }
      }
    }
  }

  /// Visits the rows of steps, with the place of their sequence's row of output.
  private func forEachPart(_ body: (_ row: Int, _ sequence: Int, _ step: Int, _ size: Int, _ steps: Int) -> Void) {
    let (given, size) = (sources[0].shape.packed, sources[0].width)
    kernels.forEachShare(of: given.count, work: given.steps * size) { some in
      for t in 0..<given.steps {
        for b in some { body(given.offsets[t] + b, b * width, t, size, given.steps) }
      }
    }
  }

  override var streamObstacle: String? { steps == nil ? nil : super.streamObstacle }
  override func step(_ step: LayerStep) { step.output.update(from: step.inputs[0], count: width) }
}
