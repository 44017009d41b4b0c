import FileIO
import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// Models of Keras 3 and tf_keras that are more than a stack give the outputs that they gave there.
@Suite struct KerasGraphGoldenTests {
  static let cases =
    fixtureNames(in: "keras-graph", suffix: ".keras").map { $0 + ".keras" }
    + fixtureNames(in: "keras-graph", suffix: ".h5").map { $0 + ".h5" }

  @Test(arguments: cases)
  func outputs(_ name: String) throws {
    let folder = fixtures.appendingPathComponent("keras-graph")
    let golden = try Checkpoint(path: folder.appendingPathComponent(name.split(separator: ".")[0] + ".npz").path)
    let model = try LSTMModel(Checkpoint(path: folder.appendingPathComponent(name).path))
    // What has several inputs, or one row a sequence, is no batch of sequences.
    guard model.configuration.inputs.count == 1, !model.configuration.inputs[0].isPerSequence else { return }
    let batch = try batch(try #require(golden["x0"]), model.configuration, isTurned: name.contains("height_first"))
    let outputs = try model(batch, others: []).outputs
    for (place, found) in outputs.enumerated() {
      let wanted = try #require(golden["y\(place)"])
      #expect(found.shape == wanted.shape)
      #expect(relativeDifference(found.values, try wanted.floats()) <= 2e-6)
    }
    if outputs.count == 1 { #expect(try model(batch).output == outputs[0]) }
  }

  /// Only the first input's steps can be hidden here: what hides steps of the second becomes the first, which is noted.
  @Test(arguments: [2, 3]) func theInputThatHidesStepsIsTheFirst(_ major: Int) throws {
    let stem = fixtures.appendingPathComponent("keras-graph/k\(major)_masked_second").path
    let golden = try Checkpoint(path: stem + ".npz")
    let plan = try LoadPlan(Checkpoint(path: stem + ".keras"))
    #expect(plan.report.notes.contains { "\($0)".contains("is the first input here") })
    let (picture, words) = (try #require(golden["x0"]), try #require(golden["x1"]))
    let tokens = try SequenceBatch(tokens: words.integers().map { Int32($0) }, count: 2, steps: 7)
    let rows = try SequenceBatch(Tensor(shape: [2, 1, 5], values: picture.floats()))
    let found = try LSTMModel(plan)(tokens, others: [rows]).outputs[0]
    let wanted = try #require(golden["y0"])
    #expect(found.shape == wanted.shape)
    #expect(relativeDifference(found.values, try wanted.floats()) <= 2e-6)
  }

  /// Images are (N, T, F, C) there, or (N, F, T, C), and rows of C x F here.
  private func batch(
    _ x: StoredTensor, _ configuration: ModelConfiguration, isTurned: Bool
  ) throws -> SequenceBatch {
    if configuration.inputs[0].vocabulary != nil {
      return try SequenceBatch(
        tokens: try x.integers().map { Int32($0) }, count: x.shape[0], steps: x.shape[1])
    }
    let values = try x.floats()
    guard x.shape.count == 4 else { return try SequenceBatch(Tensor(shape: x.shape, values: values)) }
    let (n, a, b, c) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    let (steps, height) = isTurned ? (b, a) : (a, b)
    var rows = [Float](repeating: 0, count: values.count)
    for sequence in 0..<n {
      for time in 0..<steps {
        for row in 0..<height {
          for channel in 0..<c {
            let from = isTurned ? (sequence * a + row) * b + time : (sequence * a + time) * b + row
            rows[((sequence * steps + time) * c + channel) * height + row] = values[from * c + channel]
          }
        }
      }
    }
    return try SequenceBatch(Tensor(shape: [n, steps, c * height], values: rows))
  }
}
