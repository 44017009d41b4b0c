// Forecasting: an encoder and a decoder that PyTorch trained on the load of homes, fine-tuned for an office. The encoder
// is frozen; the decoder starts from its final state.
//
//     swift run -c release ForecastExample fixtures/examples

import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

let folder = CommandLine.arguments.dropFirst().first ?? "fixtures/examples"

// What a state_dict does not show: which of two LSTMs reads the input, and what the other one reads.
let network = try ModelConfiguration(
  line: "1 feature -> encoder: LSTM 24 -> last -> repeat 24 -> decoder: LSTM 24 initial from encoder -> dense 1")
let homes = try LSTMModel(Checkpoint(path: folder + "/forecaster.pt"), options: LoadOptions(configuration: network))

// Two days in, the next one out.
func load(_ name: String) throws -> SeriesData {
  let table = try CSVTable(contentsOf: "\(folder)/\(name).csv")
  return try SeriesData(table, features: ["kW"], targets: ["kW"], window: 48, horizon: 24)
}
let (office, later) = (try load("office"), try load("office-later"))

let ready = try Preparation(homes, office)
let plan = try FreezePlan(ready.model, freezing: ["encoder"])
var tuner = FineTuner(plan, optimizer: .adam(learningRate: 1e-2), options: .init(epochs: 12))
tuner.options.schedule = Schedule(.oneCycle())
let run = try tuner.fit(ready)

let (before, after) = (try ready.model.evaluate(later), try run.best.evaluate(later))
print("mean absolute error in kW:", before.mae ?? 0, "->", after.mae ?? 0)
for (hour, kW) in try run.best.predict(later).values.prefix(6).enumerated() { print("in \(hour + 1) hours:", kW, "kW") }
try run.best.write(path: "forecaster-office.pt", as: .pt)
