import LSTMCheckpoints

extension Network {
  /// The gradients of the input and the initial state.
  public struct InputGradients: Sendable {
    /// dL/dx (N, T, I), zero at padded steps; of the embedding's output for a model that reads tokens.
    public let input: Tensor
    /// dL/dh_0 and dL/dc_0.
    public let state: LSTMState
  }

  /// Exact backpropagation through time for the last forward pass.
  /// - Parameters:
  ///   - outputGradient: dL/d output, in the shape of `forward`'s output.
  ///   - stateGradient: dL/d final state, or nil for zero.
  ///   - gradients: the gradients of the trainable parameters are added to these; the others are not changed.
  ///   - trainable: for each parameter whether its gradient is wanted. Nothing is computed below the lowest such parameter.
  ///   - wantsInput: whether dL/dx and the gradient of the initial state are wanted.
  /// - Returns: dL/dx and the gradient of the initial state if wanted, else nil.
  /// - Throws: `ShapeError` when the gradient's shape is wrong, or no forward pass that keeps activations came before.
  @discardableResult
  public func backward(
    _ outputGradient: Tensor, stateGradient: LSTMState? = nil, into gradients: ParameterStore, trainable: [Bool],
    wantsInput: Bool = false
  ) throws(ShapeError) -> InputGradients? {
    guard isComplete, firstKept == 0 else {
      throw ShapeError(
        what: "backward", expected: "a forward pass before it that keeps activations",
        found: isComplete ? "one that does not keep them" : "none")
    }
    let expected =
      readout.kind == .all
      ? [shape.count, paddedSteps, configuration.outputSize] : [shape.count, configuration.outputSize]
    guard outputGradient.shape == expected else {
      throw ShapeError(what: "output gradient", expected: "\(expected)", found: "\(outputGradient.shape)")
    }
    pack(outputGradient)
    backward(
      self.outputGradient.pointer, into: gradients,
      GradientPlan(configuration, trainable: trainable, wantsInput: wantsInput), stateGradient: stateGradient,
      wantsState: wantsInput)
    return wantsInput ? inputGradients() : nil
  }

  /// Exact backpropagation through time for the last `run` with a plan. Does not allocate for a batch no larger than an
  /// earlier one.
  /// - Parameters:
  ///   - outputGradient: dL/d output, in the order of the rows that `run` returned. It is overwritten if the model
  ///     normalizes its output or has an activation after its readout.
  ///   - gradients: the gradients of the trainable parameters are added to these; the others are not changed.
  package func backward(
    _ outputGradient: UnsafeMutablePointer<Float>, into gradients: ParameterStore, _ plan: GradientPlan
  ) {
    backward(outputGradient, into: gradients, plan, stateGradient: nil, wantsState: false)
  }

