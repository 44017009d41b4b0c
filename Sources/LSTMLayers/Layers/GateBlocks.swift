import CLSTMKernels

/// The kernels' order of the gates of H units in a row of GH: see CLSTMKernels.h.
struct GateBlocks {
  /// H
  let units: Int
  /// G: 4 of an LSTM (i, f, g, o), 3 of a GRU (r, z, n), 1 of a plain cell.
  let gates: Int
  /// Units of a block except the last: VL.
  let width: Int

  init(units: Int, gates: Int = 4, kernels: Kernels) {
    self.units = units
    self.gates = gates
    width = kernels.table.pointee.vector_width
  }

  /// The same units with another number of gates.
  func with(gates: Int) -> GateBlocks { GateBlocks(units: units, gates: gates, width: width) }

  private init(units: Int, gates: Int, width: Int) {
    self.units = units
    self.gates = gates
    self.width = width
  }

  /// The column of a gate, by its number, of a unit.
  func column(gate: Int, unit: Int) -> Int {
    let first = unit / width * width
    return gates * first + gate * min(width, units - first) + unit - first
  }

  /// Visits the runs of gates that are contiguous in both orders: `count` gates, from `parameter` in the order of the
  /// parameters (gate after gate, each over all units) and from `column` in the kernels' order.
  func forEachRun(in units: Range<Int>, _ body: (_ parameter: Int, _ column: Int, _ count: Int) -> Void) {
    for first in stride(from: units.lowerBound, to: units.upperBound, by: width) {
      let count = min(width, self.units - first)
      for gate in 0..<gates { body(gate * self.units + first, gates * first + gate * count, count) }
    }
  }

  /// One thread's part of the units, in whole panels of their gates and of the states.
  func share(part: Int, of parts: Int) -> Range<Int> {
    LSTMLayers.share(units, multiple: 2 * width, part: part, of: parts)
  }
}
