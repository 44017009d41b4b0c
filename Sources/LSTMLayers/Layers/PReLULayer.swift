import LSTMCheckpoints

/// A relu with a learned slope below zero, of each feature or of all: (R, W) -> (R, W).
final class PReLULayer: NetworkLayer {
  private let weight: Int
  private let isShared: Bool
  /// dy x below zero (R, W)
  private let products = FloatBuffer()
  /// Their sums over the rows (W), where all features share one slope.
  private let sums = FloatBuffer()

  init(_ kind: Layer.PReLU, _ context: LayerContext) {
    guard let weight = context.slot("weight") else { fatalError("a PReLU without slopes") }
    (self.weight, isShared) = (weight, kind.isShared)
    super.init(context)
  }

  override func forward(_ pass: LayerPass) {
    let (x, y, width) = (rows(), makeOutput(), width)
    kernels.forEachShare(of: rowCount, work: width) { some in
      apply(x + some.lowerBound * width, rows: some.count, into: y + some.lowerBound * width)
    }
  }

  private func apply(_ x: UnsafePointer<Float>, rows: Int, into y: UnsafeMutablePointer<Float>) {
    let (slopes, step) = (weights.pointer(weight), isShared ? 0 : 1)
    for row in 0..<rows {
      let at = row * width
      for j in 0..<width { y[at + j] = x[at + j] > 0 ? x[at + j] : slopes[j * step] * x[at + j] }
    }
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    let (x, width, step) = (rows(), width, isShared ? 0 : 1)
    if pass.trainable[weight] {
      products.reserve(rowCount * width)
      kernels.forEachShare(of: rowCount, work: width) { some in
        for at in some.lowerBound * width..<some.upperBound * width {
          products.pointer[at] = x[at] > 0 ? 0 : gradient[at] * x[at]
        }
      }
      addSlopes(into: pass.gradients.pointer(weight))
    }
    guard sources[0].wantsGradient else { return }
    let slopes = weights.pointer(weight)
    kernels.forEachShare(of: rowCount, work: width) { some in
      for row in some {
        let at = row * width
        for j in 0..<width where !(x[at + j] > 0) { gradient[at + j] *= slopes[j * step] }
      }
    }
    sources[0].addGradient(gradient)
  }

  private func addSlopes(into slopes: UnsafeMutablePointer<Float>) {
    guard isShared else {
      kernels.addColumnSums(rows: rowCount, columns: width, products.pointer, rowStride: width, into: slopes)
      return
    }
    sums.reserve(width)
    sums.pointer.update(repeating: 0, count: width)
    kernels.addColumnSums(rows: rowCount, columns: width, products.pointer, rowStride: width, into: sums.pointer)
    var sum = 0.0
    for j in 0..<width { sum += Double(sums.pointer[j]) }
    slopes[0] += Float(sum)
  }

  override var streamObstacle: String? { nil }
  override func step(_ step: LayerStep) { apply(step.inputs[0], rows: 1, into: step.output) }
}