  private func backward(
    _ outputGradient: UnsafeMutablePointer<Float>, into gradients: ParameterStore, _ plan: GradientPlan,
    stateGradient: LSTMState?, wantsState: Bool
  ) {
    let computing = Computing()
    defer { computing.end() }
    precondition(isComplete, "backward without a forward pass")
    precondition(max(plan.lowestLayer ?? .max, 0) >= firstKept, "backward goes below the layers that kept activations")
    let rows = readout.rows(shape)
    var gradient = outputGradient
    if configuration.normalizesOutput { normalizeBackward(gradient, rows: rows) }

    // 1. The head, from the top.
    let isNeededBelowHead = plan.lowestLayer != nil || plan.attentionTrains
    for index in stride(from: head.count - 1, through: isNeededBelowHead ? 0 : plan.lowestHead ?? head.count, by: -1) {
      let x = index == 0 ? readoutOutput : head[index - 1].output.pointer
      let isNeededBelow = isNeededBelowHead || index > plan.lowestHead ?? head.count
      let below = headGradients[index % 2]
      if isNeededBelow { below.reserve(rows * head[index].inputSize) }
      head[index].backward(
        gradient, x: x, rows: rows, gradients: gradients, trainable: plan.trainable,
        inputGradient: isNeededBelow ? below.pointer : nil)
      gradient = below.pointer
    }
    guard isNeededBelowHead else { return }

    // 2. The readout and the skip concatenation.
    if configuration.readoutActivation != .none {
      DenseLayer.multiplyBySlope(
        configuration.readoutActivation, gradient, of: activatedReadout.pointer, rows: rows,
        size: configuration.readoutSize, kernels)
    }
    if readout.kind != .all {
      if plan.lowestLayer != nil { stackGradient.reserve(shape.rows * configuration.readoutSize) }
      let stack = configuration.skip ? concatenation.pointer : rowsRead(at: configuration.layers.count)
      readout.backward(
        gradient, x: stack, shape: shape, into: plan.lowestLayer == nil ? nil : stackGradient.pointer,
        gradients: gradients, trainable: plan.trainable)
      gradient = stackGradient.pointer
    }
    guard let lowest = plan.lowestLayer else { return }
    distribute(gradient, above: lowest)
    gradient = regularizedTopGradient(gradient)

    // 3. The LSTM layers, down to the lowest that is needed. Looking up the padding row adds nothing to its gradient, but
    // another use of a tied embedding may already have added to it.
    let padding = paddingRow(of: gradients, plan)
    if let padding {
      paddingGradient.reserve(configuration.input.size)
      paddingGradient.pointer.update(from: padding, count: configuration.input.size)
    }
    defer { if let padding { padding.update(from: paddingGradient.pointer, count: configuration.input.size) } }
    for index in stride(from: configuration.layers.count - 1, through: max(lowest, 0), by: -1) {
      let isTop = index == configuration.layers.count - 1 && !configuration.skip
      layerBackward(
        index, outputGradient: isTop ? gradient : layerGradients[index + 1].pointer, stateGradient: stateGradient,
        gradients: gradients, trainable: plan.trainable, needsInput: index > lowest, wantsState: wantsState)
      if index > lowest { dropGradient(at: index) }
    }

    // 4. The embedding.
    if let embedding, plan.trainable[embedding], configuration.skip || !sumsByToken(wantsState: wantsState) {
      addEmbeddingGradient(embedding, gradients: gradients)
    }
  }

  /// The gradient of the embedding's padding row; nil if there is none or it is frozen.
  private func paddingRow(of gradients: ParameterStore, _ plan: GradientPlan) -> UnsafeMutablePointer<Float>? {
    guard let row = configuration.paddingToken, let embedding, plan.trainable[embedding] else { return nil }
    let size = configuration.input.size
    precondition(row >= 0 && (row + 1) * size <= gradients.slots[embedding].count, "a padding row beyond the embedding")
    return gradients.pointer(embedding) + row * size
  }

  /// Collects the gradients of the input and of the initial states.
  private func inputGradients() -> InputGradients {
    let size = configuration.input.size
    var input = Tensor(zeros: [shape.count, paddedSteps, size])
    input.values.withUnsafeMutableBufferPointer { values in
      guard let base = values.baseAddress else { return }
      forEachRow(at: .input, size: size) { row, sequence, step in
        (base + (sequence * paddedSteps + step) * size).update(
          from: layerGradients[0].pointer + row * size, count: size)
      }
    }
    var state = LSTMState(hidden: [], cell: [])
    for direction in directions.joined() {
      state.hidden.append(unload(direction.stateGradient, width: direction.stateSize))
      state.cell.append(unload(direction.cellGradient, width: direction.hiddenSize))
    }
    return InputGradients(input: input, state: state)
  }

  private func pack(_ gradient: Tensor) {
    let size = configuration.outputSize
    outputGradient.reserve(readout.rows(shape) * size)
    let isPerStep = readout.kind == .all
    gradient.values.withUnsafeBufferPointer { values in
      guard let base = values.baseAddress else { return }
      forEachRow(at: .head(head.count), size: size) { row, sequence, step in
        let place = isPerStep ? sequence * paddedSteps + step : sequence
        (outputGradient.pointer + row * size).update(from: base + place * size, count: size)
      }
    }
  }

  /// After `backward`: for each step the L2 norm of dL/d(pre-activations of the gates) of a layer, over its directions and
  /// all sequences. Norms that decrease toward the first step show vanishing gradients, increasing ones exploding gradients.
  /// - Returns: (T)
  public func gateGradientNorms(layer: Int) -> [Double] {
    let computing = Computing()
    defer { computing.end() }
    return (0..<shape.steps).map { step in
      directions[layer].reduce(0) { $0 + $1.gateGradientSquares(step, shape) }.squareRoot()
    }
  }

  /// y = z / |z|:  dz = (dy - y (y dy)) / |z|
  private func normalizeBackward(_ gradient: UnsafeMutablePointer<Float>, rows: Int) {
    let size = configuration.outputSize
    for row in 0..<rows {
      let (y, d) = (normalized.pointer + row * size, gradient + row * size)
      var along: Float = 0
      for j in 0..<size { along += y[j] * d[j] }
      for j in 0..<size { d[j] = (d[j] - y[j] * along) / norms.pointer[row] }
    }
  }

