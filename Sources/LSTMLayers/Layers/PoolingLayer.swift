import LSTMCheckpoints

/// The maximum or the average of windows of steps, and of height where rows are a grid: (R, C x F) -> (R', C x F').
final class PoolingLayer: NetworkLayer {
  let kind: Layer.Pooling
  private let channels: Int
  /// F and F'; 1 for rows of features.
  let height: Int
  let outputHeight: Int
  let stride: (time: Int, height: Int)
  /// Values around a column, before the first.
  let below: Int
  /// The place in its sequence that each maximum comes from: its height, and above the lowest `heightBits` its step.
  let chosen = AlignedBuffer<Int32>()
  let heightBits: Int
  /// For each column of output (W'), where its window begins in a column of the input; may be below zero. As many times as
  /// rows are computed together.
  let windowStarts = AlignedBuffer<Int32>()
  private var windowStartRows = 0

  init(_ kind: Layer.Pooling, _ context: LayerContext) {
    self.kind = kind
    let input = context.inputs[0]
    let isGrid = kind.window.count == 2
    channels = isGrid ? input.grid?.channels ?? 1 : input.width
    height = isGrid ? input.width / channels : 1
    outputHeight = isGrid ? kind.length(height, axis: 1) : 1
    let stride = kind.stride.isEmpty ? kind.window : kind.stride
    self.stride = (stride[0], isGrid ? stride[1] : 1)
    below = isGrid ? kind.padding(height, axis: 1) : 0
    heightBits = Int.bitWidth - (height - 1).leadingZeroBitCount
    super.init(context, shape: RowShape.of(context) { kind.length($0, axis: 0) })
    setWindowStarts(rows: 1)
  }

  func setWindowStarts(rows: Int) {
    guard rows > windowStartRows else { return }
    windowStartRows = rows
    windowStarts.reserve(rows * width)
    for column in 0..<rows * width {
      windowStarts.pointer[column] = Int32(column % outputHeight * stride.height - below)
    }
  }

  /// The values of a window along an axis, and how many count for an average.
  func window(_ index: Int, of count: Int, axis: Int) -> (range: Range<Int>, share: Int) {
    guard axis == 0 || kind.window.count == 2 else { return (0..<1, 1) }
    let start = index * (axis == 0 ? stride.time : stride.height) - kind.padding(count, axis: axis)
    let end = start + kind.window[axis]
    let range = max(start, 0)..<min(end, count)
    // What is padded counts as far as it reaches, which a last window that is not whole does not fill.
    let padded = min(end, count + (kind.pad.isEmpty ? 0 : kind.pad[2 * axis + 1])) - start
    return (range, kind.countsPad && !kind.isSame ? padded : range.count)
  }

  override func forward(_ pass: LayerPass) {
    let output = makeOutput()
    let (x, shape, given, rowSize) = (rows(), shape.packed, sources[0].shape.packed, sources[0].width)
    let isMaximum = kind.operation == .max
    if isMaximum, keepsActivations { chosen.reserve(rowCount * width) }
    if isMaximum, isAligned { return takeWhole() }
    kernels.forEachShare(of: rowCount, work: width * kind.window.reduce(1, *)) { some in
      var t = 0
      for row in some {
        while t + 1 < shape.steps, shape.offsets[t + 1] <= row { t += 1 }
        let b = row - shape.offsets[t]
        let (steps, share) = window(t, of: given.lengths[b], axis: 0)
        let to = output + row * width
        let places = isMaximum && keepsActivations ? chosen.pointer + row * width : nil
        to.update(repeating: isMaximum ? -.infinity : 0, count: width)
        if let places {
          let first = steps.lowerBound << heightBits
          for column in 0..<width { places[column] = Int32(first) + max(windowStarts.pointer[column], 0) }
        }
        for step in steps { take(x + (given.offsets[step] + b) * rowSize, step, to, places) }
        if !isMaximum { divide(to, by: share) }
      }
    }
  }

  /// Adds the values of a step to its windows, or takes those that are the largest so far: the first of equal ones, and NaN.
  private func take(
    _ x: UnsafePointer<Float>, _ step: Int, _ y: UnsafeMutablePointer<Float>, _ places: UnsafeMutablePointer<Int32>?
  ) {
    let table = kernels.table
    for tap in 0..<(kind.window.count == 2 ? kind.window[1] : 1) {
      func take(_ count: Int, _ from: UnsafePointer<Float>, _ column: Int) {
        if kind.operation == .max {
          table.pointee.take_largest(
            count, stride.height, from, Int32(step << heightBits + tap), windowStarts.pointer + column, y + column,
            places.map { $0 + column })
        } else {
          table.pointee.add_apart(count, stride.height, from, y + column)
        }
      }
      // Windows of all channels are the same distance apart, or each channel's are.
      if below == 0, outputHeight * stride.height == height, tap < stride.height {
        take(width, x + tap, 0)
        continue
      }
      let first = max(0, (below - tap + stride.height - 1) / stride.height)
      let last = min(outputHeight, (height - 1 + below - tap) / stride.height + 1)
      guard first < last, height + below > tap else { continue }
      for c in 0..<channels {
        take(
          last - first, x + c * height + first * stride.height - below + tap, c * outputHeight + first)
      }
    }
  }

  /// Turns the sums of a row into averages.
  private func divide(_ y: UnsafeMutablePointer<Float>, by share: Int) {
    guard outputHeight > 1 else {
      return kernels.table.pointee.scale(width, 1 / Float(share * window(0, of: height, axis: 1).share), y)
    }
    for f in 0..<outputHeight {
      let factor = 1 / Float(share * window(f, of: height, axis: 1).share)
      for c in 0..<channels { y[c * outputHeight + f] *= factor }
    }
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    guard let sink = sink() else { return }
    let (shape, given, rowSize) = (shape.packed, sources[0].shape.packed, sources[0].width)
    if kind.operation == .max, isAligned, isApart { return spread(gradient, sink) }
    sink.clear(count: sources[0].rowCount * rowSize)
    // Windows may overlap: each thread has sequences, or channels where there are too few.
    let splitsChannels = given.count < kernels.threads
    let work = rowCount * width * kind.window.reduce(1, *)
    let parts = min(kernels.parts(work, each: 1 << 13), splitsChannels ? channels : given.count)
    parallel(parts) { part in
      let some = splitsChannels ? 0..<given.count : share(given.count, multiple: 1, part: part, of: parts)
      let columns = splitsChannels ? share(channels, multiple: 1, part: part, of: parts) : 0..<channels
      for b in some {
        for t in 0..<shape.lengths[b] {
          let row = (shape.offsets[t] + b) * width
          let (steps, share) = window(t, of: given.lengths[b], axis: 0)
          for f in 0..<outputHeight {
            let d = gradient + row + f
            if kind.operation == .max {
              let places = chosen.pointer + row + f
              for c in columns {
                let place = Int(places[c * outputHeight])
                let (step, h) = (place >> heightBits, place & ((1 << heightBits) - 1))
                sink.rows[(given.offsets[step] + b) * rowSize + c * height + h] += d[c * outputHeight]
              }
              continue
            }
            let (heights, heightShare) = window(f, of: height, axis: 1)
            let factor = 1 / Float(share * heightShare)
            for step in steps {
              let to = sink.rows + (given.offsets[step] + b) * rowSize
              for h in heights { for c in columns { to[c * height + h] += factor * d[c * outputHeight] } }
            }
          }
        }
      }
    }
  }
}
