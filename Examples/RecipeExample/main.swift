// Four ways to fine-tune the same weights on the same data: what trains, and what comes of it.
//
//     swift run -c release RecipeExample fixtures/demo

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
let plans = [
  ("head alone", try FreezePlan(model, freezing: ["lstm"])),
  ("layer0 frozen", try FreezePlan(model, freezing: ["layer0"])),
  ("ULMFiT", try FreezePlan(model, recipe: .ulmfit)),
  ("LoRA, rank 4", try FreezePlan(model, lora: LoRA(rank: 4, alpha: 8))),
]
for (name, plan) in plans {
  let run = try FineTuner(plan, optimizer: .adam(learningRate: 2e-3), options: .init(epochs: 4)).fit(ready)
  let found = run.bestEpoch == 0 ? run.baseline : run.epochs[run.bestEpoch - 1].validation
  print(name, "trains", plan.trainableCount, "numbers:", run.baseline.mae ?? 0, "->", found?.mae ?? 0, "degrees off")
}
