import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// Whole passes against the reference in double precision: what gathers rows and tokens, concatenates, unpacks outputs
/// and carries states, at sizes that fill no vector, with one step, with one sequence and with lengths that differ.
@Suite struct PlainPassTests {
  static let lengths = [[1], [6], [1, 1, 1], [2, 5, 1, 5, 3]]

  static func model(_ size: Int, tokens: Bool, skip: Bool) -> LSTMModel {
    LSTMModel(
      .init(
        input: tokens ? .tokens(vocabulary: 5, size: size) : .features(size: size),
        layers: [.init(hiddenSize: size, isBidirectional: true), .init(hiddenSize: size)], skip: skip, readout: .all,
        head: [.init(size: size, activation: .softmax)]), seed: UInt64(size))
  }

  static func batch(_ lengths: [Int], _ size: Int, tokens: Bool) throws -> SequenceBatch {
    var random = RandomNumbers(seed: 3)
    let steps = lengths.max() ?? 0
    let count = lengths.count * steps
    return try SequenceBatch(
      count: lengths.count, steps: steps,
      input: tokens
        ? .tokens((0..<count).map { _ in Int32.random(in: 0..<5, using: &random) })
        : .features((0..<count * size).map { _ in random.normal() }, size: size), lengths: lengths)
  }

  @Test(arguments: [1, 7, 129], [(false, false), (true, false), (true, true)])
  func outputsAndStatesMatchTheReference(_ size: Int, _ kind: (tokens: Bool, skip: Bool)) throws {
    let model = Self.model(size, tokens: kind.tokens, skip: kind.skip)
    let network = Network(model)
    var parameters: [String: [Double]] = [:]
    for slot in model.parameters.slots { parameters[slot.name] = model[slot.name]?.values.map(Double.init) }
    var random = RandomNumbers(seed: 5)
    for lengths in Self.lengths {
      let batch = try Self.batch(lengths, size, tokens: kind.tokens)
      func state() -> [Tensor] {
        (0..<3).map { _ in
          Tensor(shape: [lengths.count, size], values: (0..<lengths.count * size).map { _ in random.uniform(1) })
        }
      }
      let initial = LSTMState(hidden: state(), cell: state())
      let output = try network.forward(batch, state: initial)
      let final = network.finalState()
      let reference = ReferenceModel(configuration: model.configuration, batch: batch)
      let wanted = reference.run(
        parameters: parameters, inputs: reference.inputValues,
        hidden: initial.hidden.map { $0.values.map(Double.init) },
        cell: initial.cell.map { $0.values.map(Double.init) })
      func agree(_ found: [Float], _ wanted: [Double]) -> Bool {
        found.count == wanted.count && zip(found, wanted).allSatisfy { abs(Double($0) - $1) <= 5e-6 }
      }
      #expect(agree(output.values, wanted.output), "\(lengths)")
      #expect(zip(final.hidden, wanted.hidden).allSatisfy { agree($0.values, $1) }, "\(lengths)")
      #expect(zip(final.cell, wanted.cell).allSatisfy { agree($0.values, $1) }, "\(lengths)")
    }
  }

  /// The gradient of an embedding is that of what was looked up, summed by token; whether by rows or by a table.
  @Test(arguments: [1, 7, 129], [false, true])
  func theEmbeddingsGradientIsASumOverTokens(_ size: Int, skip: Bool) throws {
    let network = Network(Self.model(size, tokens: true, skip: skip))
    let embedding = try #require(network.embedding)
    var random = RandomNumbers(seed: 7)
    for lengths in Self.lengths {
      let batch = try Self.batch(lengths, size, tokens: true)
      guard case .tokens(let tokens) = batch.input else { return }
      let output = try network.forward(batch)
      let given = Tensor(shape: output.shape, values: output.values.map { _ in random.normal() })
      var wanted = [Double](repeating: 0, count: 5 * size)
      for wantsInput in [true, false] {
        let gradients = ParameterStore(network.configuration.parameters)
        _ = try network.forward(batch)
        let found = try network.backward(
          given, into: gradients, trainable: gradients.slots.map { _ in true }, wantsInput: wantsInput)
        for (place, value) in (found?.input.values ?? []).enumerated() {
          wanted[Int(tokens[place / size]) * size + place % size] += Double(value)
        }
        let largest = wanted.map(abs).max() ?? 0
        #expect(
          zip(gradients.values(embedding), wanted).allSatisfy { abs(Double($0) - $1) <= 4e-6 * largest }, "\(lengths)")
      }
    }
  }
}
