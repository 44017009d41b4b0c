import LSTMCheckpoints

extension Network {
  /// Gradients that are not of parameters.
  public struct InputGradients: Sendable {
    /// dL/dx (N, T, I), zero at padded steps; of the embedding's output for a model that reads tokens.
    public let input: Tensor
    /// dL/dh_0 and dL/dc_0.
    public let state: LSTMState
  }

  /// Exact backward through time for the last forward pass.
  /// - Parameters:
  ///   - outputGradient: dL/d output, in the shape `forward` gave.
  ///   - stateGradient: dL/d final state, or nil for zero.
  ///   - gradients: gets the gradients of the trainable parameters added; the others are left alone.
  ///   - trainable: for each parameter whether its gradient is wanted. Nothing below the lowest is computed.
  ///   - wantsInput: whether dL/dx and the gradient of the initial state are wanted.
  @discardableResult
  public func backward(
    _ outputGradient: Tensor, stateGradient: LSTMState? = nil, into gradients: ParameterStore, trainable: [Bool],
    wantsInput: Bool = false
  ) throws(ShapeError) -> InputGradients? {
    guard let shape else { throw ShapeError(what: "backward", expected: "a forward pass before", found: "none") }
    let rows = readout.rows(shape)
    let expected =
      readout.kind == .all
      ? [shape.count, paddedSteps, configuration.outputSize] : [shape.count, configuration.outputSize]
    guard outputGradient.shape == expected else {
      throw ShapeError(what: "output gradient", expected: "\(expected)", found: "\(outputGradient.shape)")
    }
    pack(outputGradient, shape: shape)
    var gradient = self.outputGradient.pointer
    if configuration.normalizesOutput { normaliseBackward(gradient, rows: rows) }

    // 1. The head, from the top.
    let lowest = lowestLayer(trainable: trainable, wantsInput: wantsInput)
    let attentionTrains = readout.attention.map { trainable[$0] } ?? false
    for index in head.indices.reversed() {
      let x = index == 0 ? readoutOutput : head[index - 1].output.pointer
      let isNeededBelow =
        lowest != nil || attentionTrains
        || head[..<index].contains { trainable[$0.weight] || $0.bias.map { trainable[$0] } ?? false }
      let below = headGradients[index % 2]
      below.reserve(rows * head[index].inputSize)
      head[index].backward(
        gradient, x: x, rows: rows, gradients: gradients, trainable: trainable,
        inputGradient: isNeededBelow ? below.pointer : nil)
      if !isNeededBelow { return nil }
      gradient = below.pointer
    }
    guard lowest != nil || attentionTrains else { return nil }

    // 2. The readout and the skip concatenation.
    if readout.kind != .all {
      stackGradient.reserve(shape.rows * configuration.readoutSize)
      let stack = configuration.skip ? concatenation.pointer : layerOutputs[layerOutputs.count - 1].pointer
      readout.backward(
        gradient, x: stack, shape: shape, into: stackGradient.pointer, gradients: gradients, trainable: trainable)
      gradient = stackGradient.pointer
    }
    guard let lowest else { return nil }
    distribute(gradient, shape)

    // 3. The stack, down to the lowest layer that matters.
    var state = LSTMState(hidden: [], cell: [])
    for index in stride(from: configuration.layers.count - 1, through: max(lowest, 0), by: -1) {
      let isTop = index == configuration.layers.count - 1 && !configuration.skip
      let states = layerBackward(
        index, shape: shape, outputGradient: isTop ? gradient : layerGradients[index + 1].pointer,
        stateGradient: stateGradient, gradients: gradients, trainable: trainable,
        needsInput: index > lowest, keepsState: wantsInput)
      state.hidden.insert(contentsOf: states.hidden, at: 0)
      state.cell.insert(contentsOf: states.cell, at: 0)
    }

    // 4. The embedding and the input.
    if let embedding, trainable[embedding] { addEmbeddingGradient(embedding, shape: shape, gradients: gradients) }
    guard wantsInput else { return nil }
    let size = configuration.input.size
    var input = Tensor(zeros: [shape.count, paddedSteps, size])
    input.values.withUnsafeMutableBufferPointer { values in
      guard let base = values.baseAddress else { return }
      copyRows(shape, size: size) { packed, place in
        (base + place * size).update(from: layerGradients[0].pointer + packed * size, count: size)
      }
    }
    return InputGradients(input: input, state: state)
  }

  /// The lowest layer to go through: -1 when the embedding or the input wants a gradient, nil when no layer does.
  private func lowestLayer(trainable: [Bool], wantsInput: Bool) -> Int? {
    if wantsInput || embedding.map({ trainable[$0] }) ?? false { return -1 }
    return directions.firstIndex { $0.contains { $0.parameters.all.contains { trainable[$0] } } }
  }

