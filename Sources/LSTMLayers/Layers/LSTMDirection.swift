import CLSTMKernels
import LSTMCheckpoints

/// One direction of one LSTM layer, forward and backward through time over packed sequences.
///
/// Legend: R rows (all steps of all sequences), B sequences, I input, H hidden, S state size (P or H), G = 4H.
///
///     gates (R, G)   pre-activations, then i f g o, then the gradients of the pre-activations
///     cells (R, H)   c          raw (R, H)  h before the projection, only with one
///
///     i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)      c' = f * c + i * g
///     f = sigmoid(W_if x + b_if + W_hf h + b_hf)      h' = o * tanh(c')      (then W_hr h' if projected)
///     g = tanh   (W_ig x + b_ig + W_hg h + b_hg)
///     o = sigmoid(W_io x + b_io + W_ho h + b_ho)
final class LSTMDirection {
  struct Parameters {
    let inputWeight: Int
    let recurrentWeight: Int
    let inputBias: Int?
    let recurrentBias: Int?
    let projection: Int?
    let peephole: Int?

    var all: [Int] {
      [inputWeight, recurrentWeight] + [inputBias, recurrentBias, projection, peephole].compactMap { $0 }
    }

    /// Without an array, which would be made anew in every step.
    func forEachBias(_ body: (Int) -> Void) {
      if let inputBias { body(inputBias) }
      if let recurrentBias { body(recurrentBias) }
    }
  }

  let inputSize: Int
  let hiddenSize: Int
  let stateSize: Int
  let reverse: Bool
  let parameters: Parameters
  let gate: Int32
  let kernels: Kernels
  let weights: ParameterStore

  // Packed weights, made anew after an update. The transposed ones serve the backward pass only.
  private var isPacked = false
  private var isPackedForBackward = false
  let inputPack = FloatBuffer()
  let recurrentPack = FloatBuffer()
  let projectionPack = FloatBuffer()
  let inputBackwardPack = FloatBuffer()
  let recurrentBackwardPack = FloatBuffer()
  let projectionBackwardPack = FloatBuffer()
  private let bias = FloatBuffer()

  let gates = FloatBuffer()
  let cells = FloatBuffer()
  let raw = FloatBuffer()
  let hiddenGradient = FloatBuffer()
  let stateGradient = FloatBuffer()
  let cellGradient = FloatBuffer()
  let projectedGradient = FloatBuffer()
  let scratch = FloatBuffer()
  let productPack = FloatBuffer()

  init?(_ configuration: ModelConfiguration, layer index: Int, reverse: Bool, weights: ParameterStore, kernels: Kernels)
  {
    let layer = configuration.layers[index]
    let suffix = "_l\(index)" + (reverse ? "_reverse" : "")
    guard let inputWeight = weights.index(of: "lstm.weight_ih" + suffix),
      let recurrentWeight = weights.index(of: "lstm.weight_hh" + suffix)
    else { return nil }
    parameters = Parameters(
      inputWeight: inputWeight, recurrentWeight: recurrentWeight,
      inputBias: weights.index(of: "lstm.bias_ih" + suffix), recurrentBias: weights.index(of: "lstm.bias_hh" + suffix),
      projection: weights.index(of: "lstm.weight_hr" + suffix), peephole: weights.index(of: "lstm.peephole" + suffix))
    inputSize = configuration.inputSize(ofLayer: index)
    hiddenSize = layer.hiddenSize
    stateSize = layer.stateSize
    self.reverse = reverse
    gate =
      switch layer.gateActivation {
      case .sigmoid: Int32(LSTMK_GATE_SIGMOID)
      case .hardSigmoid: Int32(LSTMK_GATE_HARD_SIGMOID)
      case .hardSigmoidKeras3: Int32(LSTMK_GATE_HARD_SIGMOID_6)
      }
    self.weights = weights
    self.kernels = kernels
  }

  var gateSize: Int { 4 * hiddenSize }

  func weightsChanged() {
    isPacked = false
    isPackedForBackward = false
  }

  private func packForForward() {
    guard !isPacked else { return }
    let (i, h, s, g) = (inputSize, hiddenSize, stateSize, gateSize)
    kernels.pack(i, g, weights.pointer(parameters.inputWeight), rowStride: 1, columnStride: i, into: inputPack)
    kernels.pack(s, g, weights.pointer(parameters.recurrentWeight), rowStride: 1, columnStride: s, into: recurrentPack)
    if let projection = parameters.projection {
      kernels.pack(h, s, weights.pointer(projection), rowStride: 1, columnStride: h, into: projectionPack)
    }
    bias.zero(g)
    parameters.forEachBias { index in
      let values = weights.pointer(index)
      for j in 0..<g { bias.pointer[j] += values[j] }
    }
    isPacked = true
  }

