import Foundation
import LSTMLayers
import TestSupport
import Testing

@testable import LSTMFineTuning

/// CTC's loss, gradients and decoding against every alignment counted one by one.
@Suite struct CTCTests {
  struct Case {
    var size: Int
    var blank: Int
    var lengths: [Int]
    var labels: [[Int]]
    var logits: [Float]
    var factors: [Double]
    var zeroesInfinity = false

    init(size: Int, blank: Int, lengths: [Int], labels: [[Int]], scale: Float = 2, seed: UInt64) {
      var random = SplitMix(state: seed)
      (self.size, self.blank, self.lengths, self.labels) = (size, blank, lengths, labels)
      logits = (0..<lengths.reduce(0, +) * size).map { _ in .random(in: -scale...scale, using: &random) }
      factors = lengths.map { _ in .random(in: 0.1...2, using: &random) }
    }

    func row(_ b: Int, _ t: Int) -> Int { lengths.reduce(0, +) - 1 - lengths[..<b].reduce(0, +) - t }

    func rows(_ b: Int, _ logits: [Double]) -> [[Double]] {
      (0..<lengths[b]).map { t in Array(logits[row(b, t) * size..<(row(b, t) + 1) * size]) }
    }

    func evaluate(_ loss: CTCLoss = CTCLoss()) -> (losses: [Double], gradient: [Float]) {
      var losses = lengths.map { _ in Double.nan }
      var gradient = logits.map { _ in Float.nan }
      logits.withUnsafeBufferPointer { logits in
        guard let base = logits.baseAddress else { return }
        loss.evaluate(
          .init(
            logits: base, size: size, blank: blank, sequences: lengths.count, length: { lengths[$0] }, row: row,
            labelCount: { labels[$0].count }, label: { labels[$0][$1] }, factor: { factors[$0] },
            zeroesInfinity: zeroesInfinity),
          losses: &losses, gradient: &gradient, kernels: .best)
      }
      return (losses, gradient)
    }

    func enumeratedLosses(_ logits: [Double]) -> [Double] {
      lengths.indices.map { b in
        -log(EnumeratedAlignments(blank: blank).probabilities(rows(b, logits))[labels[b]] ?? 0)
      }
    }
  }

  static let cases = [
    Case(size: 3, blank: 0, lengths: [4, 2], labels: [[1, 2], [2]], seed: 1),
    Case(size: 3, blank: 2, lengths: [5, 3, 1], labels: [[0, 0], [1, 0, 1], [1]], seed: 2),
    Case(size: 4, blank: 1, lengths: [5, 5], labels: [[3, 3, 0], []], seed: 3),
    Case(size: 2, blank: 0, lengths: [6, 3], labels: [[1, 1, 1], [1, 1]], seed: 4),
  ]

  @Test(arguments: cases.indices) func lossesAndGradientsAreThoseOfEveryAlignment(_ index: Int) {
    let given = Self.cases[index]
    let found = given.evaluate()
    var numbers = given.logits.map(Double.init)
    for (loss, wanted) in zip(found.losses, given.enumeratedLosses(numbers)) {
      #expect(abs(loss - wanted) <= 1e-12 * max(1, wanted))
    }
    for place in numbers.indices {
      let middle = numbers[place]
      func loss(_ value: Double) -> Double {
        numbers[place] = value
        return zip(given.enumeratedLosses(numbers), given.factors).reduce(0) { $0 + $1.0 * $1.1 }
      }
      let slope = (loss(middle + 1e-5) - loss(middle - 1e-5)) / 2e-5
      numbers[place] = middle
      #expect(abs(Double(found.gradient[place]) - slope) <= 1e-6)
    }
  }

  @Test func largeLogitsStayFinite() {
    let given = Case(size: 4, blank: 0, lengths: [40, 9], labels: [[1, 2, 3, 3, 1], [2, 2]], scale: 3_000, seed: 5)
    let found = given.evaluate()
    #expect(found.losses.allSatisfy { $0.isFinite && $0 > 0 })
    #expect(found.gradient.allSatisfy { abs($0) <= 2.1 })
  }

