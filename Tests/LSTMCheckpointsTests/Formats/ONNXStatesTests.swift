import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// Models whose program carries the state from call to call: they go back with the same inputs and outputs.
@Suite struct ONNXStatesTests {
  /// Names and sizes of the inputs, and the names of the outputs.
  private static func interface(_ path: String) throws -> (inputs: [String], outputs: [String]) {
    let model = try ONNXModel(.file(RegularFile(path: path)))
    let inputs = model.inputs.map { input in
      "\(input.name) \((input.shape ?? []).map { $0.map(String.init) ?? "?" }.joined(separator: " ")) \(input.typeCode)"
    }
    return (inputs, model.outputs)
  }

  private static func source(_ name: String) -> String {
    fixtures.appendingPathComponent("onnx-graph/\(name).onnx").path
  }

  @Test(arguments: [
    ("voice_activity", ["input ? ? 1", "state 2 ? 5 1", "sr  7"]),
    ("torch_cell", ["x ? 4 1", "h ? 5 1", "c ? 5 1"]),
    ("torch_gru_step", ["x ? 4 1", "h ? 5 1"]),
  ])
  func keepsItsInputsAndOutputs(_ name: String, _ inputs: [String]) throws {
    let folder = try TemporaryFolder()
    let original = try Self.interface(Self.source(name))
    let model = try LoadPlan(Checkpoint(path: Self.source(name))).imported()
    #expect(model.provenance?.interface?.fits(model.configuration) == true)
    // Through the native file, as a person goes.
    try model.write(path: folder.path("model.h5"), as: .native)
    let stored = try StoredModel(Checkpoint(path: folder.path("model.h5")))
    try stored.write(path: folder.path("a.onnx"), as: .onnx)
    let written = try Self.interface(folder.path("a.onnx"))
    #expect(written.inputs == inputs)
    #expect(written.inputs.map { $0.split(separator: " ")[0] } == original.inputs.map { $0.split(separator: " ")[0] })
    #expect(written.outputs == original.outputs)
    #expect(stored.exportNotes(as: .onnx).contains { $0.contains("from call to call") })
    // Read again it is the same model.
    let again = try LoadPlan(Checkpoint(path: folder.path("a.onnx"))).imported()
    #expect(again.configuration == model.configuration)
    #expect(again.provenance?.interface?.states.map(\.input) == model.provenance?.interface?.states.map(\.input))
  }

  @Test func leavesThemAwayWhenAsked() throws {
    let folder = try TemporaryFolder()
    let model = try LoadPlan(Checkpoint(path: Self.source("voice_activity"))).imported()
    try model.write(path: folder.path("a.onnx"), as: .onnx, options: WriteOptions(carriesState: false))
    #expect(try Self.interface(folder.path("a.onnx")).inputs == ["input ? ? 1 1"])
  }

  /// Any model can take its states; a plain stack has them as PyTorch's modules do.
  @Test func addsThemWhenAsked() throws {
    let folder = try TemporaryFolder()
    let model = try LoadPlan(Checkpoint(path: Self.source("gru_then_lstm"))).imported()
    try model.write(path: folder.path("a.onnx"), as: .onnx, options: WriteOptions(carriesState: true))
    let written = try Self.interface(folder.path("a.onnx"))
    #expect(written.inputs == ["input ? ? 4 1", "h_0_layer0 1 ? 5 1", "h_0_layer1 1 ? 3 1", "c_0_layer1 1 ? 3 1"])
    #expect(written.outputs == ["output", "h_n_layer0", "h_n_layer1", "c_n_layer1"])
    let again = try LoadPlan(Checkpoint(path: folder.path("a.onnx"))).imported()
    #expect(again.configuration == model.configuration)
  }
}
