import Foundation
import LSTMLayers
import TestSupport
import Testing

@testable import LSTMFineTuning

/// The likelihood of tags and its gradients against every sequence of tags counted one by one.
@Suite struct ChainLikelihoodTests {
  /// A batch of sequences, each row at its own place, and what the code under test makes of it.
  struct Case {
    var size: Int
    var lengths: [Int]
    var emissions: [Float]
    var transitions: [Float]
    var ends: (start: [Float], end: [Float])?
    var labels: [[Int]]
    var factors: [Double]

    init(size: Int, lengths: [Int], hasEnds: Bool, scale: Float = 1, seed: UInt64) {
      var random = SplitMix(state: seed)
      func numbers(_ count: Int) -> [Float] { (0..<count).map { _ in .random(in: -scale...scale, using: &random) } }
      self.size = size
      self.lengths = lengths
      emissions = numbers(lengths.reduce(0, +) * size)
      transitions = numbers(size * size)
      ends = hasEnds ? (numbers(size), numbers(size)) : nil
      labels = lengths.map { length in (0..<length).map { _ in .random(in: 0..<size, using: &random) } }
      factors = lengths.map { _ in .random(in: 0.1...2, using: &random) }
    }

    /// Rows lie in reverse, so that no order is taken for granted.
    func row(_ b: Int, _ t: Int) -> Int { lengths.reduce(0, +) - 1 - lengths[..<b].reduce(0, +) - t }

    func rows(_ b: Int, _ emissions: [Double]) -> [[Double]] {
      (0..<lengths[b]).map { t in Array(emissions[row(b, t) * size..<(row(b, t) + 1) * size]) }
    }

    struct Result {
      var losses: [Double]
      var emissions, transitions, start, end: [Float]
    }

    func evaluate(_ likelihood: ChainLikelihood = ChainLikelihood(), kernels: Kernels = .best) -> Result {
      var result = Result(
        losses: lengths.map { _ in .nan }, emissions: emissions.map { _ in .nan },
        transitions: transitions.map { _ in .nan },
        start: [Float](repeating: .nan, count: size), end: [Float](repeating: .nan, count: size))
      withChain { chain in
        emissions.withUnsafeBufferPointer { emissions in
          result.transitions.withUnsafeMutableBufferPointer { transitions in
            result.start.withUnsafeMutableBufferPointer { start in
              result.end.withUnsafeMutableBufferPointer { end in
                guard let base = emissions.baseAddress, let matrix = transitions.baseAddress else { return }
                likelihood.evaluate(
                  .init(
                    emissions: base, sequences: lengths.count, length: { lengths[$0] }, row: row,
                    label: { labels[$0][$1] }, factor: { factors[$0] }),
                  chain, losses: &result.losses, gradient: &result.emissions,
                  chainGradient: .init(
                    transitions: matrix, start: ends == nil ? nil : start.baseAddress,
                    end: ends == nil ? nil : end.baseAddress),
                  kernels: kernels)
              }
            }
          }
        }
      }
      return result
    }

    func withChain(_ body: (TagChain) -> Void) {
      transitions.withUnsafeBufferPointer { transitions in
        (ends?.start ?? []).withUnsafeBufferPointer { start in
          (ends?.end ?? []).withUnsafeBufferPointer { end in
            guard let matrix = transitions.baseAddress else { return }
            body(
              TagChain(
                size: size, transitions: matrix, start: ends == nil ? nil : start.baseAddress,
                end: ends == nil ? nil : end.baseAddress))
          }
        }
      }
    }

    /// All numbers that the loss depends on: emissions, transitions, start, end.
    var numbers: [Double] {
      let zeros = [Float](repeating: 0, count: size)
      return (emissions + transitions + (ends?.start ?? zeros) + (ends?.end ?? zeros)).map(Double.init)
    }

    func enumeratedLosses(_ numbers: [Double]) -> [Double] {
      let (first, second) = (emissions.count, emissions.count + transitions.count)
      let chain = EnumeratedChain(
        size: size, transitions: Array(numbers[first..<second]), start: Array(numbers[second..<second + size]),
        end: Array(numbers[(second + size)...]))
      return lengths.indices.map { b in
        lengths[b] == 0 ? 0 : chain.negativeLogLikelihood(labels[b], rows(b, Array(numbers[..<first])))
      }
    }

    /// By central differences of what is enumerated.
    var enumeratedGradient: [Double] {
      var numbers = numbers
      return numbers.indices.map { place in
        let middle = numbers[place]
        let step = 1e-5
        func loss(_ value: Double) -> Double {
          numbers[place] = value
          return zip(enumeratedLosses(numbers), factors).reduce(0) { $0 + $1.0 * $1.1 }
        }
        let slope = (loss(middle + step) - loss(middle - step)) / (2 * step)
        numbers[place] = middle
        return slope
      }
    }
  }

  static let cases: [(size: Int, lengths: [Int], hasEnds: Bool)] = [
    (1, [1, 3], true), (2, [1], true), (2, [4, 2], false), (3, [5, 3, 1], true), (3, [2, 5, 4, 1], false),
    (4, [4, 0, 3], true),
    (5, [3, 4], true),
  ]

