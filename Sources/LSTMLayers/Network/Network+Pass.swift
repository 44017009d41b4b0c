import LSTMCheckpoints

/// Passes from rows in memory to rows in memory. They do not allocate for a batch no larger than an earlier one.
extension Network {
  /// The width of a row at a boundary.
  package func width(at stage: ModelStage) -> Int {
    switch stage {
    case .input: configuration.input.size
    case .layer(let layer):
      configuration.skip
        ? configuration.layers[..<layer].reduce(configuration.input.size) { $0 + $1.outputSize }
        : configuration.inputSize(ofLayer: layer)
    case .head(let index): index == 0 ? configuration.readoutSize : head[index - 1].size
    }
  }

  /// Whether there is a row for each step at a boundary, rather than for each sequence.
  package func isPerStep(at stage: ModelStage) -> Bool {
    if case .head = stage { readout.kind == .all } else { true }
  }

  /// The output of a pass: rows in the network's internal order, see `locateOutputs`. Valid until the next pass.
  package struct Output {
    /// (count, width)
    package let rows: UnsafeMutablePointer<Float>
    package let count: Int
    package let width: Int
  }

  /// Runs the model from zero states or carried states.
  /// - Parameters:
  ///   - source: the model's input or, for another `stage`, the rows at that boundary.
  ///   - plan: what `backward` will compute afterwards; nil if it will not be called. Carried states are constants, without
  ///     gradients.
  ///   - carry: the source and the destination of the states of layers above `stage`; nil to start from zero.
  ///   - draw: regularization from the plan's entry upwards, with its random numbers; nil for none, as in evaluation.
  /// - Throws: `ShapeError` when the rows or the states do not fit the model.
  package func run(
    _ source: SequenceRows, from stage: ModelStage = .input, output form: OutputForm = .activated,
    for plan: GradientPlan? = nil, carrying carry: Carry? = nil, regularization draw: Regularization.Draw? = nil
  ) throws(ShapeError) -> Output {
    let computing = Computing()
    defer { computing.end() }
    precondition(plan.map { stage.isReached(before: $0.entry) } ?? true, "a parameter below the stage is trainable")
    begin(source)
    try setState(carry)
    try beginRegularization(
      draw, .init(configuration, entry: plan?.entry ?? stage, reachesStack: plan.map { $0.lowestLayer != nil } ?? true))
    let output = try pass(source, from: stage, form, keepingFrom: plan?.lowestLayer ?? .max)
    if let carry { keepState(carry, of: layers(from: stage)) }
    return output
  }

  private func layers(from stage: ModelStage) -> Range<Int> {
    switch stage {
    case .input: 0..<configuration.layers.count
    case .layer(let layer): layer..<configuration.layers.count
    case .head: 0..<0
    }
  }

  /// Runs the lower part of the model from zero states or carried states, and writes the rows at a boundary.
  /// - Parameters:
  ///   - rows: (any number, `width(at: stage)`).
  ///   - starts: for each sequence the row in `rows` of its first step, or of its only row.
  package func run(
    _ source: SequenceRows, upTo stage: ModelStage, into rows: UnsafeMutablePointer<Float>, starts: UnsafePointer<Int>,
    carrying carry: Carry? = nil
  ) throws(ShapeError) {
    let computing = Computing()
    defer { computing.end() }
    begin(source)
    try setState(carry)
    try gather(source, at: .input)
    var layers = 0..<configuration.layers.count
    switch stage {
    case .input: layers = 0..<0
    case .layer(let layer): layers = 0..<layer
    case .head: break
    }
    runLayers(layers, keepingFrom: .max)
    if let carry { keepState(carry, of: layers) }
    if case .head(let index) = stage {
      runReadout()
      runHead(0..<index, .activated)
    }
    let width = width(at: stage)
    func copy(_ part: UnsafePointer<Float>, _ size: Int, _ column: Int) {
      forEachRow(at: stage, size: size) { row, sequence, step in
        (rows + (starts[sequence] + step) * width + column).update(from: part + row * size, count: size)
      }
    }
    if case .head = stage { copy(headOutput, width, 0) } else { forEachPart(of: stage) { copy($0.pointer, $1, $2) } }
  }

