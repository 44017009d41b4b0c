// Four ways to fine-tune the same weights on the same data: what trains, and what comes of it.
//
//     swift run -c release RecipeExample fixtures/demo

import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

let folder = CommandLine.arguments.dropFirst().first ?? "fixtures/demo"

let table = try CSVTable(contentsOf: folder + "/sf-temps.csv")
let series = try SeriesData(table, features: ["temp"], targets: ["temp"], window: 48, horizon: 24)
let scaler = Scaler(mean: [54.0378], deviation: [9.5609])
let (training, held, _) = try series.split(validation: 0.2)
let data = training.scaled(inputs: scaler, targets: scaler)
let validation = held?.scaled(inputs: scaler, targets: scaler)

let model = try LSTMModel(Checkpoint(path: folder + "/seattle.h5"), options: LoadOptions(readout: .last))
let plans = [
  ("head alone", try FreezePlan(model, freezing: ["lstm"])),
  ("layer0 frozen", try FreezePlan(model, freezing: ["layer0"])),
  ("ULMFiT", try FreezePlan(model, recipe: .ulmfit)),
  ("LoRA, rank 4", try FreezePlan(model, lora: LoRA(rank: 4, alpha: 8))),
]
for (name, plan) in plans {
  let tuner = FineTuner(plan, optimizer: .adam(learningRate: 2e-3), options: .init(epochs: 4))
  let run = try tuner.fit(model, data, validation: validation, targetScaler: scaler)
  let found = run.bestEpoch == 0 ? run.baseline : run.epochs[run.bestEpoch - 1].validation
  print(name, "trains", plan.trainableCount, "numbers:", run.baseline.mae ?? 0, "->", found?.mae ?? 0, "degrees off")
}
