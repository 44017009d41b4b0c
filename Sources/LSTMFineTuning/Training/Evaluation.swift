import LSTMCheckpoints
import LSTMLayers

/// Runs a model over data without training.
public struct Evaluator {
  /// The model, ready to run.
  public let network: Network
  /// What is reported: the training objective's losses, `forEvaluation`.
  public let objective: Objective
  /// That of the model's first output.
  public var loss: Loss { objective.loss }
  /// What takes the first output to the data's own units; nil where it is in them.
  public let targetScaler: Scaler?
  /// The same of further outputs, by name.
  public let scalers: [String: Scaler]
  /// Sequences at a time.
  public let batchSize: Int
  private let runner: BatchRunner

  /// - Parameter batchSize: sequences at a time; changes nothing but speed and memory.
  public init(_ network: Network, loss: Loss, targetScaler: Scaler? = nil, batchSize: Int = 64) {
    self.network = network
    objective = Objective(loss.forEvaluation)
    self.targetScaler = targetScaler
    scalers = [:]
    self.batchSize = max(batchSize, 1)
    runner = BatchRunner(network, loss: objective.loss)
  }

  /// For a model with several outputs that are measured.
  /// - Parameters:
  ///   - objective: the losses of its outputs, and what each is multiplied by.
  ///   - scalers: what takes further outputs to the data's own units, by name.
  /// - Throws: `ShapeError` when the objective names an output that the model lacks.
  public init(
    _ network: Network, objective: Objective, targetScaler: Scaler? = nil, scalers: [String: Scaler] = [:],
    batchSize: Int = 64
  ) throws(ShapeError) {
    self.network = network
    self.objective = objective.forEvaluation
    self.targetScaler = targetScaler
    self.scalers = scalers
    self.batchSize = max(batchSize, 1)
    runner = try BatchRunner(network, self.objective)
  }

  /// Metrics over all examples: of streams over all steps, chunk by chunk with the states carried from zero, as one pass
  /// over whole streams gives.
  /// - Throws: `ShapeError` when data and model do not fit together, as streams do not fit a layer that runs in reverse; or
  ///   when nothing counts: there are no examples, or every label is ignored.
  public func evaluate(_ data: some ExamplesConvertible) throws(ShapeError) -> Metrics { try report(data).metrics }

  /// The same with the confusion matrix, when the targets are classes and no text's tokens.
  public func report(
    _ data: some ExamplesConvertible
  ) throws(ShapeError) -> (metrics: Metrics, confusion: ConfusionMatrix?) {
    func report(_ data: some ExampleRows) throws(ShapeError) -> (metrics: Metrics, confusion: ConfusionMatrix?) {
      let tally = try tally(data, nil)
      return (tally.metrics(data), tally.confusion)
    }
    return switch try data.examples.hiding(network.configuration) {
    case .sequences(let data): try report(data)
    case .streams(let data): try report(data)
    }
  }

  /// - Parameter cache: cached outputs of frozen layers for all of `data`, or nil to compute it.
  func evaluate(_ data: some ExampleRows, _ cache: PrefixCache?) throws(ShapeError) -> Metrics {
    try tally(data, cache).metrics(data)
  }

  /// Metrics, and how much the outputs differ from row to row.
  func measure(
    _ data: some ExampleRows, _ cache: PrefixCache?
  ) throws(ShapeError) -> (metrics: Metrics, spread: Double) {
    let tally = try tally(data, cache)
    return (tally.metrics(data), tally.spread)
  }

  /// How much the outputs differ from row to row over some examples from all over the data, the first ones of streams.
  func spread(_ data: some ExampleRows, _ cache: PrefixCache?) throws(ShapeError) -> Double {
    let wanted = min(max(data.count / 32, 32), 256)
    let carried = try data.makeCarriedState(network.configuration)
    let batches = data.batches(of: min(batchSize, 8))
    let count = min(max(wanted * batches.count / data.count, 1), batches.count)
    var tally = try tally(of: data)
    for place in 0..<count {
      // Chunks follow one another.
      let batch = batches[carried == nil ? place * batches.count / count : place]
      try add(batch, of: data, cache, carried, to: &tally)
    }
    return tally.spread
  }

  private func tally(_ data: some ExampleRows, _ cache: PrefixCache?) throws(ShapeError) -> ObjectiveTally {
    var tally = try tally(of: data)
    let carried = try data.makeCarriedState(network.configuration)
    for batch in data.batches(of: batchSize) { try add(batch, of: data, cache, carried, to: &tally) }
    guard tally.counts else {
      throw ShapeError(what: "targets", expected: "at least one that counts", found: "none")
    }
    return tally
  }

