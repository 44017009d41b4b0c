import CLSTMKernels

/// The sums of a convolution's windows: sum over a window of w x, from the bias.
///
/// It works in tiles of some sequences and steps, each by one thread: their padded values are copied channels last, where
/// most windows are contiguous, and products read the windows from there. Each sum is in the order of a window's values,
/// so that results do not depend on tiles and threads.
final class ConvolutionProduct {
  let geometry: ConvolutionGeometry
  let kernels: Kernels
  /// Whether it is that of the input's gradient: the roles of C and O exchanged, the taps in reverse.
  private let isFlipped: Bool
  /// The weights in the order of windows, (O, K), and packed span by span.
  private let ordered = FloatBuffer()
  let packed = FloatBuffer()
  private(set) var orderedWeights: UnsafeMutablePointer<Float>
  /// The same with the bias, for products by heights: (O, K + 1).
  let biased = FloatBuffer()
  /// For each thread a tile, and its sums (windows, O); or the packed windows of a step.
  let scratch = FloatBuffer()
  /// For each thread the windows of time of its tile's sequences.
  private let counts = AlignedBuffer<Int>()
  /// Where the spans of a window begin.
  private let offsets = AlignedBuffer<Int>()

  init(_ geometry: ConvolutionGeometry, _ kernels: Kernels, isFlipped: Bool = false) {
    self.geometry = geometry
    self.kernels = kernels
    self.isFlipped = isFlipped
    orderedWeights = ordered.pointer
    offsets.reserve(geometry.spans)
    for span in 0..<geometry.spans { offsets.pointer[span] = geometry.offset(ofSpan: span) }
  }

  private var packSize: Int { kernels.packedCount(geometry.products.size, geometry.groupSize) }

  /// Packs weights (O, C / groups, taps), or of the convolution that this one is the flipped of.
  func pack(_ weights: UnsafeMutablePointer<Float>) {
    let geometry = geometry
    let (taps, channels, groupSize) = (geometry.tapCount, geometry.groupChannels, geometry.groupSize)
    let (window, size) = (geometry.windowSize, geometry.size)
    orderedWeights = weights
    if taps > 1 || isFlipped && !geometry.isInDepth {
      ordered.reserve(geometry.isInDepth ? window : size * window)
      orderedWeights = ordered.pointer
    }
    let to = orderedWeights
    if geometry.isInDepth {
      guard taps > 1 else { return }
      for c in 0..<channels {
        for tap in 0..<taps { to[tap * channels + c] = weights[c * taps + (isFlipped ? taps - 1 - tap : tap)] }
      }
      return
    }
    if isFlipped {
      kernels.forEachShare(of: size, work: window) { some in
        for o in some {
          let (group, place) = (o / groupSize, o % groupSize)
          for c in 0..<channels {
            let from = weights + ((group * channels + c) * groupSize + place) * taps + taps - 1
            for tap in 0..<taps { to[o * window + tap * channels + c] = from[-tap] }
          }
        }
      }
    } else if taps > 1 {
      kernels.forEachShare(of: size, work: window) { some in
        for o in some {
          for c in 0..<channels {
            for tap in 0..<taps { to[o * window + tap * channels + c] = weights[(o * channels + c) * taps + tap] }
          }
        }
      }
    }
    let (count, products) = (packSize, geometry.products)
    packed.reserve(geometry.groups * products.count * count)
    for group in 0..<geometry.groups {
      for index in 0..<products.count {
        kernels.table.pointee.pack(
          products.size, 0, products.size, 0, groupSize, to + group * groupSize * window + index * products.size, 1,
          window, packed.pointer + (group * products.count + index) * count)
      }
    }
  }

  /// For a convolution that is a dense layer of each step.
  func multiplyRows(
    _ x: UnsafePointer<Float>, rows: Int, bias: UnsafePointer<Float>?, into y: UnsafeMutablePointer<Float>
  ) {
    kernels.multiplyOnAllThreads(
      m: rows, n: geometry.size, k: geometry.channels, x, rowStride: geometry.channels, packed, y,
      outputStride: geometry.size, start: bias.map { .row($0) } ?? .zero)
  }

