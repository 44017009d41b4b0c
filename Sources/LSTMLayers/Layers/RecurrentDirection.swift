import CLSTMKernels
import LSTMCheckpoints

/// One direction of one recurrent layer, forward and backward through time over packed sequences.
///
/// Legend: R rows (all steps of all sequences), B sequences, I input, H hidden, S state size (P or H), G = 4H, 3H or H.
///
///     gates (R, G)   pre-activations, then i f g o, then the gradients of the pre-activations; in `blocks`
///     cells (R, H)   c          raw (R, H)  h before the projection, only with one
///
///     LSTM
///     i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)      c' = f * c + i * g
///     f = sigmoid(W_if x + b_if + W_hf h + b_hf)      h' = o * tanh(c')      (then W_hr h' if projected)
///     g = tanh   (W_ig x + b_ig + W_hg h + b_hg)
///     o = sigmoid(W_io x + b_io + W_ho h + b_ho)
///
///     GRU
///     r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)      n = tanh(W_in x + b_in + r * (W_hn h + b_hn))     resets after
///     z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)      n = tanh(W_in x + b_in + W_hn (r * h) + b_hn)     or before
///     h' = (1 - z) * n + z * h                        cells: W_hn h + b_hn, or r * h
///
///     plain   h' = tanh(W_ih x + b_ih + W_hh h + b_hh)
///
/// A pass that needs no backward pass keeps these for one step instead of all.
final class LSTMDirection {
  struct Parameters {
    let inputWeight: Int
    let recurrentWeight: Int
    let inputBias: Int?
    let recurrentBias: Int?
    let projection: Int?
    let peephole: Int?

    /// Not an array, which would be allocated in every step.
    func forEach(_ body: (Int) -> Void) {
      body(inputWeight)
      body(recurrentWeight)
      forEachBias(body)
      if let projection { body(projection) }
      if let peephole { body(peephole) }
    }

    /// Not an array either.
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
  let rule: CellRule
  let blocks: GateBlocks
  // The recurrent products of a GRU that resets the state: r and z, then n.
  let resetBlocks: GateBlocks
  let candidateBlocks: GateBlocks
  let kernels: Kernels
  let weights: ParameterStore

  // Packed weights, packed again after an update. The transposed ones are for the backward pass only.
  var isPacked = false
  var isRecurrentPacked = false
  var isInputPackedForBackward = false
  var isRecurrentPackedForBackward = false
  let inputPack = FloatBuffer()
  let recurrentPack = FloatBuffer()
  let projectionPack = FloatBuffer()
  let inputBackwardPack = FloatBuffer()
  let recurrentBackwardPack = FloatBuffer()
  let projectionBackwardPack = FloatBuffer()
  let bias = FloatBuffer()
  /// The recurrent products of a step, if they are apart (B, G), or halves: (B, 2H), then (B, H).
  let recurrent = FloatBuffer()
  /// b_hh, of a GRU that resets the recurrent product.
  let recurrentBias = FloatBuffer()
  /// The product with n of a GRU that resets the state.
  let candidatePack = FloatBuffer()
  let candidateBackwardPack = FloatBuffer()

  /// Whether the passes use `droppedRecurrentWeight` instead of the weight.
  private(set) var dropsRecurrentWeight = false
  // (G, S) each, see `dropRecurrentWeight`.
  let recurrentFactors = FloatBuffer()
  let droppedRecurrentWeight = FloatBuffer()
  let droppedRecurrentGradient = FloatBuffer()

  /// Each token's input to the gates, x W^T + b (V, G), shared by all rows with that token.
  let table = FloatBuffer()
  private var isTableCurrent = false
  /// Whether the last forward pass read its input from the table.
  private(set) var readsTable = false

  /// Whether the last forward pass kept the activations that `backward` needs.
  var keepsActivations = true
  let gates = FloatBuffer()
  let cells = FloatBuffer()
  let raw = FloatBuffer()

  // Backward only.
  let hiddenGradient = FloatBuffer()
  let stateGradient = FloatBuffer()
  let cellGradient = FloatBuffer()
  let projectedGradient = FloatBuffer()
  let scratch = FloatBuffer()
  let productPack = FloatBuffer()
  let gateStrips = FloatBuffer()
  let inputRows = FloatBuffer()
  let stateRows = FloatBuffer()
  let biasGradient = FloatBuffer()
  // Of a GRU: the gradients of `recurrent`, of two steps in turn, those of r * h (B, H), of b_hh (G), the gradients of n's
  // recurrent product in strips, and the rows of r * h.
  let recurrentGateGradient = FloatBuffer()
  let resetGradient = FloatBuffer()
  let recurrentBiasGradient = FloatBuffer()
  let candidateStrips = FloatBuffer()
  let resetRows = FloatBuffer()
  let zeros = FloatBuffer()
  let tokenGradient = FloatBuffer()

