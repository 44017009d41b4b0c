import CLSTMKernels
import LSTMCheckpoints

/// What a recurrent layer's cell computes beside its products, and the kernels that do.
struct CellRule {
  /// Which steps the kernels and the products take.
  enum Steps {
    /// Products, then the cell: an LSTM and a plain cell.
    case whole
    /// The same, with the recurrent products apart from the input's: a GRU that resets the recurrent product.
    case apart
    /// r and z, the product of r * h, then the rest: a GRU that resets the state.
    case halves
  }

  typealias Kernel = @convention(c) (UnsafePointer<lstmk_cell>?) -> Void

  let cell: Layer.Recurrent.Cell
  let steps: Steps
  let gate: Int32
  let candidate: Int32
  let output: Int32
  /// Infinite where nothing is clipped.
  let inputClip: Float
  let cellClip: Float
  let projectionClip: Float
  let forgetOffset: Float
  /// Whether its kernels are those of any functions: see CLSTMKernels.h.
  let isGeneral: Bool
  let forward: Kernel
  let backward: Kernel

  init(_ kind: Layer.Recurrent, _ kernels: Kernels) {
    cell = kind.cell
    let gates = Kernels.Function(kind.gateActivation) ?? .sigmoid
    let candidate = Kernels.Function(kind.activation) ?? .tanh
    let output = Kernels.Function(kind.outputActivation ?? kind.activation) ?? .tanh
    gate = gates.rawValue
    self.candidate = candidate.rawValue
    self.output = output.rawValue
    inputClip = kind.inputClip ?? .infinity
    cellClip = kind.cellClip ?? .infinity
    projectionClip = kind.projectionClip ?? .infinity
    forgetOffset = kind.forgetOffset
    let hasUsualGates = gates == .sigmoid || gates == .hardSigmoid || gates == .hardSigmoidKeras3
    let table = kernels.table.pointee
    switch cell {
    case .lstm:
      steps = .whole
      isGeneral =
        !hasUsualGates || candidate != .tanh || output != .tanh || inputClip.isFinite || cellClip.isFinite
      if isGeneral {
        (forward, backward) = (table.general_forward, table.general_backward)
      } else {
        (forward, backward) = (table.cell_forward, table.cell_backward)
      }
    case .gru:
      steps = kind.resetsAfter ? .apart : .halves
      isGeneral = !hasUsualGates || candidate != .tanh || inputClip.isFinite
      (forward, backward) = (table.gru_forward, table.gru_backward)
    case .rnn:
      steps = .whole
      isGeneral = (candidate != .tanh && candidate != .relu) || inputClip.isFinite
      (forward, backward) = (table.rnn_forward, table.rnn_backward)
    }
  }

  /// Sets what every call of the kernels needs.
  @inline(__always)
  func set(_ arguments: inout lstmk_cell) {
    arguments.gate = gate
    guard isGeneral || cell != .lstm else { return }
    arguments.is_general = isGeneral ? 1 : 0
    arguments.candidate = candidate
    arguments.out = output
    arguments.input_clip = inputClip
    arguments.cell_clip = cellClip
  }

  /// Clips the projected outputs, rows (., S).
  func clipProjection(_ output: UnsafeMutablePointer<Float>, rows: Int, stride: Int, size: Int) {
    guard projectionClip.isFinite else { return }
    for row in 0..<rows {
      let y = output + row * stride
      for j in 0..<size where abs(y[j]) > projectionClip { y[j] = y[j] < 0 ? -projectionClip : projectionClip }
    }
  }

  /// Zeroes the gradients d of projected outputs y that were clipped, of one row.
  func clipProjectionGradient(_ d: UnsafeMutablePointer<Float>, of y: UnsafePointer<Float>, size: Int) {
    guard projectionClip.isFinite else { return }
    for j in 0..<size where abs(y[j]) >= projectionClip { d[j] = 0 }
  }
}
