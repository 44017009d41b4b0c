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
      cells.pointer.update(from: pass.initialCell, count: shape.count * h)
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

  /// The number of rows whose input products are computed together if steps have few rows.
  private static let inputRows = 96

  /// Writes x W^T + b of some rows and units to the rows of `gates` from `place`.
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
    var cell = cellArguments(units: units)
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
