import LSTMCheckpoints

/// A recurrent layer of one or two directions: (R, I) -> (R, D * S), or (R, S) where directions are merged.
final class RecurrentLayer: NetworkLayer {
  let kind: Layer.Recurrent
  let directions: [LSTMDirection]
  /// Its number among the network's recurrent layers, and its first direction's among all directions.
  private(set) var number = 0
  private(set) var firstDirection = 0

  /// Whether this pass starts from h = 0, whose product is skipped.
  private var startsFromZero = true
  /// For each direction h (B, S) and c (B, H) before the first step, in the packed order.
  let initialHidden: [FloatBuffer]
  let initialCell: [FloatBuffer]
  /// For each direction, dL/d final h (B, S) and final c (B, H); nil for zero.
  private var hasFinalGradient = false
  private let finalHiddenGradient: [FloatBuffer]
  private let finalCellGradient: [FloatBuffer]
  /// The slots of initial_h and initial_c of each direction.
  private let startSlots: [(hidden: Int, cell: Int?)]
  /// The layer whose final state is this one's first.
  private let starter: RecurrentLayer?
  /// Whether this pass goes on from the layer's own final state in the last one.
  private var goesOn = false
  /// For each sequence in the packed order the final state, h (S) and c (H) of each direction, of a pass that starts above
  /// this layer.
  private let keptStates = FloatBuffer()
  private var hasKeptStates = false
  /// (R, D * S) before directions are merged, and its gradient.
  private let sideBySide = FloatBuffer()
  private let sideBySideGradient = FloatBuffer()

  init(_ kind: Layer.Recurrent, _ context: LayerContext) {
    self.kind = kind
    directions = (0..<kind.directions).compactMap { direction in
      LSTMDirection(
        context.layer, kind, inputSize: context.inputs[0].width, isSecond: direction == 1, weights: context.weights,
        kernels: context.kernels)
    }
    precondition(directions.count == kind.directions, "a recurrent layer without weights")
    initialHidden = directions.map { _ in FloatBuffer() }
    initialCell = directions.map { _ in FloatBuffer() }
    finalHiddenGradient = directions.map { _ in FloatBuffer() }
    finalCellGradient = directions.map { _ in FloatBuffer() }
    starter = kind.initialFrom.flatMap { context.earlier[$0] as? RecurrentLayer }
    startSlots =
      kind.initial == .zero
      ? []
      : (0..<kind.directions).compactMap { direction in
        let isReverse = direction == 1
        return context.slot(RecurrentPart.initialHidden.rawValue, isReverse: isReverse).map {
          ($0, context.slot(RecurrentPart.initialCell.rawValue, isReverse: isReverse))
        }
      }
    super.init(context)
  }

  /// - Parameters:
  ///   - number: among the network's recurrent layers.
  ///   - firstDirection: its first direction's number among all directions.
  func number(_ number: Int, firstDirection: Int) {
    (self.number, self.firstDirection) = (number, firstDirection)
  }

  /// S
  var stateSize: Int { kind.stateSize }
  /// Width of c; a GRU and a plain recurrent layer have none.
  var cellSize: Int { kind.cell == .lstm ? kind.size : 0 }
  private var isMerged: Bool { kind.isBidirectional && kind.merge != .concatenate }
  private var rowSize: Int { kind.directions * stateSize }
  private var embedding: EmbeddingLayer? { sources[0] as? EmbeddingLayer }

  // MARK: - States

  /// Sets the states before the first step, those of the model's own: zero, or parameters. Another layer's final state is
  /// taken when that layer has run.
  func setOwnState() {
    goesOn = false
    if starter != nil { return takeInitialState() }
    let count = shape.packed.count
    startsFromZero = startSlots.isEmpty
    for (place, direction) in directions.enumerated() {
      if let slots = startSlots.indices.contains(place) ? startSlots[place] : nil {
        initialHidden[place].reserve(count * stateSize)
        initialCell[place].reserve(count * direction.hiddenSize)
        for b in 0..<count {
          (initialHidden[place].pointer + b * stateSize).update(from: weights.pointer(slots.hidden), count: stateSize)
          if let cell = slots.cell {
            (initialCell[place].pointer + b * cellSize).update(from: weights.pointer(cell), count: cellSize)
          }
        }
      } else {
        initialCell[place].zero(count * direction.hiddenSize)
      }
    }
  }

