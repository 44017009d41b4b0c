import LSTMCheckpoints
import LSTMLayers

/// Takes batches of examples through a network and measures them, from where they lie to where the loss's gradient is
/// wanted. Everything is in buffers that are kept: a batch of a model with one input and one output that is no larger
/// than one before allocates nothing.
final class BatchRunner {
  let network: Network
  /// Of the first output.
  let loss: Loss
  private let first: OutputMeasure
  /// Of further outputs, those that count.
  private let others: [OutputMeasure]
  private let otherForms: [Network.OutputForm]
  /// The gradient of the last batch's mean loss, a row for each of the first output's.
  var gradient: GrowingBuffer<Float> { first.gradient }
  /// For each row of the last batch's first output, the row of its target.
  var targetRows: GrowingBuffer<Int> { first.targetRows }
  /// The gradients of all outputs for the last batch; nil where one was not compared with anything.
  private(set) var gradients: (first: UnsafeMutablePointer<Float>?, others: [UnsafeMutablePointer<Float>?])
  private let places = BatchPlaces()

  init(_ network: Network, loss: Loss) {
    self.network = network
    self.loss = loss
    first = OutputMeasure(network, 0, loss)
    (others, otherForms, gradients) = ([], [], (nil, []))
  }

  /// - Throws: `ShapeError` when the objective names an output that the model lacks.
  init(_ network: Network, _ objective: Objective) throws(ShapeError) {
    self.network = network
    let losses = try objective.byOutput(network.configuration)
    loss = objective.loss
    first = OutputMeasure(network, 0, loss, weight: objective.weight)
    others = losses.enumerated().dropFirst().compactMap { index, own in
      own.map { OutputMeasure(network, index, $0.loss, weight: $0.weight) }
    }
    otherForms = losses.dropFirst().map { $0?.loss.outputForm ?? .activated }
    gradients = (nil, losses.dropFirst().map { _ in nil })
  }

  /// One of the outputs of a batch, with what it was compared with.
  struct Measured {
    /// The output's place among the model's.
    let index: Int
    let output: Network.Output
    let loss: Loss.Sum
    let weight: Double
    let targets: SequenceData.Targets
    /// For each row of the output, the row of its target.
    let targetRows: UnsafePointer<Int>
  }

  /// Runs some examples and computes the loss of the outputs.
  /// - Parameters:
  ///   - cache: cached outputs of frozen layers for all of `data`, to begin there.
  ///   - plan: what `Network.backward` will be asked for, or nil.
  ///   - carried: the states of streams, to go on from and to leave there; nil where every example begins at zero.
  ///   - draw: regularization, for training.
  ///   - each: called for each output that was compared.
  /// - Returns: the first output; the loss, of several outputs the weighted sum of their means, once for each example.
  /// - Throws: `ShapeError` when data and model do not fit together.
  @discardableResult
  func run(
    _ data: some ExampleRows, _ cache: PrefixCache? = nil, _ examples: some Collection<Int>,
    for plan: GradientPlan? = nil, carrying carried: CarriedState? = nil,
    regularization draw: Regularization.Draw? = nil, each: (Measured) throws(ShapeError) -> Void = { _ in }
  ) throws(ShapeError) -> (output: Network.Output, loss: Loss.Sum) {
    if carried != nil, loss.isOfSequences {
      throw ShapeError(what: "streams", expected: "whole sequences, for the loss \(loss.name)", found: "chunks of them")
    }
    let count = examples.count
    places.locate(examples, of: data, carrying: carried) { cache?.block($0) ?? data.inputRow($0) }
    let form = loss.outputForm
    func run(
      _ values: SequenceRows.Values, _ others: [SequenceRows], from boundary: Boundary
    ) throws(ShapeError) -> Network.Output {
      try network.run(
        places.rows(values, steps: data.steps), others: others, from: boundary, output: form, otherForms: otherForms,
        for: plan, carrying: places.carry, regularization: draw)
    }
    let output: Network.Output
    if let cache {
      output = try run(.features(cache.blocks, width: 1), places.otherShapes(cache.blocks), from: cache.boundary)
    } else {
      output = try data.withInputRows { values throws(ShapeError) in
        try places.withOtherRows(of: data) { others throws(ShapeError) in try run(values, others, from: .input) }
      }
    }
    if others.isEmpty, first.weight == 1 {
      let done = try first.measure(
        .init(targets: data.targets, rows: data.targetRowCount, inputSteps: data.steps), count: count,
        starts: places.targetStarts.pointer, isTraining: plan != nil)
      gradients.first = first.gradient.pointer
      try each(
        Measured(
          index: 0, output: done.output, loss: done.loss, weight: 1, targets: data.targets,
          targetRows: first.targetRows.pointer))
      return done
    }
    return (output, try measure(data, examples, isTraining: plan != nil, each))
  }

  /// Measures all outputs that have targets.
  private func measure(
    _ data: some ExampleRows, _ examples: some Collection<Int>, isTraining: Bool,
    _ each: (Measured) throws(ShapeError) -> Void
  ) throws(ShapeError) -> Loss.Sum {
    let count = examples.count
    var (total, counts) = (0.0, false)
    gradients = (nil, gradients.others.map { _ in nil })
    func add(
      _ measure: OutputMeasure, _ done: (output: Network.Output, loss: Loss.Sum), _ targets: SequenceData.Targets
    ) throws(ShapeError) {
      measure.weighGradient()
      total += measure.weight * done.loss.mean
      counts = counts || done.loss.weight > 0
      try each(
        Measured(
          index: measure.index, output: done.output, loss: done.loss, weight: measure.weight, targets: targets,
          targetRows: measure.targetRows.pointer))
    }
    if !data.targets.isNone {
      let done = try first.measure(
        .init(targets: data.targets, rows: data.targetRowCount, inputSteps: data.steps), count: count,
        starts: places.targetStarts.pointer, isTraining: isTraining)
      try add(first, done, data.targets)
      gradients.first = first.gradient.pointer
    }
    for measure in others {
      guard
        let named = data.otherTargets.indices.contains(measure.index - 1) ? data.otherTargets[measure.index - 1] : nil,
        !named.targets.isNone
      else { continue }
      try add(measure, measure.measure(named, examples, of: data, isTraining: isTraining), named.targets)
      gradients.others[measure.index - 1] = measure.gradient.pointer
    }
    return Loss.Sum(sum: total * Double(count), count: count, weight: counts ? Double(count) : 0)
  }
}
