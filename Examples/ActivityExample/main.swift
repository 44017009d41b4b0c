// Activity recognition: a convolution and an LSTM that Keras trained on phones in pockets, fine-tuned for a watch on a
// wrist. The convolutions are frozen, and computed once.
//
//     swift run -c release ActivityExample fixtures/examples

import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

let folder = CommandLine.arguments.dropFirst().first ?? "fixtures/examples"

// Two seconds of an accelerometer are a recording, a row for each of its 40 steps.
func recordings(_ name: String) throws -> LabeledData {
  try LabeledData(
    sequences: CSVTable(contentsOf: "\(folder)/\(name).csv"), id: "recording", features: ["x", "y", "z"],
    labels: "activity", classes: ["running", "sitting", "stairs", "walking"])
}
let pocket = try LSTMModel(Checkpoint(path: folder + "/activity.keras"))
let (wrist, test) = (try recordings("activity-wrist"), try recordings("activity-wrist-test"))

let ready = try Preparation(pocket, wrist)
let plan = try FreezePlan(ready.model, freezing: ["conv*", "norm1"])
var tuner = FineTuner(plan, optimizer: .adam(learningRate: 3e-3), loss: ready.loss, options: .init(epochs: 30))
(tuner.options.batchSize, tuner.options.schedule) = (8, Schedule(.oneCycle()))
let run = try tuner.fit(ready) { event in
  if case .cache(let cache) = event { print("computed once:", cache.parts) }
}
let (before, after) = (try ready.model.evaluate(test), try run.best.evaluate(test))
print("accuracy on the wrist:", before.accuracy ?? 0, "->", after.accuracy ?? 0)
for (id, labels) in zip(test.table.names ?? [], try run.best.predictClasses(test).labels).prefix(4) {
  print("recording", id, "is", labels[0])
}
try run.best.write(path: "activity-wrist.keras", as: .kerasArchive)