  /// Computes the caller's number of every row of the last output.
  /// - Parameters:
  ///   - starts: for each sequence of the batch, the number of its first step.
  ///   - isPerStep: whether later steps have consecutive numbers; otherwise all steps have the first one's.
  ///   - places: receives the number of each row of the output.
  package func locateOutputs(starts: UnsafePointer<Int>, isPerStep: Bool, into places: UnsafeMutablePointer<Int>) {
    forEachRow(at: .head(head.count), size: 1) { row, sequence, step in
      places[row] = starts[sequence] + (isPerStep ? step : 0)
    }
  }

  // MARK: - Parts of a pass

  /// Starts a pass with the shape of the input.
  func begin(_ source: SequenceRows) {
    isComplete = false
    regularized.turnOff()
    shape.update(count: source.count, steps: source.steps, lengths: source.lengths)
  }

  /// Runs the pass, after `begin` and with the initial states set.
  /// - Parameter lowest: the lowest layer that gradients may flow through afterwards.
  func pass(
    _ source: SequenceRows, from stage: ModelStage, _ form: OutputForm, keepingFrom lowest: Int
  ) throws(ShapeError) -> Output {
    try gather(source, at: stage)
    let layers = configuration.layers.count
    var firstHead = 0
    switch stage {
    case .input:
      runLayers(0..<layers, keepingFrom: lowest)
      runReadout()
    case .layer(let layer):
      runLayers(layer..<layers, keepingFrom: lowest)
      runReadout()
    case .head(let index):
      firstHead = index
      firstKept = layers
      headOutput = headBuffer(index).pointer
      if index == 0 { readoutOutput = headOutput }
    }
    dropHeadInput()
    runHead(firstHead..<head.count, form)
    let rows = readout.rows(shape)
    if configuration.normalizesOutput { headOutput = normalize(headOutput, rows: rows) }
    isComplete = true
    return Output(rows: headOutput, count: rows, width: configuration.outputSize)
  }

  /// Layers below `lowest` do not keep their activations: no gradient will flow through them.
  private func runLayers(_ layers: Range<Int>, keepingFrom lowest: Int) {
    firstKept = min(max(lowest, layers.lowerBound), layers.upperBound)
    for index in layers {
      let outputSize = configuration.layers[index].outputSize
      drop(at: index)
      layerOutputs[index].reserve(shape.rows * outputSize)
      for (place, direction) in directions[index].enumerated() {
        let states = configuration.stateIndex(layer: index, direction: place)
        regularized.chooseWeight(direction, layer: index, index: states)
        direction.forward(
          .init(
            shape: shape, input: rowsRead(at: index), inputStride: configuration.inputSize(ofLayer: index),
            initialHidden: startsFromZero ? nil : UnsafePointer(initialHidden[states].pointer),
            initialCell: initialCell[states].pointer, output: layerOutputs[index].pointer + place * direction.stateSize,
            outputStride: outputSize, tokens: index == 0 && !regularized.changesEmbeddings ? tokenInput : nil),
          keepsActivations: index >= lowest)
      }
    }
  }

  private func runReadout() {
    drop(at: configuration.layers.count)
    measurePenalty()
    readoutOutput = readout.forward(stackOutput(shape), shape: shape)
    activateReadout()
    headOutput = readoutOutput
  }

  /// In a separate buffer: a readout of all steps is the LSTM layers' output, which the backward pass reads again.
  private func activateReadout() {
    guard configuration.readoutActivation != .none else { return }
    let (rows, size) = (readout.rows(shape), configuration.readoutSize)
    activatedReadout.reserve(rows * size)
    activatedReadout.pointer.update(from: readoutOutput, count: rows * size)
    readoutOutput = activatedReadout.pointer
    DenseLayer.activate(configuration.readoutActivation, readoutOutput, rows: rows, size: size, kernels)
  }

  private func runHead(_ layers: Range<Int>, _ form: OutputForm) {
    for index in layers {
      let dense = head[index]
      let isFused = index == head.count - 1 && (dense.activation == .softmax || dense.activation == .sigmoid)
      headOutput = dense.forward(headOutput, rows: readout.rows(shape), activate: !(isFused && form == .logits))
    }
  }

  // MARK: - Rows in and out

  /// Copies rows to the buffers that the part above a boundary reads.
  private func gather(_ source: SequenceRows, at stage: ModelStage) throws(ShapeError) {
    guard stage != .input else { return try gatherInput(source) }
    let width = width(at: stage)
    guard case .features(let base, width) = source.values else {
      throw ShapeError(what: "rows of the frozen prefix", expected: "width \(width)", found: "others")
    }
    func copy(_ buffer: FloatBuffer, _ size: Int, _ column: Int) {
      buffer.reserve((isPerStep(at: stage) ? shape.rows : shape.count) * size)
      let part = buffer.pointer
      forEachRow(at: stage, size: size) { row, sequence, step in
        (part + row * size).update(from: base + (source.starts[sequence] + step) * width + column, count: size)
      }
    }
    if case .head(let index) = stage { copy(headBuffer(index), width, 0) } else { forEachPart(of: stage, copy) }
  }

