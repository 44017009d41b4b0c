import Foundation
import LSTMLayers

/// Finds labels in the outputs of a model that was trained with CTC.
public enum CTCDecoding {
  /// A sequence of labels, and how likely the model finds it.
  public struct Answer: Sendable, Equatable {
    /// Without blanks.
    public var labels: [Int]
    /// Natural logarithm of the probability, of all alignments that were looked at.
    public var logProbability: Double

    /// Labels and their logarithmic probability.
    public init(labels: [Int], logProbability: Double) {
      self.labels = labels
      self.logProbability = logProbability
    }
  }

  /// The labels of the likeliest alignment: the likeliest of each step, equal ones in a row taken as one, and no blanks.
  /// - Parameters:
  ///   - logits: (T, K), the blank among the K; logarithms of probabilities do as well.
  ///   - classes: K.
  ///   - blank: its number.
  public static func greedy(_ logits: [Float], classes: Int, blank: Int) -> [Int] {
    guard classes > 0 else { return [] }
    return logits.withUnsafeBufferPointer { logits in
      guard let base = logits.baseAddress else { return [] }
      return greedy(steps: logits.count / classes, classes: classes, blank: blank) { base + $0 * classes }
    }
  }

  package static func greedy(
    steps: Int, classes: Int, blank: Int, _ row: (Int) -> UnsafePointer<Float>
  ) -> [Int] {
    var labels: [Int] = []
    var before = blank
    for step in 0..<steps {
      let logits = row(step)
      var best = 0
      for label in 0..<classes where logits[label] > logits[best] { best = label }
      if best != before, best != blank { labels.append(best) }
      before = best
    }
    return labels
  }

  /// The likeliest labels, over all of their alignments, of which `width` beginnings are kept at each step (prefix beam
  /// search). With a width that keeps all beginnings the probabilities are exact.
  /// - Parameters:
  ///   - logits: (T, K), the blank among the K; logarithms of probabilities do as well.
  ///   - classes: K.
  ///   - blank: its number.
  ///   - width: beginnings kept, of at least 1.
  ///   - count: answers wanted.
  /// - Returns: the likeliest first; of equal ones the one found first.
  public static func beamSearch(
    _ logits: [Float], classes: Int, blank: Int, width: Int = 10, count: Int = 1
  ) -> [Answer] {
    guard classes > 0 else { return [] }
    return logits.withUnsafeBufferPointer { logits in
      guard let base = logits.baseAddress else { return [Answer(labels: [], logProbability: 0)] }
      return beamSearch(steps: logits.count / classes, classes: classes, blank: blank, width: width, count: count) {
        base + $0 * classes
      }
    }
  }

  package static func beamSearch(
    steps: Int, classes: Int, blank: Int, width: Int, count: Int, _ row: (Int) -> UnsafePointer<Float>
  ) -> [Answer] {
    var tree = PrefixTree()
    var beam = [Beginning(node: 0, blank: 0, label: -.infinity)]
    for step in 0..<steps {
      let logits = row(step)
      let total = logSum(logits, count: classes)
      var next: [Beginning] = []
      var places: [Int: Int] = [:]
      func add(_ node: Int, blank: Double = -.infinity, label: Double = -.infinity) {
        if let place = places[node] {
          next[place].blank = logSum(next[place].blank, blank)
          next[place].label = logSum(next[place].label, label)
        } else {
          places[node] = next.count
          next.append(Beginning(node: node, blank: blank, label: label))
        }
      }
      for beginning in beam {
        let last = tree.label(beginning.node)
        for label in 0..<classes {
          let log = Double(logits[label]) - total
          if label == blank {
            add(beginning.node, blank: beginning.total + log)
          } else if label == last {
            // The same label goes on; a second one of it has a blank before.
            add(beginning.node, label: beginning.label + log)
            if beginning.blank > -.infinity { add(tree.child(beginning.node, label), label: beginning.blank + log) }
          } else {
            add(tree.child(beginning.node, label), label: beginning.total + log)
          }
        }
      }
      beam = best(next, max(width, 1))
    }
    return best(beam, count).map { Answer(labels: tree.labels($0.node), logProbability: $0.total) }
  }

  /// The likeliest, in order; of equal ones the first.
  private static func best(_ beginnings: [Beginning], _ count: Int) -> [Beginning] {
    let order = beginnings.indices.sorted {
      let (a, b) = (beginnings[$0].total, beginnings[$1].total)
      return a == b ? $0 < $1 : a > b
    }
    return order.prefix(max(count, 0)).map { beginnings[$0] }
  }

  /// Labels so far.
  private struct Beginning {
    let node: Int
    /// Logarithms of the probabilities of the alignments that end in a blank, and of those that end in the last label.
    var blank: Double
    var label: Double
    var total: Double { logSum(blank, label) }
  }

  /// Sequences of labels, each the one before it and a label; number 0 is the empty one.
  private struct PrefixTree {
    private struct Key: Hashable {
      let parent: Int
      let label: Int
    }

    private var nodes = [Key(parent: -1, label: -1)]
    private var numbers: [Key: Int] = [:]

    func label(_ node: Int) -> Int { nodes[node].label }

    mutating func child(_ parent: Int, _ label: Int) -> Int {
      let key = Key(parent: parent, label: label)
      if let known = numbers[key] { return known }
      numbers[key] = nodes.count
      nodes.append(key)
      return nodes.count - 1
    }

    func labels(_ node: Int) -> [Int] {
      var labels: [Int] = []
      var node = node
      while node > 0 {
        labels.append(nodes[node].label)
        node = nodes[node].parent
      }
      return labels.reversed()
    }
  }
}