  func packForBackward() {
    guard !isPackedForBackward else { return }
    let (i, h, s, g) = (inputSize, hiddenSize, stateSize, gateSize)
    kernels.pack(g, i, weights.pointer(parameters.inputWeight), rowStride: i, columnStride: 1, into: inputBackwardPack)
    kernels.pack(
      g, s, weights.pointer(parameters.recurrentWeight), rowStride: s, columnStride: 1, into: recurrentBackwardPack)
    if let projection = parameters.projection {
      kernels.pack(s, h, weights.pointer(projection), rowStride: h, columnStride: 1, into: projectionBackwardPack)
    }
    isPackedForBackward = true
  }

  var peephole: UnsafePointer<Float>? { parameters.peephole.map { UnsafePointer(weights.pointer($0)) } }

  /// Runs the direction over all steps.
  /// - Parameters:
  ///   - input: (R, I) rows, `inputStride` apart.
  ///   - initialHidden: (B, S), and `initialCell`: (B, H), in the packed order.
  ///   - output: (R, S) rows, `outputStride` apart.
  func forward(
    _ input: UnsafePointer<Float>, inputStride: Int, shape: PackedShape, initialHidden: UnsafePointer<Float>,
    initialCell: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>, outputStride: Int
  ) {
    packForForward()
    let (h, g) = (hiddenSize, gateSize)
    gates.reserve(shape.rows * g)
    cells.reserve(shape.rows * h)
    if parameters.projection != nil { raw.reserve(shape.rows * h) }

    // 1. The input's share of every step at once: x W^T + b.
    kernels.multiplyOnAllThreads(
      m: shape.rows, n: g, k: inputSize, input, rowStride: inputStride, inputPack, gates.pointer, outputStride: g,
      start: parameters.inputBias == nil ? .zero : .row(bias.pointer))

    // 2. Step by step: add h U^T, then the cell. Each thread takes some of the sequences through all steps.
    let pass = ForwardPass(
      shape: shape, initialHidden: initialHidden, initialCell: initialCell, output: output, outputStride: outputStride)
    let parts = sequenceParts(shape)
    parallel(parts) { part in run(pass, share(shape.count, multiple: 8, part: part, of: parts)) }
  }

  private struct ForwardPass {
    let shape: PackedShape
    let initialHidden: UnsafePointer<Float>
    let initialCell: UnsafePointer<Float>
    let output: UnsafeMutablePointer<Float>
    let outputStride: Int
  }

  /// Threads that the sequences are shared among: none gets fewer than a register tile's rows.
  func sequenceParts(_ shape: PackedShape) -> Int {
    min(kernels.parts(shape.rows * gateSize * stateSize, each: 1 << 17), (shape.count + 7) / 8)
  }

  private func run(_ pass: ForwardPass, _ sequences: Range<Int>) {
    let (h, s, g, shape) = (hiddenSize, stateSize, gateSize, pass.shape)
    var cell = lstmk_cell()
    cell.hidden = h
    cell.gate = gate
    cell.peephole = peephole
    cell.gates_stride = g
    for index in 0..<shape.steps {
      let t = reverse ? shape.steps - 1 - index : index
      shape.forEachSegment(at: t, reverse: reverse, in: sequences) { segment in
        let row = shape.offsets[t] + segment.first
        var previousHidden = pass.initialHidden + segment.first * s
        var stride = s
        cell.cell_previous = pass.initialCell + segment.first * h
        if let previous = segment.previousRow {
          previousHidden = UnsafePointer(pass.output) + previous * pass.outputStride
          stride = pass.outputStride
          cell.cell_previous = UnsafePointer(cells.pointer) + previous * h
        }
        kernels.multiply(
          m: segment.count, n: g, k: s, previousHidden, rowStride: stride, recurrentPack, gates.pointer + row * g,
          outputStride: g, start: .output)
        cell.rows = segment.count
        cell.gates = gates.pointer + row * g
        cell.cell = cells.pointer + row * h
        let output = pass.output + row * pass.outputStride
        cell.output = parameters.projection == nil ? output : raw.pointer + row * h
        cell.output_stride = parameters.projection == nil ? pass.outputStride : h
        kernels.table.pointee.cell_forward(&cell)
        if parameters.projection != nil {
          kernels.multiply(
            m: segment.count, n: s, k: h, raw.pointer + row * h, rowStride: h, projectionPack, output,
            outputStride: pass.outputStride, start: .zero)
        }
      }
    }
  }

  /// The row that holds the final state of the b-th longest sequence.
  func finalRow(_ b: Int, _ shape: PackedShape) -> Int { reverse ? b : shape.lastRow(b) }
}