  /// The input of head layer `index` in a pass that starts there.
  private func headBuffer(_ index: Int) -> FloatBuffer { index == 0 ? headInput : head[index - 1].output }

  private func gatherInput(_ source: SequenceRows) throws(ShapeError) {
    let width = configuration.input.size
    input.reserve(shape.rows * width)
    let to = input.pointer
    switch (source.values, configuration.input) {
    case (.features(let base, let size), .features):
      guard size == width else {
        throw ShapeError(what: "features", expected: "\(width) a step", found: "\(size)")
      }
      forEachRow(at: .input, size: width) { row, sequence, step in
        (to + row * width).update(from: base + (source.starts[sequence] + step) * width, count: width)
      }
    case (.tokens(let values), .tokens(let vocabulary, _)):
      guard let embedding else { return }
      tokens.reserve(shape.rows)
      let table = weights.pointer(embedding)
      for t in 0..<shape.steps {
        for b in 0..<shape.active[t] {
          let token = values[source.starts[shape.order[b]] + t]
          guard 0..<vocabulary ~= Int(token) else {
            throw ShapeError(what: "tokens", expected: "numbers from 0 to \(vocabulary - 1)", found: "\(token)")
          }
          let row = shape.offsets[t] + b
          tokens.pointer[row] = token
          (to + row * width).update(from: table + Int(token) * width, count: width)
          if let factors = regularized.embeddingFactors {
            for j in 0..<width { to[row * width + j] *= factors[Int(token)] }
          }
        }
      }
    case (.features, .tokens):
      throw ShapeError(what: "input", expected: "token numbers (N, T)", found: "features (N, T, I)")
    case (.tokens, .features(let size)):
      throw ShapeError(what: "input", expected: "features (N, T, \(size))", found: "token numbers (N, T)")
    }
  }

  /// Visits the buffers of the rows at a boundary below the readout, each with its size and its first column in the rows.
  func forEachPart(of stage: ModelStage, _ body: (_ part: FloatBuffer, _ size: Int, _ column: Int) -> Void) {
    var layer = 0
    if case .layer(let index) = stage { layer = index }
    var column = 0
    if configuration.skip || layer == 0 {
      body(input, configuration.input.size, 0)
      column = configuration.input.size
    }
    for below in (configuration.skip ? 0 : max(layer - 1, 0))..<layer {
      body(layerOutputs[below], configuration.layers[below].outputSize, column)
      column += configuration.layers[below].outputSize
    }
  }

  /// Visits every packed row at a boundary, on all threads, with its sequence in the batch and its step; step 0 if
  /// sequences have one row. `size` is the work per row, which determines the number of threads.
  func forEachRow(at stage: ModelStage, size: Int, _ body: (_ row: Int, _ sequence: Int, _ step: Int) -> Void) {
    let shape = shape
    guard isPerStep(at: stage) else {
      for b in 0..<shape.count { body(b, shape.order[b], 0) }
      return
    }
    let parts = kernels.parts(shape.rows * size, each: 1 << 14)
    parallel(parts) { part in
      // Whole sequences, so that each thread reads and writes a contiguous range of the caller's memory.
      for b in share(shape.count, multiple: 1, part: part, of: parts) {
        for t in 0..<shape.lengths[b] { body(shape.offsets[t] + b, shape.order[b], t) }
      }
    }
  }

  private func setState(_ carry: Carry?) throws(ShapeError) {
    if let carry { return try loadState(carry) }
    startsFromZero = true
    for (index, size) in stateSizes.enumerated() {
      initialCell[index].zero(shape.count * size.cell)
    }
  }

  private func normalize(_ x: UnsafePointer<Float>, rows: Int) -> UnsafeMutablePointer<Float> {
    let size = configuration.outputSize
    normalized.reserve(rows * size)
    norms.reserve(rows)
    normalized.pointer.update(from: x, count: rows * size)
    for row in 0..<rows { norms.pointer[row] = normalizeRow(normalized.pointer + row * size, size: size) }
    return normalized.pointer
  }
}
