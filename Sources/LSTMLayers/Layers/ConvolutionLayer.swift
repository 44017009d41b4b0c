import CLSTMKernels
import LSTMCheckpoints

/// A convolution over time, (R, C) -> (R', O), or over time and height, (R, C x F) -> (R', O x F').
///
/// It works in tiles of some sequences and steps, each by one thread: their padded values are copied channels last, where
/// most windows are contiguous, and products read the windows from there. Each sum is in the order of a window's values,
/// starting from the bias, so that results do not depend on tiles and threads.
final class ConvolutionLayer: NetworkLayer {
  let geometry: ConvolutionGeometry
  let activation: Activation
  let function: ActivationFunction
  let weight: Int
  let bias: Int?
  /// The weights in the order of windows, (O, K), and packed span by span.
  private let ordered = FloatBuffer()
  private let pack = FloatBuffer()
  private var isPacked = false
  private(set) var isActivated = false
  /// What goes into the activation, where its slope needs that.
  let arguments = FloatBuffer()
  private var keepsArguments = false
  /// For each thread a tile, and its sums (windows, O).
  private let scratch = FloatBuffer()
  /// For each thread the windows of time of its tile's sequences.
  private let counts = AlignedBuffer<Int>()

  // Backward only.
  let productPack = FloatBuffer()
  let products = FloatBuffer()
  let backwardScratch = FloatBuffer()

  init(_ kind: Layer.Convolution, _ context: LayerContext) {
    guard let weight = context.slot("weight") else { fatalError("a convolution without a weight") }
    self.weight = weight
    bias = context.slot("bias")
    activation = kind.activation
    function = ActivationFunction(kind.activation)
    geometry = ConvolutionGeometry(kind, context.inputs[0])
    super.init(context, shape: RowShape.of(context) { kind.length($0, axis: 0) })
  }

  override func weightsChanged() { isPacked = false }

  override func checkShape() throws(ShapeError) {
    guard geometry.kind.reflects else { return }
    let lengths = sources[0].shape.packed.lengths
    for steps in lengths {
      let around = geometry.kind.padding(steps, axis: 0)
      guard max(around.before, around.after) < steps else {
        throw ShapeError(
          what: name, expected: "sequences longer than the \(max(around.before, around.after)) steps that are reflected",
          found: "one of \(steps)")
      }
    }
  }

  // MARK: - Weights

  /// The weights in the order of windows, (O, K).
  func orderedWeights() -> UnsafeMutablePointer<Float> {
    geometry.taps.time * geometry.taps.height == 1 ? weights.pointer(weight) : ordered.pointer
  }

  func packForForward() {
    guard !isPacked else { return }
    isPacked = true
    let geometry = geometry
    let (taps, channels) = (geometry.taps.time * geometry.taps.height, geometry.groupChannels)
    let (window, size) = (geometry.windowSize, geometry.size)
    if taps > 1 {
      ordered.reserve(size * window)
      let (from, to) = (weights.pointer(weight), ordered.pointer)
      kernels.forEachShare(of: size, work: window) { some in
        for o in some {
          for c in 0..<channels {
            for tap in 0..<taps { to[o * window + tap * channels + c] = from[(o * channels + c) * taps + tap] }
          }
        }
      }
    }
    let (count, groupSize) = (spanPackSize, geometry.groupSize)
    pack.reserve(geometry.kind.groups * geometry.spans * count)
    for group in 0..<geometry.kind.groups {
      for span in 0..<geometry.spans {
        kernels.table.pointee.pack(
          geometry.span, 0, geometry.span, 0, groupSize,
          orderedWeights() + group * groupSize * window + span * geometry.span, 1, window,
          pack.pointer + (group * geometry.spans + span) * count)
      }
    }
  }

  private var spanPackSize: Int { kernels.packedCount(geometry.span, geometry.groupSize) }

  // MARK: - Forward

  override func forward(_ pass: LayerPass) {
    packForForward()
    isActivated = !givesLogits && !function.isIdentity
    keepsArguments = isActivated && keepsActivations && function.needsArgument
    if keepsArguments { arguments.reserve(rowCount * width) }
    let output = makeOutput()
    if geometry.isPointwise {
      let z = keepsArguments ? arguments.pointer : output
      kernels.multiplyOnAllThreads(
        m: rowCount, n: width, k: geometry.channels, rows(), rowStride: geometry.channels, pack, z,
        outputStride: width, start: bias.map { .row(weights.pointer($0)) } ?? .zero)
      if isActivated { kernels.apply(function, z, into: output, rows: rowCount, size: width) }
      return
    }
    let shape = shape.packed
    let tiling = ConvolutionTiling(geometry, shape, threads: kernels.threads)
    let work = shape.rows * geometry.outputHeight * geometry.windowSize * geometry.size
    let parts = min(kernels.parts(work, each: 1 << 17), tiling.count)
    scratch.reserve(parts * tiling.floats)
    counts.reserve(parts * tiling.sequences)
    parallel(parts) { part in
      for tile in Swift.stride(from: part, to: tiling.count, by: parts) {
        forward(
          tiling, tile, scratch.pointer + part * tiling.floats, counts.pointer + part * tiling.sequences)
      }
    }
  }

