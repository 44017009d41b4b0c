import Foundation
import LSTMCheckpoints
import LSTMLayers

/// Labels in order, as a model that was trained with CTC gives them.
public struct LabelPredictions: Sendable {
  /// The labels of each sequence, in one text: with nothing between them where each is a character, else with spaces.
  public let texts: [String]
  /// Of their labels; nil where no search was made.
  public let probabilities: [Double]?

  /// - Parameter names: of the classes, the blank among them; nil for their numbers.
  package init(_ answers: [CTCDecoding.Answer], _ names: [String]?) {
    let separator = names.map(UnalignedLabels.separator) ?? " "
    texts = answers.map { answer in
      answer.labels.map { label in
        if let names, names.indices ~= label { names[label] } else { "\(label)" }
      }.joined(separator: separator)
    }
    probabilities = answers.contains { $0.logProbability.isNaN } ? nil : answers.map { exp($0.logProbability) }
  }

  /// A row for each sequence.
  package func csv(names: [String]?) throws -> String {
    var writer = CSVWriter(columnNames: ["sequence", "labels"] + (probabilities == nil ? [] : ["probability"]))
    for (sequence, text) in texts.enumerated() {
      try writer.append(
        probabilities.map { [Float($0[sequence])] } ?? [], labels: [names?[sequence] ?? "\(sequence)", text])
    }
    return writer.text
  }
}
