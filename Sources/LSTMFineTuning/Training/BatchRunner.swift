import LSTMCheckpoints
import LSTMLayers

/// Takes batches of examples through a network and measures them, from where they lie to where the loss's gradient is
/// wanted. Everything is in buffers that are kept: a batch no larger than one before allocates nothing.
final class BatchRunner {
  let network: Network
  let loss: Loss
  /// The gradient of the last batch's mean loss, a row for each of the output's.
  let gradient = GrowingBuffer<Float>()
  /// For each row of the last batch's output, the row of its target.
  let targetRows = GrowingBuffer<Int>()
  private let places = BatchPlaces()
  private let sums = GrowingBuffer<Double>()
  private let sequenceLoss = SequenceLoss()
  private let flat = FlatOutput()

  init(_ network: Network, loss: Loss) {
    self.network = network
    self.loss = loss
  }

  /// Runs some examples and computes the loss of the outputs.
  /// - Parameters:
  ///   - cache: cached outputs of frozen layers for all of `data`, to begin there.
  ///   - plan: what `Network.backward` will be asked for, or nil.
  ///   - carried: the states of streams, to go on from and to leave there; nil where every example begins at zero.
  ///   - draw: regularization, for training.
  /// - Throws: `ShapeError` when data and model do not fit together.
  func run(
    _ data: some ExampleRows, _ cache: PrefixCache? = nil, _ examples: some Collection<Int>,
    for plan: GradientPlan? = nil, carrying carried: CarriedState? = nil,
    regularization draw: Regularization.Draw? = nil
  ) throws(ShapeError) -> (output: Network.Output, loss: Loss.Sum) {
    if carried != nil, loss.isOfSequences {
      throw ShapeError(what: "streams", expected: "whole sequences, for the loss \(loss.name)", found: "chunks of them")
    }
    let count = examples.count
    places.locate(examples, of: data, carrying: carried) { cache?.block($0) ?? data.inputRow($0) }
    func run(_ values: SequenceRows.Values, from boundary: Boundary) throws(ShapeError) -> Network.Output {
      try network.run(
        places.rows(values, steps: data.steps), from: boundary, output: loss.outputForm, for: plan,
        carrying: places.carry, regularization: draw)
    }
    let output: Network.Output
    if let cache {
      output = try run(.features(cache.blocks, width: 1), from: cache.boundary)
    } else {
      output = try data.withInputRows { values throws(ShapeError) in try run(values, from: .input) }
    }

    try loss.check(network)
    if let width = FlatOutput.width(network, data), !loss.isOfSequences {
      return try measureFlat(output, data, count: count, width: width)
    }
    let isPerStep = network.givesSteps
    try loss.check(
      data.targets, rows: count * (data.hasTargetPerStep ? data.steps : 1),
      against: .init(count: count, steps: isPerStep ? network.outputSteps(data.steps) : nil, width: output.width))
    network.locateOutputs(
      starts: places.targetStarts.pointer, isPerStep: data.hasTargetPerStep, into: targetRows.reserve(output.count))
    gradient.reserve(output.count * output.width)
    sums.reserve(output.count)
    let sum = try data.targets.withRows { targets throws(ShapeError) in
      if loss.isOfSequences {
        return try sequenceLoss.evaluate(
          loss, output, of: network, targets, at: targetRows.pointer, gradient: gradient.pointer,
          isTraining: plan != nil)
      }
      return try loss.evaluate(
        output.rows, width: output.width, targets, at: targetRows.pointer, gradient: gradient.pointer,
        sums: sums.pointer, count: output.count, kernels: network.kernels)
    }
    return (output, sum)
  }

  /// The loss where the steps of the output are one row of targets.
  private func measureFlat(
    _ output: Network.Output, _ data: some ExampleRows, count: Int, width: Int
  ) throws(ShapeError) -> (output: Network.Output, loss: Loss.Sum) {
    let whole = flat.flatten(output, of: network, count: count, width: width)
    try loss.check(data.targets, rows: count, against: .init(count: count, steps: nil, width: width))
    let rows = targetRows.reserve(count)
    for place in 0..<count { rows[place] = places.targetStarts.pointer[place] }
    gradient.reserve(output.count * output.width)
    sums.reserve(count)
    let slopes = flat.makeGradient(count: count * width)
    let sum = try data.targets.withRows { targets throws(ShapeError) in
      try loss.evaluate(
        whole.rows, width: width, targets, at: targetRows.pointer, gradient: slopes, sums: sums.pointer, count: count,
        kernels: network.kernels)
    }
    flat.unflatten(output, of: network, width: width, into: gradient.pointer)
    return (whole, sum)
  }
}