  @Test(arguments: cases) func likelihoodsAndGradientsAreThoseOfEverySequenceOfTags(
    _ size: Int, _ lengths: [Int], _ hasEnds: Bool
  ) {
    let given = Case(size: size, lengths: lengths, hasEnds: hasEnds, seed: UInt64(size * 100 + lengths.count))
    let found = given.evaluate()
    for (loss, wanted) in zip(found.losses, given.enumeratedLosses(given.numbers)) {
      #expect(abs(loss - wanted) <= 1e-12 * max(1, wanted))
    }
    var gradient = found.emissions + found.transitions
    if hasEnds { gradient += found.start + found.end }
    for (slope, wanted) in zip(gradient, given.enumeratedGradient) { #expect(abs(Double(slope) - wanted) <= 1e-6) }
    if !hasEnds { #expect(found.start.allSatisfy(\.isNaN) && found.end.allSatisfy(\.isNaN)) }
  }

  @Test func largeScoresNeitherOverflowNorUnderflow() {
    // Differences of some hundreds: products of exponentials alone would be zero or infinite.
    let given = Case(size: 3, lengths: [5, 4], hasEnds: true, scale: 600, seed: 7)
    let found = given.evaluate()
    for (loss, wanted) in zip(found.losses, given.enumeratedLosses(given.numbers)) {
      #expect(abs(loss - wanted) <= 1e-12 * max(1, wanted))
    }
    let gradient = found.emissions + found.transitions + found.start + found.end
    for (slope, wanted) in zip(gradient, given.enumeratedGradient) { #expect(abs(Double(slope) - wanted) <= 1e-5) }
  }

  @Test func aForbiddenTransitionThatTheTagsTakeIsCounted() {
    // As code with a tag for the start writes it: -10000 into one tag and out of another.
    var given = Case(size: 3, lengths: [4, 5], hasEnds: true, seed: 11)
    for tag in 0..<3 {
      given.transitions[tag * 3] = -10_000
      given.transitions[2 * 3 + tag] = -10_000
    }
    given.labels = [[1, 0, 1, 1], [1, 2, 1, 1, 2]]
    let found = given.evaluate()
    for (loss, wanted) in zip(found.losses, given.enumeratedLosses(given.numbers)) {
      #expect(wanted > 5_000)
      #expect(abs(loss - wanted) <= 1e-12 * wanted)
    }
    let gradient = found.emissions + found.transitions + found.start + found.end
    for (slope, wanted) in zip(gradient, given.enumeratedGradient) { #expect(abs(Double(slope) - wanted) <= 1e-4) }
  }

  @Test func everyTransitionForbiddenIsNoLoss() {
    // A constant is part of every sequence's score: nothing changes but where the numbers lie.
    var given = Case(size: 3, lengths: [5, 2], hasEnds: true, seed: 12)
    let usual = given.evaluate()
    given.transitions = given.transitions.map { $0 - 8_192 }
    let found = given.evaluate()
    for (loss, wanted) in zip(found.losses, usual.losses) { #expect(abs(loss - wanted) <= 5e-3) }
    for (slope, wanted) in zip(found.emissions, usual.emissions) { #expect(abs(slope - wanted) <= 5e-3) }
  }

  @Test func whatIsNotANumberIsSeen() {
    var given = Case(size: 3, lengths: [4, 3], hasEnds: true, seed: 13)
    given.emissions[given.row(1, 1) * 3 + 2] = .nan
    let found = given.evaluate()
    #expect(found.losses[0].isFinite)
    #expect(found.losses[1].isNaN)
  }

  @Test func aSmallerBatchAfterALargerOneIsMeasuredAlike() {
    let likelihood = ChainLikelihood()
    let small = Case(size: 2, lengths: [3, 1], hasEnds: false, seed: 21)
    let alone = small.evaluate()
    _ = Case(size: 5, lengths: [9, 8, 3], hasEnds: true, seed: 22).evaluate(likelihood)
    let after = small.evaluate(likelihood)
    #expect(after.losses == alone.losses)
    #expect(after.emissions == alone.emissions)
    #expect(after.transitions == alone.transitions)
  }

  // MARK: - The best tags

  @Test(arguments: cases) func theBestPathIsTheBestOfAll(_ size: Int, _ lengths: [Int], _ hasEnds: Bool) {
    for seed in 0..<8 {
      let given = Case(size: size, lengths: lengths, hasEnds: hasEnds, seed: UInt64(seed))
      let zeros = [Float](repeating: 0, count: size)
      let enumerated = EnumeratedChain(
        size: size, transitions: given.transitions.map(Double.init),
        start: (given.ends?.start ?? zeros).map(Double.init), end: (given.ends?.end ?? zeros).map(Double.init))
      given.withChain { chain in
        for b in lengths.indices where lengths[b] > 0 {
          given.emissions.withUnsafeBufferPointer { emissions in
            guard let base = emissions.baseAddress else { return }
            let path = chain.bestPath(steps: lengths[b]) { base + given.row(b, $0) * size }
            #expect(path == enumerated.best(given.rows(b, given.emissions.map(Double.init))).tags)
          }
        }
      }
    }
  }

  @Test func ofEqualPathsTheOneWithLowerTagsIsTaken() {
    let zeros = [Float](repeating: 0, count: 9)
    zeros.withUnsafeBufferPointer { zeros in
      guard let base = zeros.baseAddress else { return }
      let chain = TagChain(size: 3, transitions: base)
      #expect(chain.bestPath(steps: 3) { _ in base } == [0, 0, 0])
      #expect(chain.bestPath(steps: 0) { _ in base } == [])
    }
  }
}
