import LSTMCheckpoints
import LSTMLayers

/// Measures one output of a network, in buffers that are kept from batch to batch.
final class OutputMeasure {
  let network: Network
  /// The output's place among the model's.
  let index: Int
  let loss: Loss
  /// What its loss is multiplied by, among those of several outputs.
  let weight: Double
  /// The gradient of the last batch's mean loss, a row for each of the output's.
  let gradient = GrowingBuffer<Float>()
  /// For each row of the last batch's output, the row of its target.
  let targetRows = GrowingBuffer<Int>()
  /// For each example of a batch, the row at which its targets begin; of further outputs.
  private let starts = GrowingBuffer<Int>()
  private let sums = GrowingBuffer<Double>()
  private let sequenceLoss = SequenceLoss()
  private let flat = FlatOutput()

  init(_ network: Network, _ index: Int, _ loss: Loss, weight: Double = 1) {
    (self.network, self.index, self.loss, self.weight) = (network, index, loss, weight)
  }

  /// The targets of an output, as they lie in memory.
  struct Targets {
    var targets: SequenceData.Targets
    /// Rows of an example.
    var rows: Int
    /// Steps of the first input.
    var inputSteps: Int
  }

  /// Measures a further output of the last pass.
  func measure(
    _ named: SequenceData.NamedTargets, _ examples: some Collection<Int>, of data: some ExampleRows, isTraining: Bool
  ) throws(ShapeError) -> (output: Network.Output, loss: Loss.Sum) {
    let (count, steps) = (examples.count, named.steps ?? data.steps)
    let starts = starts.reserve(count)
    for (place, example) in examples.enumerated() {
      starts[place] = named.targets.row(data.place(example), steps: steps)
    }
    return try measure(
      Targets(targets: named.targets, rows: named.targets.isPerStep ? steps : 1, inputSteps: data.steps), count: count,
      starts: starts, isTraining: isTraining)
  }

  /// - Parameter starts: for each example, the row at which its targets begin.
  func measure(
    _ wanted: Targets, count: Int, starts: UnsafePointer<Int>, isTraining: Bool
  ) throws(ShapeError) -> (output: Network.Output, loss: Loss.Sum) {
    let (targets, output) = (wanted.targets, network.output(index))
    try loss.check(network, output: index)
    if let width = FlatOutput.width(network, index, targets), !loss.isOfSequences {
      return try measureFlat(output, targets, count: count, width: width, starts: starts)
    }
    try loss.check(
      targets, rows: count * wanted.rows,
      against: .init(
        count: count,
        steps: network.givesSteps(output: index) ? network.outputSteps(wanted.inputSteps, output: index) : nil,
        width: output.width))
    network.locateOutputs(
      index, starts: starts, isPerStep: targets.isPerStep, into: targetRows.reserve(output.count))
    gradient.reserve(output.count * output.width)
    sums.reserve(output.count)
    let sum = try targets.withRows { targets throws(ShapeError) in
      if loss.isOfSequences {
        return try sequenceLoss.evaluate(
          loss, output, of: network, index, targets, at: targetRows.pointer, gradient: gradient.pointer,
          isTraining: isTraining)
      }
      return try loss.evaluate(
        output.rows, width: output.width, targets, at: targetRows.pointer, gradient: gradient.pointer,
        sums: sums.pointer, count: output.count, kernels: network.kernels)
    }
    return (output, sum)
  }

  /// The loss where the steps of the output are one row of targets.
  private func measureFlat(
    _ output: Network.Output, _ targets: SequenceData.Targets, count: Int, width: Int, starts: UnsafePointer<Int>
  ) throws(ShapeError) -> (output: Network.Output, loss: Loss.Sum) {
    let whole = flat.flatten(output, of: network, index, count: count, width: width)
    try loss.check(targets, rows: count, against: .init(count: count, steps: nil, width: width))
    targetRows.reserve(count).update(from: starts, count: count)
    gradient.reserve(output.count * output.width)
    sums.reserve(count)
    let slopes = flat.makeGradient(count: count * width)
    let sum = try targets.withRows { targets throws(ShapeError) in
      try loss.evaluate(
        whole.rows, width: width, targets, at: targetRows.pointer, gradient: slopes, sums: sums.pointer, count: count,
        kernels: network.kernels)
    }
    flat.unflatten(output, of: network, index, width: width, into: gradient.pointer)
    return (whole, sum)
  }

  /// Multiplies the gradient by the output's weight.
  func weighGradient() {
    guard weight != 1 else { return }
    let (rows, factor) = (gradient.pointer, Float(weight))
    let output = network.output(index)
    for at in 0..<output.count * output.width { rows[at] *= factor }
  }
}