  private func tally(of data: some ExampleRows) throws(ShapeError) -> ObjectiveTally {
    try network.setSteps(ofOthers: data.others.map(\.steps))
    network.setEverySteps(data.steps)
    var tally = ObjectiveTally(isSingle: objective.isSingle)
    for (index, own) in try objective.byOutput(network.configuration).enumerated() {
      let targets =
        index == 0
        ? data.targets : data.otherTargets.indices.contains(index - 1) ? data.otherTargets[index - 1].targets : .none
      guard let own, index == 0 && objective.isSingle || !targets.isNone else { continue }
      let width = FlatOutput.width(network, index, targets) ?? network.configuration.outputValues[index].width
      let scaler = index == 0 ? targetScaler : scalers[own.name]
      let scales = (0..<width).map { column in scaler.map { Double($0.deviation[column % $0.columns]) } ?? 1 }
      tally.add(
        MetricTally(own.loss, targets, isText: index == 0 && data.isText, width: width, scales: scales), of: own,
        at: index)
    }
    return tally
  }

  private func add(
    _ batch: Range<Int>, of data: some ExampleRows, _ cache: PrefixCache?, _ carried: CarriedState?,
    to tally: inout ObjectiveTally
  ) throws(ShapeError) {
    try runner.run(data, cache, batch, carrying: carried) { measured throws(ShapeError) in
      try tally.update(measured.index) { tally, loss throws(ShapeError) in
        tally.lossSum += measured.loss.sum
        tally.lossWeight += measured.loss.weight
        let (output, places) = (measured.output, measured.targetRows)
        try measured.targets.withRows { targets throws(ShapeError) in
          if loss.isOfSequences { return tally.add(output, of: network, measured.index, targets, at: places) }
          guard data.hasOwnScalers, measured.index == 0 else { return tally.add(output, targets, at: places) }
          tally.add(output, targets, at: places) { data.targetScaler(batch.lowerBound + $0) }
        }
      }
    }
  }

  /// The model's outputs for each example, in the data's own units: (N, O), or (N, T, O) with zero at padded steps. A step
  /// that the model's mask hides has the output that Keras gives there.
  public func predict(_ data: SequenceData) throws(ShapeError) -> Tensor { try predictAll(data)[0] }

  /// What each of the model's outputs gives for each example, in the model's order; see `predict`.
  public func predictAll(_ data: SequenceData) throws(ShapeError) -> [Tensor] {
    let data = try data.hiding(network.configuration.mask, for: network.configuration)
    try data.check(network.configuration)
    let network = try data.hiddenSteps == nil ? network : network.showingHiddenSteps()
    let names = network.configuration.outputNames
    var outputs = names.map { _ in (shape: [Int](), values: [Float]()) }
    for start in stride(from: 0, to: data.count, by: batchSize) {
      let examples = start..<start + min(batchSize, data.count - start)
      let first = try network.forward(
        data.batch(examples), others: data.otherBatches(examples), forBackward: false)
      for (index, output) in (names.count == 1 ? [first] : network.outputTensors()).enumerated() {
        let part = inUnits(output, index, names[index], examples, of: data, network)
        outputs[index].shape = part.shape
        outputs[index].values += part.values
      }
    }
    return outputs.map { Tensor(shape: [data.count] + $0.shape.dropFirst(), values: $0.values) }
  }

  /// One output of a batch in the data's own units.
  func inUnits(
    _ output: Tensor, _ index: Int, _ name: String, _ examples: Range<Int>, of data: SequenceData, _ network: Network
  ) -> Tensor {
    var output = output
    // Lengths are those of the first input.
    let clock = network.configuration.outputValues[index].clock ?? 0
    let isOwn = clock > 0 && clock < network.configuration.inputs.count
    let lengths = output.shape.count == 3 && !isOwn ? data.lengthBatch(examples) : nil
    let width = output.values.count / examples.count
    for (place, example) in examples.enumerated() {
      guard
        let scaler = data.hasOwnScalers && index == 0
          ? data.targetScaler(example) : index == 0 ? targetScaler : scalers[name]
      else { continue }
      // Padded steps stay zero.
      let valid =
        place * width..<place * width
        + (lengths.map { network.outputSteps($0[place], output: index) * output.shape[2] } ?? width)
      var values = Array(output.values[valid])
      scaler.undo(&values)
      output.values.replaceSubrange(valid, with: values)
    }
    // A forecast of several steps is one row, as a series' targets are.
    let isFlat = data.isWindowed && !data.hasTargetPerStep && network.flatOutputSize(index) != nil
    return isFlat ? Tensor(shape: [output.shape[0], width], values: output.values) : output
  }
}
