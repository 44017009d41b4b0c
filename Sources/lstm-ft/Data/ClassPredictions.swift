import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports

/// What a classifier says, with the classes' names.
struct ClassPredictions {
  /// For each sequence, or for each of its valid steps, the likeliest class.
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
        if activation == .none { Self.normalize(&y.values[row..<row + width]) }
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

  /// Softmax, or for one value the sigmoid.
  private static func normalize(_ values: inout ArraySlice<Float>) {
    if values.count == 1, let value = values.first {
      values[values.startIndex] = 1 / (1 + exp(-value))
      return
    }
    let largest = values.max() ?? 0
    var sum: Float = 0
    for index in values.indices {
      values[index] = exp(values[index] - largest)
      sum += values[index]
    }
    for index in values.indices { values[index] /= sum }
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
