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
    if shape.steps > 1 || wantsState || parameters.projection != nil { packRecurrentForBackward() }
    let (h, s, b) = (hiddenSize, stateSize, shape.count)
    if parameters.projection != nil {
      hiddenGradient.reserve(shape.rows * s)
      projectedGradient.reserve(b * h)
    }
    // Until the backward pass reaches a sequence's last step, its row keeps the gradient of the final state.
    load(pass.finalHiddenGradient, into: stateGradient, count: b * s)
    load(pass.finalCellGradient, into: cellGradient, count: b * h)

    let sums = trainable[parameters.inputWeight] || embeddingGradient != nil ? tokens : nil
    if let sums { tokenGradient.zero(sums.vocabulary * gateSize) }
    let weightsTrain = WeightsTraining(
      input: trainable[parameters.inputWeight] && tokens == nil,
      recurrent: trainable[parameters.recurrentWeight] && !(shape.steps == 1 && pass.initialHidden == nil),
      bias: parameters.inputBias.map { trainable[$0] } ?? false
        || parameters.recurrentBias.map { trainable[$0] } ?? false)
    if weightsTrain.bias { biasGradient.zero(gateSize) }
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
        let to = gradients.pointer(index)
        for j in 0..<gateSize { to[j] += biasGradient.pointer[j] }
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
  private struct WeightsTraining {
    let input: Bool
    let recurrent: Bool
    let bias: Bool
    var any: Bool { input || recurrent || bias }
  }

  private struct BackwardJob {
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
    let (h, g, shape) = (hiddenSize, gateSize, job.shape)
    for index in 0..<chunk.steps.count {
      let t = reverse ? chunk.steps.lowerBound + index : chunk.steps.upperBound - 1 - index
      let first = sequences.lowerBound
      let count = min(shape.active[t], sequences.upperBound) - first
      guard count > 0 else { continue }
      let row = shape.offsets[t] + first
      cellStep(job, t, sequences, units: 0..<h)
      let gates = UnsafePointer(self.gates.pointer) + row * g
      if job.wantsState || !isLastStep(t, shape) {
        stateStep(row: row, first: first, count: count, columns: 0..<stateSize)
      }
      if let inputGradient = job.inputGradient { addInputGradient(inputGradient, rows: row..<row + count) }
      if job.weightsTrain.any {
        kernels.table.pointee.pack_gate_strips(
          h, 0, h, chunk.rows.count, row - chunk.rows.lowerBound, count, gates, g, gateStrips.pointer)
        packRows(job, chunk, t, sequences, inputColumns: 0..<inputSize, stateColumns: 0..<stateSize)
      }
    }
  }

  /// Runs all sequences through the steps of a chunk, the units split over the threads, which synchronize once a step.
  private func backwardUnits(_ job: BackwardJob, _ chunk: Chunk, parts: Int) {
    let (h, g, shape) = (hiddenSize, gateSize, job.shape)
    let all = 0..<shape.count
    for index in 0..<chunk.steps.count {
      let t = reverse ? chunk.steps.lowerBound + index : chunk.steps.upperBound - 1 - index
      let (row, count) = (shape.offsets[t], shape.active[t])
      let before = reverse ? t - 1 : t + 1
      parallel(parts) { part in
        let units = blocks.share(part: part, of: parts)
        guard !units.isEmpty else { return }
        let columns = parts == 1 ? 0..<stateSize : units
        if shape.active.indices ~= before {
          stateStep(row: shape.offsets[before], first: 0, count: shape.active[before], columns: columns)
        }
        cellStep(job, t, all, units: units)
        if job.weightsTrain.any {
          kernels.table.pointee.pack_gate_strips(
            h, units.lowerBound, units.count, chunk.rows.count, row - chunk.rows.lowerBound, count,
            gates.pointer + row * g, g, gateStrips.pointer)
          packRows(
            job, chunk, t, all, inputColumns: kernels.columnRange(inputSize, part: part, of: parts),
            stateColumns: columns)
        }
      }
      if job.wantsState, isLastStep(t, shape) {
        stateStep(row: row, first: 0, count: count, columns: 0..<stateSize)
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
      }
      kernels.multiply(
        m: count, n: h, k: s, total, rowStride: s, projectionBackwardPack, projectedGradient.pointer + first * h,
        outputStride: h, start: .zero)
    }
    shape.forEachSegment(at: t, reverse: reverse, in: sequences) { segment in
      let place = shape.offsets[t] + segment.first
      cell.rows = segment.count
      cell.gates = gates.pointer + place * g
      cell.cell_previous =
        segment.previousRow.map { UnsafePointer(cells.pointer) + $0 * h } ?? (pass.initialCell + segment.first * h)
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
      kernels.table.pointee.cell_backward(&cell)
    }
  }

  /// The gradient of the previous state from a step's gates: dh = dgates U.
  private func stateStep(row: Int, first: Int, count: Int, columns: Range<Int>) {
    guard !columns.isEmpty else { return }
    let (s, g) = (stateSize, gateSize)
    kernels.table.pointee.multiply(
      count, columns.count, g, gates.pointer + row * g, g, 1, recurrentBackwardPack.pointer + columns.lowerBound * g,
      stateGradient.pointer + first * s + columns.lowerBound, s, nil)
  }

  private func addInputGradient(_ inputGradient: InputGradient, rows: Range<Int>) {
    let to = inputGradient.pointer + rows.lowerBound * inputGradient.stride
    kernels.table.pointee.multiply(
      rows.count, inputSize, gateSize, gates.pointer + rows.lowerBound * gateSize, gateSize, 1,
      inputBackwardPack.pointer, to, inputGradient.stride, inputGradient.accumulates ? UnsafePointer(to) : nil)
  }

  // MARK: - Weights

  private func reserveForWeights(_ job: BackwardJob, _ chunk: Chunk) {
    guard job.weightsTrain.any else { return }
    let (k, strip) = (chunk.rows.count, kernels.table.pointee.strip_width)
    if job.pass.initialHidden == nil { zeros.zero(stateSize) }
    gateStrips.reserve((gateSize + strip - 1) / strip * strip * k)
    if job.weightsTrain.input { inputRows.reserve(kernels.packedCount(k, inputSize)) }
    if job.weightsTrain.recurrent { stateRows.reserve(kernels.packedCount(k, stateSize)) }
  }

  /// A step's inputs and previous states, packed as right factors.
  private func packRows(
    _ job: BackwardJob, _ chunk: Chunk, _ t: Int, _ sequences: Range<Int>, inputColumns: Range<Int>,
    stateColumns: Range<Int>
  ) {
    let (k, shape, pass) = (chunk.rows.count, job.shape, job.pass)
    let count = min(shape.active[t], sequences.upperBound) - sequences.lowerBound
    let place = shape.offsets[t] - chunk.rows.lowerBound
    if job.weightsTrain.input, !inputColumns.isEmpty {
      let column = inputColumns.lowerBound
      kernels.table.pointee.pack(
        k, place + sequences.lowerBound, count, column, inputColumns.count,
        pass.input + (shape.offsets[t] + sequences.lowerBound) * pass.inputStride + column, pass.inputStride, 1,
        inputRows.pointer)
    }
    guard job.weightsTrain.recurrent, !stateColumns.isEmpty else { return }
    let column = stateColumns.lowerBound
    shape.forEachSegment(at: t, reverse: reverse, in: sequences) { segment in
      if let previous = segment.previousRow {
        kernels.table.pointee.pack(
          k, place + segment.first, segment.count, column, stateColumns.count,
          pass.output + previous * pass.outputStride + column, pass.outputStride, 1, stateRows.pointer)
      } else if let initial = pass.initialHidden {
        kernels.table.pointee.pack(
          k, place + segment.first, segment.count, column, stateColumns.count,
          initial + segment.first * stateSize + column, stateSize, 1, stateRows.pointer)
      } else {
        // The same row of zeros for all.
        kernels.table.pointee.pack(
          k, place + segment.first, segment.count, column, stateColumns.count, zeros.pointer + column, 0, 1,
          stateRows.pointer)
      }
    }
  }

  /// dW += dgates^T x, dU += dgates^T h, db += sum of dgates, over a chunk's rows; each thread computes some of the gates.
  private func addWeightGradients(_ job: BackwardJob, _ chunk: Chunk, _ gradients: ParameterStore) {
    guard job.weightsTrain.any else { return }
    let (i, s, g, k) = (inputSize, stateSize, gateSize, chunk.rows.count)
    let table = kernels.table.pointee
    let parts = kernels.parts(k * g * (i + s), each: 1 << 17)
    parallel(parts) { part in
      let some = share(g, multiple: table.strip_width, part: part, of: parts)
      guard !some.isEmpty else { return }
      let strips = gateStrips.pointer + some.lowerBound * k
      if job.weightsTrain.input {
        table.multiply_strips(
          some.count, i, k, strips, inputRows.pointer,
          gradients.pointer(parameters.inputWeight) + some.lowerBound * i, i)
      }
      if job.weightsTrain.recurrent {
        table.multiply_strips(
          some.count, s, k, strips, stateRows.pointer, job.recurrentGradient + some.lowerBound * s, s)
      }
      if job.weightsTrain.bias {
        table.add_strip_sums(some.count, k, strips, biasGradient.pointer + some.lowerBound)
      }
    }
  }

  /// Adds the gates' gradients of a chunk's rows to those of their tokens; each thread adds some of the columns.
  private func addByToken(_ tokens: Tokens, _ chunk: Chunk) {
    let g = gateSize
    let parts = kernels.parts(chunk.rows.count * g, each: 1 << 15)
    parallel(parts) { part in
      let columns = share(g, multiple: 16, part: part, of: parts)
      for row in chunk.rows {
        let from = gates.pointer + row * g
        let to = tokenGradient.pointer + Int(tokens.numbers[row]) * g
        for j in columns { to[j] += from[j] }
      }
    }
  }

  /// dW += (sums by token)^T embedding, d embedding += (sums by token) W.
  private func addTokenGradients(
    _ tokens: Tokens, weight: UnsafeMutablePointer<Float>?, embedding: UnsafeMutablePointer<Float>?
  ) {
    let (v, i, h, g) = (tokens.vocabulary, inputSize, hiddenSize, gateSize)
    if let embedding {
      kernels.multiplyOnAllThreads(
        m: v, n: i, k: g, tokenGradient.pointer, rowStride: g, inputBackwardPack, embedding, outputStride: i,
        start: .output)
    }
    guard let weight else { return }
    let table = kernels.table.pointee
    gateStrips.reserve((g + table.strip_width - 1) / table.strip_width * table.strip_width * v)
    kernels.pack(v, i, tokens.embedding, rowStride: i, columnStride: 1, into: inputRows)
    table.pack_gate_strips(h, 0, h, v, 0, v, tokenGradient.pointer, g, gateStrips.pointer)
    let parts = kernels.parts(v * g * i, each: 1 << 17)
    parallel(parts) { part in
      let some = share(g, multiple: table.strip_width, part: part, of: parts)
      guard !some.isEmpty else { return }
      table.multiply_strips(
        some.count, i, v, gateStrips.pointer + some.lowerBound * v, inputRows.pointer, weight + some.lowerBound * i, i)
    }
  }

  /// Adds the gradients of the projection and the peepholes.
  private func addOtherGradients(
    _ pass: BackwardInput, shape: PackedShape, gradients: ParameterStore, trainable: [Bool]
  ) {
    let (h, s, g, rows) = (hiddenSize, stateSize, gateSize, shape.rows)
    if let projection = parameters.projection, trainable[projection] {
      kernels.pack(rows, h, raw.pointer, rowStride: h, columnStride: 1, into: productPack)
      kernels.multiplyOnAllThreads(
        m: s, n: h, k: rows, hiddenGradient.pointer, rowStride: 1, columnStride: s, productPack,
        gradients.pointer(projection), outputStride: h, start: .output)
    }
    if let peephole = parameters.peephole, trainable[peephole] {
      gatherPreviousCells(pass, shape: shape)
      let gradient = gradients.pointer(peephole)
      for row in 0..<rows {
        let slopes = gates.pointer + row * g
        let (previous, current) = (scratch.pointer + row * h, cells.pointer + row * h)
        for j in 0..<h {
          gradient[j] += slopes[blocks.column(gate: 0, unit: j)] * previous[j]
          gradient[h + j] += slopes[blocks.column(gate: 1, unit: j)] * previous[j]
          gradient[2 * h + j] += slopes[blocks.column(gate: 3, unit: j)] * current[j]
        }
      }
    }
  }

  /// Writes each row's previous cell to `scratch` (R, H).
  private func gatherPreviousCells(_ pass: BackwardInput, shape: PackedShape) {
    let h = hiddenSize
    scratch.reserve(shape.rows * h)
    for t in 0..<shape.steps {
      shape.forEachSegment(at: t, reverse: reverse, in: 0..<shape.count) { segment in
        let from = segment.previousRow.map { UnsafePointer(cells.pointer) + $0 * h }
        (scratch.pointer + (shape.offsets[t] + segment.first) * h).update(
          from: from ?? pass.initialCell + segment.first * h, count: segment.count * h)
      }
    }
  }

  private func load(_ values: UnsafePointer<Float>?, into buffer: FloatBuffer, count: Int) {
    guard let values else { return buffer.zero(count) }
    buffer.reserve(count)
    buffer.pointer.update(from: values, count: count)
  }
}
