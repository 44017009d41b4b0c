import LSTMCheckpoints

/// The sizes of a convolution, and where its windows lie in a tile.
///
/// A tile holds the padded values of some steps of some sequences, channels last: (sequence, step, height, channel of one
/// group). A window's taps that lie side by side there are a span, one product for many windows without a copy of them.
/// A window's values are in the order (tap of time, tap of height, channel), whatever the spans.
struct ConvolutionGeometry {
  let kind: Layer.Convolution
  /// C, O
  let channels: Int
  let size: Int
  /// F, the same with the values around it, and F'; 1 for rows of features.
  let height: Int
  let paddedHeight: Int
  let outputHeight: Int
  /// Values before the first of the height.
  let below: Int
  /// Taps, steps from window to window and from tap to tap, of time and of height.
  let taps: (time: Int, height: Int)
  let stride: (time: Int, height: Int)
  let dilation: (time: Int, height: Int)

  /// Whether each channel has a kernel of its own; all channels are then one group here.
  let isInDepth: Bool
  let groups: Int
  /// C / groups, O / groups
  let groupChannels: Int
  let groupSize: Int
  /// Spans of a window, and floats of each.
  let spans: Int
  let span: Int

  init(_ kind: Layer.Convolution, _ input: LayerValue) {
    self.kind = kind
    let isGrid = kind.kernel.count == 2
    func axis(_ list: [Int]) -> (time: Int, height: Int) { (list[0], isGrid ? list[1] : 1) }
    (taps, stride, dilation) = (axis(kind.kernel), axis(kind.stride), axis(kind.dilation))
    channels = kind.channels(input)
    size = kind.size
    height = isGrid ? input.width / channels : 1
    let around = isGrid ? kind.padding(height, axis: 1) : (before: 0, after: 0)
    below = around.before
    paddedHeight = height + around.before + around.after
    outputHeight = isGrid ? kind.length(height, axis: 1) : 1
    isInDepth = channels > 1 && kind.groups == channels && size == channels
    groups = isInDepth ? 1 : kind.groups
    groupChannels = channels / groups
    groupSize = size / groups
    // Taps of height are side by side, and so are those of time where a window is as high as the tile.
    if dilation.height > 1, taps.height > 1 {
      (spans, span) = (taps.time * taps.height, groupChannels)
    } else if taps.time == 1 || dilation.time > 1 || paddedHeight != taps.height {
      (spans, span) = (taps.time, taps.height * groupChannels)
    } else {
      (spans, span) = (1, taps.time * taps.height * groupChannels)
    }
  }

  /// Whether windows are copied for their product: their spans are too short to be products of their own.
  var copiesWindows: Bool { spans > 1 && span < 32 && !isInDepth }
  /// The products of a window, and the values of each.
  var products: (count: Int, size: Int) { copiesWindows ? (1, windowSize) : (spans, span) }

  /// K: values of a window in one group.
  var windowSize: Int { taps.time * taps.height * groupChannels }
  /// Steps from a window's first to its last.
  var reach: Int { (taps.time - 1) * dilation.time }
  /// Floats of a step of a tile.
  var stepSize: Int { paddedHeight * groupChannels }
  private var reflects: Bool { kind.reflects }

  /// The place of a span in a tile, from its window's first value.
  func offset(ofSpan index: Int) -> Int {
    let perStep = spans > taps.time ? taps.height : 1
    return (index / perStep * dilation.time * paddedHeight + index % perStep * dilation.height) * groupChannels
  }

  /// Steps assumed before the first of a sequence.
  func before(_ steps: Int) -> Int { kind.padding(steps, axis: 0).before }

  /// The place of a tap in a tile, from its window's first value.
  func offset(ofTap tap: Int) -> Int {
    (tap / taps.height * dilation.time * paddedHeight + tap % taps.height * dilation.height) * groupChannels
  }

  var tapCount: Int { taps.time * taps.height }
  /// Floats of a row of input.
  var rowSize: Int { channels * height }

  /// The convolution that gives the gradient of what this one reads from that of its sums: of O channels to C. nil where
  /// windows move by more than a value or what is around them is no part of a window.
  var flipped: ConvolutionGeometry? {
    guard stride == (1, 1), !kind.reflects else { return nil }
    var other = Layer.Convolution(size: channels, kernel: kind.kernel)
    (other.dilation, other.groups) = (kind.dilation, kind.groups)
    for axis in kind.kernel.indices {
      // With a stride of 1 it does not depend on the number of values.
      let around = kind.padding(height, axis: axis)
      let reach = (kind.kernel[axis] - 1) * kind.dilation[axis]
      guard around.before <= reach, around.after <= reach else { return nil }
      other.pad += [reach - around.before, reach - around.after]
    }
    var value = LayerValue(width: size * outputHeight)
    if kind.kernel.count == 2 { value.grid = .init(channels: size, height: outputHeight) }
    return ConvolutionGeometry(other, value)
  }

  /// `flipped`, unless it wastes most of its products: of few channels these are as wide as a vector all the same, and the
  /// gradients of whole windows take less.
  var worthwhileFlipped: ConvolutionGeometry? {
    func whole(_ width: Int) -> Int { (width + 15) / 16 * 16 }
    guard !isInDepth, tapCount * whole(groupChannels) * 4 > whole(windowSize) * 5 else { return flipped }
    return nil
  }

  /// Whether it is a dense layer of each step.
  var isPointwise: Bool {
    taps == (1, 1) && kind.groups == 1 && stride.time == 1 && kind.kernel.count == 1
      && kind.padding(1, axis: 0) == (0, 0)
  }

