// A network that PyTorch trained on Seattle's hourly temperatures, fine-tuned on San Francisco's with its first layer
// frozen. The file that it writes knows its columns and its scaler, for PredictExample:
//
//     swift run -c release FineTuneExample fixtures/demo

import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

let folder = CommandLine.arguments.dropFirst().first ?? "fixtures/demo"

// 48 hours in, the next 24 out; a degree must mean what it meant in Seattle.
func temperatures(of city: String) throws -> SeriesData {
  let table = try CSVTable(contentsOf: "\(folder)/\(city)-temps.csv")
  return try SeriesData(table, features: ["temp"], targets: ["temp"], window: 48, horizon: 24)
}
var model = try LSTMModel(Checkpoint(path: folder + "/seattle.h5"), options: LoadOptions(readout: .last))
let seattle = try temperatures(of: "seattle")
let scalers = try seattle.split(SplitChoice()).fittedScalers(seattle)
model.preprocessing = Preprocessing(inputScaler: scalers.inputs, targetScaler: scalers.targets)

let ready = try Preparation(model, temperatures(of: "sf"))
var tuner = FineTuner(try FreezePlan(ready.model, freezing: ["layer0"]), optimizer: .adam(learningRate: 2e-3))
tuner.options = .init(epochs: 4, schedule: Schedule(.oneCycle()))
for try await event in tuner.events(ready) {
  switch event {
  case .start(let metrics): print("pretrained:", metrics.mae ?? metrics.loss, "degrees off")
  case .epoch(let epoch): print("epoch", epoch.number, epoch.validation?.mae ?? epoch.trainingLoss)
  case .end(let run): try run.best.write(path: "san-francisco.h5")
  default: break
  }
}
