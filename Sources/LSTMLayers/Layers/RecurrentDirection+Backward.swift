import CLSTMKernels

extension LSTMDirection {
  /// The backward pass's inputs besides what `forward` kept.
  struct BackwardInput {
    /// The forward pass's input and output.
    let input: UnsafePointer<Float>
    let inputStride: Int
    let output: UnsafePointer<Float>
    let outputStride: Int
    /// nil for zero.
    let initialHidden: UnsafePointer<Float>?
    let initialCell: UnsafePointer<Float>
    /// dL/d output, (R, S)
    let outputGradient: UnsafePointer<Float>
    let outputGradientStride: Int
    /// dL/d final h (B, S) and final c (B, H), in the packed order; nil for zero.
    let finalHiddenGradient: UnsafePointer<Float>?
    let finalCellGradient: UnsafePointer<Float>?
  }

  /// The destination of dL/dx (R, I).
  struct InputGradient {
    let pointer: UnsafeMutablePointer<Float>
    let stride: Int
    /// Whether dL/dx is added to the values there.
    let accumulates: Bool
  }

  /// Backpropagation through time. Adds the gradients of the trainable parameters to `gradients`, and writes (or adds)
  /// dL/dx to `inputGradient` unless that is nil. Afterwards `gates` no longer contains activations, and with `wantsState`,
  /// `stateGradient` (B, S) and `cellGradient` (B, H) are the gradients of the initial state.
  ///
  /// With `tokens`, for a pass that read the table, the gates' gradients are first summed by token: the gradients of W and,
  /// if wanted, of the embedding (V, I) then take as long as for V rows.
  ///
  /// Steps are processed in chunks, so that a chunk's gate gradients are still in the cache when the weights' gradients
  /// are computed from them.
  func backward(
    _ pass: BackwardInput, shape: PackedShape, gradients: ParameterStore, trainable: [Bool],
    inputGradient: InputGradient?, tokens: Tokens? = nil, embeddingGradient: UnsafeMutablePointer<Float>? = nil,
    wantsState: Bool
  ) {
    precondition(keepsActivations, "backward needs what forward keeps")
    if inputGradient != nil || embeddingGradient != nil { packInputForBackward() }
    if shape.steps > 1 || wantsState || parameters.projection != nil || rule.steps == .halves {
      packRecurrentForBackward()
    }
    let (h, s, b) = (hiddenSize, stateSize, shape.count)
    if parameters.projection != nil {
      hiddenGradient.reserve(shape.rows * s)
      projectedGradient.reserve(b * h)
    }
    // Until the backward pass reaches a sequence's last step, its row keeps the gradient of the final state.
    load(pass.finalHiddenGradient, into: stateGradient, count: b * s)
    load(rule.cell == .lstm ? pass.finalCellGradient : nil, into: cellGradient, count: b * h)
    if rule.steps != .whole {
      recurrentGateGradient.reserve(2 * b * gateSize)
      resetGradient.reserve(b * h)
      zeros.zero(h)
    }

    let sums = trainable[parameters.inputWeight] || embeddingGradient != nil ? tokens : nil
    if let sums { tokenGradient.zero(sums.vocabulary * gateSize) }
    let weightsTrain = WeightsTraining(
      input: trainable[parameters.inputWeight] && tokens == nil,
      recurrent: trainable[parameters.recurrentWeight] && !(shape.steps == 1 && pass.initialHidden == nil),
      bias: parameters.inputBias.map { trainable[$0] } ?? false
        || parameters.recurrentBias.map { trainable[$0] } ?? false)
    if weightsTrain.bias {
      biasGradient.zero(gateSize)
      if rule.steps != .whole { recurrentBiasGradient.zero(gateSize) }
    }
    let recurrentGradient = gradients.pointer(parameters.recurrentWeight)
    if weightsTrain.recurrent, dropsRecurrentWeight { droppedRecurrentGradient.zero(gateSize * s) }
    let schedule = schedule(shape)
    let job = BackwardJob(
      pass: pass, shape: shape, inputGradient: inputGradient, wantsState: wantsState, weightsTrain: weightsTrain,
      recurrentGradient: dropsRecurrentWeight ? droppedRecurrentGradient.pointer : recurrentGradient)
    let rows = min(max((1 << 17) / gateSize, 256), 1024)
    forEachChunk(shape, ascending: reverse, rows: rows) { chunk in
      reserveForWeights(job, chunk)
      switch schedule {
      case .sequences(let parts):
        parallel(parts) { part in
          backwardSequences(job, chunk, share(shape.count, multiple: 8, part: part, of: parts))
        }
      case .units(let parts):
        backwardUnits(job, chunk, parts: parts)
      }
      addWeightGradients(job, chunk, gradients)
      if let sums { addByToken(sums, chunk) }
    }
    if let sums {
      addTokenGradients(
        sums, weight: trainable[parameters.inputWeight] ? gradients.pointer(parameters.inputWeight) : nil,
        embedding: embeddingGradient)
    }
    if weightsTrain.recurrent, dropsRecurrentWeight { addDroppedRecurrentGradient(to: recurrentGradient) }
    if weightsTrain.bias {
      parameters.forEachBias { index in
        guard trainable[index] else { return }
        let isApart = rule.steps == .apart && index == parameters.recurrentBias
        let (to, from) = (gradients.pointer(index), isApart ? recurrentBiasGradient.pointer : biasGradient.pointer)
        for j in 0..<gateSize { to[j] += from[j] }
      }
    }
    addOtherGradients(pass, shape: shape, gradients: gradients, trainable: trainable)
  }

