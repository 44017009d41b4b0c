import CLSTMKernels

// The gradients of weights, biases and an embedding from those of the gates.
extension LSTMDirection {
  func reserveForWeights(_ job: BackwardJob, _ chunk: Chunk) {
    guard job.weightsTrain.any else { return }
    let (k, strip) = (chunk.rows.count, kernels.table.pointee.strip_width)
    if job.pass.initialHidden == nil { zeros.zero(stateSize) }
    gateStrips.reserve((gateSize + strip - 1) / strip * strip * k)
    if job.weightsTrain.input { inputRows.reserve(kernels.packedCount(k, inputSize)) }
    if job.weightsTrain.recurrent { stateRows.reserve(kernels.packedCount(k, stateSize)) }
    guard rule.steps != .whole else { return }
    candidateStrips.reserve((hiddenSize + strip - 1) / strip * strip * k)
    if rule.steps == .halves, job.weightsTrain.recurrent { resetRows.reserve(kernels.packedCount(k, hiddenSize)) }
  }

  /// The gradients of a step's gates, in strips.
  func packStrips(_ job: BackwardJob, _ chunk: Chunk, _ t: Int, first: Int, count: Int, units: Range<Int>) {
    let (h, g, k, row) = (hiddenSize, gateSize, chunk.rows.count, job.shape.offsets[t] + first)
    let place = row - chunk.rows.lowerBound
    let gates = UnsafePointer(self.gates.pointer) + row * g
    let table = kernels.table
    table.pointee.pack_gate_strips(
      blocks.gates, 0, h, units.lowerBound, units.count, k, place, count, gates, g, gateStrips.pointer)
    guard rule.steps != .whole else { return }
    let recurrent = rule.steps == .apart ? UnsafePointer(recurrentGates(t, job.shape)) + first * g : gates
    table.pointee.pack_gate_strips(
      3, 2, h, units.lowerBound, units.count, k, place, count, recurrent, g, candidateStrips.pointer)
  }

  /// A step's inputs and previous states, packed as right factors.
  func packRows(
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
  func addWeightGradients(_ job: BackwardJob, _ chunk: Chunk, _ gradients: ParameterStore) {
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
      if job.weightsTrain.recurrent, rule.steps == .whole {
        table.multiply_strips(
          some.count, s, k, strips, stateRows.pointer, job.recurrentGradient + some.lowerBound * s, s)
      }
      if job.weightsTrain.bias {
        table.add_strip_sums(some.count, k, strips, biasGradient.pointer + some.lowerBound)
      }
    }
    if rule.steps != .whole { addResetGradients(job, chunk) }
  }

  /// The same of a GRU's dU and of b_hh: r and z, then n, whose recurrent product has gradients, or a state, of its own.
  private func addResetGradients(_ job: BackwardJob, _ chunk: Chunk) {
    let (h, s, k) = (hiddenSize, stateSize, chunk.rows.count)
    let table = kernels.table.pointee
    let candidateRows = rule.steps == .halves ? resetRows : stateRows
    if job.weightsTrain.recurrent, rule.steps == .halves {
      kernels.pack(
        k, h, cells.pointer + chunk.rows.lowerBound * h, rowStride: h, columnStride: 1, into: resetRows)
    }
    let parts = kernels.parts(k * gateSize * s, each: 1 << 17)
    parallel(parts) { part in
      func add(_ strips: FloatBuffer, _ rows: FloatBuffer, first: Int, count: Int) {
        let some = share(count, multiple: table.strip_width, part: part, of: parts)
        guard !some.isEmpty else { return }
        let from = strips.pointer + some.lowerBound * k
        if job.weightsTrain.recurrent {
          table.multiply_strips(
            some.count, s, k, from, rows.pointer, job.recurrentGradient + (first + some.lowerBound) * s, s)
        }
        if job.weightsTrain.bias, rule.steps == .apart {
          table.add_strip_sums(some.count, k, from, recurrentBiasGradient.pointer + first + some.lowerBound)
        }
      }
      add(gateStrips, stateRows, first: 0, count: 2 * h)
      add(candidateStrips, candidateRows, first: 2 * h, count: h)
    }
  }

  /// Adds the gates' gradients of a chunk's rows to those of their tokens; each thread adds some of the columns.
  func addByToken(_ tokens: Tokens, _ chunk: Chunk) {
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
  func addTokenGradients(
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
    table.pack_gate_strips(blocks.gates, 0, h, 0, h, v, 0, v, tokenGradient.pointer, g, gateStrips.pointer)
    let parts = kernels.parts(v * g * i, each: 1 << 17)
    parallel(parts) { part in
      let some = share(g, multiple: table.strip_width, part: part, of: parts)
      guard !some.isEmpty else { return }
      table.multiply_strips(
        some.count, i, v, gateStrips.pointer + some.lowerBound * v, inputRows.pointer, weight + some.lowerBound * i, i)
    }
  }

  /// Adds the gradients of the projection and the peepholes.
  func addOtherGradients(
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
}
