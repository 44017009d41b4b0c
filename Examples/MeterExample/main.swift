// Text in images: a CRNN that PyTorch trained with CTC on printed digits, fine-tuned for the display of a meter. The
// convolutions are frozen, and computed once.
//
//     swift run -c release MeterExample fixtures/examples

import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers

let folder = CommandLine.arguments.dropFirst().first ?? "fixtures/examples"

// What a state_dict does not show: the network around its tensors. A step is a column of the image, 12 pixels high.
let network = try ModelConfiguration(
  line: """
    12 features in 1 channel -> conv 8 kernel 3x3 same relu -> max pool 1x2 -> conv 16 kernel 3x3 same -> batch norm -> \
    relu -> max pool 1x2 -> reshape -> biLSTM 20 -> dense 11
    """)
var printed = try LSTMModel(Checkpoint(path: folder + "/crnn.pt"), options: LoadOptions(configuration: network))
let zeros = [Float](repeating: 0, count: 12)
printed.preprocessing.inputScaler = Scaler(mean: zeros, deviation: zeros.map { _ in 255 })
printed.preprocessing.classes = ["<blank>"] + (0...9).map { "\($0)" }

let meter = try ArraySequences(contentsOf: folder + "/meter.npz", for: printed, labels: true)
let test = try ArraySequences(contentsOf: folder + "/meter-test.npz", for: printed, labels: true)
let ready = try Preparation(printed, meter, loss: .ctc(blank: 0))
let plan = try FreezePlan(ready.model, freezing: ["conv*", "norm1"])
var tuner = FineTuner(plan, optimizer: .adam(learningRate: 5e-3), loss: ready.loss, options: .init(epochs: 30))
(tuner.options.batchSize, tuner.options.schedule) = (8, Schedule(.oneCycle()))
let run = try tuner.fit(ready)

let (before, after) = (try ready.model.evaluate(test), try run.best.evaluate(test))
print("character error rate:", before.errorRate ?? 0, "->", after.errorRate ?? 0)
print("read:", try run.best.predictLabels(test, beam: 10).texts.prefix(5))
try run.best.write(path: "crnn-meter.pt", as: .pt)
