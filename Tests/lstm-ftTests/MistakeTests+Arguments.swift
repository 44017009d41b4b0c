import Foundation
import LSTMCheckpoints
import TestSupport

/// Mistakes on the command line itself: options, numbers, outputs.
extension MistakeTests {
  static let arguments = [
    Mistake("no data", "finetune", 64, "no data given", "name it with --data mine.csv (or .h5, .npz with x and y)"),
    Mistake(
      "no model", "finetune nope.h5 --data mine.csv --target temp --window 48", 66, "nope.h5: no such model",
      "create one with lstm-ft import weights.h5, or name another model"),
    Mistake(
      "no import before", "finetune --data mine.csv --target temp --window 48", 66, "model.h5: no such model",
      "create one with lstm-ft import weights.h5, or name another model"
    ) { try FileManager.default.removeItem(atPath: $0.path("model.h5")) },
    Mistake(
      "no such layer", finetune + "--freeze layer9", 64, "\"layer9\" matches no part of this model",
      "did you mean layer0 or layer1?",
      "known are lstm, layer0, layer0.forward, layer1, layer1.forward, head, head.0, gates such as layer0.forget, and tensor globs such as "
        + "'lstm.weight_hh_*'"),
    Mistake(
      "a misspelled part", finetune + "--freeze haed", 64, "\"haed\" matches no part of this model",
      "did you mean head?",
      "known are lstm, layer0, layer0.forward, layer1, layer1.forward, head, head.0, gates such as layer0.forget, and tensor globs such as "
        + "'lstm.weight_hh_*'"),
    Mistake(
      "everything frozen", finetune + "--freeze lstm --freeze head", 64,
      "everything is frozen: there is nothing to train", "freeze less, or add --unfreeze head"),
    Mistake(
      "no window", "finetune --data mine.csv --target temp", 64,
      "no --window given, and the model has none from an earlier fine-tuning",
      "set how many rows the model reads, for example --window 48"),
    Mistake(
      "a head that is no head", finetune + "--head nonsense", 64, "--head nonsense: expected new, new:SIZE or keep",
      "for example --head new:9"),
    Mistake(
      "readout undecided", "predict --data mine.csv --window 48", 64,
      "model.h5: the tensors do not show which of the LSTM's outputs the head reads",
      "choose --readout last, final, all, mean or max (here or at import)"),
    Mistake(
      "a CSV option for arrays", "finetune --data d.h5 --target temp", 64,
      "--target is for CSV series; d.h5 holds arrays"
    ) { try $0.copy("golden-training/classify_data.h5", as: "d.h5") },
    Mistake(
      "no scaler to keep", finetune + "--scaler keep", 64, "--scaler keep: the model has no scaler",
      "give it at import with --scaler MEAN,DEVIATION, or use --scaler refit"),
    Mistake(
      "a loss for classes", finetune + "--loss cross-entropy", 65,
      "mine.csv: cross-entropy needs class numbers in y, found real values", "save y as integers"),
    Mistake(
      "a chart of arrays", "evaluate t.h5 --data d.h5 --chart a.svg", 64,
      "--chart draws a CSV series; d.h5 holds arrays"
    ) {
      try $0.copy("golden-training/freeze_layer0_data.h5", as: "d.h5")
      try $0.copy("golden-training/freeze_layer0_weights.h5", as: "t.h5")
    },
  ]

  static let files = [
    Mistake(
      "output into no folder", "predict t.h5 --data d.h5 --readout last -o no/such/y.npy", 73,
      "no/such/y.npy: the directory no/such does not exist"
    ) {
      try $0.copy("golden-training/freeze_layer0_weights.h5", as: "t.h5")
      try $0.copy("golden-training/freeze_layer0_data.h5", as: "d.h5")
    },
    Mistake(
      "a model into no folder", finetune + "-o no/such.h5", 73,
      "no/such.h5: the directory no does not exist"),
    Mistake(
      "an import into no folder", "import weights.h5 -o no/such.h5", 73,
      "no/such.h5: the directory no does not exist"),
    Mistake(
      "output over a folder", finetune + "-o folder", 73,
      "folder: it is a directory, expected the name of a file"
    ) { try $0.makeFolder("folder") },
    Mistake(
      "an output of no known format", "predict --data mine.csv -o y.txt", 64,
      "-o y.txt: expected a name that ends in .npy, .csv or .h5, found .txt"),
    Mistake(
      "output over the data", finetune + "-o mine.csv", 64,
      "mine.csv: the output would overwrite one of the inputs", "choose another -o"),
    Mistake(
      "output over the model", finetune + "-o ./model.h5", 64,
      "./model.h5: the output would overwrite one of the inputs", "choose another -o"),
    Mistake(
      "predictions over the model", "predict --data mine.csv -o model.h5", 64,
      "model.h5: the output would overwrite one of the inputs", "choose another -o"),
    Mistake(
      "import over its source", "import weights.h5 -o weights.h5", 64,
      "weights.h5: the output would overwrite one of the inputs", "choose another -o"),
    Mistake(
      "export over its source", "export model.h5 --to pytorch-h5 -o model.h5", 64,
      "model.h5: the output would overwrite one of the inputs", "choose another -o"),
    Mistake(
      "a folder that holds a run", finetune + "--run r", 73,
      "cannot write r: it already holds a run; choose another --run"
    ) {
      try $0.makeFolder("r")
      try $0.write("r/log.jsonl", "{}\n")
    },
    Mistake(
      "a file where the run should go", finetune + "--run mine.csv", 73,
      "cannot write mine.csv: it is a file; a run needs a folder"),
  ]

