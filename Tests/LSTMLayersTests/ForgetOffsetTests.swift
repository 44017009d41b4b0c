import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// An offset of the forget gate is the same as so much more in its bias, but the bias stays what the source stored.
@Suite struct ForgetOffsetTests {
  static let layers: [[PlainStack.Layer]] = [
    [.init(hiddenSize: 5, bias: .single, forgetOffset: 1)],
    [.init(hiddenSize: 17, isBidirectional: true, forgetOffset: 1), .init(hiddenSize: 8, forgetOffset: -0.5)],
    [.init(hiddenSize: 40, projectionSize: 7, hasPeepholes: true, forgetOffset: 2)],
  ]

  @Test(arguments: KernelTests.paths, layers.indices)
  func isSoMuchMoreInTheBias(_ path: String, index: Int) throws {
    let kernels = try KernelTests.kernels(path)
    let model = LSTMModel(.init(input: .features(size: 4), layers: Self.layers[index]), seed: 5)
    var plain = model.configuration
    for index in plain.plain.layers.indices { plain.plain.layers[index].forgetOffset = 0 }
    var shifted = LSTMModel(plain)
    for (at, slot) in model.parameters.slots.enumerated() {
      var values = model.parameters.values(at)
      if slot.name.contains("bias_ih"), let layer = Int(slot.specification.role.layer.dropFirst(5)) {
        let h = plain.plain.layers[layer].hiddenSize
        for j in h..<2 * h { values[j] += model.configuration.plain.layers[layer].forgetOffset }
      }
      try shifted.set(slot.name, to: Tensor(shape: slot.specification.shape, values: values))
    }
    var random = RandomNumbers(seed: 1)
    let x = Tensor(shape: [3, 11, 4], values: (0..<3 * 11 * 4).map { _ in random.normal() })
    let (one, other) = (Network(model, kernels: kernels), Network(shifted, kernels: kernels))
    let (y, z) = (try one.forward(SequenceBatch(x)), try other.forward(SequenceBatch(x)))
    #expect(largestDifference(y.values, z.values) <= 1e-6)
    #expect(
      largestDifference(one.finalState().cell.flatMap(\.values), other.finalState().cell.flatMap(\.values)) <= 4e-6)
    // It does something, and the stored bias is untouched.
    let without = Network(try Self.model(plain, like: model), kernels: kernels)
    #expect(largestDifference(try without.forward(SequenceBatch(x)).values, y.values) > 1e-3)
  }

  private static func model(_ configuration: ModelConfiguration, like other: LSTMModel) throws -> LSTMModel {
    var made = LSTMModel(configuration)
    for (at, slot) in other.parameters.slots.enumerated() {
      try made.set(slot.name, to: Tensor(shape: slot.specification.shape, values: other.parameters.values(at)))
    }
    return made
  }
}
