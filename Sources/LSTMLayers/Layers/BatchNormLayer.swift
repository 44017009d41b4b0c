import LSTMCheckpoints

/// Batch normalization: y = (x - mean) / sqrt(variance + epsilon) * weight + bias, for each feature or each channel of a
/// grid, (R, W) -> (R, W).
///
/// In a training pass that moves its statistics, mean and variance are those of the batch's rows, and the running ones in
/// `weights` move toward them. Everywhere else they are the running ones: an exact constant. One row alone has no
/// variance: it, too, is normalized by the running statistics, and does not move them.
///
/// Of steps that a mask hides it takes no statistics.
///
/// Legend: C channels of F columns each, W = C F; n = R F values of a channel.
final class BatchNormLayer: NetworkLayer {
  private let weight: Int?
  private let bias: Int?
  private let runningMean: Int
  private let runningVariance: Int
  private let channels: Int
  /// F
  private let height: Int
  private let kind: Layer.BatchNorm

  /// The rows that count, where the mask hides some (R, W), and which they are.
  private let counted = FloatBuffer()
  private var countedRows: [Int] = []
  /// Whether the last pass used the batch's statistics.
  private var usesBatch = false
  /// For each column (W): the mean, 1 / sqrt(variance + epsilon), that times the weight, and the bias.
  private let means = FloatBuffer()
  private let inverses = FloatBuffer()
  private let factors = FloatBuffer()
  private let offsets = FloatBuffer()
  /// Of `backward`, for each column: the means of dy and of dy z.
  private let gradientMeans = FloatBuffer()
  private let alongMeans = FloatBuffer()
  /// Sums over rows for each column (W); those of a channel then lie in its first column.
  private let firstSums = AlignedBuffer<Double>()
  private let secondSums = AlignedBuffer<Double>()

  init(_ kind: Layer.BatchNorm, _ context: LayerContext) {
    guard let mean = context.slot("running_mean"), let variance = context.slot("running_var") else {
      fatalError("a batch normalization without statistics")
    }
    (runningMean, runningVariance) = (mean, variance)
    weight = context.slot("weight")
    bias = context.slot("bias")
    let input = context.inputs[0]
    channels = input.grid?.channels ?? input.width
    height = input.grid?.height ?? 1
    self.kind = kind
    super.init(context)
    for buffer in [means, inverses, factors, offsets, gradientMeans, alongMeans] { buffer.reserve(width) }
    firstSums.reserve(width)
    secondSums.reserve(width)
  }

  // MARK: - Forward

  override func forward(_ pass: LayerPass) {
    usesBatch = pass.isTraining && pass.trainable?[runningMean] ?? false && countOfRows * height > 1
    if usesBatch { measure() } else { useRunningStatistics() }
    let (x, y) = (rows(), makeOutput())
    kernels.forEachShare(of: rowCount, work: width) { some in
      normalize(x + some.lowerBound * width, rows: some.count, into: y + some.lowerBound * width)
    }
  }

  private func normalize(_ x: UnsafePointer<Float>, rows: Int, into y: UnsafeMutablePointer<Float>) {
    kernels.table.pointee.scale_columns(rows, width, x, means.pointer, factors.pointer, offsets.pointer, y)
  }

  private func useRunningStatistics() {
    let (mean, variance) = (weights.pointer(runningMean), weights.pointer(runningVariance))
    for channel in 0..<channels { set(channel, mean: Double(mean[channel]), variance: Double(variance[channel])) }
  }

  private func set(_ channel: Int, mean: Double, variance: Double) {
    let inverse = 1 / (variance + Double(kind.epsilon)).squareRoot()
    let gain = weight.map { Double(weights.pointer($0)[channel]) } ?? 1
    let offset = bias.map { weights.pointer($0)[channel] } ?? 0
    for column in channel * height..<(channel + 1) * height {
      means.pointer[column] = Float(mean)
      inverses.pointer[column] = Float(inverse)
      factors.pointer[column] = Float(gain * inverse)
      offsets.pointer[column] = offset
    }
  }

  /// Takes the batch's statistics, in double precision, and moves the running ones.
  private func measure() {
    let width = width
    let (x, rows) = rowsThatCount(rows())
    let n = Double(rows * height)
    let (sums, squares, table) = (firstSums.pointer, secondSums.pointer, kernels.table)
    forEachColumnShare { columns in
      let first = columns.lowerBound
      for j in columns { (sums[j], squares[j]) = (0, 0) }
      table.pointee.add_moments(rows, columns.count, x + first, width, nil, sums + first)
    }
    sumChannels(sums)
    for channel in 0..<channels {
      let mean = sums[channel * height] / n
      for column in channel * height..<(channel + 1) * height { sums[column] = mean }
    }
    forEachColumnShare { columns in
      let first = columns.lowerBound
      table.pointee.add_moments(rows, columns.count, x + first, width, sums + first, squares + first)
    }
    sumChannels(squares)
    let (mean, variance) = (weights.pointer(runningMean), weights.pointer(runningVariance))
    let share = Double(kind.momentum)
    func move(_ value: inout Float, toward new: Double) { value = Float((1 - share) * Double(value) + share * new) }
    for channel in 0..<channels {
      let first = channel * height
      set(channel, mean: sums[first], variance: squares[first] / n)
      move(&mean[channel], toward: sums[first])
      move(&variance[channel], toward: squares[first] / (kind.isUnbiased ? n - 1 : n))
    }
  }

