import Foundation

/// Every sequence of `length` numbers below `limit`, in lexicographic order.
func everySequence(of length: Int, below limit: Int) -> [[Int]] {
  var all: [[Int]] = [[]]
  for _ in 0..<length { all = all.flatMap { begun in (0..<limit).map { begun + [$0] } } }
  return all
}

/// A chain of tags in the plainest form: every sequence of tags by itself.
struct EnumeratedChain {
  var size: Int
  var transitions: [Double]
  var start: [Double]
  var end: [Double]

  func score(_ tags: [Int], _ emissions: [[Double]]) -> Double {
    var sum = start[tags[0]] + end[tags[tags.count - 1]]
    for (step, tag) in tags.enumerated() {
      sum += emissions[step][tag]
      if step > 0 { sum += transitions[tags[step - 1] * size + tag] }
    }
    return sum
  }

  func negativeLogLikelihood(_ tags: [Int], _ emissions: [[Double]]) -> Double {
    let scores = everySequence(of: tags.count, below: size).map { score($0, emissions) }
    let largest = scores.max() ?? 0
    return largest + log(scores.reduce(0) { $0 + exp($1 - largest) }) - score(tags, emissions)
  }

  /// The first of the best in the order of the last tags.
  func best(_ emissions: [[Double]]) -> (tags: [Int], score: Double) {
    let all = everySequence(of: emissions.count, below: size).map { ($0, score($0, emissions)) }
    let best = all.max { $0.1 < $1.1 } ?? ([], 0)
    return (best.0, best.1)
  }
}

/// CTC in the plainest form: every alignment by itself.
struct EnumeratedAlignments {
  var blank: Int

  /// Equal ones in a row are one label, and blanks are none.
  func labels(_ alignment: [Int]) -> [Int] {
    var labels: [Int] = []
    var before = blank
    for label in alignment {
      if label != before, label != blank { labels.append(label) }
      before = label
    }
    return labels
  }

  /// For each sequence of labels its probability.
  func probabilities(_ logits: [[Double]]) -> [[Int]: Double] {
    let probabilities = logits.map { row in
      let largest = row.max() ?? 0
      let sum = row.reduce(0) { $0 + exp($1 - largest) }
      return row.map { exp($0 - largest) / sum }
    }
    var result: [[Int]: Double] = [:]
    for alignment in everySequence(of: logits.count, below: logits[0].count) {
      let probability = alignment.enumerated().reduce(1) { $0 * probabilities[$1.offset][$1.element] }
      result[labels(alignment), default: 0] += probability
    }
    return result
  }
}
