import FileIO
import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// Every kind of layer and every setting: outputs and gradients are those of PyTorch in double precision, which
/// `scripts/make-golden-kinds.py` compared with central differences.
@Suite struct KindGradientTests {
  /// PyTorch's values of each model.
  private static let golden: [String: [Float]] = {
    guard let file = try? Golden("kinds/golden.h5"), let values = try? file.tensor("values").values,
      let text = try? file.text("cases"),
      let cases = try? JSONDecoder().decode([Entry].self, from: Data(text.utf8))
    else { return [:] }
    var start = 0
    return Dictionary(
      uniqueKeysWithValues: cases.map { entry in
        defer { start += entry.count }
        return (entry.name, Array(values[start..<start + entry.count]))
      })
  }()

  private struct Entry: Decodable {
    let name: String
    let count: Int
  }

  @Test func everyModelThatPyTorchHoldsIsThere() {
    #expect(
      Self.golden.keys.sorted() == KindCase.all.filter { !$0.refusing.contains("pt") }.map(\.name).sorted())
  }

  @Test(arguments: KindCase.all.filter { !$0.refusing.contains("pt") })
  func outputsAndGradientsArePyTorchs(_ test: KindCase) throws {
    let model = try test.model()
    let wanted = try #require(Self.golden[test.name])
    let batches = try test.batches(model.configuration)
    for kernels in Kernels.available {
      let network = Network(model, kernels: kernels)
      _ = try network.forward(batches[0], others: Array(batches.dropFirst()), isTraining: false)
      var found: [Float] = []
      let outputs = network.outputTensors()
      for output in outputs { found += Self.some(output.values) }
      let gradients = ParameterStore(model.configuration.parameters)
      let back = try network.backward(
        Tensor(
          shape: outputs[0].shape, values: test.numbers("loss", outputs[0].values.count).map { Float($0) }),
        into: gradients, trainable: gradients.slots.map { $0.specification.part.isTrainable }, wantsInput: true)
      let scored = found.count
      if model.configuration.inputs[0].vocabulary == nil { found += Self.some(try #require(back).input.values) }
      for (index, slot) in gradients.slots.enumerated() where slot.specification.part.isTrainable {
        found += Self.some(gradients.values(index))
      }
      #expect(found.count == wanted.count)
      let scale = wanted[scored...].reduce(Float(0.1)) { max($0, abs($1)) }
      for (index, (one, other)) in zip(found, wanted).enumerated() {
        let bound = index < scored ? 2e-6 * max(1, abs(other)) : 1e-5 * scale
        #expect(abs(one - other) <= bound, "\(kernels.name): \(index < scored ? "output" : "gradient") \(one) \(other)")
      }
    }
  }

  /// Eight values at most, evenly spread with both ends.
  private static func some(_ values: [Float]) -> [Float] {
    values.count <= 8 ? values : (0..<8).map { values[$0 * (values.count - 1) / 7] }
  }
}
