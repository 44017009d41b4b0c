import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// Recurrent layers of every cell against PyTorch, Keras 3 and 2, TensorFlow 1 and ONNX Runtime, on every path.
@Suite struct RecurrentGoldenTests {
  static let all = fixtureNames(in: "golden-recurrent")
  static let cases = all.filter { !$0.hasSuffix("training") }
  static let trained = all.filter { $0.hasSuffix("training") }

  @Test func thereAreCasesOfEveryFramework() {
    for (framework, count) in [("torch", 11), ("keras", 18), ("tf_keras", 3), ("tf1", 4), ("onnx", 14)] {
      #expect(Self.cases.filter { $0.hasPrefix(framework + "_") }.count >= count, "\(framework)")
    }
    #expect(Self.trained.count == 2)
  }

  static func model(_ golden: Golden) throws -> LSTMModel {
    var model = LSTMModel(try golden.json("model", as: ModelConfiguration.self))
    let weights = try golden.tensors(in: "weights")
    #expect(weights.count == model.parameters.slots.count)
    for (parameter, value) in weights { try model.set(parameter, to: value) }
    return model
  }

  /// h_0 or its like, (L * D, N, H), of layers without a cell state.
  static func state(_ hidden: Tensor) -> LSTMState {
    let (count, size) = (hidden.shape[1], hidden.shape[2])
    return LSTMState(
      hidden: (0..<hidden.shape[0]).map { index in
        Tensor(
          shape: [count, size], values: Array(hidden.values[index * count * size..<(index + 1) * count * size]))
      },
      cell: (0..<hidden.shape[0]).map { _ in Tensor(shape: [count, 0], values: []) })
  }

  @Test(arguments: cases, KernelTests.paths)
  func outputsAndGradients(_ name: String, on path: String) throws {
    let golden = try Golden("golden-recurrent/\(name).h5")
    let model = try Self.model(golden)
    let network = Network(model, kernels: try KernelTests.kernels(path))
    let lengths = golden.has("lengths") ? try golden.integers("lengths") : nil
    let batch = try SequenceBatch(golden.tensor("x"), lengths: lengths)
    let state = golden.has("h0") ? Self.state(try golden.tensor("h0")) : nil
    let y = try network.forward(batch, state: state)
    let wanted = try golden.tensor("y")
    #expect(y.shape == wanted.shape)
    let scale = wanted.values.reduce(1) { max($0, abs($1)) }
    #expect(largestDifference(y.values, wanted.values) <= 2e-6 * scale, "y")
    if golden.has("h_n") {
      let final = network.finalState().stackedHidden?.values ?? []
      #expect(largestDifference(final, try golden.tensor("h_n").values) <= 2e-6 * scale, "h_n")
    }
    guard golden.has("gy") else { return }

    let gradients = ParameterStore(model.configuration.parameters)
    let back = try #require(
      try network.backward(
        golden.tensor("gy"), stateGradient: Self.state(golden.tensor("gh")), into: gradients,
        trainable: gradients.slots.map { _ in true }, wantsInput: true))
    let wantedGradients = try golden.tensors(in: "grad/weights")
    #expect(!wantedGradients.isEmpty)
    for (name, wanted) in wantedGradients {
      let index = try #require(gradients.index(of: name))
      #expect(relativeDifference(gradients.values(index), wanted.values) <= 1e-5, "\(name)")
    }
    #expect(relativeDifference(back.input.values, try golden.tensor("grad/x").values) <= 1e-5, "x")
    #expect(
      relativeDifference(back.state.stackedHidden?.values ?? [], try golden.tensor("grad/h0").values) <= 1e-5, "h0")
  }

  /// Twenty steps of Adam follow PyTorch's.
  @Test(arguments: trained, KernelTests.paths)
  func trainingFollowsPyTorch(_ name: String, on path: String) throws {
    let golden = try Golden("golden-recurrent/\(name).h5")
    let model = try Self.model(golden)
    let kernels = try KernelTests.kernels(path)
    let network = Network(model, kernels: kernels)
    let batch = try SequenceBatch(golden.tensor("x"))
    let (targets, losses) = (try golden.tensor("targets"), try golden.doubles("losses"))
    let (weights, updates) = (network.weights, ParameterUpdates(kernels))
    let (first, second) = (weights.copy(), weights.copy())
    first.zero()
    second.zero()
    for (step, wanted) in losses.enumerated() {
      let y = try network.forward(batch)
      let count = Float(y.values.count)
      let differences = zip(y.values, targets.values).map { $0 - $1 }
      let loss = differences.reduce(0) { $0 + Double($1 * $1) } / Double(count)
      #expect(abs(loss - wanted) <= 1e-5 * wanted, "step \(step)")
      let gradients = ParameterStore(model.configuration.parameters)
      try network.backward(
        Tensor(shape: y.shape, values: differences.map { 2 * $0 / count }), into: gradients,
        trainable: gradients.slots.map { _ in true })
      updates.adam(
        weights.count, gradients.pointer, first: first.pointer, second: second.pointer, largest: nil, weights.pointer,
        learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0, isDecoupled: false, step: step + 1)
      network.weightsChanged()
    }
    for (name, wanted) in try golden.tensors(in: "trained") {
      let index = try #require(weights.index(of: name))
      #expect(largestDifference(weights.values(index), wanted.values) <= 1e-5, "\(name)")
    }
  }
}
