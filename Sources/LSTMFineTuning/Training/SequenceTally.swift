/// How many whole sequences are right, and how far the others are from it.
struct SequenceTally {
  private var (sequences, right) = (0, 0)
  private var (edits, labels) = (0, 0)

  /// A sequence of tags.
  mutating func add(isRight: Bool) {
    sequences += 1
    if isRight { right += 1 }
  }

  /// A sequence of labels that are not aligned with the steps.
  mutating func add(_ answer: [Int], _ wanted: [Int]) {
    add(isRight: answer == wanted)
    labels += wanted.count
    edits += editDistance(answer, wanted)
  }

  var accuracy: Double? { sequences == 0 ? nil : Double(right) / Double(sequences) }
  var errorRate: Double? { labels == 0 ? nil : Double(edits) / Double(labels) }
}
