import Foundation
import HDF5
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// Layers that change shapes against PyTorch and Keras: outputs, and the gradients of inputs and weights.
@Suite struct ShapeGoldenTests {
  static let files = ["shapes-torch", "shapes-keras"]
  static let cases = files.flatMap { file in
    ((try? Golden("golden-layers/\(file).h5"))?.root.groups ?? []).map { Case(file: file, group: $0) }
  }

  struct Case: Sendable, CustomTestStringConvertible {
    let file: String
    let group: HDF5Group
    var testDescription: String { "\(file): \(group.name)" }

    func has(_ path: String) -> Bool { group.dataset(at: path) != nil }

    func tensor(_ path: String) throws -> Tensor {
      let dataset = try #require(group.dataset(at: path), "\(path)")
      return Tensor(shape: dataset.shape, values: try StoredTensor(dataset).floats())
    }

    func configuration() throws -> ModelConfiguration {
      let json = try #require(group.attribute("configuration")?.string)
      return try ModelConfiguration(json: Data(json.utf8), file: group.name)
    }

    func model() throws -> LSTMModel {
      var model = LSTMModel(try configuration())
      for slot in model.parameters.slots { try model.set(slot.name, to: tensor("weights/\(slot.name)")) }
      return model
    }

    func batch(_ name: String = "x") throws -> SequenceBatch {
      let x = try tensor(name)
      guard x.shape.count == 3 else {
        return try SequenceBatch(Tensor(shape: [x.shape[0], 1, x.shape[1]], values: x.values))
      }
      let lengths = try group.dataset(at: "lengths").map { try StoredTensor($0).integers() }
      return try SequenceBatch(x, lengths: lengths)
    }

    /// Inputs after the first.
    func others() throws -> [SequenceBatch] {
      var list: [SequenceBatch] = []
      while has("x\(list.count + 1)") { list.append(try batch("x\(list.count + 1)")) }
      return list
    }
  }

  @Test func everyCaseIsThere() {
    #expect(Self.cases.filter { $0.file == "shapes-torch" }.count == 51)
    #expect(Self.cases.filter { $0.file == "shapes-keras" }.count == 21)
  }

  @Test(arguments: cases, KernelTests.paths)
  func outputsAndGradients(_ test: Case, on path: String) throws {
    let model = try test.model()
    let network = Network(model, kernels: try KernelTests.kernels(path))
    let (batch, others) = (try test.batch(), try test.others())
    let wanted = try test.tensor("y")
    // Twice: nothing may be left from the first time.
    for _ in 0..<2 {
      let y = try network.forward(batch, others: others)
      #expect(y.shape == wanted.shape)
      #expect(largestDifference(y.values, wanted.values) <= 2e-6, "y")
      let gradients = ParameterStore(model.configuration.parameters)
      let back = try #require(
        try network.backward(
          test.tensor("gy"), into: gradients, trainable: gradients.slots.map { _ in true }, wantsInput: true))
      #expect(relativeDifference(back.input.values, try test.tensor("grad/x").values) <= 1e-5, "x")
      for (index, slot) in gradients.slots.enumerated() {
        let expected = try test.tensor("grad/weights/\(slot.name)")
        #expect(relativeDifference(gradients.values(index), expected.values) <= 1e-5, "\(slot.name)")
      }
      // Frozen weights let gradients through.
      let frozen = ParameterStore(model.configuration.parameters)
      _ = try network.forward(batch, others: others)
      let through = try network.backward(
        test.tensor("gy"), into: frozen, trainable: frozen.slots.map { _ in false }, wantsInput: true)
      #expect(through?.input == back.input)
      #expect((0..<frozen.slots.count).allSatisfy { frozen.values($0).allSatisfy { $0 == 0 } })
    }
  }

  @Test(arguments: cases) func theNumberOfThreadsDoesNotShow(_ test: Case) throws {
    let model = try test.model()
    let (batch, others) = (try test.batch(), try test.others())
    var found: [([Float], [Float], [[Float]])] = []
    for threads in [1, 2, 5] {
      var kernels = Kernels.best
      kernels.threads = threads
      let network = Network(model, kernels: kernels)
      let y = try network.forward(batch, others: others)
      let gradients = ParameterStore(model.configuration.parameters)
      let back = try network.backward(
        test.tensor("gy"), into: gradients, trainable: gradients.slots.map { _ in true }, wantsInput: true)
      found.append((y.values, back?.input.values ?? [], gradients.slots.indices.map(gradients.values)))
    }
    for other in found.dropFirst() {
      #expect(other.0 == found[0].0 && other.1 == found[0].1 && other.2 == found[0].2)
    }
  }
}
