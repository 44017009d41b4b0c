import FileIO
import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing

/// ONNX models that are more than a stack of LSTMs: ONNX Runtime's numbers, whatever the layers.
@Suite struct ONNXNetworkTests {
  static let names = fixtureNames(in: "onnx-graph", suffix: ".onnx")
  /// They read several inputs, which a batch has not.
  static let readers: Set<String> = ["two_inputs", "two_tables"]

  static func checkpoint(_ name: String) throws -> Checkpoint {
    try Checkpoint(path: fixtures.appendingPathComponent("onnx-graph/\(name).onnx").path)
  }

  @Test(arguments: names.filter { !readers.contains($0) })
  func givesTheSameNumbers(_ name: String) throws {
    let golden = try Golden("onnx-graph/\(name).reference.h5")
    let model = try LSTMModel(Self.checkpoint(name))
    let input = try golden.text("inputs")
    let batch: SequenceBatch
    if case .tokens = model.configuration.input {
      let shape = try golden.tensor(input).shape
      batch = try SequenceBatch(tokens: golden.integers(input).map(Int32.init), count: shape[0], steps: shape[1])
    } else {
      batch = try SequenceBatch(golden.tensor(input))
    }
    let y = try model(batch).output
    let expected = try golden.tensor("y")
    #expect(y.shape == expected.shape)
    #expect(largestDifference(y.values, expected.values) <= 2e-6)
  }
}
