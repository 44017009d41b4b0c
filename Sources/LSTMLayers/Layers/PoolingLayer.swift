import LSTMCheckpoints

/// The maximum or the average of windows of steps, and of height where rows are a grid: (R, C x F) -> (R', C x F').
final class PoolingLayer: NetworkLayer {
  private let kind: Layer.Pooling
  private let channels: Int
  /// F and F'; 1 for rows of features.
  private let height: Int
  private let outputHeight: Int
  private let stride: (time: Int, height: Int)
  /// The place in its sequence that each maximum comes from: step * F + height.
  private let chosen = AlignedBuffer<Int32>()

  init(_ kind: Layer.Pooling, _ context: LayerContext) {
    self.kind = kind
    let input = context.inputs[0]
    let isGrid = kind.window.count == 2
    channels = isGrid ? input.grid?.channels ?? 1 : input.width
    height = isGrid ? input.width / channels : 1
    outputHeight = isGrid ? kind.length(height, axis: 1) : 1
    let stride = kind.stride.isEmpty ? kind.window : kind.stride
    self.stride = (stride[0], isGrid ? stride[1] : 1)
    super.init(context, shape: RowShape.of(context) { kind.length($0, axis: 0) })
  }

  /// The values of a window along an axis, and how many count for an average.
  private func window(_ index: Int, of count: Int, axis: Int) -> (range: Range<Int>, share: Int) {
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
    kernels.forEachShare(of: rowCount, work: width * kind.window.reduce(1, *)) { some in
      var t = 0
      for row in some {
        while t + 1 < shape.steps, shape.offsets[t + 1] <= row { t += 1 }
        let b = row - shape.offsets[t]
        let (steps, share) = window(t, of: given.lengths[b], axis: 0)
        for f in 0..<outputHeight {
          let (heights, heightShare) = window(f, of: height, axis: 1)
          let to = output + row * width + f
          let places = isMaximum && keepsActivations ? chosen.pointer + row * width + f : nil
          var isFirst = true
          for step in steps {
            let from = x + (given.offsets[step] + b) * rowSize
            for h in heights {
              if isMaximum {
                takeLargest(from + h, Int32(step * height + h), to, places, isFirst: isFirst)
              } else {
                add(from + h, to, isFirst: isFirst)
              }
              isFirst = false
            }
          }
          guard !isMaximum else { continue }
          let factor = 1 / Float(share * heightShare)
          for c in 0..<channels { to[c * outputHeight] *= factor }
        }
      }
    }
  }

  private func add(_ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<Float>, isFirst: Bool) {
    if height == 1, outputHeight == 1 {
      if isFirst { y.update(from: x, count: channels) } else { for c in 0..<channels { y[c] += x[c] } }
    } else {
      for c in 0..<channels { y[c * outputHeight] = (isFirst ? 0 : y[c * outputHeight]) + x[c * height] }
    }
  }

  /// The first of the largest; NaN propagates.
  private func takeLargest(
    _ x: UnsafePointer<Float>, _ place: Int32, _ y: UnsafeMutablePointer<Float>, _ places: UnsafeMutablePointer<Int32>?,
    isFirst: Bool
  ) {
    for c in 0..<channels {
      let value = x[c * height]
      guard isFirst || value > y[c * outputHeight] || value.isNaN else { continue }
      y[c * outputHeight] = value
      places?[c * outputHeight] = place
    }
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    guard let sink = sink() else { return }
    let (shape, given, rowSize) = (shape.packed, sources[0].shape.packed, sources[0].width)
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
                let to = sink.rows + (given.offsets[place / height] + b) * rowSize + c * height + place % height
                to.pointee += d[c * outputHeight]
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
