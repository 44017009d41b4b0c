import CLSTMKernels

extension LSTMDirection {
  struct ForwardPass {
    let shape: PackedShape
    /// (R, I) rows, `inputStride` apart.
    let input: UnsafePointer<Float>
    let inputStride: Int
    /// (B, S) in the packed order; nil for zero.
    let initialHidden: UnsafePointer<Float>?
    /// (B, H) in the packed order.
    let initialCell: UnsafePointer<Float>
    /// (R, S) rows, `outputStride` apart.
    let output: UnsafeMutablePointer<Float>
    let outputStride: Int
    /// The tokens, if the input's rows are their embeddings.
    let tokens: Tokens?
  }

  /// Runs the direction over all steps.
  /// - Parameter keepsActivations: false if `backward` will not be called.
  func forward(_ pass: ForwardPass, keepsActivations: Bool) {
    let shape = pass.shape
    packForForward(recurrentToo: shape.steps > 1 || pass.initialHidden != nil)
    self.keepsActivations = keepsActivations
    prepareTable(pass.tokens, rows: shape.rows)
    let schedule = schedule(shape)
    let h = hiddenSize
    if keepsActivations {
      gates.reserve(shape.rows * gateSize)
      cells.reserve(shape.rows * h)
      if parameters.projection != nil { raw.reserve(shape.rows * h) }
    } else {
      gates.reserve(max(shape.count, Self.inputRows) * gateSize)
      cells.reserve(shape.count * h)
      if rule.cell == .lstm { cells.pointer.update(from: pass.initialCell, count: shape.count * h) }
      if parameters.projection != nil { raw.reserve(shape.count * h) }
    }
    if rule.steps != .whole {
      recurrent.reserve(shape.count * gateSize)
      zeros.zero(h)
    }

    switch schedule {
    case .sequences(let parts):
      parallel(parts) { part in
        let sequences = share(shape.count, multiple: 8, part: part, of: parts)
        var cell = cellArguments(units: 0..<h)
        for index in 0..<shape.steps {
          let t = reverse ? shape.steps - 1 - index : index
          let count = min(shape.active[t], sequences.upperBound) - sequences.lowerBound
          guard count > 0 else { continue }
          let row = shape.offsets[t] + sequences.lowerBound
          let place = keepsActivations ? row : sequences.lowerBound
          addInput(pass, rows: row..<row + count, place: place, units: 0..<h)
          forwardStep(&cell, pass, t, sequences, firstPlace: place - sequences.lowerBound, units: 0..<h)
        }
      }
    case .units(let parts):
      forEachChunk(shape, ascending: !reverse, rows: Self.inputRows) { chunk in
        for index in 0..<chunk.steps.count {
          let t = reverse ? chunk.steps.upperBound - 1 - index : chunk.steps.lowerBound + index
          parallel(parts) { part in
            let units = blocks.share(part: part, of: parts)
            guard !units.isEmpty else { return }
            let place = keepsActivations ? chunk.rows.lowerBound : 0
            if index == 0 { addInput(pass, rows: chunk.rows, place: place, units: units) }
            let firstPlace = place + shape.offsets[t] - chunk.rows.lowerBound
            var cell = cellArguments(units: units)
            forwardStep(&cell, pass, t, 0..<shape.count, firstPlace: firstPlace, units: units)
          }
        }
      }
    }
  }

  /// The number of rows whose input products are computed together if steps have few rows.
  private static let inputRows = 96

  /// Writes x W^T + b of some rows and units to the rows of `gates` from `place`.
  private func addInput(_ pass: ForwardPass, rows: Range<Int>, place: Int, units: Range<Int>) {
    let (i, g, column, width) = (
      inputSize, gateSize, blocks.gates * units.lowerBound, blocks.gates * units.count
    )
    if readsTable, let tokens = pass.tokens {
      for (index, row) in rows.enumerated() {
        (gates.pointer + (place + index) * g + column).update(
          from: table.pointer + Int(tokens.numbers[row]) * g + column, count: width)
      }
      return
    }
    kernels.table.pointee.multiply(
      rows.count, width, i, pass.input + rows.lowerBound * pass.inputStride, pass.inputStride, 1,
      inputPack.pointer + column * i, gates.pointer + place * g + column, g,
      packedBias.map { $0 + column })
  }

