// Anomalies: an LSTM autoencoder that Keras trained on one pump, fine-tuned on another while that worked well. The encoder
// is frozen. What it cannot give back afterwards is an anomaly.
//
//     swift run -c release AnomalyExample fixtures/examples

import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

let folder = CommandLine.arguments.dropFirst().first ?? "fixtures/examples"

// Windows of four hours, a row for ten minutes.
func sensors(_ name: String) throws -> SeriesData {
  let table = try CSVTable(contentsOf: "\(folder)/\(name).csv")
  return try SeriesData(table, reconstructing: ["pressure", "flow", "current"], window: 24)
}
let first = try LSTMModel(Checkpoint(path: folder + "/autoencoder.keras"))
let (good, later) = (try sensors("pump"), try sensors("pump-later"))

let ready = try Preparation(first, good)
let plan = try FreezePlan(ready.model, freezing: ["layer0"])
var tuner = FineTuner(plan, optimizer: .adam(learningRate: 5e-3), options: .init(epochs: 20))
tuner.options.schedule = Schedule(.oneCycle())
let run = try tuner.fit(ready)
print("validation loss:", run.baseline.loss, "->", run.bestMetrics?.loss ?? 0)

// The threshold is an error that 99 % of the good windows stay below; the model's own file keeps it.
var second = run.best
let threshold = try second.setAnomalyThreshold(quantile: 0.99, of: good)
print("threshold:", threshold)
for span in try second.anomalies(in: later).spans {
  print("from", span.first, "to", span.last, "error up to", span.error)
}
try second.write(path: "pump.h5")
try second.write(path: "autoencoder-second.keras", as: .kerasArchive)
