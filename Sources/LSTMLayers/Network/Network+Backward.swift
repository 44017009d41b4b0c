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
    guard isComplete, keptFor?.allSatisfy(\.self) ?? false else {
      throw ShapeError(
        what: "backward", expected: "a forward pass before it that keeps activations",
        found: isComplete ? "one that does not keep them" : "none")
    }
    let expected =
      givesSteps
      ? [shape.count, paddedSteps, configuration.outputSize] : [shape.count, configuration.outputSize]
    guard outputGradient.shape == expected else {
      throw ShapeError(what: "output gradient", expected: "\(expected)", found: "\(outputGradient.shape)")
    }
    pack(outputGradient)
    backward(
      self.outputGradient.pointer, [], into: gradients,
      GradientPlan(configuration, trainable: trainable, wantsInput: wantsInput), stateGradient: stateGradient,
      wantsState: wantsInput)
    return wantsInput ? inputGradients() : nil
  }

  /// Exact backpropagation through time for the last `run` with a plan. Does not allocate for a batch no larger than an
  /// earlier one.
  /// - Parameters:
  ///   - outputGradient: dL/d output, in the order of the rows that `run` returned. It may be overwritten. nil for zero.
  ///   - others: those of further outputs, in order.
  ///   - gradients: the gradients of the trainable parameters are added to these; the others are not changed.
  package func backward(
    _ outputGradient: UnsafeMutablePointer<Float>?, others: [UnsafeMutablePointer<Float>?] = [],
    into gradients: ParameterStore, _ plan: GradientPlan
  ) {
    backward(outputGradient, others, into: gradients, plan, stateGradient: nil, wantsState: false)
  }

  private func backward(
    _ outputGradient: UnsafeMutablePointer<Float>?, _ others: [UnsafeMutablePointer<Float>?],
    into gradients: ParameterStore, _ plan: GradientPlan, stateGradient: LSTMState?, wantsState: Bool
  ) {
    let computing = Computing()
    defer { computing.end() }
    precondition(isComplete, "backward without a forward pass")
    for (place, node) in nodes.enumerated() {
      node.wantsGradient = plan.wantsGradient[place]
      node.hasGradient = false
      precondition(!node.wantsGradient || keptFor?[place] ?? false, "\(node.name) kept nothing for backward")
    }
    var isWanted = false
    for index in outputLayers.indices {
      let layer = outputLayers[index]
      let given = index == 0 ? outputGradient : index <= others.count ? others[index - 1] : nil
      guard layer.wantsGradient, let given else { continue }
      isWanted = true
      if layer.hasGradient {
        layer.takeSink().add(given, count: layer.rowCount * layer.width)
      } else {
        (layer.gradient, layer.hasGradient) = (given, true)
      }
    }
    guard isWanted else { return }
    for layer in recurrentLayers {
      layer.clearFinalGradient()
      if let stateGradient { load(stateGradient, into: layer) }
    }
    let pass = GradientPass(gradients: gradients, trainable: plan.trainable, wantsState: wantsState)
    for place in stride(from: nodes.count - 1, through: inputs.count, by: -1) where nodes[place].wantsGradient {
      let node = nodes[place]
      if !node.hasGradient {
        // Nothing above reads its rows, but perhaps its final state, or a penalty.
        guard let recurrent = node as? RecurrentLayer, recurrent.hasOtherGradient || regularized.penalizes(node) else {
          continue
        }
        node.takeSink().clear(count: node.rowCount * node.width)
      }
      regularized.undrop(node)
      node.backward(node.gradient, pass)
    }
    for input in inputs where input.hasGradient { regularized.undrop(input) }
  }

  private func load(_ gradient: LSTMState, into layer: RecurrentLayer) {
    let shape = layer.shape.packed
    layer.setFinalGradient { place, hidden, cell in
      let index = layer.firstDirection + place
      for (tensor, buffer) in [(gradient.hidden[index], hidden), (gradient.cell[index], cell)] {
        let width = tensor.shape[1]
        buffer.reserve(shape.count * width)
        for b in 0..<shape.count {
          for j in 0..<width { buffer.pointer[b * width + j] = tensor.values[shape.order[b] * width + j] }
        }
      }
    }
  }

  /// Collects the gradients of the input and of the initial states.
  private func inputGradients() -> InputGradients {
    let reader: NetworkLayer = nodes.first { $0 is EmbeddingLayer && $0.sources[0] === inputs[0] } ?? inputs[0]
    let size = reader.width
    var input = Tensor(zeros: [shape.count, paddedInputSteps, size])
    if reader.hasGradient {
      input.values.withUnsafeMutableBufferPointer { values in
        guard let base = values.baseAddress else { return }
        reader.forEachRow { row, sequence, step in
          (base + (sequence * paddedInputSteps + step) * size).update(from: reader.gradient + row * size, count: size)
        }
      }
    }
    var state = LSTMState(hidden: [], cell: [])
    for layer in recurrentLayers {
      for direction in layer.directions {
        state.hidden.append(unload(direction.stateGradient, width: layer.stateSize, layer))
        state.cell.append(unload(direction.cellGradient, width: layer.cellSize, layer))
      }
    }
    return InputGradients(input: input, state: state)
  }

  private func unload(_ buffer: FloatBuffer, width: Int, _ layer: RecurrentLayer) -> Tensor {
    let shape = layer.shape.packed
    var tensor = Tensor(zeros: [shape.count, width])
    for b in 0..<shape.count {
      for j in 0..<width { tensor.values[shape.order[b] * width + j] = buffer.pointer[b * width + j] }
    }
    return tensor
  }

  private func pack(_ gradient: Tensor) {
    let size = configuration.outputSize
    outputGradient.reserve(outputLayer.rowCount * size)
    let isPerStep = givesSteps
    gradient.values.withUnsafeBufferPointer { values in
      guard let base = values.baseAddress else { return }
      outputLayer.forEachRow { row, sequence, step in
        let place = isPerStep ? sequence * paddedSteps + step : sequence
        (outputGradient.pointer + row * size).update(from: base + place * size, count: size)
      }
    }
  }

  /// After `backward`: for each step the L2 norm of dL/d(pre-activations of the gates) of a recurrent layer, over its
  /// directions and all sequences. Norms that decrease toward the first step show vanishing gradients, increasing ones
  /// exploding gradients.
  /// - Parameter layer: its number among the recurrent layers.
  /// - Returns: (T)
  public func gateGradientNorms(layer: Int) -> [Double] {
    let computing = Computing()
    defer { computing.end() }
    let layer = recurrentLayers[layer]
    let shape = layer.shape.packed
    return (0..<shape.steps).map { step in
      layer.directions.reduce(0) { $0 + $1.gateGradientSquares(step, shape) }.squareRoot()
    }
  }
}
