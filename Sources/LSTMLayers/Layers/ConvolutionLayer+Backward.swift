import CLSTMKernels

extension ConvolutionLayer {
  // MARK: - Weights

  /// dW (O, K) = sum over windows of dz (O) x window (K): tile by tile, each a product on all threads.
  func addWeightGradient(_ gradient: UnsafePointer<Float>, into sums: UnsafeMutablePointer<Float>) {
    let (size, window) = (geometry.size, geometry.windowSize)
    guard !geometry.isPointwise else {
      kernels.pack(rowCount, window, rows(), rowStride: window, columnStride: 1, into: productPack)
      return kernels.multiplyOnAllThreads(
        m: size, n: window, k: rowCount, gradient, rowStride: 1, columnStride: size, productPack, sums,
        outputStride: window, start: .output)
    }
    let taps = geometry.tapCount
    // With one tap the order of the weights is that of windows.
    if taps > 1 { products.zero(geometry.isInDepth ? window : size * window) }
    let to = taps > 1 ? products.pointer : sums
    // Sums go through the tiles in order, so these must not depend on the number of threads.
    let tiling = ConvolutionTiling(
      geometry, shape.packed, threads: 1, windows: max(64, min(1024, (1 << 19) / window)))
    backwardScratch.reserve(tiling.floats)
    for tile in 0..<tiling.count { addWeightGradient(gradient, tiling, tile, into: to) }
    guard taps > 1 else { return }
    let channels = geometry.groupChannels
    if geometry.isInDepth {
      for c in 0..<channels { for tap in 0..<taps { sums[c * taps + tap] += to[tap * channels + c] } }
      return
    }
    kernels.forEachShare(of: size, work: window) { some in
      for o in some {
        for c in 0..<channels {
          for tap in 0..<taps { sums[(o * channels + c) * taps + tap] += to[o * window + tap * channels + c] }
        }
      }
    }
  }