  private func takeState(of starter: RecurrentLayer) {
    takeInitialState()
    for place in directions.indices {
      for b in 0..<shape.packed.count {
        let (hidden, cell) = (initialHidden[place].pointer + b * stateSize, initialCell[place].pointer + b * cellSize)
        for (part, source) in places(of: starter, for: place) {
          starter.copyFinalState(
            b, of: source, hidden: hidden + part * starter.stateSize,
            cell: cellSize == 0 ? nil : cell + part * starter.cellSize)
        }
      }
    }
  }

  /// Which directions of another layer make one of this one's first state, and which part of it each is.
  private func places(of starter: RecurrentLayer, for place: Int) -> [(part: Int, source: Int)] {
    let count = kind.directionsJoined(from: starter.kind)
    return (0..<count).map { ($0, place * count + $0) }
  }

  /// Memory for given states, which the caller fills: for each direction h (B, S) and c (B, H), in the packed order.
  func takeInitialState() {
    (startsFromZero, goesOn) = (false, false)
    for (place, direction) in directions.enumerated() {
      initialHidden[place].reserve(shape.packed.count * stateSize)
      initialCell[place].reserve(shape.packed.count * direction.hiddenSize)
    }
  }

  /// Starts the next pass from the final states of the last one, of as many sequences.
  func goOn() {
    takeInitialState()
    for place in directions.indices {
      for b in 0..<shape.packed.count {
        copyFinalState(
          b, of: place, hidden: initialHidden[place].pointer + b * stateSize,
          cell: cellSize == 0 ? nil : initialCell[place].pointer + b * cellSize)
      }
    }
    goesOn = true
  }

  /// The state at the start of a sequence that none is given for.
  func writeStart(_ place: Int, hidden: UnsafeMutablePointer<Float>, cell: UnsafeMutablePointer<Float>) {
    hidden.update(repeating: 0, count: stateSize)
    if cellSize > 0 { cell.update(repeating: 0, count: cellSize) }
    guard startSlots.indices.contains(place) else { return }
    hidden.update(from: weights.pointer(startSlots[place].hidden), count: stateSize)
    if let slot = startSlots[place].cell { cell.update(from: weights.pointer(slot), count: cellSize) }
  }

  /// Copies the final state of the b-th longest sequence in one direction.
  func copyFinalState(
    _ b: Int, of place: Int, hidden: UnsafeMutablePointer<Float>, cell: UnsafeMutablePointer<Float>?
  ) {
    if hasKeptStates {
      let kept = keptStates.pointer + b * finalStateSize + place * (stateSize + cellSize)
      hidden.update(from: kept, count: stateSize)
      if let cell, cellSize > 0 { cell.update(from: kept + stateSize, count: cellSize) }
      return
    }
    let (direction, shape) = (directions[place], shape.packed)
    let rows = isMerged ? sideBySide.pointer : output
    hidden.update(from: rows + direction.finalRow(b, shape) * rowSize + place * stateSize, count: stateSize)
    if let cell, cellSize > 0 { cell.update(from: direction.finalCell(b, shape), count: cellSize) }
  }

  /// Floats of a sequence's final state: h and c of each direction.
  var finalStateSize: Int { directions.count * (stateSize + cellSize) }

  /// Writes all of the final state of the b-th longest sequence.
  func copyFinalState(_ b: Int, to block: UnsafeMutablePointer<Float>) {
    for place in directions.indices {
      let start = block + place * (stateSize + cellSize)
      copyFinalState(b, of: place, hidden: start, cell: start + stateSize)
    }
  }

  /// Has the layers that start from this one's final states take those that are given, until it runs again.
  func reserveKeptStates() {
    keptStates.reserve(shape.packed.count * finalStateSize)
    hasKeptStates = true
  }

  func takeFinalState(_ b: Int, from block: UnsafePointer<Float>) {
    (keptStates.pointer + b * finalStateSize).update(from: block, count: finalStateSize)
  }

  // MARK: - Forward

