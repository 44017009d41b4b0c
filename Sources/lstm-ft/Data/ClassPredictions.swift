import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

/// A classifier's predictions, with the names of the classes.
struct ClassPredictions {
  /// The most likely class of each sequence, or of each of its valid steps.
  let labels: [[String]]
  private let names: [String]
  private let lengths: [Int]?

  /// - Parameter y: (N, O) or (N, T, O); becomes probabilities where they were logits.
  init(_ y: inout Tensor, _ names: [String], _ configuration: ModelConfiguration, lengths: [Int]?) {
    let width = y.shape.last ?? 1
    let steps = y.shape.count == 3 ? y.shape[1] : 1
    let activation = configuration.head.last?.activation ?? .none
    var labels: [[String]] = []
    for sequence in 0..<y.shape[0] {
      var found: [String] = []
      for step in 0..<(y.shape.count == 3 ? lengths?[sequence] ?? steps : 1) {
        let row = (sequence * steps + step) * width
        if activation == .none { Kernels.best.makeProbabilities(&y.values[row..<row + width]) }
        let values = y.values[row..<row + width]
        let likeliest =
          width == 1
          ? (values[row] > 0.5 ? 1 : 0) : values.indices.reduce(row) { values[$1] > values[$0] ? $1 : $0 } - row
        found.append(names.indices ~= likeliest ? names[likeliest] : "\(likeliest)")
      }
      labels.append(found)
    }
    self.labels = labels
    self.names = names
    self.lengths = lengths
  }

  /// A row for each sequence, or for each of its valid steps.
  func csv(_ y: Tensor, names sequences: [String]?) throws -> String {
    let width = y.shape.last ?? 1
    let steps = y.shape.count == 3 ? y.shape[1] : 1
    let isPerStep = y.shape.count == 3
    let columns =
      width == 1
      ? ["probability of \(names.last ?? "1")"] : (0..<width).map { names.indices ~= $0 ? names[$0] : "\($0)" }
    let hasNames = sequences != nil || isPerStep
    var writer = CSVWriter(
      columnNames: (hasNames ? ["sequence"] : []) + (isPerStep ? ["step"] : []) + ["label"] + columns)
    for (sequence, labels) in labels.enumerated() {
      for (step, label) in labels.enumerated() {
        let row = (sequence * steps + step) * width
        let place = hasNames ? [sequences?[sequence] ?? "\(sequence)"] : []
        try writer.append(
          Array(y.values[row..<row + width]), labels: place + (isPerStep ? ["\(step)"] : []) + [label])
      }
    }
    return writer.text
  }
}
