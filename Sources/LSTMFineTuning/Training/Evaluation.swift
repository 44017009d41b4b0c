import LSTMCheckpoints
import LSTMLayers

/// Runs a model over data without training.
public struct Evaluator {
  /// The model, ready to run.
  public let network: Network
  /// The loss that is reported: the training loss's `forEvaluation`.
  public let loss: Loss
  /// What takes outputs to the data's own units; nil where they are in them.
  public let targetScaler: Scaler?
  /// Sequences at a time.
  public let batchSize: Int
  private let runner: BatchRunner

  /// - Parameter batchSize: sequences at a time; changes nothing but speed and memory.
  public init(_ network: Network, loss: Loss, targetScaler: Scaler? = nil, batchSize: Int = 64) {
    self.network = network
    self.loss = loss.forEvaluation
    self.targetScaler = targetScaler
    self.batchSize = max(batchSize, 1)
    runner = BatchRunner(network, loss: self.loss)
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
    return (tally.metrics(data), tally.spread.deviation)
  }

  /// How much the outputs differ from row to row over some examples from all over the data, the first ones of streams.
  func spread(_ data: some ExampleRows, _ cache: PrefixCache?) throws(ShapeError) -> Double {
    let wanted = min(max(data.count / 32, 32), 256)
    let carried = try data.makeCarriedState(network.configuration)
    let batches = data.batches(of: min(batchSize, 8))
    let count = min(max(wanted * batches.count / data.count, 1), batches.count)
    var tally = tally(of: data)
    for place in 0..<count {
      // Chunks follow one another.
      let batch = batches[carried == nil ? place * batches.count / count : place]
      try add(batch, of: data, cache, carried, to: &tally)
    }
    return tally.spread.deviation
  }

  private func tally(_ data: some ExampleRows, _ cache: PrefixCache?) throws(ShapeError) -> MetricTally {
    var tally = tally(of: data)
    let carried = try data.makeCarriedState(network.configuration)
    for batch in data.batches(of: batchSize) { try add(batch, of: data, cache, carried, to: &tally) }
    guard tally.lossWeight > 0 else {
      throw ShapeError(what: "targets", expected: "at least one that counts", found: "none")
    }
    return tally
  }

  private func tally(of data: some ExampleRows) -> MetricTally {
    let width = FlatOutput.width(network, data) ?? network.configuration.outputSize
    let scales = (0..<width).map { column in targetScaler.map { Double($0.deviation[column % $0.columns]) } ?? 1 }
    return MetricTally(loss, data.targets, isText: data.isText, width: width, scales: scales)
  }

  private func add(
    _ batch: Range<Int>, of data: some ExampleRows, _ cache: PrefixCache?, _ carried: CarriedState?,
    to tally: inout MetricTally
  ) throws(ShapeError) {
    let (output, value) = try runner.run(data, cache, batch, carrying: carried)
    tally.lossSum += value.sum
    tally.lossWeight += value.weight
    try data.targets.withRows { targets throws(ShapeError) in
      if loss.isOfSequences {
        return tally.add(output, of: network, targets, at: runner.targetRows.pointer)
      }
      guard data.hasOwnScalers else { return tally.add(output, targets, at: runner.targetRows.pointer) }
      tally.add(output, targets, at: runner.targetRows.pointer) { data.targetScaler(batch.lowerBound + $0) }
    }
  }

  /// The model's outputs for each example, in the data's own units: (N, O), or (N, T, O) with zero at padded steps. A step
  /// that the model's mask hides has the output of the one before it, as in Keras.
  public func predict(_ data: SequenceData) throws(ShapeError) -> Tensor {
    let data = try data.hiding(network.configuration.mask, for: network.configuration)
    var shape: [Int] = []
    var values: [Float] = []
    for start in stride(from: 0, to: data.count, by: batchSize) {
      let examples = start..<start + min(batchSize, data.count - start)
      var output = try network.forward(data.batch(examples), forBackward: false)
      let lengths = output.shape.count == 3 ? data.lengthBatch(examples) : nil
      let width = output.values.count / examples.count
      for (place, example) in examples.enumerated() {
        guard let scaler = data.hasOwnScalers ? data.targetScaler(example) : targetScaler else { continue }
        // Padded steps stay zero.
        let valid =
          place * width..<place * width + (lengths.map { network.outputSteps($0[place]) * output.shape[2] } ?? width)
        var values = Array(output.values[valid])
        scaler.undo(&values)
        output.values.replaceSubrange(valid, with: values)
      }
      // A forecast of several steps is one row, as a series' targets are.
      let isFlat = data.isWindowed && network.configuration.flatOutputSize != nil
      shape = isFlat ? [output.shape[0], width] : output.shape
      values += output.values
    }
    let output = Tensor(shape: [data.count] + shape.dropFirst(), values: values)
    guard let hidden = data.hiddenSteps, output.shape.count == 3 else { return output }
    guard data.places == Array(0..<hidden.count) else {
      throw ShapeError(what: "data", expected: "all sequences, of which the mask hides steps", found: "a selection")
    }
    return try hidden.spread(output, isReverse: network.configuration.hasReverseLayers)
  }
}
