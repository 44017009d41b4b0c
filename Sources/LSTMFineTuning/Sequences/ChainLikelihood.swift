import Foundation
import LSTMLayers

/// The negative log-likelihood of sequences of tags under a linear chain, with exact gradients, by the forward-backward
/// algorithm. The buffers are kept: a batch no larger than one before allocates nothing.
///
/// Sums of exponentials are taken as products where they are of a usual size, each row divided by its largest value, and
/// as logarithms where they would underflow, as behind a transition that is all but forbidden.
package final class ChainLikelihood {
  /// Sequences whose tags are known, step by step.
  package struct Batch {
    /// The scores of tags; a row for each step of each sequence.
    let emissions: UnsafePointer<Float>
    let sequences: Int
    /// The steps of a sequence that count, which may be none.
    let length: (_ sequence: Int) -> Int
    let row: (_ sequence: Int, _ step: Int) -> Int
    let label: (_ sequence: Int, _ step: Int) -> Int
    /// What a sequence's negative log-likelihood is multiplied by in the loss.
    let factor: (_ sequence: Int) -> Double

    package init(
      emissions: UnsafePointer<Float>, sequences: Int, length: @escaping (Int) -> Int, row: @escaping (Int, Int) -> Int,
      label: @escaping (Int, Int) -> Int, factor: @escaping (Int) -> Double
    ) {
      (self.emissions, self.sequences, self.length) = (emissions, sequences, length)
      (self.row, self.label, self.factor) = (row, label, factor)
    }
  }

  package init() {}

  /// Below it a sum of products may have lost what counts.
  private static let tiny = 1e-200

  // Legend: K tags, N sequences, R steps that count, sequence by sequence.
  /// (N + 1): the first step of each sequence.
  private let starts = GrowingBuffer<Int>()
  /// (R, K): log of the sum over all beginnings that end in a tag here.
  private let logs = GrowingBuffer<Double>()
  /// (R, K): the same, divided by the largest of its row.
  private let forwards = GrowingBuffer<Double>()
  /// (R, K): all that comes from a tag on, its own step's score included, divided such that forwards[t - 1][i]
  /// steps[i][j] backwards[t][j] is the probability of i before j, times the sequence's factor.
  private let backwards = GrowingBuffer<Double>()
  /// (R): log Z of the sequence where a row of `backwards` holds logarithms, else NaN.
  private let logarithmic = GrowingBuffer<Double>()
  /// (K, K): e^(transitions - the highest).
  private let steps = GrowingBuffer<Double>()
  private var highest = 0.0
  /// (N, 3, K)
  private let scratch = GrowingBuffer<Double>()
  /// (K, 2, K)
  private let sums = GrowingBuffer<Double>()

  /// The sum of the losses with their factors, and gradients.
  /// - Parameters:
  ///   - losses: (N), gets the negative log-likelihood of each sequence, without the factor.
  ///   - gradient: gets dL/d emissions in the rows of the steps that count; the others are not written; nil if not wanted.
  ///   - chainGradient: gets dL/d scores of the chain, every value; nil if not wanted.
  package func evaluate(
    _ batch: Batch, _ chain: TagChain, losses: UnsafeMutablePointer<Double>, gradient: UnsafeMutablePointer<Float>?,
    chainGradient: TagChain.Gradient?, kernels: Kernels
  ) {
    let size = chain.size
    starts.reserve(batch.sequences + 1)
    starts.pointer[0] = 0
    for b in 0..<batch.sequences { starts.pointer[b + 1] = starts.pointer[b] + batch.length(b) }
    let rows = starts.pointer[batch.sequences]
    for buffer in [logs, forwards, backwards] { buffer.reserve(rows * size) }
    logarithmic.reserve(rows)
    scratch.reserve(batch.sequences * 3 * size)
    setSteps(chain)
    let work = (rows * size * (2 * size + 40)) / max(batch.sequences, 1)
    kernels.forEachShare(of: batch.sequences, work: work) { part in
      for b in part { losses[b] = self.evaluate(b, batch, chain, gradient) }
    }
    if let chainGradient, let gradient { self.sum(batch, chain, gradient, into: chainGradient, kernels) }
  }

  private func setSteps(_ chain: TagChain) {
    let count = chain.size * chain.size
    steps.reserve(count)
    highest = -.infinity
    for at in 0..<count { highest = max(highest, Double(chain.transitions[at])) }
    if !highest.isFinite { highest = 0 }
    for at in 0..<count { steps.pointer[at] = exp(Double(chain.transitions[at]) - highest) }
  }

  /// One sequence.
  private func evaluate(
    _ b: Int, _ batch: Batch, _ chain: TagChain, _ gradient: UnsafeMutablePointer<Float>?
  ) -> Double {
    let (size, first, length) = (chain.size, starts.pointer[b], batch.length(b))
    guard length > 0 else { return 0 }
    let factor = batch.factor(b)
    let emissions = { batch.emissions + batch.row(b, $0) * size }
    let (logs, forwards) = (logs.pointer + first * size, forwards.pointer + first * size)
    // 1. Forward.
    for j in 0..<size { logs[j] = Double(emissions(0)[j]) + chain.startScore(j) }
    for t in 1..<max(length, 1) {
      let (before, here, e) = (logs + (t - 1) * size, logs + t * size, emissions(t))
      let weights = forwards + (t - 1) * size
      let offset = exponentiate(before, size, into: weights)
      here.update(repeating: 0, count: size)
      for i in 0..<size where weights[i] != 0 {
        let (weight, step) = (weights[i], steps.pointer + i * size)
        for j in 0..<size { here[j] += weight * step[j] }
      }
      for j in 0..<size {
        here[j] =
          Double(e[j])
          + (here[j] >= Self.tiny
            ? offset + highest + log(here[j])
            : logSum(size) { before[$0] + Double(chain.transitions[$0 * size + j]) })
      }
    }
    let last = logs + (length - 1) * size
    let total = logSum(size) { last[$0] + chain.endScore($0) }
    guard let gradient else { return total - chain.score(steps: length, { batch.label(b, $0) }, emissions) }
    // 2. Backward.
    let rest = scratch.pointer + b * 3 * size
    let (earlier, all) = (rest + size, rest + 2 * size)
    for j in 0..<size { rest[j] = chain.endScore(j) }
    for t in stride(from: length - 1, through: 0, by: -1) {
      let (e, label) = (emissions(t), batch.label(b, t))
      // The probabilities of the tags of this step.
      for j in 0..<size { all[j] = logs[t * size + j] + rest[j] }
      _ = exponentiate(all, size, into: all)
      var sum = 0.0
      for j in 0..<size { sum += all[j] }
      let g = gradient + batch.row(b, t) * size
      for j in 0..<size { g[j] = Float((all[j] / sum - (j == label ? 1 : 0)) * factor) }
      guard t > 0 else { break }
      // What comes from the step before on, and the weights of its pairs with this step.
      let pairs = backwards.pointer + (first + t) * size
      for j in 0..<size { all[j] = Double(e[j]) + rest[j] }
      let offset = exponentiate(all, size, into: pairs)
      sum = 0
      for i in 0..<size {
        let step = steps.pointer + i * size
        var product = 0.0
        for j in 0..<size { product += step[j] * pairs[j] }
        sum += forwards[(t - 1) * size + i] * product
        earlier[i] =
          product >= Self.tiny
          ? offset + highest + log(product) : logSum(size) { Double(chain.transitions[i * size + $0]) + all[$0] }
      }
      if sum >= Self.tiny {
        logarithmic.pointer[first + t] = .nan
        for j in 0..<size { pairs[j] *= factor / sum }
      } else {
        logarithmic.pointer[first + t] = total
        pairs.update(from: all, count: size)
      }
      rest.update(from: earlier, count: size)
    }
    return total - chain.score(steps: length, { batch.label(b, $0) }, emissions)
  }

  /// y = e^(x - the largest x), which is returned.
  private func exponentiate(_ x: UnsafePointer<Double>, _ count: Int, into y: UnsafeMutablePointer<Double>) -> Double {
    var largest = -Double.infinity
    for j in 0..<count { largest = max(largest, x[j]) }
    if !largest.isFinite { largest = 0 }
    for j in 0..<count { y[j] = exp(x[j] - largest) }
    return largest
  }

  /// The gradient of the chain's scores: what is expected, less what is.
  private func sum(
    _ batch: Batch, _ chain: TagChain, _ gradient: UnsafePointer<Float>, into result: TagChain.Gradient,
    _ kernels: Kernels
  ) {
    let size = chain.size
    let rows = starts.pointer[batch.sequences]
    sums.reserve(2 * size * size)
    // Each row of the matrix by one thread, in the order of the steps, so that the sums do not depend on the threads.
    kernels.forEachShare(of: size, work: rows * (size + 8)) { part in
      for i in part {
        let products = self.sums.pointer + 2 * i * size
        let others = products + size
        products.update(repeating: 0, count: 2 * size)
        for b in 0..<batch.sequences {
          let (first, length) = (self.starts.pointer[b], batch.length(b))
          for t in 1..<max(length, 1) {
            let pairs = self.backwards.pointer + (first + t) * size
            if self.logarithmic.pointer[first + t].isNaN {
              let weight = self.forwards.pointer[(first + t - 1) * size + i]
              if weight != 0 { for j in 0..<size { products[j] += weight * pairs[j] } }
            } else {
              let log = self.logs.pointer[(first + t - 1) * size + i] - self.logarithmic.pointer[first + t]
              let factor = batch.factor(b)
              for j in 0..<size {
                others[j] += exp(log + Double(chain.transitions[i * size + j]) + pairs[j]) * factor
              }
            }
            if batch.label(b, t - 1) == i { others[batch.label(b, t)] -= batch.factor(b) }
          }
        }
        for j in 0..<size {
          result.transitions[i * size + j] = Float(products[j] * self.steps.pointer[i * size + j] + others[j])
        }
      }
    }
    for j in 0..<size {
      var (start, end) = (0.0, 0.0)
      for b in 0..<batch.sequences where batch.length(b) > 0 {
        start += Double(gradient[batch.row(b, 0) * size + j])
        end += Double(gradient[batch.row(b, batch.length(b) - 1) * size + j])
      }
      result.start?[j] = Float(start)
      result.end?[j] = Float(end)
    }
  }
}
