import LSTMCheckpoints
import LSTMLayers

@testable import LSTMFineTuning

/// The loss of whole tensors, where training packs the valid rows of a batch.
extension Loss {
  /// The sum of the losses, how much counted, what that weighs, and the gradient of the *mean*.
  struct Value {
    var sum: Double
    var count: Int
    var weight: Double
    var gradient: Tensor
    var mean: Double { Sum(sum: sum, count: count, weight: weight).mean }
  }

  /// - Parameters:
  ///   - prediction: (N, O) or (N, T, O), logits where `outputForm` says so.
  ///   - targets: of the same examples.
  ///   - lengths: valid steps for (N, T, O).
  /// - Throws: `ShapeError` when the targets are not of the kind or the size that the prediction and this loss ask for.
  func evaluate(
    _ prediction: Tensor, _ targets: SequenceData.Targets, lengths: [Int]?
  ) throws(ShapeError) -> Value {
    let width = prediction.shape.last ?? 1
    let shape = OutputShape(
      count: prediction.shape[0], steps: prediction.shape.count == 3 ? prediction.shape[1] : nil, width: width)
    let targetCount =
      switch targets {
      case .values(let values, let size, _): values.count / max(size, 1)
      case .classes(let classes, _): classes.count
      case .labels(let labels, let width): labels.count / max(width, 1)
      case .none: 0
      }
    try check(targets, rows: targetCount, against: shape)
    // The valid rows, packed as a network gives them.
    let rows = prediction.validRows(lengths: lengths)
    let packed = rows.flatMap { prediction.values[$0 * width..<($0 + 1) * width] }
    var gradient = [Float](repeating: 0, count: packed.count)
    var sums = [Double](repeating: 0, count: rows.count)
    let sum = try targets.withRows { targets throws(ShapeError) in
      try evaluate(
        packed, width: width, targets, at: rows, gradient: &gradient, sums: &sums, count: rows.count, kernels: .best)
    }
    var value = Value(
      sum: sum.sum, count: sum.count, weight: sum.weight, gradient: Tensor(zeros: prediction.shape))
    for (place, row) in rows.enumerated() {
      value.gradient.values.replaceSubrange(
        row * width..<(row + 1) * width, with: gradient[place * width..<(place + 1) * width])
    }
    return value
  }
}

extension OptimizerState {
  /// Numbers kept between steps.
  var stateCount: Int { moments.reduce(0) { $0 + $1.elementCount } }
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
