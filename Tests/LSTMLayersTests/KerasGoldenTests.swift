import FileIO
import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// What a user says to import a golden Keras file, and nothing more.
struct KerasOptions: Decodable {
  var readout: PlainStack.Readout?
  var gates: PlainStack.GateActivation?
  var config: ModelConfiguration?

  var load: LoadOptions { LoadOptions(configuration: config, readout: readout, gates: gates) }
}

/// Models saved by tf_keras and Keras 3 give the outputs they gave there.
@Suite struct KerasGoldenTests {
  static let cases = fixtureNames(in: "golden-keras", suffix: ".reference.h5")

  @Test func thereAreSixtyAndMore() { #expect(Self.cases.count >= 60) }

  @Test(arguments: cases)
  func outputs(_ name: String) throws {
    let golden = try Golden("golden-keras/\(name).reference.h5")
    let path = fixtures.appendingPathComponent("golden-keras/" + (try golden.text("file"))).path
    let options = try golden.json("options", as: KerasOptions.self).load
    let model = try LSTMModel(Checkpoint(path: path), options: options)
    #expect(largestDifference(try output(model, golden).values, try golden.tensor("y").values) <= 2e-6)
  }

  /// Written in each of Keras' formats that holds it and read back, it is the same model.
  @Test(arguments: cases)
  func outputsAfterThereAndBack(_ name: String) throws {
    let golden = try Golden("golden-keras/\(name).reference.h5")
    let path = fixtures.appendingPathComponent("golden-keras/" + (try golden.text("file"))).path
    let checkpoint = try Checkpoint(path: path)
    var options = try golden.json("options", as: KerasOptions.self).load
    let plan = try LoadPlan(checkpoint, options: options)
    var model = try LSTMModel(plan)
    model.provenance = plan.provenance(sha256: "")
    let folder = try TemporaryFolder()
    let wanted = try golden.tensor("y").values
    for format in [Checkpoint.Format.kerasH5, .kerasWeights, .kerasArchive] {
      let gates = Set(model.configuration.recurrentLayers.map(\.kind.gateActivation))
      var writing = WriteOptions()
      if model.configuration.recurrentLayers.contains(where: { $0.kind.bias == .dual }), format != .kerasH5 {
        writing.bias = .single
      }
      if writing.bias == .single { writing.layout = .keras }
      // No layer of Keras joins the outputs of others; the source's own weights keep their places.
      if model.configuration.stack?.skip == true, format != .kerasH5 { continue }
      // Keras does not load them.
      if format == .kerasH5, model.stored.tensors.contains(where: { $0.dataType == .bfloat16 }) { continue }
      // A hard sigmoid has another slope in Keras 3.
      if format != .kerasH5, gates.contains(.hardSigmoid) { continue }
      let back = folder.path("\(format.rawValue).h5")
      try model.write(path: back, as: format, options: writing)
      let read = try Checkpoint(path: back)
      #expect(read.format == format)
      options.configuration = nil
      options.readout = nil
      options.gates = nil
      if format == .kerasWeights || !hasModel(read) {
        options.configuration = model.configuration
        if writing.bias == .single {
          for index in model.configuration.plain.layers.indices {
            options.configuration?.plain.layers[index].bias = .single
          }
        }
      }
      let again = try LSTMModel(read, options: options)
      #expect(largestDifference(try output(again, golden).values, wanted) <= 2e-6, "\(format)")
    }
  }

  /// Whether a file describes the whole model: then nothing has to be said.
  private func hasModel(_ checkpoint: Checkpoint) -> Bool {
    if checkpoint.format == .kerasArchive { return true }
    return (try? LoadPlan(checkpoint))?.configuration.readout != nil
  }

  private func output(_ model: LSTMModel, _ golden: Golden) throws -> Tensor {
    guard golden.has("tokens") else { return try model(golden.tensor("x")).output }
    let shape = golden.root.dataset(at: "tokens")?.shape ?? []
    let tokens = try golden.integers("tokens").map { Int32($0) }
    return try model(SequenceBatch(tokens: tokens, count: shape[0], steps: shape[1])).output
  }
}