  @Test func labelsThatDoNotFitAreInfiniteOrZero() {
    var given = Case(size: 3, blank: 0, lengths: [2, 3], labels: [[1, 1], [1, 2]], seed: 6)
    #expect(CTCLoss.fewestSteps(2) { [1, 1][$0] } == 3)
    #expect(CTCLoss.fewestSteps(0) { _ in 0 } == 0)
    let infinite = given.evaluate()
    #expect(infinite.losses[0] == .infinity)
    #expect(infinite.losses[1].isFinite)
    given.zeroesInfinity = true
    let zero = given.evaluate()
    #expect(zero.losses[0] == 0)
    for t in 0..<2 { for k in 0..<3 { #expect(zero.gradient[given.row(0, t) * 3 + k] == 0) } }
    #expect(zero.losses[1] == infinite.losses[1])
  }

  @Test func whatIsNotANumberIsSeen() {
    var given = Case(size: 3, blank: 0, lengths: [4, 3], labels: [[1, 2], [1]], seed: 8)
    given.logits[given.row(1, 1) * 3 + 2] = .nan
    given.zeroesInfinity = true
    let found = given.evaluate()
    #expect(found.losses[0].isFinite)
    #expect(found.losses[1].isNaN)
  }

  // MARK: - Decoding

  @Test func greedyTakesTheLikeliestAlignment() {
    let best = [0, 1, 1, 0, 1, 2, 2, 2, 0, 0, 3]
    var logits = [Float](repeating: 0, count: best.count * 4)
    for (step, label) in best.enumerated() { logits[step * 4 + label] = 1 }
    #expect(CTCDecoding.greedy(logits, classes: 4, blank: 0) == [1, 1, 2, 3])
    #expect(CTCDecoding.greedy(logits, classes: 4, blank: 3) == [0, 1, 0, 1, 2, 0])
    #expect(CTCDecoding.greedy([], classes: 4, blank: 0) == [])
  }

  @Test(arguments: 0..<6) func aWideBeamFindsTheLikeliestLabels(_ seed: Int) {
    let given = Case(size: 3, blank: seed % 3, lengths: [5], labels: [[]], scale: 1, seed: UInt64(seed))
    // The rows in order.
    let rows = stride(from: 0, to: given.logits.count, by: 3).map { Array(given.logits[$0..<$0 + 3]) }
    let all = EnumeratedAlignments(blank: given.blank).probabilities(rows.map { $0.map(Double.init) })
    let sorted = all.sorted { $0.value > $1.value }
    let found = CTCDecoding.beamSearch(given.logits, classes: 3, blank: given.blank, width: 1_000, count: 1_000)
    #expect(found.count == all.count)
    #expect(found[0].labels == sorted[0].key)
    for answer in found { #expect(abs(exp(answer.logProbability) - (all[answer.labels] ?? 0)) <= 1e-12) }
    #expect(abs(found.reduce(0) { $0 + exp($1.logProbability) } - 1) <= 1e-12)
  }

  @Test func aBeamSeesWhatTheGreedyWayDoesNot() {
    // The example of Hannun, "Sequence modeling with CTC": blanks are likeliest at each step, a label over both.
    let logits: [Float] = [0.6, 0.4, 0.6, 0.4].map { log($0) }
    #expect(CTCDecoding.greedy(logits, classes: 2, blank: 0) == [])
    let found = CTCDecoding.beamSearch(logits, classes: 2, blank: 0, width: 2)
    #expect(found[0].labels == [1])
    #expect(abs(exp(found[0].logProbability) - 0.64) <= 1e-6)
  }

  @Test func distancesCountTheFewestEdits() {
    #expect(editDistance(Array("kitten"), Array("sitting")) == 3)
    #expect(editDistance([1, 2, 3], [1, 2, 3]) == 0)
    #expect(editDistance([Int](), [1, 2]) == 2)
    #expect(editDistance([1, 2], []) == 2)
    #expect(editDistance([1, 2, 3, 4], [2, 3, 4, 5]) == 2)
  }
}