  override func forward(_ pass: LayerPass) {
    hasKeptStates = false
    if let starter, !goesOn { takeState(of: starter) }
    let (count, output) = (rowCount, makeOutput())
    if isMerged { sideBySide.reserve(count * rowSize) }
    let target = isMerged ? sideBySide.pointer : output
    for (place, direction) in directions.enumerated() {
      direction.forward(
        .init(
          shape: shape.packed, input: rows(), inputStride: sources[0].width,
          initialHidden: startsFromZero ? nil : UnsafePointer(initialHidden[place].pointer),
          initialCell: initialCell[place].pointer, output: target + place * stateSize, outputStride: rowSize,
          tokens: embedding?.unchangedTokens),
        keepsActivations: keepsActivations)
    }
    if isMerged { merge(count) }
  }

  private func merge(_ count: Int) {
    for row in 0..<count {
      let (a, y) = (sideBySide.pointer + row * rowSize, output + row * stateSize)
      let b = a + stateSize
      switch kind.merge {
      case .concatenate: break
      case .sum: for j in 0..<stateSize { y[j] = a[j] + b[j] }
      case .average: for j in 0..<stateSize { y[j] = (a[j] + b[j]) / 2 }
      case .product: for j in 0..<stateSize { y[j] = a[j] * b[j] }
      }
    }
  }

  // MARK: - Backward

  /// Sets dL/d final state, in the packed order: for each direction h (B, S), and c (B, H).
  func setFinalGradient(_ fill: (_ place: Int, _ hidden: FloatBuffer, _ cell: FloatBuffer) -> Void) {
    hasFinalGradient = true
    for place in directions.indices { fill(place, finalHiddenGradient[place], finalCellGradient[place]) }
  }

  /// Adds to dL/d final state, from rows of a layer that started from it.
  /// - Parameter strides: from one row to the next.
  private func addFinalGradient(
    _ place: Int, hidden: UnsafePointer<Float>, cell: UnsafePointer<Float>?, strides: (hidden: Int, cell: Int)
  ) {
    let count = shape.packed.count
    if place == 0, !hasFinalGradient {
      hasFinalGradient = true
      for place in directions.indices {
        finalHiddenGradient[place].zero(count * stateSize)
        finalCellGradient[place].zero(count * max(cellSize, 1))
      }
    }
    for b in 0..<count {
      let to = finalHiddenGradient[place].pointer + b * stateSize
      for j in 0..<stateSize { to[j] += hidden[b * strides.hidden + j] }
      guard let cell else { continue }
      let toCell = finalCellGradient[place].pointer + b * cellSize
      for j in 0..<cellSize { toCell[j] += cell[b * strides.cell + j] }
    }
  }

  func clearFinalGradient() { hasFinalGradient = false }
  /// Whether a gradient comes from elsewhere than the layers that read its rows.
  var hasOtherGradient: Bool { hasFinalGradient }

  /// Whether gradients are first summed by token; dL/d input is then not computed.
  private func sumsByToken(_ pass: GradientPass) -> Bool {
    guard !pass.wantsState, let embedding, embedding.vocabulary <= rowCount else { return false }
    return directions.allSatisfy(\.readsTable)
  }

  override func backward(_ gradient: UnsafeMutablePointer<Float>, _ pass: GradientPass) {
    let given = isMerged ? split(gradient) : UnsafePointer(gradient)
    let wantsState =
      pass.wantsState || starter?.wantsGradient == true
      || startSlots.contains { pass.trainable[$0.hidden] || $0.cell.map { pass.trainable[$0] } ?? false }
    let target = isMerged ? sideBySide.pointer : output
    let hasTable = sumsByToken(pass)
    let needsInput = sources[0].wantsGradient
    // With a table, the embedding's gradient is computed here.
    let sink = needsInput && !hasTable ? self.sink() : nil
    for (place, direction) in directions.enumerated() {
      let column = place * stateSize
      func run() {
        direction.backward(
          .init(
            input: rows(), inputStride: sources[0].width, output: target + column, outputStride: rowSize,
            initialHidden: startsFromZero ? nil : UnsafePointer(initialHidden[place].pointer),
            initialCell: initialCell[place].pointer, outputGradient: given + column, outputGradientStride: rowSize,
            finalHiddenGradient: hasFinalGradient ? UnsafePointer(finalHiddenGradient[place].pointer) : nil,
            finalCellGradient: hasFinalGradient ? UnsafePointer(finalCellGradient[place].pointer) : nil),
          shape: shape.packed, gradients: pass.gradients, trainable: pass.trainable,
          inputGradient: sink.map {
            .init(pointer: $0.rows, stride: sources[0].width, accumulates: $0.accumulates || place > 0)
          },
          tokens: hasTable ? embedding?.unchangedTokens : nil,
          embeddingGradient: hasTable && needsInput
            ? embedding.flatMap { pass.trainable[$0.table] ? pass.gradients.pointer($0.table) : nil } : nil,
          wantsState: wantsState)
      }
      if hasTable, needsInput, let embedding { embedding.keepingPadding(pass.gradients, run) } else { run() }
      if wantsState { passOnState(place, direction, pass) }
    }
  }