  // MARK: - Tiles

  /// Copies the rows of a sequence to a tile, from a step that may lie before the first.
  /// - Parameters:
  ///   - row: the row of a step of the sequence.
  ///   - steps: of the sequence.
  func gather(
    _ to: UnsafeMutablePointer<Float>, from first: Int, count: Int, steps: Int, group: Int,
    row: (Int) -> UnsafePointer<Float>
  ) {
    for p in 0..<count {
      let cell = to + p * stepSize
      var step = first + p
      if reflects { step = reflected(step, steps) }
      guard 0..<steps ~= step else {
        cell.update(repeating: 0, count: stepSize)
        continue
      }
      gather(cell, row(step) + group * groupChannels * height)
    }
  }

  /// One step of a tile from the channels of a group, (C / groups, F).
  func gather(_ cell: UnsafeMutablePointer<Float>, _ row: UnsafePointer<Float>) {
    let channels = groupChannels
    guard kind.kernel.count == 2 else { return copyRow(row, to: cell, count: channels) }
    transpose(row, rows: channels, columns: height, to: cell + below * channels)
    for q in 0..<paddedHeight where !(0..<height ~= q - below) {
      let to = cell + q * channels
      if reflects {
        to.update(from: cell + (reflected(q - below, height) + below) * channels, count: channels)
      } else {
        to.update(repeating: 0, count: channels)
      }
    }
  }

  /// Adds the gradient of one step of a tile to that of the channels of a group, (C / groups, F). What was reflected is
  /// added to where it came from.
  func scatter(_ cell: UnsafeMutablePointer<Float>, to row: UnsafeMutablePointer<Float>, accumulates: Bool) {
    let channels = groupChannels
    guard kind.kernel.count == 2 else {
      if accumulates {
        for c in 0..<channels { row[c] += cell[c] }
      } else {
        row.update(from: cell, count: channels)
      }
      return
    }
    if reflects {
      for q in 0..<paddedHeight where !(0..<height ~= q - below) {
        let (from, to) = (cell + q * channels, cell + (reflected(q - below, height) + below) * channels)
        for c in 0..<channels { to[c] += from[c] }
      }
    }
    let from = cell + below * channels
    guard accumulates else { return transpose(from, rows: height, columns: channels, to: row) }
    for f in 0..<height { for c in 0..<channels { row[c * height + f] += from[f * channels + c] } }
  }

  /// A row of output from its windows' sums: (F', O) -> (O, F').
  func emit(_ sums: UnsafePointer<Float>, to row: UnsafeMutablePointer<Float>) {
    guard outputHeight > 1 else { return row.update(from: sums, count: size) }
    transpose(sums, rows: outputHeight, columns: size, to: row)
  }

  /// The same, added.
  func add(_ sums: UnsafePointer<Float>, to row: UnsafeMutablePointer<Float>) {
    for f in 0..<outputHeight { for o in 0..<size { row[o * outputHeight + f] += sums[f * size + o] } }
  }

  /// The gradients of a row's windows: (O, F') -> (F', O).
  func collect(_ row: UnsafePointer<Float>, to windows: UnsafeMutablePointer<Float>) {
    guard outputHeight > 1 else { return windows.update(from: row, count: size) }
    transpose(row, rows: size, columns: outputHeight, to: windows)
  }

  /// The place that is reflected to a place around `count` values.
  func reflected(_ at: Int, _ count: Int) -> Int { at < 0 ? -at : at >= count ? 2 * (count - 1) - at : at }

  // MARK: - Windows

  /// Windows of one sequence's steps `time`, or of several sequences': as products need them.
  struct Run {
    /// In the tile, the first window's first value, and from window to window.
    var place: Int
    var step: Int
    /// Among the tile's windows (sequence, step, height), the first, and from one to the next.
    var window: Int
    var windowStep: Int
    var count: Int
  }

  /// Visits the windows of a tile in runs, along the axis with the most of them.
  /// - Parameters:
  ///   - sequences: of the tile.
  ///   - time: windows of time that a tile has room for.
  ///   - tileSteps: steps that a tile has room for.
  ///   - counts: windows of time of each sequence, never increasing.
  func forEachRun(
    sequences: Int, time: Int, tileSteps: Int, counts: UnsafePointer<Int>, _ body: (Run) -> Void
  ) {
    let sequenceSize = tileSteps * stepSize
    let (perWindow, perStep) = (stride.height * groupChannels, stride.time * stepSize)
    if outputHeight >= max(sequences, time) {
      for b in 0..<sequences {
        for t in 0..<counts[b] {
          body(
            Run(
              place: b * sequenceSize + t * perStep, step: perWindow, window: (b * time + t) * outputHeight,
              windowStep: 1, count: outputHeight))
        }
      }
    } else if time >= sequences {
      for b in 0..<sequences {
        for f in 0..<outputHeight {
          body(
            Run(
              place: b * sequenceSize + f * perWindow, step: perStep, window: b * time * outputHeight + f,
              windowStep: outputHeight, count: counts[b]))
        }
      }
    } else {
      for t in 0..<time {
        var running = sequences
        while running > 0, counts[running - 1] <= t { running -= 1 }
        guard running > 0 else { return }
        for f in 0..<outputHeight {
          body(
            Run(
              place: t * perStep + f * perWindow, step: sequenceSize, window: t * outputHeight + f,
              windowStep: time * outputHeight, count: running))
        }
      }
    }
  }
}
