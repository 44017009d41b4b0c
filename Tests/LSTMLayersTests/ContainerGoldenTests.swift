import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// One PyTorch model in every container that the real libraries write, computing what PyTorch computed.
@Suite struct ContainerGoldenTests {
  @Test(arguments: [
    "model.pt", "model-legacy.pt", "model-protocol4.pt", "model-parameters.pt", "model-nested.pt",
    "model-nested-legacy.pt", "model-lightning.ckpt", "model-nocrc.pt", "model-big-endian.pt", "model.safetensors",
    "model-shards.safetensors.index.json",
  ])
  func outputs(_ file: String) throws {
    let golden = try Golden("pt/golden.h5")
    let checkpoint = try Checkpoint(path: fixtures.appendingPathComponent("pt/" + file).path)
    let network = Network(try LSTMModel(checkpoint, options: LoadOptions(readout: .all)))
    let y = try network.forward(SequenceBatch(golden.tensor("x")))
    let final = network.finalState()
    #expect(largestDifference(y.values, try golden.tensor("y").values) <= 2e-6, "y")
    #expect(largestDifference(final.stackedHidden?.values ?? [], try golden.tensor("h").values) <= 2e-6, "h")
    #expect(largestDifference(final.stackedCell?.values ?? [], try golden.tensor("c").values) <= 2e-6, "c")
  }
}
