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

  /// Settings that no kernel computes are refused, also where no file was read.
  @Test func settingsOfNoCellAreRefused() throws {
    let wrong: [(String, (inout Layer.Recurrent) -> Void)] = [
      ("activation", { $0.activation = .softmax }), ("activation", { $0.gateActivation = .logSoftmax }),
      ("clip", { $0.inputClip = 0 }), ("clip", { $0.inputClip = .nan }), ("cell_clip", { $0.cellClip = -1 }),
      ("projection", { $0.projectionSize = 2 }), ("peepholes", { $0.hasPeepholes = true }),
    ]
    for (key, change) in wrong {
      var kind = Layer.Recurrent(.gru, size: 3)
      change(&kind)
      let layer = Layer("layer0", kind)
      let error = #expect(throws: ModelConfiguration.GraphError.self) {
        try ModelConfiguration(inputs: [.init(.features(size: 2))], layers: [layer])
      }
      #expect(error?.key == key && error?.layer == "layer0")
    }
  }

  private static func batch(count: Int = 5, steps: Int = 7) throws -> SequenceBatch {
    var random = RandomNumbers(seed: 6)
    let x = Tensor(shape: [count, steps, 5], values: (0..<count * steps * 5).map { _ in random.normal() })
    return try SequenceBatch(x, lengths: (0..<count).map { max(1, steps - 2 * $0) })
  }

  private static func gradients(_ network: Network, _ output: Tensor, _ trainable: [Bool]) throws -> [[Float]] {
    let gradients = ParameterStore(network.configuration.parameters)
    try network.backward(output, into: gradients, trainable: trainable)
    return gradients.slots.indices.map(gradients.values)
  }

  /// What trains alone has the gradient that it has among all others; nothing else gets one.
  @Test(arguments: [true, false], KernelTests.paths)
  func aParameterAloneHasTheSameGradient(_ resetsAfter: Bool, path: String) throws {
    let network = Network(try Self.stack(resetsAfter, tokens: false), kernels: try KernelTests.kernels(path))
    let (batch, slots) = (try Self.batch(), network.weights.slots)
    let all = try Self.gradients(network, network.forward(batch), slots.map { _ in true })
    for index in slots.indices {
      let alone = try Self.gradients(network, network.forward(batch), slots.indices.map { $0 == index })
      for other in slots.indices {
        let isRight = other == index ? alone[other] == all[other] : alone[other].allSatisfy { $0 == 0 }
        #expect(isRight, "\(slots[other].name) with \(slots[index].name)")
      }
      #expect(all[index].contains { $0 != 0 }, "\(slots[index].name)")
    }
  }

  /// A pass with weight drop is one with the dropped weights, and the gradient of what was dropped is zero.
  @Test(arguments: [true, false], KernelTests.paths)
  func weightDropUsesTheDroppedWeights(_ resetsAfter: Bool, path: String) throws {
    let kernels = try KernelTests.kernels(path)
    let model = try Self.stack(resetsAfter, tokens: false)
    let (network, batch) = (Network(model, kernels: kernels), try Self.batch())
    let all = network.weights.slots.map { _ in true }
    let output = try network.forward(batch, regularization: .init(.init(weightDrop: 0.4), seed: 3, step: 1))
    let found = try Self.gradients(network, output, all)
    var dropped = model
    var factors: [Int: [Float]] = [:]
    for direction in network.directions.joined() {
      let slot = direction.parameters.recurrentWeight
      let some = (0..<network.weights.slots[slot].count).map { direction.recurrentFactors.pointer[$0] }
      factors[slot] = some
      let specification = network.weights.slots[slot].specification
      try dropped.set(
        specification.name,
        to: Tensor(shape: specification.shape, values: zip(network.weights.values(slot), some).map { $0 * $1 }))
    }
    #expect(factors.count == 3 && factors.values.allSatisfy { $0.contains(0) })
    let other = Network(dropped, kernels: kernels)
    #expect(try other.forward(batch) == output)
    for (index, gradient) in try Self.gradients(other, output, all).enumerated() {
      let wanted = factors[index].map { zip($0, gradient).map { $0 * $1 } } ?? gradient
      #expect(found[index] == wanted, "\(network.weights.slots[index].name)")
    }
  }

  /// A first state that is a parameter has the gradient of a given one, summed over the sequences.
  @Test(arguments: [Layer.Recurrent.Cell.gru, .rnn, .lstm], [Layer.Recurrent.DirectionMerge.concatenate, .product])
  func aLearnedFirstStateHasAGradient(_ cell: Layer.Recurrent.Cell, merge: Layer.Recurrent.DirectionMerge) throws {
    var kind = Layer.Recurrent(cell, size: 6)
    (kind.isBidirectional, kind.merge) = (true, merge)
    let given = kind
    kind.initial = .learned
    func model(_ kind: Layer.Recurrent) throws -> LSTMModel {
      LSTMModel(
        try ModelConfiguration(inputs: [.init(.features(size: 5))], layers: [Layer("layer0", kind)]), seed: 3)
    }
    let learned = Network(try model(kind))
    let plain = Network(try model(given))
    var random = RandomNumbers(seed: 12)
    var first = LSTMState(hidden: [], cell: [])
    for (index, slot) in learned.weights.slots.enumerated() {
      if slot.name.contains("initial") {
        let values = (0..<slot.count).map { _ in random.uniform(0.8) }
        learned.weights.set(index, values)
        let repeated = Tensor(shape: [5, slot.count], values: [[Float]](repeating: values, count: 5).flatMap { $0 })
        if slot.name.contains("initial_h") { first.hidden.append(repeated) } else { first.cell.append(repeated) }
      } else {
        plain.weights.set(try #require(plain.weights.index(of: slot.name)), learned.weights.values(index))
      }
    }
    if cell != .lstm { first.cell = first.hidden.map { _ in Tensor(shape: [5, 0], values: []) } }
    learned.weightsChanged()
    plain.weightsChanged()
    let batch = try Self.batch()
    let output = try learned.forward(batch)
    #expect(try plain.forward(batch, state: first) == output)
    let found = try Self.gradients(learned, output, learned.weights.slots.map { _ in true })
    let store = ParameterStore(plain.configuration.parameters)
    let back = try #require(
      try plain.backward(output, into: store, trainable: store.slots.map { _ in true }, wantsInput: true))
    for (index, slot) in learned.weights.slots.enumerated() where slot.name.contains("initial") {
      let states = slot.name.contains("initial_h") ? back.state.hidden : back.state.cell
      let state = states[slot.name.hasSuffix("_reverse") ? 1 : 0]
      for j in 0..<slot.count {
        let wanted = (0..<5).reduce(Float(0)) { $0 + state.values[$1 * slot.count + j] }
        #expect(abs(found[index][j] - wanted) <= 1e-5 * max(1, abs(wanted)), "\(slot.name)")
      }
    }
  }
}
