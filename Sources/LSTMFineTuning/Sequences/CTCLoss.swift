import Foundation
import LSTMLayers

/// Connectionist temporal classification: the negative log-likelihood of sequences of labels that are not aligned with
/// the steps, summed over all alignments, with exact gradients with respect to logits. Each step gives a label or a
/// blank; equal ones in a row are one label, and blanks are no labels (Graves et al., 2006).
///
/// The buffers are kept: a batch no larger than one before allocates nothing.
package final class CTCLoss {
  /// Sequences and their labels.
  package struct Batch {
    /// (R, K): a row for each step of each sequence.
    let logits: UnsafePointer<Float>
    /// K, the blank included.
    let size: Int
    let blank: Int
    let sequences: Int
    let length: (_ sequence: Int) -> Int
    let row: (_ sequence: Int, _ step: Int) -> Int
    let labelCount: (_ sequence: Int) -> Int
    let label: (_ sequence: Int, _ place: Int) -> Int
    /// What a sequence's negative log-likelihood is multiplied by in the loss.
    let factor: (_ sequence: Int) -> Double
    /// Whether a sequence that no alignment fits counts as a loss of zero.
    let zeroesInfinity: Bool

    package init(
      logits: UnsafePointer<Float>, size: Int, blank: Int, sequences: Int, length: @escaping (Int) -> Int,
      row: @escaping (Int, Int) -> Int, labelCount: @escaping (Int) -> Int, label: @escaping (Int, Int) -> Int,
      factor: @escaping (Int) -> Double, zeroesInfinity: Bool
    ) {
      (self.logits, self.size, self.blank, self.sequences) = (logits, size, blank, sequences)
      (self.length, self.row, self.labelCount, self.label) = (length, row, labelCount, label)
      (self.factor, self.zeroesInfinity) = (factor, zeroesInfinity)
    }
  }

  /// (N + 1): where the numbers of each sequence begin in `memory`.
  private let starts = GrowingBuffer<Int>()
  private let memory = GrowingBuffer<Double>()
  /// (N + 1), and the label of each state of each sequence.
  private let firstLabels = GrowingBuffer<Int>()
  private let labels = GrowingBuffer<Int32>()

  package init() {}

  /// - Parameters:
  ///   - losses: (N), gets the negative log-likelihood of each sequence, without the factor; infinity where the steps are
  ///     too few for the labels.
  ///   - gradient: (R, K), gets dL/d logits; nil if not wanted.
  package func evaluate(
    _ batch: Batch, losses: UnsafeMutablePointer<Double>, gradient: UnsafeMutablePointer<Float>?, kernels: Kernels
  ) {
    starts.reserve(batch.sequences + 1)
    firstLabels.reserve(batch.sequences + 1)
    (starts.pointer[0], firstLabels.pointer[0]) = (0, 0)
    for b in 0..<batch.sequences {
      let states = 2 * batch.labelCount(b) + 1
      starts.pointer[b + 1] =
        starts.pointer[b] + batch.length(b) * (states + 3) + 4 * (states + 2) + batch.size + states
      firstLabels.pointer[b + 1] = firstLabels.pointer[b] + states
    }
    let count = starts.pointer[batch.sequences]
    memory.reserve(count)
    labels.reserve(firstLabels.pointer[batch.sequences])
    kernels.forEachShare(of: batch.sequences, work: 16 * count / max(batch.sequences, 1)) { part in
      for b in part { losses[b] = self.evaluate(b, batch, gradient, kernels) }
    }
  }

  /// The fewest steps that labels fit into: one each, and one between equal ones.
  static func fewestSteps(_ count: Int, _ label: (Int) -> Int) -> Int {
    var steps = count
    for place in 1..<max(count, 1) where label(place) == label(place - 1) { steps += 1 }
    return steps
  }

  /// One sequence. The states are a blank, the first label, a blank, the second label, ..., a blank.
  private func evaluate(
    _ b: Int, _ batch: Batch, _ gradient: UnsafeMutablePointer<Float>?, _ kernels: Kernels
  ) -> Double {
    let (size, length, states) = (batch.size, batch.length(b), 2 * batch.labelCount(b) + 1)
    let labels = labels.pointer + firstLabels.pointer[b]
    // Two impossible states are before the first one of each step, or behind the last.
    let stride = states + 2
    let forward = memory.pointer + starts.pointer[b] + 2
    let totals = forward - 2 + length * stride
    var (rest, later) = (totals + length, totals + length + stride)
    /// 0 where a state may follow the one two before it, which is no blank and another label; else -infinity.
    let skips = totals + length + 2 * stride
    let scores = skips + stride
    let shares = scores + states
    func logits(_ step: Int) -> UnsafePointer<Float> { batch.logits + batch.row(b, step) * size }
    for s in 0..<states { labels[s] = Int32(s.isMultiple(of: 2) ? batch.blank : batch.label(b, s / 2)) }
    for s in 0..<stride {
      let mayFollow = s > 1 && s < states && !s.isMultiple(of: 2) && labels[s] != labels[s - 2]
      skips[s] = mayFollow ? 0 : -.infinity
    }
    /// The logarithms of a step's probabilities of the label of each state.
    func score(_ row: UnsafePointer<Float>, _ total: Double) {
      for s in 0..<states { scores[s] = Double(row[Int(labels[s])]) - total }
    }
    // 1. Forward: log of the probability of all beginnings that are in a state at a step.
    for t in 0..<length {
      let row = logits(t)
      totals[t] = kernels.logSum(row, count: size)
      score(row, totals[t])
      let here = forward + t * stride
      (here[-2], here[-1]) = (-.infinity, -.infinity)
      if t == 0 {
        for s in 0..<states { here[s] = s < 2 ? 0 : -.infinity }
      } else {
        let before = here - stride
        kernels.logSums(before, before - 1, before - 2, offsets: skips, into: here, count: states)
      }
      for s in 0..<states { here[s] += scores[s] }
    }
    let last = forward + (length - 1) * stride
    let total = states > 1 ? logSum(last[states - 1], last[states - 2]) : last[0]
    let factor = batch.factor(b)
    guard total > -.infinity else {
      let isImpossible = !total.isNaN
      if let gradient {
        for t in 0..<length {
          (gradient + batch.row(b, t) * size).update(repeating: isImpossible ? 0 : .nan, count: size)
        }
      }
      return isImpossible ? (batch.zeroesInfinity ? 0 : .infinity) : .nan
    }
    guard let gradient else { return -total }
    // 2. Backward: log of the probability of all ends after a state at a step, without the step itself.
    for s in 0..<stride { (rest[s], later[s]) = (s < states && s >= states - 2 ? 0 : -.infinity, -.infinity) }
    for t in Swift.stride(from: length - 1, through: 0, by: -1) {
      let row = logits(t)
      shares.update(repeating: 0, count: size)
      kernels.exponentials(forward + t * stride, rest, shift: total, into: later, count: states)
      for s in 0..<states { shares[Int(labels[s])] += later[s] }
      kernels.logSumSlopes(
        row, total: totals[t], shares: shares, factor: factor, into: gradient + batch.row(b, t) * size, count: size)
      guard t > 0 else { break }
      score(row, totals[t])
      for s in 0..<states { rest[s] += scores[s] }
      kernels.logSums(rest, rest + 1, rest + 2, offsets: skips + 2, into: later, count: states)
      swap(&rest, &later)
    }
    return -total
  }
}
