import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// Models of GRU and plain layers as a whole: streams, carried states, tables of tokens.
@Suite struct RecurrentModelTests {
  static func stack(_ resetsAfter: Bool, tokens: Bool) throws -> LSTMModel {
    var gru = Layer.Recurrent(.gru, size: 20)
    gru.resetsAfter = resetsAfter
    var layers = [
      Layer("layer0", gru), Layer("layer1", Layer.Recurrent(.rnn, size: 9)),
      Layer("layer2", Layer.Recurrent(.lstm, size: 6)), Layer("head.0", Layer.Dense(size: 3)),
    ]
    if tokens { layers.insert(Layer("embedding", Layer.Embedding(size: 5)), at: 0) }
    let input: ModelConfiguration.Input = tokens ? .init(.tokens(vocabulary: 7)) : .init(.features(size: 5))
    return LSTMModel(try ModelConfiguration(inputs: [input], layers: layers), seed: 8)
  }

  @Test(arguments: [true, false], KernelTests.paths)
  func aStreamGivesTheBitsOfTheWholeSequence(_ resetsAfter: Bool, path: String) throws {
    let kernels = try KernelTests.kernels(path)
    let model = try Self.stack(resetsAfter, tokens: false)
    var random = RandomNumbers(seed: 4)
    let x = Tensor(shape: [1, 12, 5], values: (0..<60).map { _ in random.normal() })
    let wanted = try Network(model, kernels: kernels).forward(SequenceBatch(x))
    let stream = try LSTMStream(model, kernels: kernels)
    var state = stream.makeState()
    var outputs: [Float] = []
    var y = [Float](repeating: 0, count: 3)
    for t in 0..<12 {
      stream.step(Array(x.values[t * 5..<(t + 1) * 5]), &state, into: &y)
      outputs += y
    }
    #expect(outputs == wanted.values)
    // A state can be taken out and put back between steps.
    var other = try stream.makeState(stream.lstmState(state))
    var z = y
    stream.step(Array(x.values[..<5]), &state, into: &y)
    stream.step(Array(x.values[..<5]), &other, into: &z)
    #expect(y == z)
  }

  @Test(arguments: [true, false], KernelTests.paths)
  func tokensComeFromATable(_ resetsAfter: Bool, path: String) throws {
    let kernels = try KernelTests.kernels(path)
    let model = try Self.stack(resetsAfter, tokens: true)
    let tokens: [Int32] = [3, 6, 0, 0, 2, 5, 1, 3, 3, 4, 2, 1]
    let wanted = try Network(model, kernels: kernels).forward(SequenceBatch(tokens: tokens, count: 1, steps: 12))
    let stream = try LSTMStream(model, kernels: kernels)
    var state = stream.makeState()
    var outputs: [Float] = []
    var y = [Float](repeating: 0, count: 3)
    for token in tokens {
      stream.step(token: Int(token), &state, into: &y)
      outputs += y
    }
    #expect(outputs == wanted.values)
  }

  /// The final states of one pass are the first of the next.
  @Test(arguments: [true, false]) func statesGoOn(_ resetsAfter: Bool) throws {
    let model = try Self.stack(resetsAfter, tokens: false)
    var random = RandomNumbers(seed: 4)
    let values = (0..<2 * 10 * 5).map { _ in random.normal() }
    let x = Tensor(shape: [2, 10, 5], values: values)
    let network = Network(model)
    let whole = try network.forward(SequenceBatch(x))
    func part(_ steps: Range<Int>) -> Tensor {
      Tensor(
        shape: [2, steps.count, 5],
        values: (0..<2).flatMap { n in values[(n * 10 + steps.lowerBound) * 5..<(n * 10 + steps.upperBound) * 5] })
    }
    let first = try network.forward(SequenceBatch(part(0..<4)))
    let second = try network.forward(SequenceBatch(part(4..<10)), state: network.finalState())
    for n in 0..<2 {
      #expect(Array(first.values[n * 12..<(n + 1) * 12]) == Array(whole.values[n * 30..<n * 30 + 12]))
      #expect(Array(second.values[n * 18..<(n + 1) * 18]) == Array(whole.values[n * 30 + 12..<(n + 1) * 30]))
    }
  }
}
