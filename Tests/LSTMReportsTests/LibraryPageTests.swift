import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports
import TestSupport
import Testing
import TrainingSupport

/// A network of any layers, as docs/library.md has it.
@Suite struct LibraryPageTests {
  @Test func aGraphIsMadeRunAndFineTuned() throws {
    let folder = try TemporaryFolder()
    let x = noise(4 * 20 * 8, seed: 1)
    let configuration = try ModelConfiguration(
      inputs: [.init(.features(size: 8))],
      layers: [
        Layer("conv1", Layer.Convolution(size: 16, kernel: [5])),
        Layer("norm1", Layer.BatchNorm()),
        Layer("layer0", Layer.Recurrent(.lstm, size: 32)),
        Layer("readout", Layer.Readout(.last)),
        Layer("head.0", Layer.Dense(size: 3)),
      ])
    let line = "8 features -> conv 16 kernel 5 -> batch norm -> LSTM 32 -> last -> dense 3"
    #expect(try configuration == ModelConfiguration(line: line))

    let model = LSTMModel(configuration, seed: 1)
    let (y, _) = try model(Tensor(shape: [4, 20, 8], values: x))
    #expect(y.shape == [4, 3])

    let data = try SequenceData(
      inputs: .features(x, steps: 20, size: 8), targets: .classes([0, 2, 1, 2], perStep: false))
    let plan = try FreezePlan(model, freezing: ["conv*", "batch_norm"])
    let tuner = FineTuner(plan, optimizer: .adam(learningRate: 1e-2), loss: .crossEntropy, options: .init(epochs: 5))
    var kept: [String] = []
    let run = try tuner.fit(model, data) { if case .cache(let cache) = $0 { kept = cache.parts } }
    try run.best.write(path: folder.path("tuned.h5"))

    #expect(kept == ["conv1", "norm1"])
    let tuned = try LSTMModel(Checkpoint(path: folder.path("tuned.h5")))
    for parameter in configuration.parameters {
      let isFrozen = ["conv1", "norm1"].contains(parameter.role.layer)
      #expect((tuned[parameter.name] == model[parameter.name]) == isFrozen, "\(parameter.name)")
    }
    #expect(GraphPicture(model.configuration).svg.hasPrefix("<svg"))
    #expect(throws: ModelConfiguration.GraphError.self) {
      try ModelConfiguration(
        inputs: [.init(.features(size: 8))], layers: [Layer("flat", Layer.Flatten()), Layer("head.0", Layer.Dense())])
    }
  }
}