  /// Rows that statistics are taken of.
  private var countOfRows: Int {
    shape.isOfEveryStep && value.isPerStep ? shape.visibleOnly.packed.rows : rowCount
  }

  /// The rows without those at steps that a mask hides.
  private func rowsThatCount(_ x: UnsafePointer<Float>) -> (UnsafePointer<Float>, Int) {
    guard shape.isOfEveryStep, value.isPerStep else { return (x, rowCount) }
    countedRows.removeAll(keepingCapacity: true)
    shape.forEachVisibleRow { countedRows.append($0) }
    counted.reserve(countedRows.count * width)
    for (place, row) in countedRows.enumerated() {
      (counted.pointer + place * width).update(from: x + row * width, count: width)
    }
    return (UnsafePointer(counted.pointer), countedRows.count)
  }

  /// Columns are summed by one thread each, in the order of the rows: results do not depend on the split.
  private func forEachColumnShare(_ body: (Range<Int>) -> Void) {
    let parts = kernels.parts(rowCount * width, each: 1 << 14)
    parallel(parts) { body(share(width, multiple: 16, part: $0, of: parts)) }
  }

  /// Turns sums of columns into those of channels, each in its first column.
  private func sumChannels(_ sums: UnsafeMutablePointer<Double>) {
    guard height > 1 else { return }
    for channel in 0..<channels {
      var sum = 0.0
      for column in channel * height..<(channel + 1) * height { sum += sums[column] }
      sums[channel * height] = sum
    }
  }

  // MARK: - Backward

  /// With z = (x - mean) / sqrt(variance + epsilon):  dx = (dy - mean of dy - z mean of dy z) weight / sqrt(variance +
  /// epsilon), and without the two means where the statistics are constants.
  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    let (x, rows, width) = (rows(), rowCount, width)
    let trains = { (slot: Int?) in slot.map { pass.trainable[$0] } ?? false }
    let (sums, products) = (firstSums.pointer, secondSums.pointer)
    let (mean, inverse, factor, table) = (means.pointer, inverses.pointer, factors.pointer, kernels.table)
    if usesBatch || trains(weight) || trains(bias) {
      forEachColumnShare { columns in
        let first = columns.lowerBound
        for j in columns { (sums[j], products[j]) = (0, 0) }
        table.pointee.add_gradient_moments(
          rows, columns.count, gradient + first, x + first, width, mean + first, inverse + first, sums + first,
          products + first)
      }
      sumChannels(sums)
      sumChannels(products)
      add(products, to: weight, pass)
      add(sums, to: bias, pass)
    }
    guard sources[0].wantsGradient else { return }
    if usesBatch {
      let isMasked = shape.isOfEveryStep && value.isPerStep
      let n = Double((isMasked ? countedRows.count : rows) * height)
      for channel in 0..<channels {
        let (a, b) = (sums[channel * height] / n, products[channel * height] / n)
        for column in channel * height..<(channel + 1) * height {
          (gradientMeans.pointer[column], alongMeans.pointer[column]) = (Float(a), Float(b))
        }
      }
      if isMasked {
        backwardMasked(gradient, x, rows)
      } else {
        kernels.forEachShare(of: rows, work: 2 * width) { some in
          let at = some.lowerBound * width
          table.pointee.normalize_columns_backward(
            some.count, width, x + at, mean, inverse, factor, gradientMeans.pointer, alongMeans.pointer, gradient + at)
        }
      }
    } else {
      kernels.forEachShare(of: rows, work: width) { some in
        let d = gradient + some.lowerBound * width
        table.pointee.scale_columns(some.count, width, d, nil, factor, nil, d)
      }
    }
    sources[0].addGradient(gradient)
  }

  /// The statistics do not depend on rows that do not count.
  private func backwardMasked(_ gradient: UnsafeMutablePointer<Float>, _ x: UnsafePointer<Float>, _ rows: Int) {
    let (mean, inverse, factor) = (means.pointer, inverses.pointer, factors.pointer)
    var next = countedRows.sorted()[...]
    for row in 0..<rows {
      let (d, x) = (gradient + row * width, x + row * width)
      guard next.first == row else {
        for j in 0..<width { d[j] *= factor[j] }
        continue
      }
      next = next.dropFirst()
      for j in 0..<width {
        let z = (x[j] - mean[j]) * inverse[j]
        d[j] = (d[j] - gradientMeans.pointer[j] - z * alongMeans.pointer[j]) * factor[j]
      }
    }
  }

  private func add(_ sums: UnsafePointer<Double>, to slot: Int?, _ pass: GradientPass) {
    guard let slot, pass.trainable[slot] else { return }
    let to = pass.gradients.pointer(slot)
    for channel in 0..<channels { to[channel] += Float(sums[channel * height]) }
  }

  // MARK: - Single steps

  override var streamObstacle: String? { nil }
  override func prepareToStep() { useRunningStatistics() }
  override func step(_ step: LayerStep) { normalize(step.inputs[0], rows: 1, into: step.output) }
}
