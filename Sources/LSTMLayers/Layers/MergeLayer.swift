import LSTMCheckpoints

/// Several rows into one: side by side, or value by value. What has one row a sequence goes with each of its steps, and a
/// single value with each of a row's.
final class MergeLayer: NetworkLayer {
  let operation: Layer.Merge.Operation

  init(_ kind: Layer.Merge, _ context: LayerContext) {
    operation = kind.operation
    super.init(context)
  }

  /// Two inputs of an open number of steps have as many, and none that the other's sequences lack.
  override func checkShape() throws(ShapeError) {
    guard let first = sources.first(where: \.value.isPerStep) else { return }
    for other in sources where other.value.isPerStep && other.shape !== first.shape {
      let (one, two) = (first.shape.packed, other.shape.packed)
      guard one.lengths == two.lengths, one.order == two.order else {
        throw ShapeError(
          what: "steps of \(first.name) and \(other.name), which \(name) puts together", expected: "as many of each",
          found: "\(one.rows) and \(two.rows) in \(one.count) sequences")
      }
    }
  }

  override func forward(_ pass: LayerPass) {
    let output = makeOutput()
    var column = 0
    for (index, source) in sources.enumerated() {
      let (part, size, column) = (rows(index), source.width, take(&column, source.width))
      forEachRow(of: source, work: operation == .concatenate ? size : width) { row, from in
        place(part + from * size, count: size, at: output + row * width + column, isFirst: index == 0)
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

  private func place(_ x: UnsafePointer<Float>, count: Int, at y: UnsafeMutablePointer<Float>, isFirst: Bool) {
    if operation == .concatenate || isFirst && count == width {
      y.update(from: x, count: count)
    } else if isFirst {
      y.update(repeating: x[0], count: width)
    } else if count == width {
      merge(x, into: y)
    } else {
      merge(x[0], into: y)
    }
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

  private func merge(_ x: Float, into y: UnsafeMutablePointer<Float>) {
    switch operation {
    case .concatenate: break
    case .add, .average: for j in 0..<width { y[j] += x }
    case .subtract: for j in 0..<width { y[j] -= x }
    case .multiply: for j in 0..<width { y[j] *= x }
    case .maximum: for j in 0..<width where x > y[j] || x.isNaN { y[j] = x }
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
      let isOne = size < width && operation != .concatenate
      if operation == .add, index == sources.count - 1, !isSummed, !isOne { return source.addGradient(gradient) }
      guard let sink = sink(index) else { continue }
      if isSummed { sink.clear(count: source.rowCount * size) }
      let accumulates = sink.accumulates || isSummed
      let work = operation == .concatenate ? size : width
      forEachRow(of: source, work: work * (operation == .multiply ? sources.count : 1)) { row, from in
        let (d, to) = (gradient + row * width + column, sink.rows + from * size)
        if isOne {
          let sum = sumOfSlopes(of: index, row: row, d)
          to[0] = accumulates ? to[0] + sum : sum
          return
        }
        switch operation {
        case .concatenate, .add: Self.add(1, d, to: to, count: size, accumulates)
        case .average: Self.add(1 / Float(sources.count), d, to: to, count: size, accumulates)
        case .subtract: Self.add(index == 0 ? 1 : -1, d, to: to, count: size, accumulates)
        case .multiply where sources.count == 2:
          let other = rowRead(1 - index, row)
          if sources[1 - index].width < width {
            Self.add(other[0], d, to: to, count: size, accumulates)
          } else if accumulates {
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

  /// The gradient of a single value that goes with each of a row's.
  private func sumOfSlopes(of index: Int, row: Int, _ d: UnsafePointer<Float>) -> Float {
    var sum: Float = 0
    switch operation {
    case .concatenate, .add: for j in 0..<width { sum += d[j] }
    case .average:
      for j in 0..<width { sum += d[j] }
      sum /= Float(sources.count)
    case .subtract:
      for j in 0..<width { sum += d[j] }
      if index > 0 { sum = -sum }
    case .multiply where sources.count == 2:
      let other = rowRead(1 - index, row)
      for j in 0..<width { sum += d[j] * other[j] }
    case .multiply, .maximum: for j in 0..<width { sum += d[j] * factor(of: index, row: row, column: j) }
    }
    return sum
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
      for other in sources.indices where other != index { product *= valueRead(other, row, column) }
      return product
    }
    let largest = output[row * width + column]
    guard valueRead(index, row, column) == largest else { return 0 }
    for other in 0..<index where valueRead(other, row, column) == largest { return 0 }
    return 1
  }

  /// The row of a source that goes with a row of output.
  private func rowRead(_ index: Int, _ row: Int) -> UnsafePointer<Float> {
    let isRepeated = value.isPerStep && !sources[index].value.isPerStep
    return UnsafePointer(rows(index) + (isRepeated ? sequence(ofRow: row) : row) * sources[index].width)
  }

  private func valueRead(_ index: Int, _ row: Int, _ column: Int) -> Float {
    rowRead(index, row)[sources[index].width == width ? column : 0]
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
      let to = step.output + take(&column, source.width)
      place(step.inputs[index], count: source.width, at: to, isFirst: index == 0)
    }
    guard operation == .average else { return }
    let share = 1 / Float(sources.count)
    for j in 0..<width { step.output[j] *= share }
  }
}