  /// Reserves the input gradients of the layers above the lowest, `layerGradients[k]`. With a skip concatenation each starts
  /// as its part of the readout's gradient, and the top layer's output has one, too.
  private func distribute(_ gradient: UnsafePointer<Float>, above lowest: Int) {
    for index in configuration.layers.indices where index > lowest {
      layerGradients[index].reserve(shape.rows * configuration.inputSize(ofLayer: index))
    }
    guard configuration.skip else { return }
    let width = configuration.readoutSize
    var part = 0
    forEachPart(of: .layer(configuration.layers.count)) { _, size, column in
      if part > lowest {
        let share = layerGradients[part]
        share.reserve(shape.rows * size)
        for row in 0..<shape.rows {
          (share.pointer + row * size).update(from: gradient + row * width + column, count: size)
        }
      }
      part += 1
    }
  }

  /// Whether layer 0 sums its gradients by token; dL/dx then has only the skip concatenation's part.
  private func sumsByToken(wantsState: Bool) -> Bool {
    guard !wantsState, case .tokens(let vocabulary, _) = configuration.input, vocabulary <= shape.rows else {
      return false
    }
    return directions[0].allSatisfy(\.readsTable)
  }

  private func layerBackward(
    _ index: Int, outputGradient: UnsafePointer<Float>, stateGradient: LSTMState?, gradients: ParameterStore,
    trainable: [Bool], needsInput: Bool, wantsState: Bool
  ) {
    let outputSize = configuration.layers[index].outputSize
    let inputSize = configuration.inputSize(ofLayer: index)
    let x = rowsRead(at: index)
    let hasTable = index == 0 && sumsByToken(wantsState: wantsState)
    for (place, direction) in directions[index].enumerated() {
      let states = configuration.stateIndex(layer: index, direction: place)
      let column = place * direction.stateSize
      load(stateGradient?.hidden[states], into: finalHiddenGradient)
      load(stateGradient?.cell[states], into: finalCellGradient)
      direction.backward(
        .init(
          input: x, inputStride: inputSize, output: layerOutputs[index].pointer + column, outputStride: outputSize,
          initialHidden: startsFromZero ? nil : UnsafePointer(initialHidden[states].pointer),
          initialCell: initialCell[states].pointer,
          outputGradient: outputGradient + column, outputGradientStride: outputSize,
          finalHiddenGradient: stateGradient == nil ? nil : UnsafePointer(finalHiddenGradient.pointer),
          finalCellGradient: stateGradient == nil ? nil : UnsafePointer(finalCellGradient.pointer)),
        shape: shape, gradients: gradients, trainable: trainable,
        inputGradient: needsInput && !hasTable
          ? .init(
            pointer: layerGradients[index].pointer, stride: inputSize, accumulates: configuration.skip || place > 0)
          : nil,
        tokens: hasTable ? tokenInput : nil,
        embeddingGradient: hasTable && needsInput ? embedding.map { gradients.pointer($0) } : nil,
        wantsState: wantsState)
    }
  }

  private func addEmbeddingGradient(_ index: Int, gradients: ParameterStore) {
    let size = configuration.input.size
    let table = gradients.pointer(index)
    for row in 0..<shape.rows {
      let (to, from) = (table + Int(tokens.pointer[row]) * size, layerGradients[0].pointer + row * size)
      if let factors = regularized.embeddingFactors {
        let factor = factors[Int(tokens.pointer[row])]
        for j in 0..<size { to[j] += factor * from[j] }
      } else {
        for j in 0..<size { to[j] += from[j] }
      }
    }
  }

  private func load(_ tensor: Tensor?, into buffer: FloatBuffer) {
    guard let tensor else { return }
    let width = tensor.shape[1]
    buffer.reserve(shape.count * width)
    for b in 0..<shape.count {
      for j in 0..<width { buffer.pointer[b * width + j] = tensor.values[shape.order[b] * width + j] }
    }
  }

  private func unload(_ buffer: FloatBuffer, width: Int) -> Tensor {
    var tensor = Tensor(zeros: [shape.count, width])
    for b in 0..<shape.count {
      for j in 0..<width { tensor.values[shape.order[b] * width + j] = buffer.pointer[b * width + j] }
    }
    return tensor
  }
}