  /// - Parameter isSecond: whether it is the reverse direction of a bidirectional layer, by the names of its parameters.
  init?(
    _ layer: Layer, _ kind: Layer.Recurrent, inputSize: Int, isSecond: Bool, weights: ParameterStore, kernels: Kernels
  ) {
    func index(_ part: RecurrentPart) -> Int? {
      weights.index(of: layer.parameterName(part.rawValue, isReverse: isSecond))
    }
    guard let inputWeight = index(.inputWeight), let recurrentWeight = index(.recurrentWeight) else { return nil }
    parameters = Parameters(
      inputWeight: inputWeight, recurrentWeight: recurrentWeight, inputBias: index(.inputBias),
      recurrentBias: index(.recurrentBias), projection: index(.projection), peephole: index(.peephole))
    self.inputSize = inputSize
    hiddenSize = kind.size
    stateSize = kind.stateSize
    reverse = isSecond || kind.isReversed
    rule = CellRule(kind, kernels)
    blocks = GateBlocks(units: kind.size, gates: kind.cell.gateCount, kernels: kernels)
    (resetBlocks, candidateBlocks) = (blocks.with(gates: 2), blocks.with(gates: 1))
    self.weights = weights
    self.kernels = kernels
  }

  /// G
  var gateSize: Int { blocks.gates * hiddenSize }

  /// Floats of scratch memory that `step` needs for gates.
  var stepGateSize: Int {
    switch rule.steps {
    case .whole: gateSize
    case .apart: 2 * gateSize
    case .halves: 2 * gateSize + hiddenSize
    }
  }

  func weightsChanged() {
    isPacked = false
    isRecurrentPacked = false
    isInputPackedForBackward = false
    isRecurrentPackedForBackward = false
    isTableCurrent = false
  }

  func embeddingChanged() { isTableCurrent = false }

  /// - Parameter dropped: whether passes use `droppedRecurrentWeight`, which has just been computed.
  func useRecurrentWeight(dropped: Bool) {
    guard dropped || dropsRecurrentWeight else { return }
    dropsRecurrentWeight = dropped
    isRecurrentPacked = false
    isRecurrentPackedForBackward = false
  }

  var recurrentWeight: UnsafePointer<Float> {
    UnsafePointer(dropsRecurrentWeight ? droppedRecurrentWeight.pointer : weights.pointer(parameters.recurrentWeight))
  }

  /// An input of tokens, whose rows are looked up in an embedding.
  struct Tokens {
    /// (R)
    let numbers: UnsafePointer<Int32>
    /// V
    let vocabulary: Int
    /// (V, I)
    let embedding: UnsafePointer<Float>
  }

  /// x W^T + b (G) of a token, if there is a table.
  func tableRow(_ token: Int) -> UnsafePointer<Float>? {
    isTableCurrent ? UnsafePointer(table.pointer) + token * gateSize : nil
  }

  /// Uses the table if it is current, or if there are at least as many rows as tokens.
  func prepareTable(_ tokens: Tokens?, rows: Int) {
    guard let tokens, isTableCurrent || tokens.vocabulary <= rows else {
      readsTable = false
      return
    }
    readsTable = true
    guard !isTableCurrent else { return }
    table.reserve(tokens.vocabulary * gateSize)
    kernels.multiplyOnAllThreads(
      m: tokens.vocabulary, n: gateSize, k: inputSize, tokens.embedding, rowStride: inputSize, inputPack, table.pointer,
      outputStride: gateSize, start: packedBias.map { .row($0) } ?? .zero)
    isTableCurrent = true
  }

  /// The row of the final state of the b-th longest sequence.
  func finalRow(_ b: Int, _ shape: PackedShape) -> Int { reverse ? b : shape.lastRow(b) }

  /// c (H) after the last step of the b-th longest sequence; zeros if the cell has none.
  func finalCell(_ b: Int, _ shape: PackedShape) -> UnsafePointer<Float> {
    guard rule.cell == .lstm else {
      zeros.zero(max(hiddenSize, stateSize))
      return UnsafePointer(zeros.pointer)
    }
    return UnsafePointer(cells.pointer) + (keepsActivations ? finalRow(b, shape) : b) * hiddenSize
  }
}