  /// Adds h U^T and applies the cell, at step t.
  /// - Parameters:
  ///   - cell: what is the same at every step.
  ///   - firstPlace: the row of `gates` for the step's first sequence.
  private func forwardStep(
    _ cell: inout lstmk_cell, _ pass: ForwardPass, _ t: Int, _ sequences: Range<Int>, firstPlace: Int,
    units: Range<Int>
  ) {
    let (h, s, g, shape) = (hiddenSize, stateSize, gateSize, pass.shape)
    let (column, width) = (blocks.gates * units.lowerBound, blocks.gates * units.count)
    shape.forEachSegment(at: t, reverse: reverse, in: sequences) { segment in
      let row = shape.offsets[t] + segment.first
      let gates = self.gates.pointer + (firstPlace + segment.first) * g
      var previousHidden = pass.initialHidden.map { $0 + segment.first * s }
      var stride = s
      if let previous = segment.previousRow {
        previousHidden = UnsafePointer(pass.output) + previous * pass.outputStride
        stride = pass.outputStride
      }
      let place = keepsActivations ? row : segment.first
      cell.rows = segment.count
      cell.gates = gates
      cell.cell = cells.pointer + place * h
      let output = pass.output + row * pass.outputStride
      cell.output = parameters.projection == nil ? output : raw.pointer + place * h
      cell.output_stride = parameters.projection == nil ? pass.outputStride : h
      guard rule.steps == .whole else {
        resetStep(&cell, previousHidden, stride: stride, segment, units)
        return
      }
      if rule.cell == .lstm {
        cell.cell_previous =
          segment.previousRow.map { UnsafePointer(cells.pointer) + $0 * h } ?? (pass.initialCell + segment.first * h)
        if !keepsActivations { cell.cell_previous = UnsafePointer(cell.cell) }
      }
      if let previousHidden {
        kernels.table.pointee.multiply(
          segment.count, width, s, previousHidden, stride, 1, recurrentPack.pointer + column * s,
          gates + column, g, gates + column)
      }
      rule.forward(&cell)
      if parameters.projection != nil {
        kernels.multiply(
          m: segment.count, n: s, k: h, raw.pointer + place * h, rowStride: h, projectionPack, output,
          outputStride: pass.outputStride, start: .zero)
        rule.clipProjection(output, rows: segment.count, stride: pass.outputStride, size: s)
      }
    }
  }

  /// A GRU's step of some sequences, with products of the previous state in `recurrent`.
  /// - Parameter previous: h of the previous step; nil for zero.
  private func resetStep(
    _ cell: inout lstmk_cell, _ previous: UnsafePointer<Float>?, stride: Int, _ segment: PackedShape.Segment,
    _ units: Range<Int>
  ) {
    cell.previous = previous ?? UnsafePointer(zeros.pointer)
    cell.previous_stride = previous == nil ? 0 : stride
    // An LSTM's place for c, which nobody reads without a backward pass.
    if rule.steps == .apart, !keepsActivations { cell.cell = nil }
    resetStep(&cell, recurrent.pointer, rows: segment.first..<segment.first + segment.count, units)
  }

  /// The products and the kernels of a GRU's step, for rows of `recurrent`. The products of a state of zero, with a stride of
  /// 0, are empty sums.
  func resetStep(
    _ cell: inout lstmk_cell, _ recurrent: UnsafeMutablePointer<Float>, rows: Range<Int>, _ units: Range<Int>
  ) {
    let (h, g, k) = (hiddenSize, gateSize, cell.previous_stride == 0 ? 0 : stateSize)
    let table = kernels.table
    if rule.steps == .apart {
      let (column, width) = (3 * units.lowerBound, 3 * units.count)
      let products = recurrent + rows.lowerBound * g
      table.pointee.multiply(
        rows.count, width, k, cell.previous, cell.previous_stride, 1, recurrentPack.pointer + column * k,
        products + column, g, packedRecurrentBias.map { $0 + column })
      cell.part = Int32(LSTMK_GRU_WHOLE)
      cell.recurrent = UnsafePointer(products)
      rule.forward(&cell)
      return
    }
    let products = recurrent + rows.lowerBound * g
    table.pointee.multiply(
      rows.count, 2 * h, k, cell.previous, cell.previous_stride, 1, recurrentPack.pointer, products, 2 * h, nil)
    cell.part = Int32(LSTMK_GRU_FIRST)
    cell.recurrent = UnsafePointer(products)
    rule.forward(&cell)
    let candidate = products + rows.count * 2 * h
    table.pointee.multiply(
      rows.count, h, k, cell.cell, h, 1, candidatePack.pointer, candidate, h, nil)
    cell.part = Int32(LSTMK_GRU_SECOND)
    cell.recurrent = UnsafePointer(candidate)
    rule.forward(&cell)
  }
}
