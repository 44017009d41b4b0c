// Tagging: a bidirectional LSTM with a CRF that PyTorch trained on American recipes, fine-tuned for a book that names the
// food first. The word vectors are frozen.
//
//     swift run -c release TaggerExample fixtures/examples

import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

let folder = CommandLine.arguments.dropFirst().first ?? "fixtures/examples"
let words = try Vocabulary(contentsOf: folder + "/tagger-words.json")

// A row for each word of a line, and its tag.
func lines(_ name: String) throws -> LabeledData {
  try LabeledData(
    sequences: CSVTable(contentsOf: "\(folder)/\(name).csv"), id: "line", words: "word", vocabulary: words,
    labels: "tag", classes: ["FOOD", "O", "PREP", "QTY", "UNIT"])
}
let american = try LSTMModel(Checkpoint(path: folder + "/tagger.pt"))
let (book, test) = (try lines("ingredients"), try lines("ingredients-test"))

let ready = try Preparation(american, book)
let plan = try FreezePlan(ready.model, freezing: ["embedding"])
var tuner = FineTuner(plan, optimizer: .adam(learningRate: 5e-3), loss: ready.loss, options: .init(epochs: 15))
tuner.options.batchSize = 8
let run = try tuner.fit(ready)

let (before, after) = (try ready.model.evaluate(test), try run.best.evaluate(test))
print("lines without a mistake:", before.sequenceAccuracy ?? 0, "->", after.sequenceAccuracy ?? 0)
for (line, tags) in zip(test.table.names ?? [], try run.best.predictClasses(test).labels).prefix(3) {
  print("line", line, tags)
}
try run.best.write(path: "tagger-book.pt", as: .pt)
