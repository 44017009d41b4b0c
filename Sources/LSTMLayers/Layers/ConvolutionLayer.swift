import CLSTMKernels
import LSTMCheckpoints

/// A convolution over time, (R, C) -> (R', O), or over time and height, (R, C x F) -> (R', O x F').
final class ConvolutionLayer: NetworkLayer {
  let geometry: ConvolutionGeometry
  let product: ConvolutionProduct
  /// Gives the gradient of what it reads, for windows that move by one value, where it is fast; nil otherwise.
  let flipped: ConvolutionProduct?
  let activation: Activation
  private let function: ActivationFunction
  private let weight: Int
  private let bias: Int?
  private var isPacked = false
  private var isFlippedPacked = false
  private var isActivated = false
  /// What goes into the activation, where its slope needs that.
  private let arguments = FloatBuffer()
  private var keepsArguments = false

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
    product = ConvolutionProduct(geometry, context.kernels)
    flipped = geometry.worthwhileFlipped.map { ConvolutionProduct($0, context.kernels, isFlipped: true) }
    super.init(context, shape: RowShape.of(context) { kind.length($0, axis: 0) })
  }

  override func weightsChanged() { (isPacked, isFlippedPacked) = (false, false) }

  override func checkShape() throws(ShapeError) {
    guard geometry.kind.reflects else { return }
    let lengths = sources[0].shape.packed.lengths
    for steps in lengths {
      let around = geometry.kind.padding(steps, axis: 0)
      guard max(around.before, around.after) < steps else {
        throw ShapeError(
          what: name,
          expected: "sequences longer than the \(max(around.before, around.after)) steps that are reflected",
          found: "one of \(steps)")
      }
    }
  }

  private func packForForward() {
    guard !isPacked else { return }
    isPacked = true
    product.pack(weights.pointer(weight))
  }

  private var biasRow: UnsafePointer<Float>? { bias.map { UnsafePointer(weights.pointer($0)) } }

  // MARK: - Forward

  override func forward(_ pass: LayerPass) {
    packForForward()
    isActivated = !givesLogits && !function.isIdentity
    keepsArguments = isActivated && keepsActivations && function.needsArgument
    if keepsArguments { arguments.reserve(rowCount * width) }
    let (output, width) = (makeOutput(), width)
    if geometry.isPointwise {
      let z = keepsArguments ? arguments.pointer : output
      product.multiplyRows(rows(), rows: rowCount, bias: biasRow, into: z)
      if isActivated { kernels.apply(function, z, into: output, rows: rowCount, size: width) }
      return
    }
    if product.isByColumns(sources[0].shape.packed, to: shape.packed) {
      let z = keepsArguments ? arguments.pointer : output
      product.runByColumns(rows(), sources[0].shape.packed, to: shape.packed, bias: biasRow, into: z)
      if isActivated { kernels.apply(function, z, into: output, rows: rowCount, size: width) }
      return
    }
    if product.isByHeights, activation.isElementwise || !isActivated {
      let z = keepsArguments ? arguments.pointer : output
      product.runByHeights(rows(), sources[0].shape.packed, to: shape.packed, bias: biasRow, into: z) { row in
        guard isActivated else { return }
        kernels.applyHere(function, z + row * width, into: output + row * width, rows: 1, size: width)
      }
      return
    }
    product.run(rows(), sources[0].shape.packed, to: shape.packed, bias: biasRow) { sums, steps, row in
      if keepsArguments {
        for t in 0..<steps { geometry.emit(sums + t * width, to: arguments.pointer + row(t) * width) }
      }
      finish(sums, windows: steps * geometry.outputHeight)
      for t in 0..<steps { geometry.emit(sums + t * width, to: output + row(t) * width) }
    }
  }

  private func finish(_ sums: UnsafeMutablePointer<Float>, windows: Int) {
    if isActivated { kernels.applyHere(function, sums, into: sums, rows: windows, size: geometry.size) }
  }

  // MARK: - Backward

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    if isActivated { multiplyBySlope(gradient) }
    if let bias, pass.trainable[bias] { addBiasGradient(gradient, into: pass.gradients.pointer(bias)) }
    if pass.trainable[weight] { addWeightGradient(gradient, into: pass.gradients.pointer(weight)) }
    guard let sink = sink() else { return }
    guard let flipped, !geometry.isPointwise else { return addInputGradient(gradient, sink) }
    if !isFlippedPacked {
      isFlippedPacked = true
      flipped.pack(weights.pointer(weight))
    }
    if flipped.isByHeights {
      return flipped.runByHeights(
        gradient, shape.packed, to: sources[0].shape.packed, bias: nil, into: sink.rows, accumulates: sink.accumulates)
    }
    let size = sources[0].width
    flipped.run(gradient, shape.packed, to: sources[0].shape.packed, bias: nil) { sums, steps, row in
      for t in 0..<steps {
        let (from, to) = (sums + t * size, sink.rows + row(t) * size)
        if sink.accumulates { flipped.geometry.add(from, to: to) } else { flipped.geometry.emit(from, to: to) }
      }
    }
  }

  /// Turns dL/d output into that of the sums.
  private func multiplyBySlope(_ gradient: UnsafeMutablePointer<Float>) {
    let (size, height, width) = (geometry.size, geometry.outputHeight, width)
    guard height > 1, !activation.isElementwise else {
      kernels.multiplyBySlope(
        function, gradient, x: function.needsArgument ? arguments.pointer : output, y: output, rows: rowCount,
        size: width)
      return
    }
    // Over the channels, which are not side by side.
    backwardScratch.reserve(2 * width)
    let (d, y) = (backwardScratch.pointer, backwardScratch.pointer + width)
    for row in 0..<rowCount {
      geometry.collect(gradient + row * width, to: d)
      geometry.collect(output + row * width, to: y)
      kernels.multiplyBySlope(function, d, x: y, y: y, rows: height, size: size)
      geometry.emit(d, to: gradient + row * width)
    }
  }

  private func addBiasGradient(_ gradient: UnsafePointer<Float>, into sums: UnsafeMutablePointer<Float>) {
    let (rows, size, height, width) = (rowCount, geometry.size, geometry.outputHeight, width)
    guard height > 1 else {
      return kernels.addColumnSums(rows: rows, columns: size, gradient, rowStride: size, into: sums)
    }
    // Over the rows first: these are sums of whole vectors.
    backwardScratch.zero(width)
    kernels.addColumnSums(
      rows: rows, columns: width, gradient, rowStride: width, into: backwardScratch.pointer)
    for o in 0..<size { sums[o] += sum(backwardScratch.pointer + o * height, count: height) }
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
  override var scratchCount: Int {
    stepTileSize + stepSumSize + (geometry.copiesWindows ? geometry.outputHeight * geometry.windowSize : 0)
  }
  private var stepSumSize: Int { (geometry.outputHeight * geometry.size + 15) & ~15 }
  private var stepTileSize: Int { ((geometry.reach + 1) * geometry.stepSize + 15) & ~15 }

  override func prepareToStep() {
    packForForward()
    isActivated = !function.isIdentity
  }

  override func step(_ step: LayerStep) {
    let (geometry, rowSize) = (geometry, sources[0].width)
    let sums = step.scratch + stepTileSize
    var one = 1
    for group in 0..<geometry.groups {
      let place = group * geometry.groupChannels * geometry.height
      for p in 0..<geometry.reach {
        geometry.gather(step.scratch + p * geometry.stepSize, step.state + p * rowSize + place)
      }
      geometry.gather(step.scratch + geometry.reach * geometry.stepSize, step.inputs[0] + place)
      product.multiply(
        group, step.scratch, sums, copies: sums + stepSumSize, bias: biasRow, sequences: 1, time: 1,
        tileSteps: geometry.reach + 1, counts: &one)
    }
    finish(sums, windows: geometry.outputHeight)
    geometry.emit(sums, to: step.output)
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
