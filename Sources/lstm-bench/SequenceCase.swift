import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

/// What looks at whole sequences at the end of a network: the losses of a CRF and of CTC, and their decoders.
struct SequenceCase: Sendable {
  enum Work: String, Sendable {
    case crf, viterbi, ctc, greedy
  }

  let name: String
  let work: Work
  /// N, T, K, and labels of a sequence for CTC.
  let batch, steps, size: Int
  var labels = 0

  static let all = [
    SequenceCase(name: "CRF, 20 tags", work: .crf, batch: 32, steps: 64, size: 20),
    SequenceCase(name: "CRF, 20 tags, best tags", work: .viterbi, batch: 32, steps: 64, size: 20),
    SequenceCase(name: "CTC, 30 labels of 40", work: .ctc, batch: 16, steps: 200, size: 40, labels: 30),
    SequenceCase(name: "CTC, 10 labels of 5000", work: .ctc, batch: 4, steps: 60, size: 5000, labels: 10),
    SequenceCase(name: "CTC of 40, greedy decoding", work: .greedy, batch: 16, steps: 200, size: 40),
  ]

  static func chosen(_ only: String?) -> [SequenceCase] {
    all.filter { bench in only.map { bench.name.contains($0) } ?? true }
  }
}

/// A case's data, on which the library's own losses and decoders run.
final class SequenceRun {
  private let bench: SequenceCase
  private let kernels: Kernels
  private let x: [Float]
  /// (K, K), (K), (K)
  private let transitions, start, end: [Float]
  /// Tags (N, T) or labels (N, L).
  private let labels: [Int]
  private let chainLoss = ChainLikelihood()
  private let alignmentLoss = CTCLoss()
  private var losses: [Double]
  private var gradient: [Float]
  private var chainGradient: [Float]
  private var paths: [[Int]] = []

  init(_ bench: SequenceCase, _ kernels: Kernels) {
    (self.bench, self.kernels) = (bench, kernels)
    var random = RandomNumbers(seed: 4)
    let (count, size) = (bench.batch * bench.steps, bench.size)
    x = (0..<count * size).map { _ in random.normal() }
    transitions = (0..<size * (bench.work == .ctc ? 0 : size)).map { _ in random.normal() * 0.1 }
    start = (0..<size).map { _ in random.normal() * 0.1 }
    end = (0..<size).map { _ in random.normal() * 0.1 }
    let isTagged = bench.work == .crf
    // The blank is 0.
    labels = (0..<(isTagged ? count : bench.batch * bench.labels)).map { _ in
      isTagged ? Int(random.uniform() * Float(size)) : 1 + Int(random.uniform() * Float(size - 1))
    }
    losses = Array(repeating: 0, count: bench.batch)
    gradient = Array(repeating: 0, count: x.count)
    chainGradient = Array(repeating: 0, count: size * (size + 2))
  }

  /// One evaluation: the mean loss with its gradient, or all paths.
  private func run(_ x: UnsafePointer<Float>, wantsGradient: Bool = true) {
    gradient.withUnsafeMutableBufferPointer { run(x, wantsGradient ? $0.baseAddress : nil) }
  }

  private func run(_ x: UnsafePointer<Float>, _ gradient: UnsafeMutablePointer<Float>?) {
    let computing = Computing()
    defer { computing.end() }
    let (size, steps) = (bench.size, bench.steps)
    let factor = 1 / Double(bench.batch)
    let row = { (b: Int, t: Int) in b * steps + t }
    switch bench.work {
    case .crf:
      withChain { chain in
        chainGradient.withUnsafeMutableBufferPointer { sums in
          let base = gradient == nil ? nil : sums.baseAddress
          chainLoss.evaluate(
            .init(
              emissions: x, sequences: bench.batch, length: { _ in steps }, row: row,
              label: { self.labels[$0 * steps + $1] }, factor: { _ in factor }), chain, losses: &losses,
            gradient: gradient,
            chainGradient: base.map {
              .init(transitions: $0, start: $0 + size * size, end: $0 + size * (size + 1))
            }, kernels: kernels)
        }
      }
    case .viterbi:
      withChain { chain in
        paths = (0..<bench.batch).map { b in chain.bestPath(steps: steps) { x + row(b, $0) * size } }
      }
    case .ctc:
      alignmentLoss.evaluate(
        .init(
          logits: x, size: size, blank: 0, sequences: bench.batch, length: { _ in steps }, row: row,
          labelCount: { _ in self.bench.labels }, label: { self.labels[$0 * self.bench.labels + $1] },
          factor: { _ in factor }, zeroesInfinity: false), losses: &losses, gradient: gradient, kernels: kernels)
    case .greedy:
      paths = (0..<bench.batch).map { b in
        CTCDecoding.greedy(steps: steps, classes: size, blank: 0) { x + row(b, $0) * size }
      }
    }
  }

  private func withChain(_ body: (TagChain) -> Void) {
    transitions.withUnsafeBufferPointer { transitions in
      start.withUnsafeBufferPointer { start in
        end.withUnsafeBufferPointer { end in
          guard let table = transitions.baseAddress else { return }
          body(TagChain(size: bench.size, transitions: table, start: start.baseAddress, end: end.baseAddress))
        }
      }
    }
  }

  func times(seconds: Double) -> AroundTimes {
    x.withUnsafeBufferPointer { x in
      guard let x = x.baseAddress else { return AroundTimes(name: bench.name, forward: 0) }
      func measure(_ body: () -> Void) -> Double {
        let clock = ContinuousClock()
        var times: [Double] = []
        let began = clock.now
        while (clock.now - began) / .seconds(1) < seconds / 2 || times.count < 4 {
          let start = clock.now
          body()
          times.append((clock.now - start) / .seconds(1))
        }
        return Array(times.dropFirst()).median * 1e3
      }
      let forward = measure { run(x, wantsGradient: false) }
      let isLoss = bench.work == .crf || bench.work == .ctc
      return AroundTimes(name: bench.name, forward: forward, training: isLoss ? measure { run(x) } : nil)
    }
  }

  func tensors() -> [StoredTensor] {
    x.withUnsafeBufferPointer { if let x = $0.baseAddress { run(x) } }
    let (size, shape) = (bench.size, [bench.batch, bench.steps, bench.size])
    var list = [StoredTensor(name: "x", shape: shape, values: x)]
    if bench.work == .crf || bench.work == .viterbi {
      list += [
        StoredTensor(name: "transitions", shape: [size, size], values: transitions),
        StoredTensor(name: "start", shape: [size], values: start),
        StoredTensor(name: "end", shape: [size], values: end),
      ]
    }
    if bench.work == .crf || bench.work == .ctc {
      list += [
        StoredTensor(
          name: "labels", shape: [bench.batch, labels.count / bench.batch], values: labels.map { Float($0) }),
        StoredTensor(name: "y", shape: [bench.batch], values: losses.map { Float($0) }),
        StoredTensor(name: "dx", shape: shape, values: gradient),
      ]
    } else {
      // As long as the longest, filled with -1.
      let longest = paths.map(\.count).max() ?? 0
      let values = paths.flatMap { path in (0..<longest).map { Float($0 < path.count ? path[$0] : -1) } }
      list.append(StoredTensor(name: "y", shape: [bench.batch, longest], values: values))
    }
    return list
  }
}