  /// After `backward`: the sum of the squared gradients of a step's gates.
  func gateGradientSquares(_ step: Int, _ shape: PackedShape) -> Double {
    kernels.table.pointee.sum_of_squares(
      shape.active[step] * gateSize, gates.pointer + shape.offsets[step] * gateSize)
  }

  /// Which gradients are computed from the gates'.
  struct WeightsTraining {
    let input: Bool
    let recurrent: Bool
    let bias: Bool
    var any: Bool { input || recurrent || bias }
  }

  struct BackwardJob {
    let pass: BackwardInput
    let shape: PackedShape
    let inputGradient: InputGradient?
    let wantsState: Bool
    let weightsTrain: WeightsTraining
    /// The destination for the gradient of the recurrent weight that the pass used.
    let recurrentGradient: UnsafeMutablePointer<Float>
  }

  /// Whether step t is the last one that the backward pass visits.
  private func isLastStep(_ t: Int, _ shape: PackedShape) -> Bool { t == (reverse ? shape.steps - 1 : 0) }

  // MARK: - Through time

  /// Runs some sequences through the steps of a chunk, including everything that concerns only them.
  private func backwardSequences(_ job: BackwardJob, _ chunk: Chunk, _ sequences: Range<Int>) {
    let (h, shape) = (hiddenSize, job.shape)
    for index in 0..<chunk.steps.count {
      let t = reverse ? chunk.steps.lowerBound + index : chunk.steps.upperBound - 1 - index
      let first = sequences.lowerBound
      let count = min(shape.active[t], sequences.upperBound) - first
      guard count > 0 else { continue }
      let row = shape.offsets[t] + first
      cellStep(job, t, sequences, units: 0..<h)
      if job.wantsState || !isLastStep(t, shape) {
        stateStep(t, shape, first: first, count: count, columns: 0..<stateSize)
      }
      if let inputGradient = job.inputGradient { addInputGradient(inputGradient, rows: row..<row + count) }
      if job.weightsTrain.any {
        packStrips(job, chunk, t, first: first, count: count, units: 0..<h)
        packRows(job, chunk, t, sequences, inputColumns: 0..<inputSize, stateColumns: 0..<stateSize)
      }
    }
  }

  /// Runs all sequences through the steps of a chunk, the units split over the threads, which synchronize once a step.
  private func backwardUnits(_ job: BackwardJob, _ chunk: Chunk, parts: Int) {
    let (g, shape) = (gateSize, job.shape)
    let all = 0..<shape.count
    for index in 0..<chunk.steps.count {
      let t = reverse ? chunk.steps.lowerBound + index : chunk.steps.upperBound - 1 - index
      let before = reverse ? t - 1 : t + 1
      parallel(parts) { part in
        let units = blocks.share(part: part, of: parts)
        guard !units.isEmpty else { return }
        let columns = parts == 1 ? 0..<stateSize : units
        if shape.active.indices ~= before {
          stateStep(before, shape, first: 0, count: shape.active[before], columns: columns)
        }
        cellStep(job, t, all, units: units)
        if job.weightsTrain.any {
          packStrips(job, chunk, t, first: 0, count: shape.active[t], units: units)
          packRows(
            job, chunk, t, all, inputColumns: kernels.columnRange(inputSize, part: part, of: parts),
            stateColumns: columns)
        }
      }
      if job.wantsState, isLastStep(t, shape) {
        stateStep(t, shape, first: 0, count: shape.active[t], columns: 0..<stateSize)
      }
    }
    if let inputGradient = job.inputGradient {
      kernels.multiplyOnAllThreads(
        m: chunk.rows.count, n: inputSize, k: g, gates.pointer + chunk.rows.lowerBound * g, rowStride: g,
        inputBackwardPack, inputGradient.pointer + chunk.rows.lowerBound * inputGradient.stride,
        outputStride: inputGradient.stride, start: inputGradient.accumulates ? .output : .zero)
    }
  }

