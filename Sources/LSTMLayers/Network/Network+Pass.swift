import LSTMCheckpoints

/// Passes from rows in memory to rows in memory. They do not allocate for a batch no larger than an earlier one.
extension Network {
  /// Whether the model's output has a row for each step, rather than for each sequence.
  package var givesSteps: Bool { outputLayer.value.isPerStep }
  package func givesSteps(output index: Int) -> Bool { outputLayers[index].value.isPerStep }

  /// One of the outputs of the last pass, in the configuration's order.
  package func output(_ index: Int) -> Output {
    let layer = outputLayers[index]
    return Output(rows: layer.outputRead, count: layer.rowCount, width: layer.width)
  }

  /// Values of a sequence, of an output with a fixed number of steps which are not the first input's; nil for any other.
  package func flatOutputSize(_ index: Int = 0) -> Int? {
    let layer = outputLayers[index]
    guard layer.value.isPerStep, layer.value.clock != 0, let steps = layer.value.steps ?? layer.shape.ownSteps else {
      return nil
    }
    return steps * layer.width
  }

  /// Sets the steps of every sequence, those that a mask hides included, for `blockSize` before a pass.
  package func setEverySteps(_ steps: Int) { inputs[0].shape.everyStep?.ownSteps = steps }

  /// Sets the steps of the model's further inputs, for `blockSize` before a pass; a pass sets those of its own.
  package func setSteps(ofOthers steps: [Int]) throws(ShapeError) {
    for (input, steps) in zip(inputs.dropFirst(), steps) { try input.setSteps(steps) }
  }

  /// The output of a pass: rows in the network's internal order, see `locateOutputs`. Valid until the next pass.
  package struct Output {
    /// (count, width)
    package let rows: UnsafeMutablePointer<Float>
    package let count: Int
    package let width: Int

    package init(rows: UnsafeMutablePointer<Float>, count: Int, width: Int) {
      (self.rows, self.count, self.width) = (rows, count, width)
    }
  }

  /// Steps of the output, of a sequence of so many steps.
  package func outputSteps(_ steps: Int, output index: Int = 0) -> Int { outputLayers[index].shape.steps(steps) }

  /// Floats that the values at a boundary take for a sequence of so many steps, one value after the other, each row by row,
  /// then the final states.
  package func blockSize(at boundary: Boundary, steps: Int) -> Int {
    boundary.places.reduce(0) { $0 + partSize(nodes[$1], steps: steps) }
      + boundary.states.reduce(0) { $0 + ((nodes[$1] as? RecurrentLayer)?.finalStateSize ?? 0) }
  }

  private func partSize(_ node: NetworkLayer, steps: Int) -> Int {
    (node.value.isPerStep ? node.shape.steps(steps) : 1) * node.width
  }

  /// Runs the model from its own states or carried states.
  /// - Parameters:
  ///   - source: the model's input or, for another `boundary`, blocks of the values there; `starts` then counts floats.
  ///   - others: those of further inputs, in the configuration's order; of another `boundary` only their steps count.
  ///   - otherForms: of further outputs.
  ///   - plan: what `backward` will compute afterwards; nil if it will not be called. Carried states are constants, without
  ///     gradients.
  ///   - carry: the source and the destination of the states of the layers that run; nil for the model's own.
  ///   - draw: regularization from the plan's entry upwards, with its random numbers; nil for none, as in evaluation.
  /// - Throws: `ShapeError` when the rows or the states do not fit the model.
  package func run(
    _ source: SequenceRows, others: [SequenceRows] = [], from boundary: Boundary = .input,
    output form: OutputForm = .activated, otherForms: [OutputForm] = [], for plan: GradientPlan? = nil,
    carrying carry: Carry? = nil, regularization draw: Regularization.Draw? = nil
  ) throws(ShapeError) -> Output {
    let computing = Computing()
    defer { computing.end() }
    try begin(source, others)
    try setState(carry)
    let isFromInput = boundary.isInput(configuration)
    for (place, node) in nodes.enumerated() {
      node.keepsActivations = plan?.wantsGradient[place] ?? false
      node.isSettled = plan.map { !$0.runs[place] } ?? false
    }
    assert(isFromInput || plan.map { startsBelow(boundary, $0) } ?? true, "a pass that starts above what trains")
    if let draw, let plan {
      try beginRegularization(draw, plan.sites)
    }
    keptFor = plan?.wantsGradient
    let pass = LayerPass(isTraining: plan != nil, trainable: plan?.trainable, draw: draw)
    let output: Output
    if isFromInput {
      try inputs[0].gather(source)
      regularized.drop(inputs[0])
      try gather(others)
      output = runLayers(pass, form, others: otherForms) { _ in true }
      if let carry { keepState(carry) { _ in true } }
    } else {
      try gather(source, at: boundary)
      let above = layersAbove(boundary)
      for place in boundary.places { regularized.drop(nodes[place]) }
      output = runLayers(pass, form, others: otherForms) { above[$0] }
      if let carry { keepState(carry) { above[$0] } }
    }
    return output
  }

