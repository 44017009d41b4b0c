import FileIO

// Cells that are written out and start from another layer's last state: the steps of a decoder that reads what it gave
// before.

extension ONNXTranslator {
  /// The layer whose last state a value is, beside h.
  func endedLayer(_ name: String) -> Int? {
    if case .finalState(let layer)? = values[name] { layer } else { nil }
  }

  /// The layer whose last h a value is.
  func readLayer(_ name: String) -> Int? {
    guard let rows = rows(named: name), !rows.hasTime, let readout = draft[rows.source].kind as? Layer.Readout,
      let layer = draft[rows.source].reads.first, let kind = draft[layer].kind as? Layer.Recurrent,
      kind.directions == 1, readout.take == (kind.isReversed ? .first : .last) || readout.take == .final
    else { return nil }
    return layer
  }

  /// The layer that a cell starts from, if that is one of its kind and size.
  func startingLayer(_ cell: ONNXWrittenCell) -> Int? {
    guard let layer = readLayer(cell.hidden), let kind = draft[layer].kind as? Layer.Recurrent, kind.cell == cell.cell,
      kind.size == cell.input[0].rows.count, kind.projectionSize == nil,
      cell.carried.map({ endedLayer($0.name) == layer }) ?? true
    else { return nil }
    return layer
  }

  /// Zeros that the first of a decoder's cells reads: as many as its weights are for, of the rows that it starts from.
  mutating func rowsOfZeros(_ cell: ONNXWrittenCell, _ node: ONNXModel.Node) throws(ONNXRefusal) -> ONNXRows? {
    guard isZeroState(cell.x), startingLayer(cell) != nil, let state = rows(named: cell.hidden),
      let size = cell.input[0].constant.shape.last, size > 0, state.width > 0,
      let last = state.axes.indices.last, state.isWholeRow(at: last), size <= state.width << 12
    else { return nil }
    var zeros = try scaled(state, by: ONNXAffineRows(scale: [0], offset: [0]), sources: [], node).source
    let copies = (size + state.width - 1) / state.width
    if copies > 1 { zeros = try layer(Layer.Merge(.concatenate), [Int](repeating: zeros, count: copies), node) }
    if copies * state.width > size { zeros = try layer(Layer.Slice(first: 0, count: size), [zeros], node) }
    return state.replacingRow(at: last, with: zeros, width: size)
  }

  /// The state after a layer of one step.
  mutating func oneStep(
    _ source: Int, _ cell: ONNXWrittenCell, _ rows: ONNXRows, _ node: ONNXModel.Node
  ) throws(ONNXRefusal) -> ONNXMeaning {
    for name in cell.carried?.sum.outputs ?? [] { values[name] = .finalState(source) }
    let last = try layer(Layer.Readout(.last), [source], node)
    return .rows(ONNXRows(source: last, axes: rows.axes.dropLast() + [.row(0)], factors: [cell.input[0].rows.count]))
  }
}
