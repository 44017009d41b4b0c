import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// One step at a time gives the bits of the whole sequence.
@Suite struct StreamTests {
  static let configurations: [ModelConfiguration] = [
    .init(input: .features(size: 64), layers: [.init(hiddenSize: 200)]),
    .init(input: .features(size: 1), layers: [.init(hiddenSize: 1)]),
    .init(input: .features(size: 5), layers: [.init(hiddenSize: 40)], readout: .all, head: [.init(size: 3)]),
    .init(
      input: .features(size: 80), layers: [.init(hiddenSize: 129), .init(hiddenSize: 64, projectionSize: 17)],
      readout: .all, head: [.init(size: 33, activation: .relu), .init(size: 9, activation: .softmax)]),
    .init(
      input: .features(size: 7), layers: [.init(hiddenSize: 24, hasPeepholes: true), .init(hiddenSize: 8)],
      skip: true, readout: .all, head: [.init(size: 4)], normalizesOutput: true),
    .init(
      input: .features(size: 6),
      layers: [.init(hiddenSize: 19, bias: .single, forgetOffset: 1), .init(hiddenSize: 9, forgetOffset: -0.5)],
      readout: .all),
    .init(
      input: .features(size: 6), layers: [.init(hiddenSize: 19)], readout: .all, head: [.init(size: 3)],
      readoutActivation: .tanh),
  ]

  @Test(arguments: KernelTests.paths, configurations.indices)
  func stepsGiveTheBitsOfTheSequence(_ path: String, index: Int) throws {
    let kernels = try KernelTests.kernels(path)
    let model = LSTMModel(Self.configurations[index], seed: UInt64(index))
    let width = model.configuration.plain.input.size
    var random = RandomNumbers(seed: 3)
    let steps = 23
    let x = (0..<steps * width).map { _ in random.normal() }
    let network = Network(model, kernels: kernels)
    let whole = try network.forward(SequenceBatch(Tensor(shape: [1, steps, width], values: x)))
    let stream = try LSTMStream(model, kernels: kernels)
    var state = stream.makeState()
    var y = [Float](repeating: .nan, count: stream.outputSize)
    var outputs: [Float] = []
    for t in 0..<steps {
      stream.step(Array(x[t * width..<(t + 1) * width]), &state, into: &y)
      outputs += y
    }
    #expect(outputs == whole.values)
    #expect(stream.lstmState(state) == network.finalState())
    // And on more threads.
    let shared = try LSTMStream(model, kernels: kernels, threads: 3)
    state = shared.makeState()
    outputs = []
    for t in 0..<steps {
      shared.step(Array(x[t * width..<(t + 1) * width]), &state, into: &y)
      outputs += y
    }
    #expect(outputs == whole.values)
  }

  @Test func tokensAndAReturnToAnEarlierPoint() throws {
    let model = LSTMModel(
      .init(
        input: .tokens(vocabulary: 11, size: 6), layers: [.init(hiddenSize: 20)], readout: .all,
        head: [.init(size: 11, activation: .softmax)]), seed: 2)
    let stream = try LSTMStream(model)
    var state = stream.makeState()
    var y = [Float](repeating: 0, count: 11)
    for token in [3, 0, 10] { stream.step(token: token, &state, into: &y) }
    let kept = state
    stream.step(token: 5, &state, into: &y)
    let first = y
    stream.step(token: 7, &state, into: &y)
    #expect(y != first)
    state = kept
    stream.step(token: 5, &state, into: &y)
    #expect(y == first)
    let (whole, final) = try model(SequenceBatch(tokens: [3, 0, 10, 5], count: 1, steps: 4))
    #expect(Array(whole.values.suffix(11)) == first)
    // A state of the model's goes on in the stream.
    var resumed = try stream.makeState(final)
    var z = y
    stream.step(token: 7, &resumed, into: &z)
    state.reset()
    for token in [3, 0, 10, 5, 7] { stream.step(token: token, &state, into: &y) }
    #expect(z == y)
  }

  @Test func whatNeedsTheWholeSequenceIsRefused() {
    for (configuration, found) in [
      (
        ModelConfiguration(
          input: .features(size: 2), layers: [.init(hiddenSize: 3, isBidirectional: true)], readout: .all),
        "layer0, which is bidirectional and needs the whole sequence"
      ),
      (
        ModelConfiguration(input: .features(size: 2), layers: [.init(hiddenSize: 3)], readout: .mean),
        "readout, whose mean needs the whole sequence"
      ),
    ] {
      let error = #expect(throws: ShapeError.self) { try LSTMStream(LSTMModel(configuration)) }
      #expect(error?.found == found)
    }
  }
}