  /// The gradients of the gates' pre-activations and of the previous cell, at step t.
  private func cellStep(_ job: BackwardJob, _ t: Int, _ sequences: Range<Int>, units: Range<Int>) {
    let (h, s, g, pass, shape) = (hiddenSize, stateSize, gateSize, job.pass, job.shape)
    var cell = cellArguments(units: units)
    if parameters.projection != nil {
      let first = sequences.lowerBound
      let count = min(shape.active[t], sequences.upperBound) - first
      let row = shape.offsets[t] + first
      let total = hiddenGradient.pointer + row * s
      for r in 0..<count {
        let given = pass.outputGradient + (row + r) * pass.outputGradientStride
        let state = stateGradient.pointer + (first + r) * s
        for j in 0..<s { total[r * s + j] = given[j] + state[j] }
        rule.clipProjectionGradient(total + r * s, of: pass.output + (row + r) * pass.outputStride, size: s)
      }
      kernels.multiply(
        m: count, n: h, k: s, total, rowStride: s, projectionBackwardPack, projectedGradient.pointer + first * h,
        outputStride: h, start: .zero)
    }
    shape.forEachSegment(at: t, reverse: reverse, in: sequences) { segment in
      let place = shape.offsets[t] + segment.first
      cell.rows = segment.count
      cell.gates = gates.pointer + place * g
      if rule.cell == .lstm {
        cell.cell_previous =
          segment.previousRow.map { UnsafePointer(cells.pointer) + $0 * h } ?? (pass.initialCell + segment.first * h)
      }
      cell.cell = cells.pointer + place * h
      if parameters.projection != nil {
        cell.d_output = UnsafePointer(projectedGradient.pointer) + segment.first * h
        cell.d_output_stride = h
      } else {
        cell.d_output = pass.outputGradient + place * pass.outputGradientStride
        cell.d_output_stride = pass.outputGradientStride
        cell.d_state = UnsafePointer(stateGradient.pointer) + segment.first * h
      }
      cell.d_cell = cellGradient.pointer + segment.first * h
      if rule.steps != .whole {
        resetBackwardStep(&cell, job, t, segment, units)
      } else {
        rule.backward(&cell)
      }
    }
  }

  /// The gradient of the previous state from step t's gates: dh = dgates U, and of a GRU what the cell has added.
  private func stateStep(_ t: Int, _ shape: PackedShape, first: Int, count: Int, columns: Range<Int>) {
    guard !columns.isEmpty else { return }
    let s = stateSize
    let to = stateGradient.pointer + first * s + columns.lowerBound
    guard rule.steps == .whole else {
      let g = rule.steps == .apart ? gateSize : 2 * hiddenSize
      kernels.table.pointee.multiply(
        count, columns.count, g, recurrentGates(t, shape) + first * g, g, 1,
        recurrentBackwardPack.pointer + columns.lowerBound * g, to, s, to)
      return
    }
    let g = gateSize
    kernels.table.pointee.multiply(
      count, columns.count, g, gates.pointer + (shape.offsets[t] + first) * g, g, 1,
      recurrentBackwardPack.pointer + columns.lowerBound * g, to, s, nil)
  }

  private func addInputGradient(_ inputGradient: InputGradient, rows: Range<Int>) {
    let to = inputGradient.pointer + rows.lowerBound * inputGradient.stride
    kernels.table.pointee.multiply(
      rows.count, inputSize, gateSize, gates.pointer + rows.lowerBound * gateSize, gateSize, 1,
      inputBackwardPack.pointer, to, inputGradient.stride, inputGradient.accumulates ? UnsafePointer(to) : nil)
  }

  private func load(_ values: UnsafePointer<Float>?, into buffer: FloatBuffer, count: Int) {
    guard let values else { return buffer.zero(count) }
    buffer.reserve(count)
    buffer.pointer.update(from: values, count: count)
  }
}
