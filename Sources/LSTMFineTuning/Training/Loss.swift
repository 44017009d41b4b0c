import Foundation
import LSTMCheckpoints
import LSTMLayers

/// What training makes small. Each is the mean over all that counts, as PyTorch's with `reduction="mean"`; padded
/// steps do not count.
public enum Loss: Sendable, Equatable {
  /// (p - y)^2
  case meanSquaredError
  /// |p - y|
  case meanAbsoluteError
  /// d^2 / 2 for |d| <= delta, delta (|d| - delta / 2) beyond (torch.nn.HuberLoss)
  case huber(delta: Float)
  /// -log softmax(p)[y], over logits
  case crossEntropy
  /// -(y log sigmoid(p) + (1 - y) log(1 - sigmoid(p))), over logits
  case binaryCrossEntropy

  public var name: String {
    switch self {
    case .meanSquaredError: "mse"
    case .meanAbsoluteError: "mae"
    case .huber: "huber"
    case .crossEntropy: "cross-entropy"
    case .binaryCrossEntropy: "bce"
    }
  }

  /// Whether it has the last layer's softmax or sigmoid in it.
  public var outputForm: Network.OutputForm {
    switch self {
    case .crossEntropy, .binaryCrossEntropy: .logits
    default: .activated
    }
  }

  /// The sum over what counts, how much counted, and the gradient of the *mean*.
  struct Value {
    var sum: Double
    var count: Int
    var gradient: Tensor
    var mean: Double { count == 0 ? 0 : sum / Double(count) }
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
    let rows = prediction.validRows(lengths: lengths)
    switch (self, targets) {
    case (.crossEntropy, .classes(let classes, _)), (.binaryCrossEntropy, .classes(let classes, _)):
      guard classes.count == prediction.values.count / width else {
        throw mismatch("class numbers for an output \(shapeText(prediction.shape))", "\(classes.count)")
      }
      let counted = rows.filter { classes[$0] != SequenceData.ignored }
      let limit = self == .crossEntropy ? width : 2
      if let row = counted.first(where: { !(0..<Int32(clamping: limit) ~= classes[$0]) }) {
        throw mismatch("classes from 0 to \(limit - 1)", "\(classes[row])")
      }
      if self == .crossEntropy { return crossEntropy(prediction, classes, counted, width: width) }
      guard width == 1 else { throw mismatch("one class number for one output", "\(width) outputs") }
      return elementwise(prediction, counted, width: 1) { Float(classes[$0]) }
    case (.crossEntropy, .values): throw mismatch("class numbers for \(name)", "real values")
    case (_, .values(let values, let size, _)):
      guard size == width, values.count == prediction.values.count else {
        throw mismatch("\(shapeText(prediction.shape)), as the model gives", "\(values.count) values, \(size) each")
      }
      return elementwise(prediction, rows, width: width) { values[$0] }
    case (_, .classes): throw mismatch("real values for \(name)", "class numbers")
    case (_, .none): throw mismatch("something to compare with", "none")
    }
  }

  private func mismatch(_ expected: String, _ found: String) -> ShapeError {
    ShapeError(what: "targets", expected: expected, found: found)
  }

  private func elementwise(_ prediction: Tensor, _ rows: [Int], width: Int, target: (Int) -> Float) -> Value {
    var gradient = Tensor(zeros: prediction.shape)
    var sum = 0.0
    let count = rows.count * width
    let share = 1 / Float(max(count, 1))
    for row in rows {
      for at in row * width..<(row + 1) * width {
        let (p, y) = (prediction.values[at], target(at))
        let (value, slope) = element(p, y)
        sum += Double(value)
        gradient.values[at] = slope * share
      }
    }
    return Value(sum: sum, count: count, gradient: gradient)
  }

  /// The loss of one value and its slope. NaN goes through, so that it is seen.
  private func element(_ p: Float, _ y: Float) -> (value: Float, slope: Float) {
    let d = p - y
    switch self {
    case .meanSquaredError: return (d * d, 2 * d)
    case .meanAbsoluteError: return (abs(d), d == 0 ? 0 : d > 0 ? 1 : d < 0 ? -1 : d)
    case .huber(let delta):
      return abs(d) <= delta ? (0.5 * d * d, d) : (delta * (abs(d) - 0.5 * delta), d > 0 ? delta : d < 0 ? -delta : d)
    case .binaryCrossEntropy, .crossEntropy:
      // max(p, 0) - p y + log(1 + exp(-|p|)), which never overflows.
      let e = exp(-abs(p))
      let s = p >= 0 ? 1 / (1 + e) : e / (1 + e)
      return (max(p, 0) - p * y + log1p(e), s - y)
    }
  }

  private func crossEntropy(_ prediction: Tensor, _ classes: [Int32], _ rows: [Int], width: Int) -> Value {
    var gradient = Tensor(zeros: prediction.shape)
    var sum = 0.0
    let share = 1 / Float(max(rows.count, 1))
    for row in rows {
      let range = row * width..<(row + 1) * width
      let largest = prediction.values[range].reduce(-Float.infinity) { max($0, $1) }
      var total: Float = 0
      for at in range {
        let e = exp(prediction.values[at] - largest)
        gradient.values[at] = e
        total += e
      }
      let target = range.lowerBound + Int(classes[row])
      sum += Double(log(total) - (prediction.values[target] - largest))
      for at in range { gradient.values[at] = (gradient.values[at] / total - (at == target ? 1 : 0)) * share }
      // All -inf, or one +inf.
      if !largest.isFinite { sum = .nan }
    }
    return Value(sum: sum, count: rows.count, gradient: gradient)
  }
}
