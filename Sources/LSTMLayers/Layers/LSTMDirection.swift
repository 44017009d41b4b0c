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
/// A pass without a backward pass keeps these for one step instead of all.
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

    /// Without an array, which would be allocated in every step.
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

  // Packed weights, repacked after an update. The transposed ones are for the backward pass only.
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
  // (G, S) each: see `dropRecurrentWeight`.
  let recurrentFactors = FloatBuffer()
  let droppedRecurrentWeight = FloatBuffer()
  let droppedRecurrentGradient = FloatBuffer()

  /// Each token's contribution to the gates, x W^T + b (V, G), shared by all rows with that token.
  private let table = FloatBuffer()
  private var isTableCurrent = false
  /// Whether the last forward pass took its input from the table.
  private(set) var readsTable = false

  /// Whether the last forward pass kept the activations that `backward` needs.
  private(set) var keepsActivations = true
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
    forgetOffset = layer.forgetOffset
    blocks = GateBlocks(units: layer.hiddenSize, kernels: kernels)
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

  /// - Parameter dropped: whether passes use `droppedRecurrentWeight`, which has just been made.
  func useRecurrentWeight(dropped: Bool) {
    guard dropped || dropsRecurrentWeight else { return }
    dropsRecurrentWeight = dropped
    isRecurrentPacked = false
    isRecurrentPackedForBackward = false
  }

  private var recurrentWeight: UnsafePointer<Float> {
    UnsafePointer(dropsRecurrentWeight ? droppedRecurrentWeight.pointer : weights.pointer(parameters.recurrentWeight))
  }

  /// An input whose rows are looked up in an embedding.
  struct Tokens {
    /// (R)
    let numbers: UnsafePointer<Int32>
    /// V
    let vocabulary: Int
    /// (V, I)
    let embedding: UnsafePointer<Float>
  }

  /// x W^T + b (G) of a token, when there is a table.
  func tableRow(_ token: Int) -> UnsafePointer<Float>? {
    isTableCurrent ? UnsafePointer(table.pointer) + token * gateSize : nil
  }

  /// Uses the table when it exists already, or when there are more rows than tokens.
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

  /// - Parameter recurrentToo: false when there is no previous state: a single step from zero.
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

  /// A weight (G, K) as the right factor of rows (., K), its columns in the kernels' order.
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

  /// A weight (G, N) as the right factor of rows of gates, its rows in the kernels' order.
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

  /// b_ih + b_hh in the kernels' order, once packed.
  var packedBias: UnsafePointer<Float>? { parameters.inputBias == nil ? nil : UnsafePointer(bias.pointer) }

  var peephole: UnsafePointer<Float>? { parameters.peephole.map { UnsafePointer(weights.pointer($0)) } }

  // MARK: - How a pass is shared among threads

  /// Each sum is computed by one thread in a fixed order, so results do not depend on the schedule.
  enum Schedule {
    /// Each part takes some of the sequences through all steps, independently.
    case sequences(parts: Int)
    /// Each part takes some of the units of all sequences; threads synchronize after every step. For few sequences, and
    /// for weights larger than a core's cache.
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

  /// Weights that fit a core's own cache beside the activations.
  private static let coreCache = 1 << 18

  private func unitParts(work: Int, each: Int) -> Int {
    min(kernels.parts(work, each: each), (hiddenSize + 2 * blocks.width - 1) / (2 * blocks.width))
  }

  /// Number of threads for one step of one sequence.
  var stepParts: Int { unitParts(work: gateSize * (inputSize + stateSize), each: 1 << 16) }

  // MARK: - Forward

  struct ForwardPass {
    let shape: PackedShape
    let input: UnsafePointer<Float>
    let inputStride: Int
    let initialHidden: UnsafePointer<Float>?
    let initialCell: UnsafePointer<Float>
    let output: UnsafeMutablePointer<Float>
    let outputStride: Int
    let tokens: Tokens?
  }

  /// Runs the direction over all steps.
  /// - Parameters:
  ///   - input: (R, I) rows, `inputStride` apart.
  ///   - initialHidden: (B, S), nil for zero; and `initialCell`: (B, H), in the packed order.
  ///   - output: (R, S) rows, `outputStride` apart.
  ///   - keepsActivations: false when `backward` will not be called.
  ///   - tokens: the tokens, when the input's rows are their embeddings.
  func forward(
    _ input: UnsafePointer<Float>, inputStride: Int, shape: PackedShape, initialHidden: UnsafePointer<Float>?,
    initialCell: UnsafePointer<Float>, output: UnsafeMutablePointer<Float>, outputStride: Int,
    keepsActivations: Bool = true, tokens: Tokens? = nil
  ) {
    packForForward(recurrentToo: shape.steps > 1 || initialHidden != nil)
    self.keepsActivations = keepsActivations
    let pass = ForwardPass(
      shape: shape, input: input, inputStride: inputStride, initialHidden: initialHidden, initialCell: initialCell,
      output: output, outputStride: outputStride, tokens: tokens)
    prepareTable(tokens, rows: shape.rows)
    let schedule = schedule(shape)
    let h = hiddenSize
    if keepsActivations {
      gates.reserve(shape.rows * gateSize)
      cells.reserve(shape.rows * h)
      if parameters.projection != nil { raw.reserve(shape.rows * h) }
    } else {
      gates.reserve(max(shape.count, Self.inputRows) * gateSize)
      cells.reserve(shape.count * h)
      cells.pointer.update(from: initialCell, count: shape.count * h)
      if parameters.projection != nil { raw.reserve(shape.count * h) }
    }

    switch schedule {
    case .sequences(let parts):
      parallel(parts) { part in
        let sequences = share(shape.count, multiple: 8, part: part, of: parts)
        for index in 0..<shape.steps {
          let t = reverse ? shape.steps - 1 - index : index
          let count = min(shape.active[t], sequences.upperBound) - sequences.lowerBound
          guard count > 0 else { continue }
          let row = shape.offsets[t] + sequences.lowerBound
          let place = keepsActivations ? row : sequences.lowerBound
          addInput(pass, rows: row..<row + count, place: place, units: 0..<h)
          forwardStep(pass, t, sequences, firstPlace: place - sequences.lowerBound, units: 0..<h)
        }
      }
    case .units(let parts):
      forEachChunk(shape, ascending: !reverse, rows: Self.inputRows) { chunk in
        for index in 0..<chunk.steps.count {
          let t = reverse ? chunk.steps.upperBound - 1 - index : chunk.steps.lowerBound + index
          parallel(parts) { part in
            let units = blocks.share(part: part, of: parts)
            guard !units.isEmpty else { return }
            let place = keepsActivations ? chunk.rows.lowerBound : 0
            if index == 0 { addInput(pass, rows: chunk.rows, place: place, units: units) }
            let firstPlace = place + shape.offsets[t] - chunk.rows.lowerBound
            forwardStep(pass, t, 0..<shape.count, firstPlace: firstPlace, units: units)
          }
        }
      }
    }
  }

  /// Rows whose input products are computed together, when a step has few.
  private static let inputRows = 96

  /// A run of steps, and its rows.
  struct Chunk {
    let steps: Range<Int>
    let rows: Range<Int>
  }

  /// Visits the steps in runs of about `wanted` rows, forward or backward in time. Which steps form a run depends on the
  /// shape alone.
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

  /// x W^T + b for some rows and units, to the rows of `gates` from `place`.
  private func addInput(_ pass: ForwardPass, rows: Range<Int>, place: Int, units: Range<Int>) {
    let (i, g, column) = (inputSize, gateSize, 4 * units.lowerBound)
    if readsTable, let tokens = pass.tokens {
      for (index, row) in rows.enumerated() {
        (gates.pointer + (place + index) * g + column).update(
          from: table.pointer + Int(tokens.numbers[row]) * g + column, count: 4 * units.count)
      }
      return
    }
    kernels.table.pointee.multiply(
      rows.count, 4 * units.count, i, pass.input + rows.lowerBound * pass.inputStride, pass.inputStride, 1,
      inputPack.pointer + column * i, gates.pointer + place * g + column, g,
      packedBias.map { $0 + column })
  }

  /// Adds h U^T and applies the cell, at step t. `firstPlace` is the row of `gates` for the step's first sequence.
  private func forwardStep(
    _ pass: ForwardPass, _ t: Int, _ sequences: Range<Int>, firstPlace: Int, units: Range<Int>
  ) {
    let (h, s, g, shape) = (hiddenSize, stateSize, gateSize, pass.shape)
    let column = 4 * units.lowerBound
    var cell = lstmk_cell()
    cell.hidden = h
    cell.first_unit = units.lowerBound
    cell.units = units.count
    cell.gate = gate
    cell.peephole = peephole
    cell.gates_stride = g
    shape.forEachSegment(at: t, reverse: reverse, in: sequences) { segment in
      let row = shape.offsets[t] + segment.first
      let gates = self.gates.pointer + (firstPlace + segment.first) * g
      var previousHidden = pass.initialHidden.map { $0 + segment.first * s }
      var stride = s
      cell.cell_previous = pass.initialCell + segment.first * h
      if let previous = segment.previousRow {
        previousHidden = UnsafePointer(pass.output) + previous * pass.outputStride
        stride = pass.outputStride
        cell.cell_previous = UnsafePointer(cells.pointer) + previous * h
      }
      if let previousHidden {
        kernels.table.pointee.multiply(
          segment.count, 4 * units.count, s, previousHidden, stride, 1, recurrentPack.pointer + column * s,
          gates + column, g, gates + column)
      }
      let place = keepsActivations ? row : segment.first
      cell.rows = segment.count
      cell.gates = gates
      cell.cell = cells.pointer + place * h
      if !keepsActivations { cell.cell_previous = UnsafePointer(cell.cell) }
      let output = pass.output + row * pass.outputStride
      cell.output = parameters.projection == nil ? output : raw.pointer + place * h
      cell.output_stride = parameters.projection == nil ? pass.outputStride : h
      kernels.table.pointee.cell_forward(&cell)
      if parameters.projection != nil {
        kernels.multiply(
          m: segment.count, n: s, k: h, raw.pointer + place * h, rowStride: h, projectionPack, output,
          outputStride: pass.outputStride, start: .zero)
      }
    }
  }

  /// The row that holds the final state of the b-th longest sequence.
  func finalRow(_ b: Int, _ shape: PackedShape) -> Int { reverse ? b : shape.lastRow(b) }

  /// c (H) after the last step of the b-th longest sequence.
  func finalCell(_ b: Int, _ shape: PackedShape) -> UnsafePointer<Float> {
    UnsafePointer(cells.pointer) + (keepsActivations ? finalRow(b, shape) : b) * hiddenSize
  }
}
