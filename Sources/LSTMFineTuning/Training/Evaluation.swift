import LSTMCheckpoints
import LSTMLayers

/// How good a model's predictions are.
public struct Metrics: Sendable, Codable, Equatable {
  /// The mean loss, in the units the model computes in.
  public var loss: Double
  /// Mean absolute error in the data's own units; for real-valued targets.
  public var mae: Double?
  /// Root of the mean squared error in the data's own units.
  public var rmse: Double?
  /// The part of classes that are right.
  public var accuracy: Double?
  /// Sequences.
  public var examples: Int
}

/// Runs a model over data without training.
public struct Evaluator {
  public let network: Network
  /// What is measured: the training loss's `forEvaluation`.
  public let loss: Loss
  public let targetScaler: Scaler?
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

  /// Metrics over all examples.
  /// - Throws: `ShapeError` when data and model do not fit together, or nothing counts: there are no examples, or
  ///   every label is ignored.
  public func evaluate(_ data: SequenceData) throws(ShapeError) -> Metrics { try evaluate(data, nil) }

  /// Metrics over all steps of streams, chunk by chunk, with the states carried from zero: what one pass over the whole
  /// streams gives.
  /// - Throws: `ShapeError` as above, and when the model has a layer that runs in reverse.
  public func evaluate(_ data: StreamData) throws(ShapeError) -> Metrics { try evaluate(data, nil) }

  /// - Parameter cache: what the frozen prefix gives for all of `data`, or nil to compute it.
  func evaluate(_ data: some ExampleRows, _ cache: PrefixCache?) throws(ShapeError) -> Metrics {
    var tally = Tally()
    let carried = try data.makeCarriedState(network.configuration)
    for batch in data.batches(of: batchSize) {
      let (output, value) = try runner.run(data, cache, batch, carrying: carried)
      tally.sum += value.sum
      tally.weight += value.weight
      try data.targets.withRows { targets throws(ShapeError) in add(output, targets, to: &tally) }
    }
    guard tally.weight > 0 else {
      throw ShapeError(what: "targets", expected: "at least one that counts", found: "none")
    }
    return tally.metrics(examples: data.sequenceCount)
  }

  private struct Tally {
    var (sum, weight) = (0.0, 0.0)
    var (absolute, square, values) = (0.0, 0.0, 0)
    var (right, classes) = (0, 0)

    func metrics(examples: Int) -> Metrics {
      Metrics(
        loss: sum / weight, mae: values == 0 ? nil : absolute / Double(values),
        rmse: values == 0 ? nil : (square / Double(values)).squareRoot(),
        accuracy: classes == 0 ? nil : Double(right) / Double(classes), examples: examples)
    }
  }

  /// Adds the errors or the right answers of the runner's last batch.
  private func add(_ output: Network.Output, _ targets: TargetRows, to tally: inout Tally) {
    let width = output.width
    let places = runner.targetRows.pointer
    for row in 0..<output.count {
      let found = output.rows + row * width
      switch targets {
      case .values(let values):
        let wanted = values + places[row] * width
        for column in 0..<width {
          if loss == .binaryCrossEntropy {
            if (found[column] > 0) == (wanted[column] > 0.5) { tally.right += 1 }
            tally.classes += 1
          } else {
            let scale = targetScaler.map { Double($0.deviation[column % $0.columns]) } ?? 1
            let error = Double(found[column] - wanted[column]) * scale
            tally.absolute += abs(error)
            tally.square += error * error
            tally.values += 1
          }
        }
      case .classes(let classes):
        let wanted = classes[places[row]]
        guard wanted != SequenceData.ignored else { continue }
        var answer = 0
        if loss == .binaryCrossEntropy {
          answer = found[0] > 0 ? 1 : 0
        } else {
          for column in 0..<width where found[column] > found[answer] { answer = column }
        }
        if answer == Int(wanted) { tally.right += 1 }
        tally.classes += 1
      }
    }
  }

  /// What the source model would return for each example, in the data's own units: (N, O), or (N, T, O) with zero at
  /// padded steps.
  public func predict(_ data: SequenceData) throws(ShapeError) -> Tensor {
    var shape: [Int] = []
    var values: [Float] = []
    for start in stride(from: 0, to: data.count, by: batchSize) {
      let examples = start..<start + min(batchSize, data.count - start)
      var output = try network.forward(data.batch(examples), forBackward: false)
      if let targetScaler { undo(targetScaler, of: &output, lengths: data.lengthBatch(examples)) }
      shape = output.shape
      values += output.values
    }
    return Tensor(shape: [data.count] + shape.dropFirst(), values: values)
  }

  private func undo(_ scaler: Scaler, of output: inout Tensor, lengths: [Int]?) {
    guard lengths != nil, output.shape.count == 3 else { return scaler.undo(&output.values) }
    let width = output.shape[2]
    for row in output.validRows(lengths: lengths) {
      for column in 0..<width {
        let at = row * width + column
        output.values[at] =
          output.values[at] * scaler.deviation[column % scaler.columns] + scaler.mean[column % scaler.columns]
      }
    }
  }
}

extension Tensor {
  /// The valid rows of the last axis in an output (N, O) or (N, T, O).
  func validRows(lengths: [Int]?) -> [Int] {
    guard shape.count == 3 else { return Array(0..<shape[0]) }
    let steps = shape[1]
    return (0..<shape[0]).flatMap { example in
      (0..<(lengths?[example] ?? steps)).map { example * steps + $0 }
    }
  }
}