  /// The gradient of the first state belongs to parameters, or to the layer whose final state it is.
  private func passOnState(_ place: Int, _ direction: LSTMDirection, _ pass: GradientPass) {
    if let starter, starter.wantsGradient {
      for (part, source) in places(of: starter, for: place) {
        starter.addFinalGradient(
          source, hidden: direction.stateGradient.pointer + part * starter.stateSize,
          cell: cellSize == 0 ? nil : direction.cellGradient.pointer + part * starter.cellSize,
          strides: (stateSize, cellSize))
      }
    }
    guard startSlots.indices.contains(place) else { return }
    let count = shape.packed.count
    func add(_ slot: Int, _ rows: FloatBuffer, _ size: Int) {
      guard pass.trainable[slot] else { return }
      let to = pass.gradients.pointer(slot)
      for b in 0..<count { for j in 0..<size { to[j] += rows.pointer[b * size + j] } }
    }
    add(startSlots[place].hidden, direction.stateGradient, stateSize)
    if let cell = startSlots[place].cell { add(cell, direction.cellGradient, cellSize) }
  }

  /// The gradient of both directions' outputs, side by side, from that of what they were merged to.
  private func split(_ gradient: UnsafePointer<Float>) -> UnsafePointer<Float> {
    sideBySideGradient.reserve(rowCount * rowSize)
    for row in 0..<rowCount {
      let (d, a) = (gradient + row * stateSize, sideBySide.pointer + row * rowSize)
      let (da, b) = (sideBySideGradient.pointer + row * rowSize, a + stateSize)
      let db = da + stateSize
      switch kind.merge {
      case .concatenate: break
      case .sum: for j in 0..<stateSize { (da[j], db[j]) = (d[j], d[j]) }
      case .average: for j in 0..<stateSize { (da[j], db[j]) = (d[j] / 2, d[j] / 2) }
      case .product: for j in 0..<stateSize { (da[j], db[j]) = (d[j] * b[j], d[j] * a[j]) }
      }
    }
    return UnsafePointer(sideBySideGradient.pointer)
  }

  // MARK: - Single steps

  override var streamObstacle: String? {
    if kind.isBidirectional { return "\(name), which is bidirectional and needs the whole sequence" }
    if kind.isReversed { return "\(name), which runs from the end of a sequence" }
    return starter == nil ? nil : "\(name), which starts from another layer's final state"
  }

  /// h, then c, each on a cache line of its own.
  override var stateCount: Int { cellPlace + ((directions[0].hiddenSize + 15) & ~15) }
  private var cellPlace: Int { (stateSize + 15) & ~15 }
  override var scratchCount: Int { ((directions[0].stepGateSize + 15) & ~15) + directions[0].hiddenSize }

  override func prepareToStep() {
    directions[0].packForForward()
    // Precomputed if the table is at most 16 MB.
    guard let embedding, embedding.vocabulary * directions[0].gateSize <= 1 << 22 else { return }
    directions[0].prepareTable(embedding.streamTokens, rows: embedding.vocabulary)
  }

  override func startState(_ state: UnsafeMutablePointer<Float>) {
    writeStart(0, hidden: state, cell: state + cellPlace)
  }

  /// A state's h (S) and c (H).
  func parts(_ state: UnsafeMutablePointer<Float>) -> (
    hidden: UnsafeMutablePointer<Float>, cell: UnsafeMutablePointer<Float>
  ) { (state, state + cellPlace) }

  override func step(_ step: LayerStep) {
    let direction = directions[0]
    direction.step(
      step.inputs[0], inputGates: embedding == nil || step.token < 0 ? nil : direction.tableRow(step.token),
      hidden: step.state, cell: step.state + cellPlace, gates: step.scratch,
      raw: step.scratch + ((direction.stepGateSize + 15) & ~15))
    step.output.update(from: step.state, count: width)
  }
}