  private func addWeightGradient(
    _ gradient: UnsafePointer<Float>, _ tiling: ConvolutionTiling, _ tile: Int,
    into sums: UnsafeMutablePointer<Float>
  ) {
    let (geometry, shape, given) = (geometry, shape.packed, sources[0].shape.packed)
    let (firstSequence, first) = tiling.start(of: tile)
    var sequences = 0
    while sequences < tiling.sequences, firstSequence + sequences < shape.count,
      shape.lengths[firstSequence + sequences] > first
    { sequences += 1 }
    guard sequences > 0 else { return }
    func count(_ b: Int) -> Int { min(shape.lengths[firstSequence + b] - first, tiling.time) }
    var steps = 0
    for b in 0..<sequences { steps += count(b) }

    let (x, rowSize, size, height) = (rows(), sources[0].width, geometry.size, geometry.outputHeight)
    let (groupSize, window, windows) = (geometry.groupSize, geometry.windowSize, steps * height)
    let (memory, dz) = (backwardScratch.pointer, backwardScratch.pointer + tiling.tileFloats)
    let (perStep, perWindow) = (
      geometry.stride.time * geometry.stepSize, geometry.stride.height * geometry.groupChannels
    )
    let table = kernels.table.pointee
    if !geometry.isInDepth { productPack.reserve(kernels.packedCount(windows, window)) }
    let packed = productPack.pointer
    let parts = kernels.parts(windows * (window + size), each: 1 << 15)
    for group in 0..<geometry.groups {
      // 1. The tile's values: whole steps to each thread.
      parallel(parts) { part in
        for b in 0..<sequences {
          let length = given.lengths[firstSequence + b]
          let reached = (count(b) - 1) * geometry.stride.time + geometry.reach + 1
          let some = share(reached, multiple: 1, part: part, of: parts)
          geometry.gather(
            memory + (b * tiling.tileSteps + some.lowerBound) * geometry.stepSize,
            from: first * geometry.stride.time - geometry.before(length) + some.lowerBound, count: some.count,
            steps: length, group: group
          ) { UnsafePointer(x + (given.offsets[$0] + firstSequence + b) * rowSize) }
        }
      }
      // 2. Windows and their gradients as the factors of a product.
      parallel(parts) { part in
        let some = share(steps, multiple: 1, part: part, of: parts)
        var (b, t) = (0, some.lowerBound)
        var step = some.lowerBound
        while step < some.upperBound {
          while t >= count(b) { (b, t) = (b + 1, t - count(b)) }
          let run = height > 1 ? 1 : min(count(b) - t, some.upperBound - step)
          let place = memory + b * tiling.tileSteps * geometry.stepSize + t * perStep
          for span in 0..<(geometry.isInDepth ? 0 : geometry.spans) {
            table.pack(
              windows, step * height, run * height, span * geometry.span, geometry.span,
              place + geometry.offset(ofSpan: span), height > 1 ? perWindow : perStep, 1, packed)
          }
          if group == 0 {
            for at in 0..<run {
              let row = shape.offsets[first + t + at] + firstSequence + b
              geometry.collect(gradient + row * width, to: dz + (step + at) * height * size)
            }
          }
          (step, t) = (step + run, t + run)
        }
      }
      if geometry.isInDepth {
        let parts = min(parts, (size + 15) / 16)
        parallel(parts) { part in
          let some = share(size, multiple: 16, part: part, of: parts)
          let column = some.lowerBound
          var from = UnsafePointer(dz)
          for b in 0..<sequences {
            // Where windows are as far apart as their gradients, a tap's products are summed over all of them at once.
            if height == 1, perStep == size {
              let place = memory + b * tiling.tileSteps * geometry.stepSize + column
              for tap in 0..<geometry.tapCount {
                table.add_column_products(
                  count(b), some.count, from + column, place + geometry.offset(ofTap: tap), size,
                  sums + tap * size + column)
              }
              from += count(b) * size
              continue
            }
            for t in 0..<count(b) {
              for f in 0..<height {
                let place = b * tiling.tileSteps * geometry.stepSize + t * perStep + f * perWindow
                for tap in 0..<geometry.tapCount {
                  let x = memory + place + geometry.offset(ofTap: tap) + column
                  table.add_column_products(1, some.count, from + column, x, 0, sums + tap * size + column)
                }
                from += size
              }
            }
          }
        }
        continue
      }
      kernels.multiplyOnAllThreads(
        m: groupSize, n: window, k: windows, dz + group * groupSize, rowStride: 1, columnStride: size, productPack,
        sums + group * groupSize * window, outputStride: window, start: .output)
    }
  }

  // MARK: - What it reads

  /// dx: the gradients of windows, dz W, added where the windows' values lie. A thread adds all windows that reach its
  /// steps, in order.
  func addInputGradient(_ gradient: UnsafePointer<Float>, _ sink: GradientSink) {
    let (geometry, window) = (geometry, geometry.windowSize)
    guard !geometry.isPointwise else {
      kernels.pack(
        geometry.size, window, product.orderedWeights, rowStride: window, columnStride: 1, into: productPack)
      return kernels.multiplyOnAllThreads(
        m: rowCount, n: window, k: geometry.size, gradient, rowStride: geometry.size, productPack, sink.rows,
        outputStride: window, start: sink.accumulates ? .output : .zero)
    }
    let (groups, groupSize) = (geometry.groups, geometry.groupSize)
    let packSize = geometry.isInDepth ? 0 : kernels.packedCount(groupSize, window)
    productPack.reserve(groups * packSize)
    for group in 0..<(geometry.isInDepth ? 0 : groups) {
      kernels.table.pointee.pack(
        groupSize, 0, groupSize, 0, window, product.orderedWeights + group * groupSize * window, window, 1,
        productPack.pointer + group * packSize)
    }
    let tiling = InputTiling(geometry, sources[0].shape.packed, shape.packed, threads: kernels.threads)
    let work = rowCount * geometry.outputHeight * window * (geometry.isInDepth ? 8 : geometry.size)
    let parts = min(kernels.parts(work, each: 1 << 17), tiling.count)
    backwardScratch.reserve(parts * tiling.floats)
    parallel(parts) { part in
      for tile in Swift.stride(from: part, to: tiling.count, by: parts) {
        addInputGradient(gradient, sink, tiling, tile, backwardScratch.pointer + part * tiling.floats)
      }
    }
  }

