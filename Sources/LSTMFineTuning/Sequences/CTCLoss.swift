import Foundation
import LSTMLayers

/// Connectionist temporal classification: the negative log-likelihood of sequences of labels that are not aligned with
/// the steps, summed over all alignments, with exact gradients with respect to logits. Each step gives a label or a
/// blank; equal ones in a row are one label, and blanks are no labels (Graves et al., 2006).
///
/// The buffers are kept: a batch no larger than one before allocates nothing.
final class CTCLoss {
  /// Sequences and their labels.
  struct Batch {
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
  }

  /// (N + 1): where the numbers of each sequence begin in `memory`.
  private let starts = GrowingBuffer<Int>()
  private let memory = GrowingBuffer<Double>()

  /// - Parameters:
  ///   - losses: (N), gets the negative log-likelihood of each sequence, without the factor; infinity where the steps are
  ///     too few for the labels.
  ///   - gradient: (R, K), gets dL/d logits.
  func evaluate(
    _ batch: Batch, losses: UnsafeMutablePointer<Double>, gradient: UnsafeMutablePointer<Float>, kernels: Kernels
  ) {
    starts.reserve(batch.sequences + 1)
    starts.pointer[0] = 0
    for b in 0..<batch.sequences {
      let states = 2 * batch.labelCount(b) + 1
      starts.pointer[b + 1] = starts.pointer[b] + batch.length(b) * (states + 1) + 2 * states + batch.size
    }
    let count = starts.pointer[batch.sequences]
    memory.reserve(count)
    kernels.forEachShare(of: batch.sequences, work: 16 * count / max(batch.sequences, 1)) { part in
      for b in part { losses[b] = self.evaluate(b, batch, gradient) }
    }
  }

  /// The fewest steps that labels fit into: one each, and one between equal ones.
  static func fewestSteps(_ count: Int, _ label: (Int) -> Int) -> Int {
    var steps = count
    for place in 1..<max(count, 1) where label(place) == label(place - 1) { steps += 1 }
    return steps
  }

  /// One sequence. The states are a blank, the first label, a blank, the second label, ..., a blank.
  private func evaluate(_ b: Int, _ batch: Batch, _ gradient: UnsafeMutablePointer<Float>) -> Double {
    let (size, length, states) = (batch.size, batch.length(b), 2 * batch.labelCount(b) + 1)
    let forward = memory.pointer + starts.pointer[b]
    let totals = forward + length * states
    var (rest, later) = (totals + length, totals + length + states)
    let shares = totals + length + 2 * states
    func label(_ state: Int) -> Int { state.isMultiple(of: 2) ? batch.blank : batch.label(b, state / 2) }
    func logits(_ step: Int) -> UnsafePointer<Float> { batch.logits + batch.row(b, step) * size }
    /// Whether a state may follow the one two before it: no blank, and another label.
    func skips(_ state: Int) -> Bool {
      state > 1 && !state.isMultiple(of: 2) && batch.label(b, state / 2) != batch.label(b, state / 2 - 1)
    }
    // 1. Forward: log of the probability of all beginnings that are in a state at a step.
    for t in 0..<length {
      totals[t] = logSum(logits(t), count: size)
      let (row, here) = (logits(t), forward + t * states)
      for s in 0..<states {
        var sum = -Double.infinity
        if t == 0 {
          if s < 2 { sum = 0 }
        } else {
          let before = here - states
          sum = before[s]
          if s > 0 { sum = logSum(sum, before[s - 1]) }
          if skips(s) { sum = logSum(sum, before[s - 2]) }
        }
        here[s] = sum + Double(row[label(s)]) - totals[t]
      }
    }
    let last = forward + (length - 1) * states
    let total = states > 1 ? logSum(last[states - 1], last[states - 2]) : last[0]
    let factor = batch.factor(b)
    guard total > -.infinity else {
      let isImpossible = !total.isNaN
      for t in 0..<length {
        (gradient + batch.row(b, t) * size).update(repeating: isImpossible ? 0 : .nan, count: size)
      }
      return isImpossible ? (batch.zeroesInfinity ? 0 : .infinity) : .nan
    }
    // 2. Backward: log of the probability of all ends after a state at a step, without the step itself.
    for s in 0..<states { rest[s] = s >= states - 2 ? 0 : -.infinity }
    for t in stride(from: length - 1, through: 0, by: -1) {
      let (row, g) = (logits(t), gradient + batch.row(b, t) * size)
      shares.update(repeating: 0, count: size)
      for s in 0..<states { shares[label(s)] += exp(forward[t * states + s] + rest[s] - total) }
      for k in 0..<size { g[k] = Float((exp(Double(row[k]) - totals[t]) - shares[k]) * factor) }
      guard t > 0 else { break }
      for s in 0..<states { rest[s] += Double(row[label(s)]) - totals[t] }
      for s in 0..<states {
        later[s] = rest[s]
        if s + 1 < states { later[s] = logSum(later[s], rest[s + 1]) }
        if s + 2 < states, skips(s + 2) { later[s] = logSum(later[s], rest[s + 2]) }
      }
      swap(&rest, &later)
    }
    return -total
  }
}