  /// Runs the lower part of the model from its own states or carried states, and writes the blocks of a boundary.
  /// - Parameters:
  ///   - blocks: (any number of floats)
  ///   - starts: for each sequence the place in `blocks` of its own, of `blockSize(at:steps:)` floats.
  package func run(
    _ source: SequenceRows, others: [SequenceRows] = [], upTo boundary: Boundary,
    into blocks: UnsafeMutablePointer<Float>,
    starts: UnsafePointer<Int>, carrying carry: Carry? = nil
  ) throws(ShapeError) {
    let computing = Computing()
    defer { computing.end() }
    try begin(source, others)
    try setState(carry)
    try inputs[0].gather(source)
    try gather(others)
    for node in nodes { (node.keepsActivations, node.isSettled) = (false, false) }
    keptFor = nil
    let below = layersBelow(boundary)
    for place in inputs.count..<nodes.count where below[place] { run(place, LayerPass()) }
    if let carry { keepState(carry) { below[$0] } }
    forEachPart(of: boundary) { node, offset in
      let width = node.width
      if let input = node as? InputLayer {
        input.forEachRow { row, sequence, step in
          input.keep(row, in: blocks + starts[sequence] + offset(sequence) + step * width)
        }
        return
      }
      node.forEachRow { row, sequence, step in
        (blocks + starts[sequence] + offset(sequence) + step * width).update(
          from: node.outputRead + row * width, count: width)
      }
    }
    forEachState(of: boundary) { layer, b, sequence, offset in
      layer.copyFinalState(b, to: blocks + starts[sequence] + offset)
    }
  }

  /// Computes the caller's number of every row of the last output.
  /// - Parameters:
  ///   - starts: for each sequence of the batch, the number of its first step.
  ///   - isPerStep: whether later steps have consecutive numbers; otherwise all steps have the first one's.
  ///   - places: receives the number of each row of the output.
  ///   - index: of the output.
  package func locateOutputs(
    _ index: Int = 0, starts: UnsafePointer<Int>, isPerStep: Bool, into places: UnsafeMutablePointer<Int>
  ) {
    outputLayers[index].forEachRow(work: 1) { row, sequence, step in
      places[row] = starts[sequence] + (isPerStep ? step : 0)
    }
  }

  /// Visits the rows of the last output, each with its sequence in the batch and its step.
  package func forEachOutputRow(_ index: Int = 0, _ body: (_ row: Int, _ sequence: Int, _ step: Int) -> Void) {
    outputLayers[index].forEachRow(body)
  }

  // MARK: - Boundaries

  /// Visits the values of a boundary, each with its offset in a sequence's block.
  private func forEachPart(of boundary: Boundary, _ body: (NetworkLayer, _ offset: (_ sequence: Int) -> Int) -> Void) {
    sequenceSteps.reserve(shape.count)
    for b in 0..<shape.count { sequenceSteps.pointer[shape.order[b]] = shape.lengths[b] }
    let steps = sequenceSteps.pointer
    for (index, place) in boundary.places.enumerated() {
      body(nodes[place]) { sequence in
        var offset = 0
        for other in 0..<index { offset += partSize(nodes[boundary.places[other]], steps: steps[sequence]) }
        return offset
      }
    }
  }