  private func addInputGradient(
    _ gradient: UnsafePointer<Float>, _ sink: GradientSink, _ tiling: InputTiling, _ tile: Int,
    _ memory: UnsafeMutablePointer<Float>
  ) {
    let (geometry, given, shape) = (geometry, sources[0].shape.packed, shape.packed)
    let (size, height, window) = (geometry.size, geometry.outputHeight, geometry.windowSize)
    let (groupSize, groupChannels, rowSize) = (geometry.groupSize, geometry.groupChannels, sources[0].width)
    let (firstSequence, first) = tiling.start(of: tile)
    let last = min(firstSequence + tiling.sequences, shape.count)
    let (dz, dWindows) = (memory + tiling.tileFloats, memory + tiling.tileFloats + tiling.gradientFloats)
    // 1. The gradients of the windows that reach the tile.
    var windows = 0
    for b in firstSequence..<last where given.lengths[b] > first {
      for t in tiling.windows(of: given.lengths[b], shape.lengths[b], from: first) {
        geometry.collect(gradient + (shape.offsets[t] + b) * width, to: dz + windows * size)
        windows += height
      }
    }
    let packSize = kernels.packedCount(groupSize, window)
    for group in 0..<geometry.groups {
      if geometry.isInDepth {
        for at in 0..<windows {
          for tap in 0..<geometry.tapCount {
            let (to, w) = (dWindows + at * window + tap * size, product.orderedWeights + tap * size)
            for c in 0..<size { to[c] = dz[at * size + c] * w[c] }
          }
        }
      } else {
        kernels.table.pointee.multiply(
          windows, window, groupSize, dz + group * groupSize, size, 1, productPack.pointer + group * packSize, dWindows,
          window, nil)
      }
      // 2. Added where their values lie.
      var from = UnsafePointer(dWindows)
      for b in firstSequence..<last where given.lengths[b] > first {
        let length = given.lengths[b]
        let steps = tiling.steps(of: length, shape.lengths[b], from: first)
        let tile = memory + (b - firstSequence) * tiling.tileSteps * geometry.stepSize
        tile.update(repeating: 0, count: steps.count * geometry.stepSize)
        for t in tiling.windows(of: length, shape.lengths[b], from: first) {
          let place = t * geometry.stride.time - geometry.before(length) - steps.lowerBound
          add(from, windows: height, to: tile, place: place, steps: steps.count)
          from += height * window
        }
        // 3. And given to what it reads.
        if geometry.kind.reflects {
          for step in steps where !(0..<length ~= step) {
            let (from, to) = (step - steps.lowerBound, geometry.reflected(step, length) - steps.lowerBound)
            for j in 0..<geometry.stepSize { tile[to * geometry.stepSize + j] += tile[from * geometry.stepSize + j] }
          }
        }
        for step in max(steps.lowerBound, 0)..<min(steps.upperBound, length) {
          geometry.scatter(
            tile + (step - steps.lowerBound) * geometry.stepSize,
            to: sink.rows + (given.offsets[step] + b) * rowSize + group * groupChannels * geometry.height,
            accumulates: sink.accumulates)
        }
      }
    }
  }