  static let numbers = [
    Mistake(
      "too large a split", finetune + "--validation-split 1.5", 64,
      "--validation-split 1.5: expected a number from 0 to below 1"),
    Mistake("negative epochs", finetune + "--epochs -3", 64, "--epochs -3: expected at least 1"),
    Mistake("no batch", finetune + "--batch-size 0", 64, "--batch-size 0: expected at least 1"),
    Mistake("no thread", finetune + "--threads 0", 64, "--threads 0: expected a number from 1 to 255"),
    Mistake(
      "threads in words", finetune + "--threads two", 64, "--threads two: expected a whole number",
      "see lstm-ft finetune --help"),
    Mistake(
      "memory for no cache", finetune + "--no-cache --cache-memory 100", 64,
      "--cache-memory does not apply with --no-cache"),
    Mistake(
      "less than no memory", finetune + "--cache-memory -1", 64, "--cache-memory -1: expected at least 0 megabytes"),
    Mistake("a negative rate", finetune + "--lr -1", 64, "--learning-rate -1: expected a number above 0"),
    Mistake(
      "a window of none", "finetune --data mine.csv --target temp --window 0", 64,
      "--window 0: expected at least 1"),
    Mistake(
      "Nesterov without momentum", finetune + "--optimizer sgd --nesterov", 64,
      "--nesterov needs --momentum above 0 and no --dampening", "for example --momentum 0.9"),
    Mistake(
      "momentum for Adam", finetune + "--momentum 0.9", 64, "--momentum does not apply to --optimizer adam",
      "choose --optimizer sgd"),
    Mistake(
      "AMSGrad for SGD", finetune + "--optimizer sgd --amsgrad", 64,
      "--amsgrad does not apply to --optimizer sgd", "choose --optimizer adam or adamw"),
    Mistake("a delta without Huber", finetune + "--huber-delta 2", 64, "--huber-delta needs --loss huber"),
    Mistake(
      "a rate that explodes", finetune + "--lr 1e30 --clip-norm 0 --run r", 65,
      "stopped in epoch 1, step 2: the loss is inf", "try a --learning-rate below 1e+30, or --clip-norm 1",
      "the last good weights are in r/last.h5",
      leaves: ["r/", "r/best.h5", "r/config.json", "r/last.h5", "r/log.jsonl", "r/report.html"]
    ) { try $0.writeSeries(rows: 200) },
  ]

  static let parsing = [
    Mistake(
      "a misspelled command", "finetun --data mine.csv", 64, "unknown command finetun",
      "did you mean lstm-ft finetune?",
      "commands are import, inspect, finetune, lr-find, evaluate, predict, generate, export, verify, diff, report, layers"
    ),
    Mistake(
      "a misspelled option", "finetune --dta mine.csv", 64, "unknown option --dta", "did you mean --data?",
      "see lstm-ft finetune --help"),
    Mistake(
      "an option without its value", "finetune --data", 64, "--data: expected <file>, found nothing",
      "see lstm-ft finetune --help"),
    Mistake(
      "a word for a number", finetune + "--epochs ten", 64, "--epochs ten: expected a whole number",
      "see lstm-ft finetune --help"),
    Mistake(
      "a fraction for a count", finetune + "--epochs 1.5", 64, "--epochs 1.5: expected a whole number",
      "see lstm-ft finetune --help"),
    Mistake(
      "a negative seed", finetune + "--seed -1", 64, "--seed -1: expected a whole number of at least 0",
      "see lstm-ft finetune --help"),
    Mistake(
      "a word for a rate", finetune + "--lr fast", 64, "--lr fast: expected a number",
      "see lstm-ft finetune --help"),
    Mistake("nothing to import", "import", 64, "missing <checkpoint>", "see lstm-ft import --help"),
    Mistake("no format", "export model.h5 -o b.h5", 64, "missing --to <format>", "see lstm-ft export --help"),
    Mistake(
      "a format that there is not", "export model.h5 --to coreml -o b.mlmodel", 64,
      "--to coreml: expected lstm-ft, pytorch-h5, pt, safetensors, npz, keras-h5, keras-weights, keras, onnx, mlx or"
        + " rtneural-json", "see lstm-ft export --help"),
    Mistake(
      "one file too many", "import weights.h5 more.h5", 64, "unexpected argument more.h5",
      "see lstm-ft import --help"),
    Mistake(
      "a misspelled readout", "import weights.h5 --readout lst", 64,
      "--readout lst: expected all, last, final, mean, max or attention", "did you mean last?",
      "see lstm-ft import --help"),
    Mistake(
      "a misspelled policy", finetune + "--missing interpolat", 64,
      "--missing interpolat: expected error, interpolate, forwardFill or zero", "did you mean interpolate?",
      "see lstm-ft finetune --help"),
  ]
}
