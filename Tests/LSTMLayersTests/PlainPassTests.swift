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
    let embedding = try #require(network.weights.index(of: "embedding.weight"))
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

  static let regularization = Regularization(
    dropout: 0.2, inputDropout: 0.3, hiddenDropout: 0.25, outputDropout: 0.4, embeddingDropout: 0.2, weightDrop: 0.5,
    activationRegularization: 2, temporalActivationRegularization: 1)

  /// The slope of the loss along a random direction through all parameters, inputs and initial states, with every
  /// regularization: from the gradients, and by differences of the reference.
  @Test(arguments: [1, 7, 129], [(false, false), (false, true), (true, false), (true, true)])
  func gradientsAreTheSlopesOfTheReference(_ size: Int, _ kind: (tokens: Bool, skip: Bool)) throws {
    let tokens = kind.tokens
    var model = Self.model(size, tokens: tokens, skip: kind.skip)
    model = model.reconfigured(model.configuration.normalizingOutput())
    var random = RandomNumbers(seed: 9)
    for lengths in size == 129 ? [[2], [3, 1]] : Self.lengths {
      let batch = try Self.batch(lengths, size, tokens: tokens)
      func state(_ count: Int) -> [Tensor] {
        (0..<count).map { _ in
          Tensor(shape: [lengths.count, size], values: (0..<lengths.count * size).map { _ in random.uniform(1) })
        }
      }
      let initial = LSTMState(hidden: state(3), cell: state(3))
      let final = LSTMState(hidden: state(3), cell: state(3))
      let network = Network(model)
      let output = try network.forward(
        batch, state: initial, regularization: .init(Self.regularization, seed: 4, step: 2))
      let weights = Tensor(shape: output.shape, values: output.values.map { _ in random.normal() })
      let reference = ReferenceModel(
        configuration: model.configuration, batch: batch, masks: ReferenceMasks(network))
      let gradients = ParameterStore(model.configuration.parameters)
      let back = try #require(
        try network.backward(
          weights, stateGradient: final, into: gradients, trainable: gradients.slots.map { _ in true },
          wantsInput: true))
      // Everything that the loss depends on in one list, and the gradients in the same order.
      var values = model.parameters.slots.indices.map(model.parameters.values)
      var slopes = model.parameters.slots.indices.map(gradients.values)
      if !tokens {
        values.append(reference.inputValues.map(Float.init))
        slopes.append(back.input.values)
      }
      values += (initial.hidden + initial.cell).map(\.values)
      slopes += (back.state.hidden + back.state.cell).map(\.values)
      let count = values.reduce(0) { $0 + $1.count }
      let direction = values.map { $0.map { _ in (Bool.random(using: &random) ? 1 : -1) / Double(count).squareRoot() } }
      func loss(_ step: Double) -> Double {
        var moved = zip(values, direction).map { zip($0, $1).map { Double($0) + step * $1 } }
        let parameters = Dictionary(uniqueKeysWithValues: zip(model.parameters.slots.map(\.name), moved))
        moved.removeFirst(parameters.count)
        let inputs = tokens ? [] : moved.removeFirst()
        let result = reference.run(
          parameters: parameters, inputs: inputs, hidden: Array(moved[..<3]), cell: Array(moved[3...]))
        let all = [result.output] + result.hidden + result.cell
        let factors = [weights] + final.hidden + final.cell
        return zip(all, factors).reduce(result.penalty) { sum, part in
          zip(part.0, part.1.values).reduce(sum) { $0 + $1.0 * Double($1.1) }
        }
      }
      let found = zip(slopes, direction).reduce(0) { $0 + zip($1.0, $1.1).reduce(0) { $0 + Double($1.0) * $1.1 } }
      let length = slopes.joined().reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      let wanted = (loss(1e-5) - loss(-1e-5)) / 2e-5
      #expect(abs(found - wanted) <= 5e-5 * length / Double(count).squareRoot(), "\(lengths)")
      for (layer, directions) in network.directions.enumerated() {
        let norms = (0..<network.shape.steps).map { step in
          directions.reduce(0.0) { sum, direction in
            let first = network.shape.offsets[step] * direction.gateSize
            let gates = UnsafeBufferPointer(
              start: direction.gates.pointer + first, count: network.shape.active[step] * direction.gateSize)
            return gates.reduce(sum) { $0 + Double($1) * Double($1) }
          }.squareRoot()
        }
        #expect(zip(network.gateGradientNorms(layer: layer), norms).allSatisfy { abs($0 - $1) <= 1e-9 * $1 })
      }
    }
  }
}

extension ModelConfiguration {
  fileprivate func normalizingOutput() -> ModelConfiguration {
    var copy = self
    copy.plain.normalizesOutput = true
    return copy
  }
}