  /// Adds the gradients of the windows of one step to a tile of so many steps.
  /// - Parameter place: the step of the windows' first, which may lie outside.
  private func add(
    _ gradients: UnsafePointer<Float>, windows: Int, to tile: UnsafeMutablePointer<Float>, place: Int, steps: Int
  ) {
    let geometry = geometry
    let (span, stepSize) = (geometry.span, geometry.stepSize)
    let isWhole = place >= 0 && place + geometry.reach < steps
    let isMerged = geometry.spans == 1 && geometry.taps.time > 1
    let spansPerStep = isMerged ? 1 : geometry.spans / geometry.taps.time
    for f in 0..<windows {
      let from = gradients + f * geometry.windowSize
      let start = place * stepSize + f * geometry.stride.height * geometry.groupChannels
      if isMerged {
        // A window is a contiguous range of whole steps.
        let (low, high) = (max(0, -place) * stepSize, min(geometry.taps.time, steps - place) * stepSize)
        for j in low..<max(low, high) { tile[start + j] += from[j] }
        continue
      }
      for index in 0..<geometry.spans {
        if !isWhole {
          let step = place + index / spansPerStep * geometry.dilation.time
          guard 0..<steps ~= step else { continue }
        }
        let (to, part) = (tile + start + geometry.offset(ofSpan: index), from + index * span)
        for j in 0..<span { to[j] += part[j] }
      }
    }
  }
}

/// How a convolution's input is divided into tiles for its gradient.
private struct InputTiling {
  let sequences: Int
  /// Floats of a tile's values, of the gradients of its windows' sums, and of all that a thread needs.
  let tileFloats: Int
  let gradientFloats: Int
  let floats: Int
  let count: Int
  /// Steps that a tile has room for.
  let tileSteps: Int
  /// Steps of the input that belong to a tile.
  private let time: Int
  private let along: Int
  private let geometry: ConvolutionGeometry

  init(_ geometry: ConvolutionGeometry, _ given: PackedShape, _ shape: PackedShape, threads: Int) {
    self.geometry = geometry
    let (stride, reach, height) = (geometry.stride.time, geometry.reach, geometry.outputHeight)
    let limit = max(16, min(128, (1 << 17) / geometry.windowSize))
    let wanted = max(16, min(limit, shape.rows * height / (3 * threads)))
    // Windows that reach into two tiles are computed for both: a tile is longer than that.
    var most = max(max(1, wanted / height) * stride, 2 * reach)
    if geometry.kind.reflects { most = given.steps }
    along = (given.steps + most - 1) / most
    time = (given.steps + along - 1) / along
    let windows = geometry.kind.reflects ? shape.steps : min(shape.steps, (time - 1 + reach) / stride + 1)
    sequences = along > 1 ? 1 : max(1, min(shape.count, wanted / (windows * height)))
    tileSteps =
      geometry.kind.reflects
      ? max(given.steps + reach + (geometry.kind.pad.first ?? 0), (shape.steps - 1) * stride + reach + 1) : time
    tileFloats = (sequences * tileSteps * geometry.stepSize + 15) & ~15
    gradientFloats = (sequences * windows * height * geometry.size + 15) & ~15
    floats = tileFloats + gradientFloats + (sequences * windows * height * geometry.windowSize + 15) & ~15
    count = (shape.count + sequences - 1) / sequences * along
  }

  /// A tile's first sequence and its first step.
  func start(of tile: Int) -> (sequence: Int, time: Int) { (tile / along * sequences, tile % along * time) }

  /// The steps of a tile of a sequence; with those around it where they are reflected.
  func steps(of length: Int, _ windows: Int, from first: Int) -> Range<Int> {
    guard geometry.kind.reflects else { return first..<min(first + time, length) }
    let before = geometry.before(length)
    return -before..<max(length, (windows - 1) * geometry.stride.time - before + geometry.reach + 1)
  }

  /// The windows of time that reach a tile's steps.
  func windows(of length: Int, _ windows: Int, from first: Int) -> Range<Int> {
    if geometry.kind.reflects { return 0..<windows }
    let (before, stride) = (geometry.before(length), geometry.stride.time)
    let low = max(0, first + before - geometry.reach + stride - 1) / stride
    let end = min(first + time, length)
    let high = min(windows, (end - 1 + before) / stride + 1)
    return low..<max(low, high)
  }
}
