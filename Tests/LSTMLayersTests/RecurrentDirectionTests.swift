import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// What must not show in a recurrent layer: the number of threads, whether steps come one by one.
@Suite struct RecurrentDirectionTests {
  static let kinds: [Layer.Recurrent] = {
    var kinds: [Layer.Recurrent] = []
    for size in [7, 65] {
      kinds.append(.init(.gru, size: size))
      kinds.append(.init(.gru, size: size))
      kinds[kinds.count - 1].resetsAfter = false
      kinds.append(.init(.rnn, size: size))
      kinds.append(.init(.lstm, size: size))
      kinds[kinds.count - 1].activation = .relu
      kinds[kinds.count - 1].inputClip = 2
    }
    return kinds
  }()

  @Test(arguments: KernelTests.paths, kinds.indices)
  func threadsDoNotShow(_ path: String, index: Int) throws {
    var kernels = try KernelTests.kernels(path)
    for (count, isReversed) in [(37, false), (5, true), (1, false)] {
      var kind = Self.kinds[index]
      kind.isReversed = isReversed
      let run = try RecurrentRun(
        kind, inputSize: 40, lengths: (0..<count).map { 1 + ($0 * 7) % 11 }, seed: 3, scale: 0.1)
      kernels.threads = 1
      let wanted = try run.run(kernels)
      for threads in [2, 3, 5, 16] {
        kernels.threads = threads
        #expect(try run.run(kernels) == wanted, "\(threads) threads, \(count) sequences")
      }
    }
  }

  /// Sequences of one batch do not know each other.
  @Test(arguments: KernelTests.paths, kinds.indices)
  func stepsOneByOneGiveTheSameBits(_ path: String, index: Int) throws {
    for threads in [1, 3] {
      var kernels = try KernelTests.kernels(path)
      kernels.threads = threads
      let kind = Self.kinds[index]
      let run = try RecurrentRun(kind, inputSize: 40, lengths: [9], seed: 5, scale: 0.1)
      let wanted = try run.run(kernels)
      let direction = try run.direction(kernels)
      direction.packForForward()
      var (hidden, cell) = (run.hidden, run.cell)
      var gates = [Float](repeating: .nan, count: direction.stepGateSize)
      var raw = [Float](repeating: .nan, count: kind.size)
      var outputs: [Float] = []
      for t in 0..<9 {
        let x = Array(run.input[t * 40..<(t + 1) * 40])
        direction.step(x, inputGates: nil, hidden: &hidden, cell: &cell, gates: &gates, raw: &raw)
        outputs += hidden
      }
      #expect(outputs == wanted.outputs)
      #expect(kind.cell == .lstm ? cell == wanted.cell : cell == run.cell)
    }
  }

  /// The gradients of a layer's rows of tokens, summed by token, are those of a pass over their embeddings.
  @Test(arguments: KernelTests.paths, kinds.indices)
  func aTableOfTokensGivesTheSameNumbers(_ path: String, index: Int) throws {
    let kernels = try KernelTests.kernels(path)
    var run = try RecurrentRun(Self.kinds[index], inputSize: 6, lengths: [9, 7, 9], seed: 5, scale: 0.3)
    var random = RandomNumbers(seed: 2)
    let vocabulary = 4
    let embedding = (0..<vocabulary * 6).map { _ in random.normal() }
    let tokens = (0..<run.shape.rows).map { _ in Int32(random.next() % UInt64(vocabulary)) }
    run.input = tokens.flatMap { embedding[Int($0) * 6..<(Int($0) + 1) * 6] }
    let wanted = try run.run(kernels)
    let found = try run.run(kernels, tokens: tokens, embedding: embedding)
    #expect(zip(found.outputs, wanted.outputs).allSatisfy { abs($0 - $1) <= 2e-6 * max(1, abs($1)) })
    for (part, values) in wanted.gradients {
      let scale = values.reduce(1e-3) { max($0, abs($1)) }
      #expect(zip(found.gradients[part] ?? [], values).allSatisfy { abs($0 - $1) <= 1e-5 * scale }, "\(part)")
    }
    var summed = [Float](repeating: 0, count: embedding.count)
    for (row, token) in tokens.enumerated() {
      for j in 0..<6 { summed[Int(token) * 6 + j] += wanted.inputGradient[row * 6 + j] }
    }
    let scale = summed.reduce(1e-3) { max($0, abs($1)) }
    #expect(zip(found.inputGradient, summed).allSatisfy { abs($0 - $1) <= 1e-5 * scale })
  }
}
