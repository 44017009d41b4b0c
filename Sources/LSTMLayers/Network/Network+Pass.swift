import LSTMCheckpoints

/// Passes from rows in memory to rows in memory. They do not allocate for a batch no larger than an earlier one.
extension Network {
  /// Whether the model's output has a row for each step, rather than for each sequence.
  package var givesSteps: Bool { outputLayer.value.isPerStep }

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
  package func outputSteps(_ steps: Int) -> Int { outputLayer.shape.steps(steps) }

  /// Floats that the values at a boundary take for a sequence of so many steps, one value after the other, each row by row.
  package func blockSize(at boundary: Boundary, steps: Int) -> Int {
    boundary.places.reduce(0) { $0 + partSize(nodes[$1], steps: steps) }
  }

  private func partSize(_ node: NetworkLayer, steps: Int) -> Int {
    (node.value.isPerStep ? node.shape.steps(steps) : 1) * node.width
  }

  /// Runs the model from its own states or carried states.
  /// - Parameters:
  ///   - source: the model's input or, for another `boundary`, blocks of the values there; `starts` then counts floats.
  ///   - plan: what `backward` will compute afterwards; nil if it will not be called. Carried states are constants, without
  ///     gradients.
  ///   - carry: the source and the destination of the states of the layers that run; nil for the model's own.
  ///   - draw: regularization from the plan's entry upwards, with its random numbers; nil for none, as in evaluation.
  /// - Throws: `ShapeError` when the rows or the states do not fit the model.
  package func run(
    _ source: SequenceRows, from boundary: Boundary = .input, output form: OutputForm = .activated,
    for plan: GradientPlan? = nil, carrying carry: Carry? = nil, regularization draw: Regularization.Draw? = nil
  ) throws(ShapeError) -> Output {
    let computing = Computing()
    defer { computing.end() }
    try begin(source)
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
      output = runLayers(pass, form) { _ in true }
      if let carry { keepState(carry) { _ in true } }
    } else {
      try gather(source, at: boundary)
      let above = layersAbove(boundary)
      for place in boundary.places { regularized.drop(nodes[place]) }
      output = runLayers(pass, form) { above[$0] }
      if let carry { keepState(carry) { above[$0] } }
    }
    return output
  }

  /// Runs the lower part of the model from its own states or carried states, and writes the blocks of a boundary.
  /// - Parameters:
  ///   - blocks: (any number of floats)
  ///   - starts: for each sequence the place in `blocks` of its own, of `blockSize(at:steps:)` floats.
  package func run(
    _ source: SequenceRows, upTo boundary: Boundary, into blocks: UnsafeMutablePointer<Float>,
    starts: UnsafePointer<Int>, carrying carry: Carry? = nil
  ) throws(ShapeError) {
    let computing = Computing()
    defer { computing.end() }
    try begin(source)
    try setState(carry)
    try inputs[0].gather(source)
    for node in nodes { (node.keepsActivations, node.isSettled) = (false, false) }
    keptFor = nil
    let below = layersBelow(boundary)
    for place in inputs.count..<nodes.count where below[place] { run(place, LayerPass()) }
    if let carry { keepState(carry) { below[$0] } }
    forEachPart(of: boundary) { node, offset in
      let width = node.width
      node.forEachRow { row, sequence, step in
        (blocks + starts[sequence] + offset(sequence) + step * width).update(
          from: node.outputRead + row * width, count: width)
      }
    }
  }

  /// Computes the caller's number of every row of the last output.
  /// - Parameters:
  ///   - starts: for each sequence of the batch, the number of its first step.
  ///   - isPerStep: whether later steps have consecutive numbers; otherwise all steps have the first one's.
  ///   - places: receives the number of each row of the output.
  package func locateOutputs(starts: UnsafePointer<Int>, isPerStep: Bool, into places: UnsafeMutablePointer<Int>) {
    outputLayer.forEachRow(work: 1) { row, sequence, step in
      places[row] = starts[sequence] + (isPerStep ? step : 0)
    }
  }

  /// Visits the rows of the last output, each with its sequence in the batch and its step.
  package func forEachOutputRow(_ body: (_ row: Int, _ sequence: Int, _ step: Int) -> Void) {
    outputLayer.forEachRow(body)
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

  /// Copies blocks to the outputs of the layers at a boundary.
  private func gather(_ source: SequenceRows, at boundary: Boundary) throws(ShapeError) {
    guard case .features(let base, _) = source.values else {
      throw ShapeError(what: "rows of the frozen prefix", expected: "features", found: "tokens")
    }
    forEachPart(of: boundary) { node, offset in
      let (to, width) = (node.makeOutput(), node.width)
      (node as? EmbeddingLayer)?.takeKeptRows()
      node.forEachRow { row, sequence, step in
        (to + row * width).update(from: base + source.starts[sequence] + offset(sequence) + step * width, count: width)
      }
    }
  }

  /// For each value whether its layer runs in a pass that starts at a boundary.
  private func layersAbove(_ boundary: Boundary) -> [Bool] {
    if let known = above[boundary] { return known }
    // What the output needs, down to the boundary.
    let needed = reach(from: configuration.outputPlaces, downTo: Set(boundary.places))
    above[boundary] = needed
    return needed
  }

  /// Whether everything that a plan moves stands above a boundary.
  private func startsBelow(_ boundary: Boundary, _ plan: GradientPlan) -> Bool {
    let below = layersBelow(boundary)
    return !nodes.indices.contains { below[$0] && plan.runs[$0] }
  }

  private func layersBelow(_ boundary: Boundary) -> [Bool] {
    if let known = below[boundary] { return known }
    let needed = reach(from: boundary.places, downTo: [])
    below[boundary] = needed
    return needed
  }

  private func reach(from places: [Int], downTo ends: Set<Int>) -> [Bool] {
    var reached = [Bool](repeating: false, count: nodes.count)
    var open = places.filter { !ends.contains($0) }
    while let place = open.popLast() {
      guard !reached[place], place >= inputs.count else { continue }
      reached[place] = true
      open += configuration.sources[place - inputs.count].filter { !ends.contains($0) }
      open += configuration.layers[place - inputs.count].kind.references
        .compactMap { configuration.index(of: $0).map { $0 + inputs.count } }
    }
    return reached
  }

  private func setState(_ carry: Carry?) throws(ShapeError) {
    if let carry { try loadState(carry) } else { setOwnStates() }
  }
}
