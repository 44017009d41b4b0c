import CLSTMKernels

extension LSTMDirection {
  /// Advances h (S) and c (H) of one sequence by one step, in place. `gates` (G) and `raw` (H) are scratch memory.
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
      let (column, width) = (4 * units.lowerBound, 4 * units.count)
      let own = gates + column
      if let inputGates {
        own.update(from: inputGates + column, count: width)
      } else {
        table.pointee.multiply(
          1, width, i, x, i, 1, inputPack.pointer + column * i, own, g, packedBias.map { $0 + column })
      }
      table.pointee.multiply(1, width, s, hidden, s, 1, recurrentPack.pointer + column * s, own, g, own)
      var cell = cellArguments(units: units)
      cell.rows = 1
      cell.gates = gates
      cell.cell_previous = UnsafePointer(state)
      cell.cell = state
      // Not in place: other threads still read the old h.
      cell.output = raw
      cell.output_stride = h
      table.pointee.cell_forward(&cell)
    }
    if parameters.projection != nil {
      table.pointee.multiply(1, s, h, raw, h, 1, projectionPack.pointer, hidden, s, nil)
    } else {
      hidden.update(from: raw, count: h)
    }
  }
}
