import LSTMCheckpoints
import Testing

@testable import LSTMLayers

/// Where there are more steps than tokens, each token's share of the gates is computed once and gradients are summed by
/// token first.
@Suite struct TokenTableTests {
  static let (vocabulary, width) = (7, 5)

  static func model(skip: Bool) -> LSTMModel {
    LSTMModel(
      .init(
        input: .tokens(vocabulary: vocabulary, size: width),
        layers: [.init(hiddenSize: 20, isBidirectional: true), .init(hiddenSize: 9)], skip: skip, readout: .all,
        head: [.init(size: 3)]), seed: 6)
  }

  static func batch(steps: Int) throws -> SequenceBatch {
    var random = RandomNumbers(seed: 8)
    return try SequenceBatch(
      tokens: (0..<6 * steps).map { _ in Int32.random(in: 0..<Int32(vocabulary), using: &random) }, count: 6,
      steps: steps, lengths: (0..<6).map { 1 + $0 * (steps - 1) / 5 })
  }

  @Test(arguments: KernelTests.paths)
  func theTableGivesTheBitsOfTheRows(_ path: String) throws {
    let kernels = try KernelTests.kernels(path)
    let model = Self.model(skip: false)
    let batch = try Self.batch(steps: 9)
    let network = Network(model, kernels: kernels)
    let output = try network.forward(batch)
    #expect(network.directions[0].allSatisfy { $0.readsTable })
    // The same steps as features.
    guard case .tokens(let tokens) = batch.input, let embedding = model["embedding.weight"] else { return }
    var plain = model.configuration
    plain.plain.input = .features(size: Self.width)
    var other = LSTMModel(plain)
    for parameter in plain.parameters {
      if let values = model[parameter.name] { try other.set(parameter.name, to: values) }
    }
    let rows = tokens.flatMap { embedding.values[Int($0) * Self.width..<(Int($0) + 1) * Self.width] }
    let features = try SequenceBatch(
      Tensor(shape: [6, 9, Self.width], values: rows), lengths: batch.lengths)
    #expect(try Network(other, kernels: kernels).forward(features).values == output.values)
  }

  @Test(arguments: KernelTests.paths, [false, true])
  func sumsByTokenAreTheGradients(_ path: String, skip: Bool) throws {
    let kernels = try KernelTests.kernels(path)
    let network = Network(Self.model(skip: skip), kernels: kernels)
    let batch = try Self.batch(steps: 11)
    let everything = network.weights.slots.map { _ in true }
    func gradients(_ trainable: [Bool], wantsInput: Bool) throws -> [[Float]] {
      let store = ParameterStore(network.configuration.parameters)
      let output = try network.forward(batch)
      try network.backward(output, into: store, trainable: trainable, wantsInput: wantsInput)
      return store.slots.indices.map(store.values)
    }
    // dL/dx itself is asked for by row, which takes the other way.
    let byRow = try gradients(everything, wantsInput: true)
    let byToken = try gradients(everything, wantsInput: false)
    for (slot, (wanted, found)) in zip(network.weights.slots, zip(byRow, byToken)) {
      let scale = wanted.map(abs).max() ?? 0
      #expect(scale > 0)
      #expect(zip(wanted, found).allSatisfy { abs($0 - $1) <= 2e-6 * scale }, "\(slot.name)")
    }
    // One of the two alone gives the same bits, and leaves the other's gradient alone.
    for name in ["embedding.weight", "lstm.weight_ih_l0"] {
      let index = try #require(network.weights.index(of: name))
      let alone = try gradients(everything.indices.map { $0 == index }, wantsInput: false)
      #expect(alone[index] == byToken[index])
      #expect(alone.indices.allSatisfy { $0 == index || alone[$0].allSatisfy { $0 == 0 } })
    }
  }

  /// The table follows the weights: after a change of the embedding alone, too.
  @Test func aChangedEmbeddingIsSeen() throws {
    let network = Network(Self.model(skip: false))
    let batch = try Self.batch(steps: 9)
    let before = try network.forward(batch)
    let embedding = try #require(network.weights.index(of: "embedding.weight"))
    network.weights.pointer(embedding)[3] += 1
    network.weightsChanged(network.weights.slots.indices.map { $0 == embedding })
    let after = try network.forward(batch)
    #expect(after.values != before.values)
    #expect(
      try Network(network.configuration, weights: network.weights, kernels: .best).forward(batch).values == after.values
    )
  }
}
