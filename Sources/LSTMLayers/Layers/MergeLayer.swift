import LSTMCheckpoints

/// Several rows into one: side by side, or value by value. What has one row a sequence goes with each of its steps.
final class MergeLayer: NetworkLayer {
  let operation: Layer.Merge.Operation

  init(_ kind: Layer.Merge, _ context: LayerContext) {
    operation = kind.operation
    super.init(context)
  }

  override func forward(_ pass: LayerPass) {
    let output = makeOutput()
    var column = 0
    for (index, source) in sources.enumerated() {
      let (part, size, column) = (rows(index), source.width, take(&column, source.width))
      forEachRow(of: source, work: size) { row, from in
        let (to, x) = (output + row * width + column, part + from * size)
        if operation == .concatenate || index == 0 {
          to.update(from: x, count: size)
        } else {
          merge(x, into: to)
        }
      }
    }
    if operation == .average {
      let share = 1 / Float(sources.count)
      kernels.forEachShare(of: rowCount, work: width) { some in
        for at in some.lowerBound * width..<some.upperBound * width { output[at] *= share }
      }
    }
  }

  /// The first column of a source's, and of the next.
  private func take(_ column: inout Int, _ size: Int) -> Int {
    guard operation == .concatenate else { return 0 }
    defer { column += size }
    return column
  }

  private func merge(_ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>) {
    switch operation {
    case .concatenate: break
    case .add, .average: for j in 0..<width { y[j] += x[j] }
    case .subtract: for j in 0..<width { y[j] -= x[j] }
    case .multiply: for j in 0..<width { y[j] *= x[j] }
    // NaN propagates.
    case .maximum: for j in 0..<width where x[j] > y[j] || x[j].isNaN { y[j] = x[j] }
    }
  }

  /// Visits the rows of output, on all threads, each with the row of a source that goes with it. All rows of a sequence
  /// are one thread's, in order.
  private func forEachRow(of source: NetworkLayer, work: Int, _ body: (_ row: Int, _ from: Int) -> Void) {
    let shape = shape.packed
    guard value.isPerStep, !source.value.isPerStep else {
      return kernels.forEachShare(of: rowCount, work: work) { some in for row in some { body(row, row) } }
    }
    kernels.forEachShare(of: shape.count, work: shape.steps * work) { some in
      for t in 0..<shape.steps {
        for b in some.lowerBound..<max(some.lowerBound, min(some.upperBound, shape.active[t])) {
          body(shape.offsets[t] + b, b)
        }
      }
    }
  }

  // MARK: - Backward

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    var column = 0
    for (index, source) in sources.enumerated() {
      let (size, column) = (source.width, take(&column, source.width))
      let isSummed = value.isPerStep && !source.value.isPerStep
      // The rows go to the last that wants them as they are, without a copy.
      if operation == .add, index == sources.count - 1, !isSummed { return source.addGradient(gradient) }
      guard let sink = sink(index) else { continue }
      if isSummed { sink.clear(count: source.rowCount * size) }
      let accumulates = sink.accumulates || isSummed
      forEachRow(of: source, work: size * (operation == .multiply ? sources.count : 1)) { row, from in
        let (d, to) = (gradient + row * width + column, sink.rows + from * size)
        switch operation {
        case .concatenate, .add: Self.add(1, d, to: to, count: size, accumulates)
        case .average: Self.add(1 / Float(sources.count), d, to: to, count: size, accumulates)
        case .subtract: Self.add(index == 0 ? 1 : -1, d, to: to, count: size, accumulates)
        case .multiply where sources.count == 2:
          let other = rowRead(1 - index, row)
          if accumulates {
            for j in 0..<size { to[j] += d[j] * other[j] }
          } else {
            for j in 0..<size { to[j] = d[j] * other[j] }
          }
        case .multiply, .maximum:
          for j in 0..<size {
            let slope = d[j] * factor(of: index, row: row, column: j)
            to[j] = accumulates ? to[j] + slope : slope
          }
        }
      }
    }
  }

  private static func add(
    _ factor: Float, _ d: UnsafePointer<Float>, to: UnsafeMutablePointer<Float>, count: Int, _ accumulates: Bool
  ) {
    if accumulates {
      for j in 0..<count { to[j] += factor * d[j] }
    } else {
      for j in 0..<count { to[j] = factor * d[j] }
    }
  }

  /// d output / d value of a source: the product of the others, or whether it is the first of the largest.
  private func factor(of index: Int, row: Int, column: Int) -> Float {
    if operation == .multiply {
      var product: Float = 1
      for other in sources.indices where other != index { product *= rowRead(other, row)[column] }
      return product
    }
    let largest = output[row * width + column]
    guard rowRead(index, row)[column] == largest else { return 0 }
    for other in 0..<index where rowRead(other, row)[column] == largest { return 0 }
    return 1
  }

  /// The row of a source that goes with a row of output.
  private func rowRead(_ index: Int, _ row: Int) -> UnsafePointer<Float> {
    let isRepeated = value.isPerStep && !sources[index].value.isPerStep
    return UnsafePointer(rows(index) + (isRepeated ? sequence(ofRow: row) : row) * sources[index].width)
  }

  private func sequence(ofRow row: Int) -> Int {
    // The step of a row, by bisection.
    let shape = shape.packed
    var (low, high) = (0, shape.steps)
    while high - low > 1 {
      let middle = (low + high) / 2
      if shape.offsets[middle] <= row { low = middle } else { high = middle }
    }
    return row - shape.offsets[low]
  }

  // MARK: - Single steps

  override var streamObstacle: String? {
    guard value.isPerStep, let row = sources.first(where: { !$0.value.isPerStep }) else { return nil }
    return "\(name), which joins \(row.name) of the whole sequence to each step"
  }

  override func step(_ step: LayerStep) {
    var column = 0
    for (index, source) in sources.enumerated() {
      let place = take(&column, source.width)
      if operation == .concatenate || index == 0 {
        (step.output + place).update(from: step.inputs[index], count: source.width)
      } else {
        merge(step.inputs[index], into: step.output)
      }
    }
    guard operation == .average else { return }
    let share = 1 / Float(sources.count)
    for j in 0..<width { step.output[j] *= share }
  }
}