  private func forward(
    _ tiling: ConvolutionTiling, _ tile: Int, _ memory: UnsafeMutablePointer<Float>, _ counts: UnsafeMutablePointer<Int>
  ) {
    let (geometry, shape, given) = (geometry, shape.packed, sources[0].shape.packed)
    let (firstSequence, first) = tiling.start(of: tile)
    let sequences = tiling.countWindows(tile, shape, into: counts)
    guard sequences > 0 else { return }
    let (x, sums, rowSize) = (rows(), memory + tiling.tileFloats, sources[0].width)
    for group in 0..<geometry.kind.groups {
      for b in 0..<sequences {
        let steps = given.lengths[firstSequence + b]
        geometry.gather(
          memory + b * tiling.tileSteps * geometry.stepSize,
          from: first * geometry.stride.time - geometry.before(steps),
          count: (counts[b] - 1) * geometry.stride.time + geometry.reach + 1, steps: steps, group: group
        ) { UnsafePointer(x + (given.offsets[$0] + firstSequence + b) * rowSize) }
      }
      multiply(
        group, memory, sums, sequences: sequences, time: tiling.time, tileSteps: tiling.tileSteps, counts: counts)
    }
    for b in 0..<sequences {
      let sums = sums + b * tiling.time * width
      func emit(to rows: UnsafeMutablePointer<Float>) {
        for t in 0..<counts[b] {
          self.emit(sums + t * width, to: rows + (shape.offsets[first + t] + firstSequence + b) * width)
        }
      }
      if keepsArguments { emit(to: arguments.pointer) }
      finish(sums, windows: counts[b] * geometry.outputHeight)
      emit(to: output)
    }
  }

  /// The sums of a group for all windows of a tile: rows of O.
  private func multiply(
    _ group: Int, _ tile: UnsafePointer<Float>, _ sums: UnsafeMutablePointer<Float>, sequences: Int, time: Int,
    tileSteps: Int, counts: UnsafePointer<Int>
  ) {
    let (size, groupSize, table) = (geometry.size, geometry.groupSize, kernels.table.pointee)
    let start = bias.map { UnsafePointer(weights.pointer($0) + group * groupSize) }
    let packs = pack.pointer + group * geometry.spans * spanPackSize
    let packSize = spanPackSize
    geometry.forEachRun(sequences: sequences, time: time, tileSteps: tileSteps, counts: counts) { run in
      let to = sums + run.window * size + group * groupSize
      for span in 0..<geometry.spans {
        table.multiply(
          run.count, groupSize, geometry.span, tile + run.place + geometry.offset(ofSpan: span), run.step, 1,
          packs + span * packSize, to, run.windowStep * size, span == 0 ? start : UnsafePointer(to))
      }
    }
  }

  private func finish(_ sums: UnsafeMutablePointer<Float>, windows: Int) {
    if isActivated { kernels.applyHere(function, sums, into: sums, rows: windows, size: geometry.size) }
  }

  /// A row of output from its windows' sums: (F', O) -> (O, F').
  private func emit(_ sums: UnsafePointer<Float>, to row: UnsafeMutablePointer<Float>) {
    let (size, height) = (geometry.size, geometry.outputHeight)
    guard height > 1 else { return row.update(from: sums, count: size) }
    for o in 0..<size {
      for f in 0..<height { row[o * height + f] = sums[f * size + o] }
    }
  }

  // MARK: - Backward

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    if isActivated { multiplyBySlope(gradient) }
    if let bias, pass.trainable[bias] { addBiasGradient(gradient, into: pass.gradients.pointer(bias)) }
    if pass.trainable[weight] { addWeightGradient(gradient, into: pass.gradients.pointer(weight)) }
    if let sink = sink() { addInputGradient(gradient, sink) }
  }

  // MARK: - Single steps

  override var streamObstacle: String? {
    let around = geometry.kind.padding(1, axis: 0)
    let isCausal =
      geometry.stride.time == 1 && around.before == geometry.reach && around.after == 0
      && (geometry.reach == 0 || !geometry.kind.reflects)
    return isCausal ? nil : "\(name), a convolution whose windows are not of earlier steps alone"
  }

  /// The last steps that windows reach, oldest first.
  override var stateCount: Int { geometry.reach * sources[0].width }
  override var scratchCount: Int { stepTileSize + geometry.outputHeight * geometry.size }
  private var stepTileSize: Int { ((geometry.reach + 1) * geometry.stepSize + 15) & ~15 }

  override func prepareToStep() {
    packForForward()
    isActivated = !function.isIdentity
  }

  override func step(_ step: LayerStep) {
    let (geometry, rowSize) = (geometry, sources[0].width)
    let sums = step.scratch + stepTileSize
    var one = 1
    for group in 0..<geometry.kind.groups {
      let place = group * geometry.groupChannels * geometry.height
      for p in 0..<geometry.reach {
        geometry.gather(step.scratch + p * geometry.stepSize, step.state + p * rowSize + place)
      }
      geometry.gather(step.scratch + geometry.reach * geometry.stepSize, step.inputs[0] + place)
      multiply(group, step.scratch, sums, sequences: 1, time: 1, tileSteps: geometry.reach + 1, counts: &one)
    }
    finish(sums, windows: geometry.outputHeight)
    emit(sums, to: step.output)
    guard geometry.reach > 0 else { return }
    step.state.update(from: step.state + rowSize, count: (geometry.reach - 1) * rowSize)
    (step.state + (geometry.reach - 1) * rowSize).update(from: step.inputs[0], count: rowSize)
  }
}

extension RowShape {
  /// Of a layer that may change the number of steps: its source's where it does not.
  static func of(_ context: LayerContext, length: @escaping (Int) -> Int) -> RowShape {
    let source = context.sources[0].shape
    return context.value.clock == context.inputs[0].clock ? source : RowShape(after: source, length: length)
  }
}