  private func pack(_ gradient: Tensor, shape: PackedShape) {
    let size = configuration.outputSize
    outputGradient.reserve(readout.rows(shape) * size)
    gradient.values.withUnsafeBufferPointer { values in
      guard let base = values.baseAddress else { return }
      if readout.kind == .all {
        copyRows(shape, size: size) { packed, place in
          (outputGradient.pointer + packed * size).update(from: base + place * size, count: size)
        }
      } else {
        for b in 0..<shape.count {
          (outputGradient.pointer + b * size).update(from: base + shape.order[b] * size, count: size)
        }
      }
    }
  }

  /// y = z / |z|:  dz = (dy - y (y dy)) / |z|
  private func normaliseBackward(_ gradient: UnsafeMutablePointer<Float>, rows: Int) {
    let size = configuration.outputSize
    for row in 0..<rows {
      let (y, d) = (normalised.pointer + row * size, gradient + row * size)
      var along: Float = 0
      for j in 0..<size { along += y[j] * d[j] }
      for j in 0..<size { d[j] = (d[j] - y[j] * along) / norms.pointer[row] }
    }
  }

  /// Makes room for the gradient of every layer's input, `layerGradients[k]`; with a skip concatenation each begins with its
  /// share of the readout's gradient.
  private func distribute(_ gradient: UnsafePointer<Float>, _ shape: PackedShape) {
    for index in configuration.layers.indices {
      layerGradients[index].reserve(shape.rows * configuration.inputSize(ofLayer: index))
    }
    guard configuration.skip else { return }
    let width = configuration.readoutSize
    var part = 0
    forEachPart { _, size, column in
      layerGradients[part].reserve(shape.rows * size)
      for row in 0..<shape.rows {
        (layerGradients[part].pointer + row * size).update(from: gradient + row * width + column, count: size)
      }
      part += 1
    }
  }

  private func layerBackward(
    _ index: Int, shape: PackedShape, outputGradient: UnsafePointer<Float>, stateGradient: LSTMState?,
    gradients: ParameterStore, trainable: [Bool],
    needsInput: Bool, keepsState: Bool
  ) -> LSTMState {
    let outputSize = configuration.layers[index].outputSize
    let inputSize = configuration.inputSize(ofLayer: index)
    let x = index == 0 ? input.pointer : layerOutputs[index - 1].pointer
    var result = LSTMState(hidden: [], cell: [])
    for (place, direction) in directions[index].enumerated() {
      let states = configuration.stateIndex(layer: index, direction: place)
      let column = place * direction.stateSize
      load(stateGradient?.hidden[states], into: finalHiddenGradient, shape: shape)
      load(stateGradient?.cell[states], into: finalCellGradient, shape: shape)
      direction.backward(
        .init(
          input: x, inputStride: inputSize, output: layerOutputs[index].pointer + column, outputStride: outputSize,
          initialHidden: startsFromZero ? nil : UnsafePointer(initialHidden[states].pointer),
          initialCell: initialCell[states].pointer,
          outputGradient: outputGradient + column, outputGradientStride: outputSize,
          finalHiddenGradient: stateGradient == nil ? nil : UnsafePointer(finalHiddenGradient.pointer),
          finalCellGradient: stateGradient == nil ? nil : UnsafePointer(finalCellGradient.pointer)),
        shape: shape, gradients: gradients, trainable: trainable,
        inputGradient: needsInput
          ? .init(
            pointer: layerGradients[index].pointer, stride: inputSize, accumulates: configuration.skip || place > 0)
          : nil, wantsState: keepsState)
      if keepsState {
        result.hidden.append(unload(direction.stateGradient, width: direction.stateSize, shape: shape))
        result.cell.append(unload(direction.cellGradient, width: direction.hiddenSize, shape: shape))
      }
    }
    return result
  }

  private func addEmbeddingGradient(_ index: Int, shape: PackedShape, gradients: ParameterStore) {
    let size = configuration.input.size
    let table = gradients.pointer(index)
    for row in 0..<shape.rows {
      let (to, from) = (table + Int(tokens[row]) * size, layerGradients[0].pointer + row * size)
      for j in 0..<size { to[j] += from[j] }
    }
  }

  private func load(_ tensor: Tensor?, into buffer: FloatBuffer, shape: PackedShape) {
    guard let tensor else { return }
    let width = tensor.shape[1]
    buffer.reserve(shape.count * width)
    for b in 0..<shape.count {
      for j in 0..<width { buffer.pointer[b * width + j] = tensor.values[shape.order[b] * width + j] }
    }
  }

  private func unload(_ buffer: FloatBuffer, width: Int, shape: PackedShape) -> Tensor {
    var tensor = Tensor(zeros: [shape.count, width])
    for b in 0..<shape.count {
      for j in 0..<width { tensor.values[shape.order[b] * width + j] = buffer.pointer[b * width + j] }
    }
    return tensor
  }
}
