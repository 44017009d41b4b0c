import LSTMCheckpoints
import LSTMLayers

/// A classifier's predictions, with the names of the classes.
public struct ClassPredictions: Sendable {
  /// (N, O) or (N, T, O).
  public let probabilities: Tensor
  /// The most likely class of each sequence, or of each of its valid steps; of a model that ends in a CRF the most likely
  /// tags of each sequence together.
  public let labels: [[String]]
  private let names: [String]

  /// - Parameters:
  ///   - y: probabilities or logits, (N, O) or (N, T, O).
  ///   - names: of the classes; numbers stand for those that are missing.
  package init(_ y: Tensor, _ names: [String], _ configuration: ModelConfiguration, lengths: [Int]?) {
    self.names = names
    var y = y
    let activation = configuration.finalDense?.activation ?? .none
    labels = (0..<y.shape[0]).map { sequence in
      (0..<(y.isPerStep ? lengths?[sequence] ?? y.steps : 1)).map { step in
        let row = y.row(sequence, step)
        if activation == .none { Kernels.best.makeProbabilities(&y.values[row]) }
        let values = y.values[row]
        let likeliest =
          row.count == 1
          ? (values[row.lowerBound] > 0.5 ? 1 : 0)
          : row.reduce(row.lowerBound) { values[$1] > values[$0] ? $1 : $0 } - row.lowerBound
        return names.indices ~= likeliest ? names[likeliest] : "\(likeliest)"
      }
    }
    probabilities = y
  }

  /// The tags that a CRF finds, and how likely each is.
  package init(_ found: Evaluator.Tags, _ names: [String]) {
    self.names = names
    labels = found.tags.map { $0.map { names.indices ~= $0 ? names[$0] : "\($0)" } }
    probabilities = found.probabilities
  }

  /// A row for each sequence, or for each of its valid steps.
  package func csv(names sequences: [String]?) throws -> String {
    let y = probabilities
    let width = y.shape.last ?? 1
    let columns =
      width == 1
      ? ["probability of \(names.last ?? "1")"] : (0..<width).map { names.indices ~= $0 ? names[$0] : "\($0)" }
    let hasNames = sequences != nil || y.isPerStep
    var writer = CSVWriter(
      columnNames: (hasNames ? ["sequence"] : []) + (y.isPerStep ? ["step"] : []) + ["label"] + columns)
    for (sequence, labels) in labels.enumerated() {
      for (step, label) in labels.enumerated() {
        let place = hasNames ? [sequences?[sequence] ?? "\(sequence)"] : []
        try writer.append(
          Array(y.values[y.row(sequence, step)]), labels: place + (y.isPerStep ? ["\(step)"] : []) + [label])
      }
    }
    return writer.text
  }
}

extension Tensor {
  /// Whether it is (N, T, O), not (N, O).
  fileprivate var isPerStep: Bool { shape.count == 3 }
  fileprivate var steps: Int { isPerStep ? shape[1] : 1 }

  fileprivate func row(_ sequence: Int, _ step: Int) -> Range<Int> {
    let width = shape.last ?? 1
    let start = (sequence * steps + step) * width
    return start..<start + width
  }
}
