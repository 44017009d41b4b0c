import CLSTMKernels
import LSTMCheckpoints

/// One direction of one LSTM layer, forward and backward through time over packed sequences.
///
/// Legend: R rows (all steps of all sequences), B sequences, I input, H hidden, S state size (P or H), G = 4H.
///
///     gates (R, G)   pre-activations, then i f g o, then the gradients of the pre-activations; in `blocks`
///     cells (R, H)   c          raw (R, H)  h before the projection, only with one
///
///     i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)      c' = f * c + i * g
///     f = sigmoid(W_if x + b_if + W_hf h + b_hf)      h' = o * tanh(c')      (then W_hr h' if projected)
///     g = tanh   (W_ig x + b_ig + W_hg h + b_hg)
///     o = sigmoid(W_io x + b_io + W_ho h + b_ho)
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
  let gate: Int32
  let forgetOffset: Float
  let blocks: GateBlocks
  let kernels: Kernels
  let weights: ParameterStore

  // Packed weights, packed again after an update. The transposed ones are for the backward pass only.
  private var isPacked = false
  private var isRecurrentPacked = false
  private var isInputPackedForBackward = false
  private var isRecurrentPackedForBackward = false
  let inputPack = FloatBuffer()
  let recurrentPack = FloatBuffer()
  let projectionPack = FloatBuffer()
  let inputBackwardPack = FloatBuffer()
  let recurrentBackwardPack = FloatBuffer()
  let projectionBackwardPack = FloatBuffer()
  private let bias = FloatBuffer()

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
    gate =
      switch kind.gateActivation {
      case .hardSigmoid: Int32(LSTMK_GATE_HARD_SIGMOID)
      case .hardSigmoidKeras3: Int32(LSTMK_GATE_HARD_SIGMOID_6)
      default: Int32(LSTMK_GATE_SIGMOID)
      }
    forgetOffset = kind.forgetOffset
    blocks = GateBlocks(units: kind.size, kernels: kernels)
    self.weights = weights
    self.kernels = kernels
  }

  var gateSize: Int { 4 * hiddenSize }

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

  private var recurrentWeight: UnsafePointer<Float> {
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

  /// - Parameter recurrentToo: false if there is no previous state: a single step from zero.
  func packForForward(recurrentToo: Bool = true) {
    if recurrentToo, !isRecurrentPacked {
      packGateColumns(recurrentWeight, k: stateSize, into: recurrentPack)
      isRecurrentPacked = true
    }
    guard !isPacked else { return }
    let (h, s, g) = (hiddenSize, stateSize, gateSize)
    packGateColumns(weights.pointer(parameters.inputWeight), k: inputSize, into: inputPack)
    if let projection = parameters.projection {
      kernels.pack(h, s, weights.pointer(projection), rowStride: 1, columnStride: h, into: projectionPack)
    }
    bias.zero(g)
    parameters.forEachBias { index in
      let values = weights.pointer(index)
      blocks.forEachRun(in: 0..<h) { parameter, column, count in
        for j in 0..<count { bias.pointer[column + j] += values[parameter + j] }
      }
    }
    if forgetOffset != 0 {
      blocks.forEachRun(in: 0..<h) { parameter, column, count in
        guard h..<2 * h ~= parameter else { return }
        for j in 0..<count { bias.pointer[column + j] += forgetOffset }
      }
    }
    isPacked = true
  }

  func packInputForBackward() {
    guard !isInputPackedForBackward else { return }
    packGateRows(weights.pointer(parameters.inputWeight), n: inputSize, into: inputBackwardPack)
    isInputPackedForBackward = true
  }

  func packRecurrentForBackward() {
    guard !isRecurrentPackedForBackward else { return }
    packGateRows(recurrentWeight, n: stateSize, into: recurrentBackwardPack)
    if let projection = parameters.projection {
      kernels.pack(
        stateSize, hiddenSize, weights.pointer(projection), rowStride: hiddenSize, columnStride: 1,
        into: projectionBackwardPack)
    }
    isRecurrentPackedForBackward = true
  }

  /// Packs a weight (G, K) as the right factor of rows (., K), its columns in the kernels' order.
  private func packGateColumns(_ weight: UnsafePointer<Float>, k: Int, into packed: FloatBuffer) {
    packed.reserve(kernels.packedCount(k, gateSize))
    let parts = unitParts(work: k * gateSize, each: 1 << 14)
    parallel(parts) { part in
      blocks.forEachRun(in: blocks.share(part: part, of: parts)) { parameter, column, count in
        kernels.table.pointee.pack(
          k, 0, k, column, count, weight + parameter * k, 1, k, packed.pointer)
      }
    }
  }

  /// Packs a weight (G, N) as the right factor of rows of gates, its rows in the kernels' order.
  private func packGateRows(_ weight: UnsafePointer<Float>, n: Int, into packed: FloatBuffer) {
    let g = gateSize
    packed.reserve(kernels.packedCount(g, n))
    let parts = unitParts(work: n * g, each: 1 << 14)
    parallel(parts) { part in
      blocks.forEachRun(in: blocks.share(part: part, of: parts)) { parameter, column, count in
        kernels.table.pointee.pack(
          g, column, count, 0, n, weight + parameter * n, n, 1, packed.pointer)
      }
    }
  }

  /// b_ih + b_hh in the kernels' order, after packing.
  var packedBias: UnsafePointer<Float>? { parameters.inputBias == nil ? nil : UnsafePointer(bias.pointer) }

  var peephole: UnsafePointer<Float>? { parameters.peephole.map { UnsafePointer(weights.pointer($0)) } }

  /// What every call of the cell's kernels needs.
  func cellArguments(units: Range<Int>) -> lstmk_cell {
    var cell = lstmk_cell()
    cell.hidden = hiddenSize
    cell.first_unit = units.lowerBound
    cell.units = units.count
    cell.gate = gate
    cell.peephole = peephole
    cell.gates_stride = gateSize
    return cell
  }

  // MARK: - How a pass is shared among threads

  /// Each sum is computed by one thread in a fixed order, so results do not depend on the schedule.
  enum Schedule {
    /// Each thread runs some of the sequences through all steps, independently.
    case sequences(parts: Int)
    /// Each thread computes some of the units of all sequences; threads synchronize after every step. For few sequences,
    /// and for weights larger than a core's cache.
    case units(parts: Int)
  }

  func schedule(_ shape: PackedShape) -> Schedule {
    let weightCount = gateSize * (inputSize + stateSize)
    let bySequences = min(kernels.parts(shape.rows * weightCount, each: 1 << 17), (shape.count + 7) / 8)
    // Loading the weights takes as long for one row as for four.
    let byUnits =
      parameters.projection != nil
      ? 1 : unitParts(work: max(shape.count, 4) * gateSize * stateSize, each: 1 << 17)
    let fitsACore = weightCount <= Self.coreCache
    return bySequences >= byUnits && (fitsACore || byUnits == 1) && bySequences > 1
      ? .sequences(parts: bySequences) : .units(parts: byUnits)
  }

  /// The number of weights that fit in a core's cache beside the activations.
  private static let coreCache = 1 << 18

  private func unitParts(work: Int, each: Int) -> Int {
    min(kernels.parts(work, each: each), (hiddenSize + 2 * blocks.width - 1) / (2 * blocks.width))
  }

  /// The number of threads for one step of one sequence.
  var stepParts: Int { unitParts(work: gateSize * (inputSize + stateSize), each: 1 << 16) }

  /// A run of steps, and its rows.
  struct Chunk {
    let steps: Range<Int>
    let rows: Range<Int>
  }

  /// Visits the steps in runs of about `wanted` rows, forward or backward in time. The runs depend on the shape alone.
  func forEachChunk(_ shape: PackedShape, ascending: Bool, rows wanted: Int, _ body: (Chunk) -> Void) {
    func end(_ t: Int) -> Int { t == shape.steps ? shape.rows : shape.offsets[t] }
    var steps = ascending ? 0..<0 : shape.steps..<shape.steps
    while ascending ? steps.upperBound < shape.steps : steps.lowerBound > 0 {
      var (first, last) =
        ascending ? (steps.upperBound, steps.upperBound + 1) : (steps.lowerBound - 1, steps.lowerBound)
      if ascending {
        while last < shape.steps, end(last + 1) - end(first) <= wanted { last += 1 }
      } else {
        while first > 0, end(last) - end(first - 1) <= wanted { first -= 1 }
      }
      steps = first..<last
      body(Chunk(steps: steps, rows: end(first)..<end(last)))
    }
  }

  /// The row of the final state of the b-th longest sequence.
  func finalRow(_ b: Int, _ shape: PackedShape) -> Int { reverse ? b : shape.lastRow(b) }

  /// c (H) after the last step of the b-th longest sequence.
  func finalCell(_ b: Int, _ shape: PackedShape) -> UnsafePointer<Float> {
    UnsafePointer(cells.pointer) + (keepsActivations ? finalRow(b, shape) : b) * hiddenSize
  }
}
