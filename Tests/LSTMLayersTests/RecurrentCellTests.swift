import CLSTMKernels
import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// The kernels of every cell, of every path, against the scalar twin: units of all widths, one row and more.
@Suite struct RecurrentCellTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let gates: Int
    var part = LSTMK_GRU_WHOLE
    var functions: [Int] = [LSTMK_SIGMOID, LSTMK_TANH, LSTMK_TANH]
    var isGeneral = false
    var clips: (input: Float, cell: Float) = (.infinity, .infinity)
    var hasPeepholes = false
    var testDescription: String { name }
  }

  static let cases: [Case] =
    [
      Case(
        name: "LSTM", gates: 4, functions: [LSTMK_HARD_SIGMOID_6, LSTMK_RELU, LSTMK_SOFTSIGN], isGeneral: true,
        clips: (1.5, 0.8), hasPeepholes: true),
      Case(name: "LSTM, swish", gates: 4, functions: [LSTMK_SIGMOID, LSTMK_SWISH, LSTMK_MISH], isGeneral: true),
      Case(name: "plain", gates: 1),
      Case(name: "plain, ReLU", gates: 1, functions: [LSTMK_SIGMOID, LSTMK_RELU, LSTMK_TANH]),
      Case(
        name: "plain, ELU", gates: 1, functions: [LSTMK_SIGMOID, LSTMK_ELU, LSTMK_TANH], isGeneral: true,
        clips: (0.9, .infinity)),
    ]
    + [LSTMK_GRU_WHOLE, LSTMK_GRU_FIRST, LSTMK_GRU_SECOND].flatMap { part in
      [
        Case(name: "GRU \(part)", gates: 3, part: part),
        Case(
          name: "GRU \(part), hard", gates: 3, part: part, functions: [LSTMK_HARD_SIGMOID, LSTMK_TANH, LSTMK_TANH]),
        Case(
          name: "GRU \(part), hard 6", gates: 3, part: part,
          functions: [LSTMK_HARD_SIGMOID_6, LSTMK_TANH, LSTMK_TANH]),
        Case(
          name: "GRU \(part), general", gates: 3, part: part, functions: [LSTMK_SOFTSIGN, LSTMK_RELU, LSTMK_TANH],
          isGeneral: true, clips: (1.2, .infinity)),
      ]
    }

  /// One block of numbers for each of a cell's pointers, drawn from the same seed for every path. What is in the kernels'
  /// order is drawn in the parameters' order.
  private func run(_ kernels: Kernels, _ test: Case, rows: Int, hidden h: Int) -> [[Float]] {
    var random = RandomNumbers(seed: UInt64(h * 7 + rows))
    var buffers: [(FloatBuffer, places: [Int])] = []
    /// (rows, width) values, with gates of `count` blocks.
    func make(gates count: Int) -> FloatBuffer {
      let blocks = GateBlocks(units: h, gates: count, kernels: kernels)
      let places = (0..<rows * count * h).map { at in
        at / (count * h) * count * h + blocks.column(gate: at / h % count, unit: at % h)
      }
      let buffer = FloatBuffer(places.count)
      for place in places { buffer.pointer[place] = random.normal() }
      buffers.append((buffer, places))
      return buffer
    }
    let width = test.gates == 3 ? [3, 2, 1][test.part] : 1
    let back = test.gates == 3 ? [3, 1, 2][test.part] : 1
    let gates = make(gates: test.gates)
    let (cell, output, previous, state, dOutput, dState) = (
      make(gates: 1), make(gates: 1), make(gates: 1), make(gates: 1), make(gates: 1), make(gates: 1)
    )
    let (dCell, recurrent, product, dRecurrent) = (
      make(gates: 1), make(gates: width), make(gates: 1), make(gates: back)
    )
    let peephole = FloatBuffer(3 * h)
    for at in 0..<3 * h { peephole.pointer[at] = random.normal() }

    var arguments = lstmk_cell()
    (arguments.rows, arguments.hidden, arguments.units) = (rows, h, h)
    (arguments.gates, arguments.gates_stride) = (gates.pointer, test.gates * h)
    arguments.peephole = test.hasPeepholes ? UnsafePointer(peephole.pointer) : nil
    (arguments.cell, arguments.cell_previous) = (cell.pointer, UnsafePointer(state.pointer))
    (arguments.output, arguments.output_stride) = (output.pointer, h)
    (arguments.d_output, arguments.d_output_stride) = (UnsafePointer(dOutput.pointer), h)
    (arguments.d_state, arguments.d_cell) = (UnsafePointer(dState.pointer), dCell.pointer)
    (arguments.gate, arguments.candidate, arguments.out) = (
      Int32(test.functions[0]), Int32(test.functions[1]), Int32(test.functions[2])
    )
    arguments.is_general = test.isGeneral ? 1 : 0
    (arguments.input_clip, arguments.cell_clip) = test.clips
    (arguments.part, arguments.previous, arguments.previous_stride) = (
      Int32(test.part), UnsafePointer(previous.pointer), h
    )
    (arguments.recurrent, arguments.d_recurrent) = (UnsafePointer(recurrent.pointer), dRecurrent.pointer)
    arguments.d_previous = dState.pointer
    let table = kernels.table.pointee
    var results: [[Float]] = []
    func collect() {
      for (buffer, places) in buffers { results.append(places.map { buffer.pointer[$0] }) }
    }
    switch test.gates {
    case 4: table.general_forward(&arguments)
    case 3: table.gru_forward(&arguments)
    default: table.rnn_forward(&arguments)
    }
    collect()
    arguments.recurrent = UnsafePointer(product.pointer)
    switch test.gates {
    case 4: table.general_backward(&arguments)
    case 3: table.gru_backward(&arguments)
    default: table.rnn_backward(&arguments)
    }
    collect()
    return results
  }

  @Test(arguments: KernelTests.paths, cases)
  func cellsMatchTheirScalarTwins(_ path: String, test: Case) throws {
    let (kernels, scalar) = (try KernelTests.kernels(path), try KernelTests.kernels("scalar"))
    for hidden in [1, 3, 7, 16, 129] {
      for rows in [1, 5] {
        let (found, wanted) = (
          run(kernels, test, rows: rows, hidden: hidden), run(scalar, test, rows: rows, hidden: hidden)
        )
        #expect(found.count == wanted.count)
        for (index, (found, wanted)) in zip(found, wanted).enumerated() {
          #expect(
            zip(found, wanted).allSatisfy { abs($0 - $1) <= 3e-6 * max(1, abs($1)) },
            "H \(hidden), \(rows) rows, \(index)")
        }
      }
    }
  }
}
