import CLSTMKernels

extension LSTMDirection {
  struct ForwardPass {
    let shape: PackedShape
    let input: UnsafePointer<Float>
    let inputStride: Int
    let initialHidden: UnsafePointer<Float>?
    let initialCell: UnsafePointer<Float>
    let output: UnsafeMutablePointer<Float>
    let outputStride: Int
    let tokens: Tokens?
  }

  /// Runs the direction over all steps.
  /// - Parameters:
  ///   - input: (R, I) rows, `inputStride` apart.
  ///   - initialHidden: (B, S), nil for zero; and `initialCell`: (B, H), in the packed order.
  ///   - output: (R, S) rows, `outputStride` apart.
  ///   - keepsActivations: false when `backward` will not be called.
  ///   - tokens: the tokens, when the input's rows are their embeddings.
  func forward(
    _ input: UnsafePointer<Float>, inputStride: Int, shape: PackedShape, initialHidden: UnsafePointer<Float>?,
    initialCell: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>, outputStride: Int,
    keepsActivations: Bool = true, tokens: Tokens? = nil
  ) {
    packForForward(recurrentToo: shape.steps > 1 || initialHidden != nil)
    self.keepsActivations = keepsActivations
    let pass = ForwardPass(
      shape: shape, input: input, inputStride: inputStride, initialHidden: initialHidden, initialCell: initialCell,
      output: output, outputStride: outputStride, tokens: tokens)
    prepareTable(tokens, rows: shape.rows)
    let schedule = schedule(shape)
    let h = hiddenSize
    if keepsActivations {
      gates.reserve(shape.rows * gateSize)
      cells.reserve(shape.rows * h)
      if parameters.projection != nil { raw.reserve(shape.rows * h) }
    } else {
      gates.reserve(max(shape.count, Self.inputRows) * gateSize)
      cells.reserve(shape.count * h)
      cells.pointer.update(from: initialCell, count: shape.count * h)
      if parameters.projection != nil { raw.reserve(shape.count * h) }
    }

    switch schedule {
    case .sequences(let parts):
      parallel(parts) { part in
        let sequences = share(shape.count, multiple: 8, part: part, of: parts)
        for index in 0..<shape.steps {
          let t = reverse ? shape.steps - 1 - index : index
          let count = min(shape.active[t], sequences.upperBound) - sequences.lowerBound
          guard count > 0 else { continue }
          let row = shape.offsets[t] + sequences.lowerBound
          let place = keepsActivations ? row : sequences.lowerBound
          addInput(pass, rows: row..<row + count, place: place, units: 0..<h)
          forwardStep(pass, t, sequences, firstPlace: place - sequences.lowerBound, units: 0..<h)
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
            forwardStep(pass, t, 0..<shape.count, firstPlace: firstPlace, units: units)
          }
        }
      }
    }
  }

  /// Rows whose input products are computed together, when a step has few.
  private static let inputRows = 96

  /// x W^T + b for some rows and units, to the rows of `gates` from `place`.
  private func addInput(_ pass: ForwardPass, rows: Range<Int>, place: Int, units: Range<Int>) {
    let (i, g, column) = (inputSize, gateSize, 4 * units.lowerBound)
    if readsTable, let tokens = pass.tokens {
      for (index, row) in rows.enumerated() {
        (gates.pointer + (place + index) * g + column).update(
          from: table.pointer + Int(tokens.numbers[row]) * g + column, count: 4 * units.count)
      }
      return
    }
    kernels.table.pointee.multiply(
      rows.count, 4 * units.count, i, pass.input + rows.lowerBound * pass.inputStride, pass.inputStride, 1,
      inputPack.pointer + column * i, gates.pointer + place * g + column, g,
      packedBias.map { $0 + column })
  }

  /// Adds h U^T and applies the cell, at step t. `firstPlace` is the row of `gates` for the step's first sequence.
  private func forwardStep(
    _ pass: ForwardPass, _ t: Int, _ sequences: Range<Int>, firstPlace: Int, units: Range<Int>
  ) {
    let (h, s, g, shape) = (hiddenSize, stateSize, gateSize, pass.shape)
    let column = 4 * units.lowerBound
    var cell = lstmk_cell()
    cell.hidden = h
    cell.first_unit = units.lowerBound
    cell.units = units.count
    cell.gate = gate
    cell.peephole = peephole
    cell.gates_stride = g
    shape.forEachSegment(at: t, reverse: reverse, in: sequences) { segment in
      let row = shape.offsets[t] + segment.first
      let gates = self.gates.pointer + (firstPlace + segment.first) * g
      var previousHidden = pass.initialHidden.map { $0 + segment.first * s }
      var stride = s
      cell.cell_previous = pass.initialCell + segment.first * h
      if let previous = segment.previousRow {
        previousHidden = UnsafePointer(pass.output) + previous * pass.outputStride
        stride = pass.outputStride
        cell.cell_previous = UnsafePointer(cells.pointer) + previous * h
      }
      if let previousHidden {
        kernels.table.pointee.multiply(
          segment.count, 4 * units.count, s, previousHidden, stride, 1, recurrentPack.pointer + column * s,
          gates + column, g, gates + column)
      }
      let place = keepsActivations ? row : segment.first
      cell.rows = segment.count
      cell.gates = gates
      cell.cell = cells.pointer + place * h
      if !keepsActivations { cell.cell_previous = UnsafePointer(cell.cell) }
      let output = pass.output + row * pass.outputStride
      cell.output = parameters.projection == nil ? output : raw.pointer + place * h
      cell.output_stride = parameters.projection == nil ? pass.outputStride : h
      kernels.table.pointee.cell_forward(&cell)
      if parameters.projection != nil {
        kernels.multiply(
          m: segment.count, n: s, k: h, raw.pointer + place * h, rowStride: h, projectionPack, output,
          outputStride: pass.outputStride, start: .zero)
      }
    }
  }
}
