// Reads an LSTM from any format and writes it in another, without computing anything:
//   swift run ConvertExample model.keras model.safetensors safetensors
import LSTMCheckpoints

let arguments = Array(CommandLine.arguments.dropFirst())
let source = arguments.first ?? "fixtures/golden-models/embedding_fc.h5"
let target = arguments.dropFirst().first ?? "converted.h5"
let format = Checkpoint.Format(rawValue: arguments.dropFirst(2).first ?? "pytorch-h5") ?? .pytorchHDF5

// 1. Opened, and planned: nothing is read yet, and nothing is guessed.
let checkpoint = try Checkpoint(path: source)
let plan = try LoadPlan(checkpoint)
print("\(plan.report.format.rawValue), layout \(plan.report.layout.rawValue):", plan.report.evidence)
print(plan.configuration.summary)
for item in plan.report.applied { print(item.source, "->", item.target, item.shape, item.how ?? "") }

// 2. Written. What the target cannot hold is refused; here two biases may become their sum.
let written = try plan.imported().write(path: target, as: format, options: WriteOptions(bias: .single))
for tensor in written { print(tensor.source, "->", tensor.target, tensor.shape) }
