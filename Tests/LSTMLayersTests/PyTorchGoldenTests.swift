import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// Outputs and gradients against PyTorch's, on every instruction-set path that this machine has.
@Suite struct PyTorchGoldenTests {
  static let cases = fixtureNames(in: "golden-lstm")
  static let paths = Kernels.available.map(\.name)

  @Test func thereAreTwentyCasesAndMore() {
    #expect(Self.cases.filter { !$0.hasPrefix("packed") }.count == 20)
    #expect(Self.cases.filter { $0.hasPrefix("packed") }.count == 3)
    #expect(Self.paths.last == "scalar")
  }

  @Test(arguments: cases, paths)
  func outputsAndGradients(_ name: String, on path: String) throws {
    let golden = try Golden("golden-lstm/\(name).h5")
    let kernels = try #require(Kernels.available.first { $0.name == path })
    let configuration = try Self.configuration(golden)
    var model = LSTMModel(configuration)
    for (parameter, value) in try golden.tensors(in: "weights") { try model.set(parameter, to: value) }

    let network = Network(model, kernels: kernels)
    let lengths = golden.has("lengths") ? try golden.integers("lengths") : nil
    let x = try golden.tensor("x")
    let state = try LSTMState(stackedHidden: golden.tensor("h0"), stackedCell: golden.tensor("c0"))
    let y = try network.forward(SequenceBatch(x, lengths: lengths), state: state)
    let final = network.finalState()
    #expect(largestDifference(y.values, try golden.tensor("y").values) <= 1e-6, "y")
    #expect(largestDifference(final.stackedHidden?.values ?? [], try golden.tensor("h_n").values) <= 1e-6, "h_n")
    #expect(largestDifference(final.stackedCell?.values ?? [], try golden.tensor("c_n").values) <= 1e-6, "c_n")

    let gradients = ParameterStore(configuration.parameters)
    let stateGradient = try LSTMState(stackedHidden: golden.tensor("gh"), stackedCell: golden.tensor("gc"))
    let back = try #require(
      try network.backward(
        golden.tensor("gy"), stateGradient: stateGradient, into: gradients,
        trainable: gradients.slots.map { _ in true }, wantsInput: true))
    let wanted = try golden.tensors(in: "grad/weights")
    #expect(wanted.count == gradients.slots.count)
    for (index, slot) in gradients.slots.enumerated() {
      let expected = try #require(wanted[slot.name])
      #expect(relativeDifference(gradients.values(index), expected.values) <= 1e-5, "\(slot.name)")
    }
    #expect(relativeDifference(back.input.values, try golden.tensor("grad/x").values) <= 1e-5, "x")
    #expect(relativeDifference(back.state.stackedHidden?.values ?? [], try golden.tensor("grad/h0").values) <= 1e-5)
    #expect(relativeDifference(back.state.stackedCell?.values ?? [], try golden.tensor("grad/c0").values) <= 1e-5)
  }

  @Test(arguments: ["l2_bi_i7_h7_n32_t5", "l1_uni_i10_h129_n1_t100"])
  func timeMajorGivesTheSameBits(_ name: String) throws {
    let golden = try Golden("golden-lstm/\(name).h5")
    var model = LSTMModel(try Self.configuration(golden))
    for (parameter, value) in try golden.tensors(in: "weights") { try model.set(parameter, to: value) }
    let x = try golden.tensor("x")
    let batchFirst = try model(x)
    let timeMajor = try model(x.swappingFirstAxes(), order: .timeMajor)
    #expect(timeMajor.output.swappingFirstAxes() == batchFirst.output)
    #expect(timeMajor.state == batchFirst.state)
  }

  static func configuration(_ golden: Golden) throws -> ModelConfiguration {
    let projection = try golden.integer("proj_size")
    let layer = PlainStack.Layer(
      hiddenSize: try golden.integer("hidden_size"), isBidirectional: try golden.integer("bidirectional") != 0,
      projectionSize: projection == 0 ? nil : projection, bias: try golden.integer("bias") != 0 ? .dual : .none)
    return ModelConfiguration(
      input: .features(size: try golden.integer("input_size")),
      layers: [PlainStack.Layer](repeating: layer, count: try golden.integer("num_layers")))
  }
}
