import CLSTMKernels
import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// The cell, and the products with its transposed gates, of every path against the scalar twin and plain loops.
@Suite struct CellTests {
  /// Rows of gates in the order of the parameters, (rows, 4, H), and (rows, H) each.
  struct Values: Equatable {
    var gates: [Float]
    var previous, output, dOutput, dState, dCell: [Float]

    init(rows: Int, hidden: Int, seed: UInt64) {
      var random = RandomNumbers(seed: seed)
      func draw(_ count: Int) -> [Float] { (0..<count).map { _ in random.normal() } }
      (gates, previous, output) = (draw(rows * 4 * hidden), draw(rows * hidden), draw(rows * hidden))
      (dOutput, dState, dCell) = (draw(rows * hidden), draw(rows * hidden), draw(rows * hidden))
    }
  }

  /// Forward, then backward.
  /// - Returns: activations, c, h, gradients of the pre-activations and dL/dc of the step before.
  static func run(
    _ kernels: Kernels, _ values: Values, rows: Int, hidden: Int, gate: Int32, peephole: [Float]?
  ) -> [[Float]] {
    var values = values
    let blocks = GateBlocks(units: hidden, kernels: kernels)
    /// Where each gate of the parameters' order lies in this path's.
    let places = (0..<rows * 4 * hidden).map { at in
      at / (4 * hidden) * 4 * hidden
        + blocks.column(gate: at / hidden % 4, unit: at % hidden)
    }
    var gates = [Float](repeating: .nan, count: places.count)
    for (at, place) in places.enumerated() { gates[place] = values.gates[at] }
    var state = [Float](repeating: .nan, count: rows * hidden)
    var results: [[Float]] = []
    for isBackward in [false, true] {
      gates.withUnsafeMutableBufferPointer { gates in
        values.previous.withUnsafeBufferPointer { previous in
          state.withUnsafeMutableBufferPointer { state in
            values.output.withUnsafeMutableBufferPointer { output in
              values.dOutput.withUnsafeBufferPointer { dOutput in
                values.dState.withUnsafeBufferPointer { dState in
                  values.dCell.withUnsafeMutableBufferPointer { dCell in
                    (peephole ?? [0]).withUnsafeBufferPointer { weights in
                      var cell = lstmk_cell()
                      (cell.rows, cell.hidden, cell.first_unit, cell.units) = (rows, hidden, 0, hidden)
                      (cell.gate, cell.peephole) = (gate, peephole == nil ? nil : weights.baseAddress)
                      (cell.gates, cell.gates_stride) = (gates.baseAddress, 4 * hidden)
                      (cell.cell_previous, cell.cell) = (previous.baseAddress, state.baseAddress)
                      (cell.output, cell.output_stride) = (output.baseAddress, hidden)
                      (cell.d_output, cell.d_output_stride) = (dOutput.baseAddress, hidden)
                      (cell.d_state, cell.d_cell) = (dState.baseAddress, dCell.baseAddress)
                      let table = kernels.table.pointee
                      isBackward ? table.cell_backward(&cell) : table.cell_forward(&cell)
                    }
                  }
                }
              }
            }
          }
        }
      }
      results.append(places.map { gates[$0] })
    }
    return results + [state, values.output, values.dCell]
  }

  @Test(arguments: KernelTests.paths, [1, 3, 7, 16, 129])
  func theCellMatchesItsScalarTwin(_ path: String, hidden: Int) throws {
    let (kernels, scalar) = (try KernelTests.kernels(path), try KernelTests.kernels("scalar"))
    var random = RandomNumbers(seed: 1)
    let peephole = (0..<3 * hidden).map { _ in random.normal() }
    for rows in [1, 5] {
      let values = Values(rows: rows, hidden: hidden, seed: UInt64(hidden + rows))
      for gate in [LSTMK_SIGMOID, LSTMK_HARD_SIGMOID, LSTMK_HARD_SIGMOID_6] {
        for weights in [nil, peephole] {
          func run(_ kernels: Kernels) -> [[Float]] {
            Self.run(kernels, values, rows: rows, hidden: hidden, gate: Int32(gate), peephole: weights)
          }
          for (found, wanted) in zip(run(kernels), run(scalar)) {
            #expect(zip(found, wanted).allSatisfy { abs($0 - $1) <= 2e-6 * max(1, abs($1)) }, "\(rows) rows, \(gate)")
          }
        }
      }
    }
  }

  /// What gives the gradients of a weight and of its bias: products of the gates, transposed to strips, with rows.
  @Test(arguments: KernelTests.paths, [1, 7, 129])
  func productsWithTransposedGatesMatchThePlainLoop(_ path: String, hidden: Int) throws {
    let kernels = try KernelTests.kernels(path)
    let (table, strip, g) = (kernels.table.pointee, kernels.table.pointee.strip_width, 4 * hidden)
    let blocks = GateBlocks(units: hidden, kernels: kernels)
    for (rows, columns) in [(1, 1), (5, 7), (3, 33)] {
      var random = RandomNumbers(seed: UInt64(rows))
      let gates = (0..<rows * g).map { _ in random.uniform(1) }
      let x = (0..<rows * columns).map { _ in random.uniform(1) }
      let start = (0..<g * columns).map { _ in random.uniform(1) }
      var strips = [Float](repeating: 0, count: (g + strip - 1) / strip * strip * rows)
      table.pack_gate_strips(4, 0, hidden, 0, hidden, rows, 0, rows, gates, g, &strips)
      let packed = FloatBuffer()
      kernels.pack(rows, columns, x, rowStride: columns, columnStride: 1, into: packed)
      var (products, sums) = (start, [Float](repeating: 0.5, count: g))
      table.multiply_strips(g, columns, rows, strips, packed.pointer, &products, columns)
      table.add_strip_sums(g, rows, strips, &sums)
      for at in 0..<g {
        let column = blocks.column(gate: at / hidden, unit: at % hidden)
        let values = (0..<rows).map { Double(gates[$0 * g + column]) }
        #expect(abs(Double(sums[at]) - values.reduce(0.5, +)) <= 1e-6)
        for j in 0..<columns {
          let wanted = values.indices.reduce(Double(start[at * columns + j])) {
            $0 + values[$1] * Double(x[$1 * columns + j])
          }
          #expect(abs(Double(products[at * columns + j]) - wanted) <= 2e-6)
        }
      }
    }
  }
}