  /// Computes all sums.
  /// - Parameters:
  ///   - x: (R, C x F), of the steps of `given`.
  ///   - shape: of the windows.
  ///   - use: is given the sums of some steps of one sequence, (steps, F', O), and the row of each of these steps. It runs
  ///     on any thread.
  func run(
    _ x: UnsafePointer<Float>, _ given: PackedShape, to shape: PackedShape, bias: UnsafePointer<Float>?,
    _ use: (_ sums: UnsafeMutablePointer<Float>, _ steps: Int, _ row: (Int) -> Int) -> Void
  ) {
    let tiling = ConvolutionTiling(geometry, shape, threads: kernels.threads)
    let work = shape.rows * geometry.outputHeight * geometry.windowSize * (geometry.isInDepth ? 8 : geometry.size)
    let parts = min(kernels.parts(work, each: 1 << 17), tiling.count)
    scratch.reserve(parts * tiling.floats)
    counts.reserve(parts * tiling.sequences)
    parallel(parts) { part in
      let (memory, counts) = (scratch.pointer + part * tiling.floats, counts.pointer + part * tiling.sequences)
      for tile in Swift.stride(from: part, to: tiling.count, by: parts) {
        let (firstSequence, first) = tiling.start(of: tile)
        let sequences = tiling.countWindows(tile, shape, into: counts)
        guard sequences > 0 else { continue }
        let sums = memory + tiling.tileFloats
        for group in 0..<geometry.groups {
          for b in 0..<sequences {
            let steps = given.lengths[firstSequence + b]
            geometry.gather(
              memory + b * tiling.tileSteps * geometry.stepSize,
              from: first * geometry.stride.time - geometry.before(steps),
              count: (counts[b] - 1) * geometry.stride.time + geometry.reach + 1, steps: steps, group: group
            ) { x + (given.offsets[$0] + firstSequence + b) * geometry.rowSize }
          }
          multiply(
            group, memory, sums, copies: sums + tiling.sumFloats, bias: bias, sequences: sequences, time: tiling.time,
            tileSteps: tiling.tileSteps, counts: counts)
        }
        for b in 0..<sequences {
          use(sums + b * tiling.time * geometry.outputHeight * geometry.size, counts[b]) {
            shape.offsets[first + $0] + firstSequence + b
          }
        }
      }
    }
  }

  /// The sums of a group for all windows of a tile: rows of O.
  /// - Parameter copies: memory for a run's windows, where they are copied.
  func multiply(
    _ group: Int, _ tile: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>,
    copies: UnsafeMutablePointer<Float>, bias: UnsafePointer<Float>?, sequences: Int, time: Int, tileSteps: Int,
    counts: UnsafePointer<Int>
  ) {
    let geometry = geometry
    let (size, groupSize, packSize, copiesWindows) = (
      geometry.size, geometry.groupSize, packSize, geometry.copiesWindows
    )
    let table = kernels.table.pointee
    let packs = packed.pointer + group * geometry.products.count * packSize
    let start = bias.map { $0 + group * groupSize }
    geometry.forEachRun(sequences: sequences, time: time, tileSteps: tileSteps, counts: counts) { run in
      let (window, to) = (tile + run.place, sums + run.window * size + group * groupSize)
      if geometry.isInDepth {
        for at in 0..<run.count {
          multiplyInDepth(window + at * run.step, bias: bias, into: to + at * run.windowStep * size)
        }
        return
      }
      if copiesWindows {
        let count = geometry.windowSize
        table.copy_windows(run.count, run.step, window, geometry.spans, offsets.pointer, geometry.span, copies)
        table.multiply(run.count, groupSize, count, copies, count, 1, packs, to, run.windowStep * size, start)
        return
      }
      for span in 0..<geometry.spans {
        table.multiply(
          run.count, groupSize, geometry.span, window + geometry.offset(ofSpan: span), run.step, 1,
          packs + span * packSize, to, run.windowStep * size, span == 0 ? start : UnsafePointer(to))
      }
    }
  }

  /// The sums of one window where each channel has a kernel of its own: no product of matrices, but loops over channels,
  /// with weights in the order (tap, channel).
  private func multiplyInDepth(
    _ window: UnsafePointer<Float>, bias: UnsafePointer<Float>?, into sums: UnsafeMutablePointer<Float>
  ) {
    let channels = geometry.channels
    if let bias { sums.update(from: bias, count: channels) } else { sums.update(repeating: 0, count: channels) }
    for tap in 0..<geometry.tapCount {
      let (x, w) = (window + geometry.offset(ofTap: tap), orderedWeights + tap * channels)
      kernels.table.pointee.add_column_products(1, channels, x, w, 0, sums)
    }
  }
}
