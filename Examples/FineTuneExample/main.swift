// A network that PyTorch trained on Seattle's hourly temperatures, fine-tuned on San Francisco's with its first layer
// frozen, and handed back to PyTorch:
//
//     swift run -c release FineTuneExample fixtures/demo

import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

let folder = CommandLine.arguments.dropFirst().first ?? "fixtures/demo"

// 48 hours in, the next 24 out; a degree must mean what it meant in Seattle.
let table = try CSVTable(contentsOf: folder + "/sf-temps.csv")
let series = try SeriesData(table, features: ["temp"], targets: ["temp"], window: 48, horizon: 24)
let scaler = Scaler(mean: [54.0378], deviation: [9.5609])
let (training, held, _) = try series.split(validation: 0.2)
let (data, validation) = (
  training.scaled(inputs: scaler, targets: scaler), held?.scaled(inputs: scaler, targets: scaler)
)

let model = try LSTMModel(Checkpoint(path: folder + "/seattle.h5"), options: LoadOptions(readout: .last))
let plan = try FreezePlan(model, freezing: ["layer0"])
for group in plan.groups { print(group.name, group.parameterCount, group.fate.rawValue) }
var tuner = FineTuner(plan, optimizer: .adam(learningRate: 2e-3))
tuner.options = .init(epochs: 4, schedule: Schedule(.oneCycle()))
for try await event in tuner.events(model, data, validation: validation, targetScaler: scaler) {
  switch event {
  case .start(let metrics): print("pretrained:", metrics.mae ?? metrics.loss, "degrees off")
  case .epoch(let epoch): print("epoch", epoch.number, epoch.validation?.mae ?? epoch.trainingLoss)
  case .end(let run): try Checkpoint(run.best).write(path: "san-francisco.h5", as: .pytorchHDF5)
  default: break
  }
}
