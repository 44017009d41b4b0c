// The seed example: torch.nn.LSTM(100, 1, batch_first=True) on 1000 sequences (1, 100), Adam, MSE, five epochs of ten
// batches. Its fifty losses are PyTorch's to the sixth digit.
//
//     swift run -c release SeedExample fixtures/golden-training

import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

let folder = CommandLine.arguments.dropFirst().first ?? "fixtures/golden-training"

let model = try LSTMModel(Checkpoint(path: folder + "/seed_example_weights.h5"))
let file = try Checkpoint(path: folder + "/seed_example_data.h5")
let data = try ArrayData.load(file, reading: model.configuration.input, needsTargets: true)
var tuner = FineTuner(try FreezePlan(model), optimizer: .adam(learningRate: 1e-3), loss: .meanSquaredError)
tuner.options = .init(epochs: 5, batchSize: 100, clipNorm: nil, shuffles: false)
let run = try tuner.fit(model, data) { event in
  if case .step(let step) = event { print(step.epoch, step.number, step.loss) }
}
try run.best.write(path: "seed-example.h5", as: .pytorchHDF5)
