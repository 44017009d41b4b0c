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
  public let loss: Loss
  public let targetScaler: Scaler?
  public let batchSize: Int

  public init(_ network: Network, loss: Loss, targetScaler: Scaler? = nil, batchSize: Int = 64) {
    self.network = network
    self.loss = loss
    self.targetScaler = targetScaler
    self.batchSize = batchSize
  }

  /// Metrics over all examples.
  public func evaluate(_ data: SequenceData) throws -> Metrics {
    var (sum, count) = (0.0, 0)
    var (absolute, square, values) = (0.0, 0.0, 0)
    var (right, classes) = (0, 0)
    for start in stride(from: 0, to: data.count, by: batchSize) {
      let examples = start..<min(start + batchSize, data.count)
      let output = try network.forward(data.batch(examples), output: loss.outputForm)
      let targets = data.targetBatch(examples)
      let lengths = data.lengthBatch(examples)
      let value = loss.evaluate(output, targets, lengths: lengths)
      sum += value.sum
      count += value.count
      let rows = output.validRows(lengths: lengths)
      let width = output.shape.last ?? 1
      switch targets {
      case .values(let wanted, _, _) where loss != .binaryCrossEntropy:
        for row in rows {
          for at in row * width..<(row + 1) * width {
            let scale = targetScaler.map { Double($0.deviation[at % width % $0.columns]) } ?? 1
            let error = Double(output.values[at] - wanted[at]) * scale
            absolute += abs(error)
            square += error * error
            values += 1
          }
        }
      case .values(let wanted, _, _):
        for row in rows {
          for at in row * width..<(row + 1) * width {
            if (output.values[at] > 0) == (wanted[at] > 0.5) { right += 1 }
            classes += 1
          }
        }
      case .classes(let wanted, _):
        for row in rows where wanted[row] != SequenceData.ignored {
          let logits = output.values[row * width..<(row + 1) * width]
          let best =
            width == 1
            ? (logits[logits.startIndex] > 0 ? 1 : 0)
            : (logits.indices.max { logits[$0] < logits[$1] } ?? 0) - logits.startIndex
          if best == Int(wanted[row]) { right += 1 }
          classes += 1
        }
      case .none: break
      }
    }
    return Metrics(
      loss: count == 0 ? 0 : sum / Double(count), mae: values == 0 ? nil : absolute / Double(values),
      rmse: values == 0 ? nil : (square / Double(values)).squareRoot(),
      accuracy: classes == 0 ? nil : Double(right) / Double(classes), examples: data.count)
  }

  /// What the source model would return for each example, in the data's own units: (N, O) or (N, T, O).
  public func predict(_ data: SequenceData) throws -> Tensor {
    var shape: [Int] = []
    var values: [Float] = []
    for start in stride(from: 0, to: data.count, by: batchSize) {
      let output = try network.forward(data.batch(start..<min(start + batchSize, data.count)))
      shape = output.shape
      values += output.values
    }
    targetScaler?.undo(&values)
    return Tensor(shape: [data.count] + shape.dropFirst(), values: values)
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
