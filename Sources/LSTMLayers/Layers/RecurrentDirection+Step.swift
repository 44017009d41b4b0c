import CLSTMKernels

extension LSTMDirection {
  /// Advances h (S) and, of an LSTM, c (H) of one sequence by one step, in place. `gates` (`stepGateSize`) and `raw` (H) are
  /// scratch memory.
  /// - Parameter inputGates: x W^T + b (G) if already known; nil to compute it.
  func step(
    _ x: UnsafePointer<Float>, inputGates: UnsafePointer<Float>?, hidden: UnsafeMutablePointer<Float>,
    cell state: UnsafeMutablePointer<Float>, gates: UnsafeMutablePointer<Float>, raw: UnsafeMutablePointer<Float>
  ) {
    let (i, h, s, g) = (inputSize, hiddenSize, stateSize, gateSize)
    let table = kernels.table
    let parts = stepParts
    parallel(parts) { part in
      let units = blocks.share(part: part, of: parts)
      guard !units.isEmpty else { return }
      let (column, width) = (blocks.gates * units.lowerBound, blocks.gates * units.count)
      let own = gates + column
      if let inputGates {
        own.update(from: inputGates + column, count: width)
      } else {
        table.pointee.multiply(
          1, width, i, x, i, 1, inputPack.pointer + column * i, own, g, packedBias.map { $0 + column })
      }
      var cell = cellArguments(units: units)
      cell.rows = 1
      cell.gates = gates
      cell.cell_previous = UnsafePointer(state)
      cell.cell = state
      // Not in place: other threads still read the old h.
      cell.output = raw
      cell.output_stride = h
      guard rule.steps == .whole else {
        cell.cell = rule.steps == .halves ? gates + 2 * g : nil
        cell.previous = UnsafePointer(hidden)
        cell.previous_stride = s
        resetStep(&cell, gates + g, rows: 0..<1, units)
        return
      }
      table.pointee.multiply(1, width, s, hidden, s, 1, recurrentPack.pointer + column * s, own, g, own)
      rule.forward(&cell)
    }
    if parameters.projection != nil {
      table.pointee.multiply(1, s, h, raw, h, 1, projectionPack.pointer, hidden, s, nil)
      rule.clipProjection(hidden, rows: 1, stride: s, size: s)
    } else {
      hidden.update(from: raw, count: h)
    }
  }
}
