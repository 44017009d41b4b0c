import CLSTMKernels

/// The kernels' order of the gates of H units in a row of 4H: see CLSTMKernels.h.
struct GateBlocks {
  /// H
  let units: Int
  /// Units of a block except the last: VL.
  let width: Int

  init(units: Int, kernels: Kernels) {
    self.units = units
    width = kernels.table.pointee.vector_width
  }

  /// The column of a gate (0 to 3: i, f, g, o) of a unit.
  func column(gate: Int, unit: Int) -> Int {
    let first = unit / width * width
    return 4 * first + gate * min(width, units - first) + unit - first
  }

  /// Visits the runs of gates that are contiguous in both orders: `count` gates, from `parameter` in the order of the
  /// parameters (i, f, g, o over all units) and from `column` in the kernels' order.
  func forEachRun(in units: Range<Int>, _ body: (_ parameter: Int, _ column: Int, _ count: Int) -> Void) {
    for first in stride(from: units.lowerBound, to: units.upperBound, by: width) {
      let count = min(width, self.units - first)
      for gate in 0..<4 { body(gate * self.units + first, 4 * first + gate * count, count) }
    }
  }

  /// One thread's part of the units, in whole panels of their gates and of the states.
  func share(part: Int, of parts: Int) -> Range<Int> {
    LSTMLayers.share(units, multiple: 2 * width, part: part, of: parts)
  }
}
