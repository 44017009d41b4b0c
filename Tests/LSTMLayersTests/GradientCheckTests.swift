import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// Every gradient against central differences of a plain double-precision forward pass, written here from the
/// formulas and sharing no code with the layers.
@Suite struct GradientCheckTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let configuration: ModelConfiguration
    var lengths: [Int]? = nil
    var regularization = Regularization()
    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(name: "plain", configuration: .init(input: .features(size: 3), layers: [.init(hiddenSize: 4)])),
    Case(
      name: "stack of mixed layers, ragged",
      configuration: .init(
        input: .features(size: 2),
        layers: [
          .init(hiddenSize: 3, isBidirectional: true), .init(hiddenSize: 5, projectionSize: 2),
          .init(hiddenSize: 1, isBidirectional: true, bias: .single),
        ], readout: .last, head: [.init(size: 3, activation: .tanh), .init(size: 2)]),
      lengths: [2, 5, 1, 4]),
    Case(
      name: "bidirectional final state, ragged",
      configuration: .init(
        input: .features(size: 2), layers: [.init(hiddenSize: 3, isBidirectional: true, bias: .none)], readout: .final,
        head: [.init(size: 4, activation: .relu), .init(size: 2, hasBias: false, activation: .sigmoid)]),
      lengths: [5, 3, 1, 5]),
    Case(
      name: "peepholes",
      configuration: .init(
        input: .features(size: 2), layers: [.init(hiddenSize: 3, isBidirectional: true, hasPeepholes: true)],
        readout: .mean),
      lengths: [5, 3, 1, 5]),
    Case(
      name: "an offset of the forget gate, ragged",
      configuration: .init(
        input: .features(size: 2),
        layers: [
          .init(hiddenSize: 3, isBidirectional: true, bias: .single, forgetOffset: 1),
          .init(hiddenSize: 5, hasPeepholes: true, forgetOffset: -0.75),
        ], readout: .last),
      lengths: [5, 3, 1, 5]),
    Case(
      name: "hard sigmoids",
      configuration: .init(
        input: .features(size: 2),
        layers: [
          .init(hiddenSize: 3, gateActivation: .hardSigmoid), .init(hiddenSize: 4, gateActivation: .hardSigmoidKeras3),
        ],
        readout: .all, head: [.init(size: 3, activation: .softmax)]),
      lengths: [5, 3, 2, 5]),
    Case(
      name: "tokens, skip, attention, L2",
      configuration: .init(
        input: .tokens(vocabulary: 6, size: 3),
        layers: [.init(hiddenSize: 4), .init(hiddenSize: 2, isBidirectional: true)],
        skip: true, readout: .attention, head: [.init(size: 3)], normalizesOutput: true),
      lengths: [4, 5, 2, 1]),
    Case(
      name: "tokens, skip, final",
      configuration: .init(
        input: .tokens(vocabulary: 6, size: 3),
        layers: [.init(hiddenSize: 4, isBidirectional: true), .init(hiddenSize: 2)],
        skip: true, readout: .final),
      lengths: [4, 5, 2, 1]),
    Case(
      name: "maximum",
      configuration: .init(
        input: .features(size: 3), layers: [.init(hiddenSize: 7)], readout: .max, head: [.init(size: 1)])),
    Case(
      name: "relu between the last step and the head, ragged",
      configuration: .init(
        input: .features(size: 2), layers: [.init(hiddenSize: 6), .init(hiddenSize: 5)], readout: .last,
        head: [.init(size: 3, activation: .tanh), .init(size: 2)], readoutActivation: .relu),
      lengths: [2, 5, 1, 4]),
    Case(
      name: "tanh between every step and the head, dropouts",
      configuration: .init(
        input: .features(size: 2), layers: [.init(hiddenSize: 4, isBidirectional: true)], readout: .all,
        head: [.init(size: 3)], readoutActivation: .tanh),
      lengths: [2, 5, 1, 4], regularization: .init(outputDropout: 0.4, activationRegularization: 1)),
    Case(
      name: "sigmoid between attention over tokens and the head",
      configuration: .init(
        input: .tokens(vocabulary: 6, size: 3), layers: [.init(hiddenSize: 4)], skip: true, readout: .attention,
        head: [.init(size: 3)], normalizesOutput: true, readoutActivation: .sigmoid),
      lengths: [4, 5, 2, 1]),
    Case(
      name: "all of AWD-LSTM's regularization",
      configuration: .init(
        input: .tokens(vocabulary: 6, size: 3), layers: [.init(hiddenSize: 5), .init(hiddenSize: 4)], readout: .all,
        head: [.init(size: 3)]),
      lengths: [5, 2, 4, 5],
      regularization: .init(
        inputDropout: 0.3, hiddenDropout: 0.25, outputDropout: 0.4, embeddingDropout: 0.3, weightDrop: 0.5,
        activationRegularization: 2, temporalActivationRegularization: 1)),
    Case(
      name: "dropouts of features, bidirectional, projected, ragged",
      configuration: .init(
        input: .features(size: 3),
        layers: [
          .init(hiddenSize: 3, isBidirectional: true), .init(hiddenSize: 5, projectionSize: 2, hasPeepholes: true),
          .init(hiddenSize: 3, isBidirectional: true, bias: .single),
        ], readout: .final, head: [.init(size: 3, activation: .tanh), .init(size: 2)]),
      lengths: [2, 5, 1, 4],
      regularization: .init(
        dropout: 0.3, inputDropout: 0.4, hiddenDropout: 0.2, outputDropout: 0.3, weightDrop: 0.4,
        activationRegularization: 0.7, temporalActivationRegularization: 1.5)),
    Case(
      name: "dropouts, tokens, skip, attention",
      configuration: .init(
        input: .tokens(vocabulary: 6, size: 3),
        layers: [.init(hiddenSize: 4), .init(hiddenSize: 3, isBidirectional: true)], skip: true, readout: .attention,
        head: [.init(size: 3)], normalizesOutput: true),
      lengths: [4, 5, 2, 1],
      regularization: .init(
        dropout: 0.2, inputDropout: 0.3, hiddenDropout: 0.3, outputDropout: 0.3, embeddingDropout: 0.3,
        activationRegularization: 1, temporalActivationRegularization: 2)),
    Case(
      name: "embedding dropout alone, skip, maximum",
      configuration: .init(
        input: .tokens(vocabulary: 6, size: 3), layers: [.init(hiddenSize: 4)], skip: true, readout: .max),
      lengths: [4, 5, 2, 1], regularization: .init(embeddingDropout: 0.4)),
    Case(
      name: "penalties alone, no head",
      configuration: .init(input: .features(size: 2), layers: [.init(hiddenSize: 3), .init(hiddenSize: 5)]),
      lengths: [1, 1, 3, 1],
      regularization: .init(activationRegularization: 2, temporalActivationRegularization: 3)),
    Case(
      name: "an embedding tied to the head",
      configuration: .init(
        input: .tokens(vocabulary: 6, size: 4), layers: [.init(hiddenSize: 5, projectionSize: 4)], readout: .all,
        head: [.init(size: 6, activation: .softmax)], ties: [["embedding.weight", "head.0.weight"]]),
      lengths: [5, 3, 2, 5]),
    Case(
      name: "layers and directions that are one",
      configuration: .init(
        input: .features(size: 4),
        layers: [.init(hiddenSize: 4), .init(hiddenSize: 4), .init(hiddenSize: 3, isBidirectional: true)],
        readout: .mean, head: [.init(size: 6, activation: .tanh), .init(size: 6)],
        ties: [
          ["lstm.weight_ih_l0", "lstm.weight_ih_l1"], ["lstm.weight_hh_l0", "lstm.weight_hh_l1"],
          ["lstm.bias_ih_l0", "lstm.bias_hh_l0", "lstm.bias_ih_l1"],
          ["lstm.weight_hh_l2", "lstm.weight_hh_l2_reverse"],
          ["head.0.weight", "head.1.weight"],
        ])),
    Case(
      name: "output dropout alone, mean",
      configuration: .init(input: .features(size: 2), layers: [.init(hiddenSize: 7)], readout: .mean),
      regularization: .init(outputDropout: 0.4)),
  ]

  @Test(arguments: cases) func everyGradientMatchesCentralDifferences(_ test: Case) throws {
    let configuration = test.configuration
    var model = LSTMModel(configuration, seed: 3)
    // Larger weights than PyTorch's, so that gates leave the middle of the sigmoid.
    var random = RandomNumbers(seed: 11)
    for slot in model.parameters.slots {
      try model.set(
        slot.name,
        to: Tensor(shape: slot.specification.shape, values: (0..<slot.count).map { _ in random.uniform(0.9) }))
    }
    let (count, steps) = (4, 5)
    let batch: SequenceBatch
    switch configuration.plain.input {
    case .features(let size):
      let x = Tensor(shape: [count, steps, size], values: (0..<count * steps * size).map { _ in random.normal() })
      batch = try SequenceBatch(x, lengths: test.lengths)
    case .tokens(let vocabulary, _):
      batch = try SequenceBatch(
        tokens: (0..<count * steps).map { _ in Int32(random.next() % UInt64(vocabulary)) }, count: count, steps: steps,
        lengths: test.lengths)
    }
    let sizes = configuration.stateSizes
    let state = LSTMState(
      hidden: sizes.map { size in
        Tensor(shape: [count, size.hidden], values: (0..<count * size.hidden).map { _ in random.uniform(0.8) })
      },
      cell: sizes.map { size in
        Tensor(shape: [count, size.cell], values: (0..<count * size.cell).map { _ in random.normal() })
      })

    // The loss: a random weighting of outputs and final states.
    let draw = Regularization.Draw(test.regularization, seed: 5, step: 3)
    let network = Network(model)
    let output = try network.forward(batch, state: state, regularization: draw)
    let weights = Tensor(shape: output.shape, values: output.values.map { _ in random.normal() })
    let final = network.finalState()
    let stateWeights = LSTMState(
      hidden: final.hidden.map { Tensor(shape: $0.shape, values: $0.values.map { _ in random.normal() }) },
      cell: final.cell.map { Tensor(shape: $0.shape, values: $0.values.map { _ in random.normal() }) })

    let reference = ReferenceModel(configuration: configuration, batch: batch, masks: ReferenceMasks(network))
    var parameters = Dictionary(
      uniqueKeysWithValues: model.parameters.slots.enumerated().map {
        ($1.name, model.parameters.values($0).map(Double.init))
      })
    var inputs = reference.inputValues
    var initial = (
      hidden: state.hidden.map { $0.values.map(Double.init) }, cell: state.cell.map { $0.values.map(Double.init) }
    )
    // Each place of what is tied has the one parameter.
    let owners = configuration.places.map { ($0.name, configuration.parameterName(of: $0.name)) }
    func placed() -> [String: [Double]] {
      Dictionary(uniqueKeysWithValues: owners.map { ($0, parameters[$1] ?? []) })
    }
    func loss() -> Double {
      let result = reference.run(parameters: placed(), inputs: inputs, hidden: initial.hidden, cell: initial.cell)
      var sum = result.penalty
      for (value, weight) in zip(result.output, weights.values) { sum += value * Double(weight) }
      for (values, weight) in zip(result.hidden + result.cell, stateWeights.hidden + stateWeights.cell) {
        for (value, weight) in zip(values, weight.values) { sum += value * Double(weight) }
      }
      return sum
    }
    let forward = reference.run(parameters: placed(), inputs: inputs, hidden: initial.hidden, cell: initial.cell)
    // On every path; the differences are the same for all.
    var found: [(gradients: ParameterStore, back: Network.InputGradients)] = []
    for kernels in Kernels.available {
      let network = Network(model, kernels: kernels)
      let output = try network.forward(batch, state: state, regularization: draw)
      #expect(zip(forward.output, output.values).allSatisfy { abs($0 - Double($1)) < 2e-6 }, "\(kernels.name)")
      #expect(abs(network.penalty.sum - forward.penalty) < 2e-6 * max(1, forward.penalty), "\(kernels.name)")
      let gradients = ParameterStore(configuration.parameters)
      let back = try #require(
        try network.backward(
          weights, stateGradient: stateWeights, into: gradients, trainable: gradients.slots.map { _ in true },
          wantsInput: true))
      found.append((gradients, back))
    }
    func central(_ change: (Double) -> Void) -> Double { centralDifference(step: 1e-6, loss, change) }
    func compare(
      _ values: (ParameterStore, Network.InputGradients) -> [Float], _ wanted: [Double], _ what: String
    ) {
      let scale = wanted.reduce(1e-3) { max($0, abs($1)) }
      for (kernels, (gradients, back)) in zip(Kernels.available, found) {
        let values = values(gradients, back)
        #expect(values.count == wanted.count)
        for (f, w) in zip(values, wanted) {
          #expect(abs(Double(f) - w) <= 1e-5 * scale, "\(kernels.name), \(what): \(f) \(w)")
        }
      }
    }
    for (index, slot) in model.parameters.slots.enumerated() {
      let wanted = (0..<slot.count).map { at in central { parameters[slot.name]?[at] += $0 } }
      compare({ gradients, _ in gradients.values(index) }, wanted, slot.name)
    }
    if case .features = configuration.plain.input {
      compare({ $1.input.values }, inputs.indices.map { at in central { inputs[at] += $0 } }, "input")
    }
    for index in sizes.indices {
      compare(
        { $1.state.hidden[index].values },
        initial.hidden[index].indices.map { at in central { initial.hidden[index][at] += $0 } },
        "h0 \(index)")
      compare(
        { $1.state.cell[index].values },
        initial.cell[index].indices.map { at in central { initial.cell[index][at] += $0 } },
        "c0 \(index)")
    }
  }
}