  /// Visits the final states of a boundary: the b-th longest sequence's, with the sequence's number and the offset in its
  /// block.
  private func forEachState(
    of boundary: Boundary, _ body: (_ layer: RecurrentLayer, _ b: Int, _ sequence: Int, _ offset: Int) -> Void
  ) {
    for b in 0..<(boundary.states.isEmpty ? 0 : shape.count) {
      var offset = boundary.places.reduce(0) { $0 + partSize(nodes[$1], steps: shape.lengths[b]) }
      for place in boundary.states {
        guard let layer = nodes[place] as? RecurrentLayer else { continue }
        body(layer, b, shape.order[b], offset)
        offset += layer.finalStateSize
      }
    }
  }

  /// Copies blocks to the outputs of the layers at a boundary.
  private func gather(_ source: SequenceRows, at boundary: Boundary) throws(ShapeError) {
    guard case .features(let base, _) = source.values else {
      throw ShapeError(what: "rows of the frozen prefix", expected: "features", found: "tokens")
    }
    forEachPart(of: boundary) { node, offset in
      if let input = node as? InputLayer {
        input.reserveKeptRows()
        let width = input.width
        input.forEachRow { row, sequence, step in
          input.take(row, from: base + source.starts[sequence] + offset(sequence) + step * width)
        }
        return
      }
      let (to, width) = (node.makeOutput(), node.width)
      (node as? EmbeddingLayer)?.takeKeptRows()
      node.forEachRow { row, sequence, step in
        (to + row * width).update(from: base + source.starts[sequence] + offset(sequence) + step * width, count: width)
      }
    }
    for place in boundary.states { (nodes[place] as? RecurrentLayer)?.reserveKeptStates() }
    forEachState(of: boundary) { layer, b, sequence, offset in
      layer.takeFinalState(b, from: base + source.starts[sequence] + offset)
    }
  }

  /// For each value whether its layer runs in a pass that starts at a boundary.
  private func layersAbove(_ boundary: Boundary) -> [Bool] {
    if let known = above[boundary] { return known }
    // What the output needs, down to the boundary.
    let needed = reach(
      from: configuration.outputPlaces, downTo: Set(boundary.places), startingFrom: Set(boundary.states))
    above[boundary] = needed
    return needed
  }

  /// Whether everything that a plan moves stands above a boundary.
  private func startsBelow(_ boundary: Boundary, _ plan: GradientPlan) -> Bool {
    let below = layersBelow(boundary)
    return !nodes.indices.contains { below[$0] && plan.moves[$0] }
  }

  private func layersBelow(_ boundary: Boundary) -> [Bool] {
    if let known = below[boundary] { return known }
    let needed = reach(from: boundary.places + boundary.states, downTo: [])
    below[boundary] = needed
    return needed
  }

  private func reach(from places: [Int], downTo ends: Set<Int>, startingFrom states: Set<Int> = []) -> [Bool] {
    var reached = [Bool](repeating: false, count: nodes.count)
    var open = places.filter { !ends.contains($0) }
    while let place = open.popLast() {
      guard !reached[place], place >= inputs.count else { continue }
      reached[place] = true
      open += configuration.sources[place - inputs.count].filter { !ends.contains($0) }
      open += configuration.layers[place - inputs.count].kind.references
        .compactMap { configuration.index(of: $0).map { $0 + inputs.count } }.filter { !states.contains($0) }
    }
    return reached
  }

  /// Starts a pass with the shapes of all inputs.
  private func begin(_ source: SequenceRows, _ others: [SequenceRows]) throws(ShapeError) {
    guard others.count == inputs.count - 1 else {
      throw ShapeError(
        what: "inputs", expected: "\(inputs.count): \(inputs.map(\.name).joined(separator: ", "))",
        found: "\(others.count + 1)")
    }
    for place in others.indices {
      guard others[place].count == source.count, others[place].lengths == nil else {
        throw ShapeError(
          what: inputs[place + 1].name, expected: "\(source.count) sequences of one length",
          found: "\(others[place].count)")
      }
      try inputs[place + 1].setSteps(others[place].steps)
    }
    try begin(source)
  }

  private func gather(_ others: [SequenceRows]) throws(ShapeError) {
    for place in others.indices {
      try inputs[place + 1].gather(others[place])
      regularized.drop(inputs[place + 1])
    }
  }

  private func setState(_ carry: Carry?) throws(ShapeError) {
    if let carry { try loadState(carry) } else { setOwnStates() }
  }
}
