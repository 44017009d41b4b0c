import CLSTMKernels

// The backward step of a GRU, whose recurrent products have gradients apart from the gates'.
extension LSTMDirection {
  /// The gradients of a step's recurrent products (B, G), or (B, 2H) of r and z. Of two steps in turn: while one is written,
  /// other threads still read the one before.
  func recurrentGates(_ t: Int, _ shape: PackedShape) -> UnsafeMutablePointer<Float> {
    recurrentGateGradient.pointer + (t % 2) * shape.count * gateSize
  }

  /// The gradients of the gates' pre-activations and of the recurrent products, and what reaches the previous state beside
  /// these, in `stateGradient`.
  func resetBackwardStep(
    _ cell: inout lstmk_cell, _ job: BackwardJob, _ t: Int, _ segment: PackedShape.Segment, _ units: Range<Int>
  ) {
    let (h, g, pass) = (hiddenSize, gateSize, job.pass)
    if let previous = segment.previousRow {
      cell.previous = pass.output + previous * pass.outputStride
      cell.previous_stride = pass.outputStride
    } else {
      cell.previous = pass.initialHidden.map { $0 + segment.first * h } ?? UnsafePointer(zeros.pointer)
      cell.previous_stride = pass.initialHidden == nil ? 0 : h
    }
    cell.d_previous = stateGradient.pointer + segment.first * h
    let recurrent = recurrentGates(t, job.shape)
    guard rule.steps == .halves else {
      cell.part = Int32(LSTMK_GRU_WHOLE)
      cell.d_recurrent = recurrent + segment.first * g
      rule.backward(&cell)
      return
    }
    let product = resetGradient.pointer + segment.first * h
    let candidate = self.recurrent.pointer + segment.first * h
    cell.part = Int32(LSTMK_GRU_FIRST)
    cell.d_recurrent = candidate
    rule.backward(&cell)
    kernels.table.pointee.multiply(
      segment.count, h, h, candidate, h, 1, candidateBackwardPack.pointer, product, h, nil)
    cell.part = Int32(LSTMK_GRU_SECOND)
    cell.recurrent = UnsafePointer(product)
    cell.d_recurrent = recurrent + segment.first * 2 * h
    rule.backward(&cell)
  }
}
