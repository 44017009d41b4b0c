import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing

/// Something that a newcomer gets wrong: what lies in the folder, what is typed, and what must be said.
struct Mistake: Sendable, CustomTestStringConvertible {
  let what: String
  let typed: [String]
  let code: Int32
  /// The whole of standard error.
  let says: [String]
  /// What a run that began may leave behind.
  var leaves: Set<String> = []
  var prepare: @Sendable (Workplace) throws -> Void = { _ in }

  init(
    _ what: String, _ typed: String, _ code: Int32, _ says: String..., leaves: Set<String> = [],
    prepare: @escaping @Sendable (Workplace) throws -> Void = { _ in }
  ) {
    self.what = what
    self.typed = typed.split(separator: " ").map(String.init)
    self.code = code
    self.says = says
    self.leaves = leaves
    self.prepare = prepare
  }

  var testDescription: String { what }
}

@Suite(.serialized) struct MistakeTests {
  /// Each begins with `weights.h5`, `model.h5` imported from it, and `mine.csv`.
  @Test(arguments: arguments + data + texts + imports + files + numbers + parsing)
  func isExplained(_ mistake: Mistake) async throws {
    let place = try Workplace()
    try place.copy("demo/seattle.h5", as: "weights.h5")
    try await place.run("import", "weights.h5", "--quiet")
    try place.writeSeries()
    try mistake.prepare(place)
    let before = try place.contents()

    let outcome = try await place.run(mistake.typed)

    #expect(outcome.code == mistake.code)
    let expected = "error: " + mistake.says.joined(separator: "\n  ") + "\n"
    #expect(outcome.stderr == expected)
    #expect(mistake.says.count <= 3)
    var after = try place.contents()
    for name in mistake.leaves {
      #expect(after[name] != nil)
      after[name] = nil
    }
    #expect(after.keys.sorted() == before.keys.sorted())
    #expect(after == before)
  }

  /// Foundation says where in its own words, which differ between platforms.
  @Test func brokenJSONIsExplained() async throws {
    let place = try Workplace()
    try place.copy("demo/seattle.h5", as: "weights.h5")
    try place.write("bad.json", #"{"input":{"features":1},"layers":"#)
    let outcome = try await place.run("import", "weights.h5", "--config", "bad.json")
    #expect(outcome.code == 65)
    #expect(outcome.stderr.hasPrefix("error: bad.json: not a model configuration: not valid JSON"))
    #expect(outcome.stderr.filter { $0 == "\n" }.count == 1)
    #expect(try place.contents().keys.sorted() == ["bad.json", "weights.h5"])
  }

  @Test func thereAreTwentyFiveAtLeast() {
    let all = Self.arguments + Self.data + Self.texts + Self.imports + Self.files + Self.numbers + Self.parsing
    #expect(all.count >= 25)
    #expect(Set(all.map(\.what)).count == all.count)
  }

  private static let finetune = "finetune --data mine.csv --target temp --window 48 "

  static let arguments = [
    Mistake("no data", "finetune", 64, "no data given", "name it with --data mine.csv (or .h5, .npz with x and y)"),
    Mistake(
      "no model", "finetune nope.h5 --data mine.csv --target temp --window 48", 66, "nope.h5: no such model",
      "make one with lstm-ft import weights.h5, or name another model"),
    Mistake(
      "no import before", "finetune --data mine.csv --target temp --window 48", 66, "model.h5: no such model",
      "make one with lstm-ft import weights.h5, or name another model"
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
      "no --window given, and the model does not know it from a fine-tuning",
      "say how many rows the model shall look at, for example --window 48"),
    Mistake(
      "a head that is no head", finetune + "--head nonsense", 64, "--head nonsense: expected new, new:SIZE or keep",
      "for example --head new:9"),
    Mistake(
      "readout undecided", "predict --data mine.csv --window 48", 64,
      "model.h5: the tensors do not tell what of the LSTM's output the head reads",
      "say it with --readout last, final, all, mean or max (here or at import)"),
    Mistake(
      "a CSV option for arrays", "finetune --data d.h5 --target temp", 64,
      "--target is for CSV series; d.h5 holds arrays, whose shapes say it all"
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

  static let data = [
    Mistake("no such data", "finetune --data nope.csv", 66, "nope.csv: no such file"),
    Mistake(
      "a wrong column", "finetune --data mine.csv --target tmp --window 48", 64,
      "mine.csv column \"tmp\": no such column", "did you mean \"temp\"?", "available: temp, date"),
    Mistake(
      "a column of dates", "finetune --data mine.csv --target date --window 48", 65,
      "mine.csv line 2, column \"date\": expected a number, found \"2010/01/01 00:00:00\"",
      "columns of numbers are temp"),
    Mistake(
      "which column", "finetune --data many.csv --window 1", 64,
      "no --target given, and many.csv has 2 columns of numbers: a, b",
      "say which shall be predicted, for example --target a"
    ) { try $0.write("many.csv", "a,b,c\n1,2,x\n2,3,y\n") },
    Mistake(
      "a folder as data", "finetune --data folder --target temp", 65,
      "folder: the folder holds no .csv file", "name a file, or a folder of CSV files"
    ) { try $0.makeFolder("folder") },
    Mistake("an empty CSV", "finetune --data e.csv --target temp --window 48", 65, "e.csv: the file is empty") {
      try $0.write("e.csv", "")
    },
    Mistake(
      "a header alone", "finetune --data h.csv --target temp --window 48", 65,
      "h.csv line 1: the file has a header but no rows"
    ) { try $0.write("h.csv", "temp,date\n") },
    Mistake(
      "a word among numbers", "finetune --data w.csv --target temp --window 48", 65,
      "w.csv line 3, column \"temp\": expected a number, found \"warm\""
    ) { try $0.write("w.csv", "temp\n1\nwarm\n3\n") },
    Mistake(
      "a missing value", "finetune --data m.csv --target temp --window 48", 65,
      "m.csv line 4, column \"temp\": expected a number, found an empty cell",
      "fill missing values with --missing interpolate, forwardFill or zero"
    ) { try $0.write("m.csv", "temp,wind\n1,5\n2,6\n,7\n4,8\n") },
    Mistake(
      "a window beyond the data", "finetune --data mine.csv --target temp --window 480", 65,
      "mine.csv: 130 rows are too few for a window of 480 and a horizon of 24",
      "give a smaller --window, or more data"),
    Mistake(
      "a window beyond the training part", "finetune --data mine.csv --target temp --window 90", 65,
      "mine.csv: 130 rows with --validation-split 0.2 leave 104 to train on, fewer than a window of 90 and a horizon "
        + "of 24", "give more data, a smaller --window or a smaller --validation-split"),
    Mistake(
      "a horizon the head was not made for", finetune + "--horizon 12", 65,
      "mine.csv: the model gives 24 values a sequence, the targets have 12 values",
      "train a head of that size with --head new:12, or change --horizon to what the model was made for"),
    Mistake(
      "too few features", "finetune four.h5 --data mine.csv --target temp --window 48", 65,
      "mine.csv: the model reads 4 features a step, found 1 column of numbers: temp"
    ) { try $0.copy("golden-training/freeze_layer0_weights.h5", as: "four.h5") },
    Mistake(
      "too many features", "finetune --data mine.csv --target temp --features temp,date --window 48", 64,
      "--features temp,date: names 2 columns, but the model reads 1 feature a step"),
    Mistake(
      "which features", "finetune four.h5 --data five.csv --target a --window 1", 64,
      "the model reads 4 features a step, but five.csv has 5 columns of numbers: a, b, c, d, e",
      "choose with --features, for example --features a,b,c,d"
    ) {
      try $0.copy("golden-training/freeze_layer0_weights.h5", as: "four.h5")
      try $0.write("five.csv", "a,b,c,d,e\n1,2,3,4,5\n2,3,4,5,6\n")
    },
    Mistake(
      "x of another width", "predict --data wide.npy --readout last", 65,
      "wide.npy: x: expected (N, T, 1), the model's 1 feature, found (1, 3, 2) of float32"
    ) { try $0.write("wide.npy", npy([1, 2, 3, 4, 5, 6], [1, 3, 2])) },
    Mistake(
      "x of another rank", "predict --data flat.npy --readout last", 65,
      "flat.npy: x: expected (N, T, 1), the model's 1 feature, found (6,) of float32"
    ) { try $0.write("flat.npy", npy([1, 2, 3, 4, 5, 6], [6])) },
    Mistake(
      "NaN in x", "predict --data nan.npy --readout last", 65,
      "nan.npy: x[0, 2, 0]: expected a finite number, found nan"
    ) { try $0.write("nan.npy", npy([1, 2, .nan, 4], [1, 4, 1])) },
    Mistake(
      "no y to train on", "finetune --data x.npy", 65, "x.npy: no dataset \"y\"; it holds x",
      "data files hold x (N, T, I), y and, for different lengths, lengths (N)"
    ) { try $0.write("x.npy", npy([1, 2, 3, 4], [1, 4, 1])) },
    Mistake(
      "weights given as data", "predict --data small.h5 --readout last", 65,
      "small.h5: no dataset \"x\"; it holds bias, weight",
      "data files hold x (N, T, I), y and, for different lengths, lengths (N)"
    ) { place in
      try StoredTensor.write(
        ["bias", "weight"].map { StoredTensor(name: $0, shape: [1], values: [1]) }, path: place.path("small.h5"),
        as: .pytorchHDF5)
    },
    Mistake(
      "classes beyond the head", "finetune c.h5 --data d.h5 --head new:2", 65,
      "d.h5: y: expected classes from 0 to 1, which the model's 2 outputs can tell apart, found 2",
      "train a head of that size with --head new:3"
    ) {
      try $0.copy("golden-training/classify_weights.h5", as: "c.h5")
      try $0.copy("golden-training/classify_data.h5", as: "d.h5")
    },
  ]

  static let texts = [
    Mistake(
      "a text for a model of numbers", "evaluate --text mine.csv", 65,
      "mine.csv: the model reads features, a text holds characters or words"),
    Mistake(
      "a text and no vocabulary", "evaluate c.h5 --text mine.csv", 64,
      "the model has no vocabulary: nobody knows which number stands for which character or word",
      "give it with lstm-ft import CHECKPOINT --vocabulary FILE", prepare: writeCharacterModel),
    Mistake(
      "a text and data", "evaluate --text mine.csv --data mine.csv", 64, "--data and --text exclude each other"),
    Mistake("no such text", "evaluate --text nope.txt", 66, "nope.txt: no such file"),
    Mistake(
      "a text's option for a series", "evaluate --data mine.csv --stride 3", 64, "--stride is for --text"),
    Mistake(
      "a series' option for a text", "evaluate --text mine.csv --target temp", 64,
      "--target is for CSV files; --text says the next token"),
    Mistake(
      "a vocabulary for features", "import weights.h5 --vocabulary mine.csv -o a.h5", 64,
      "--vocabulary: this model reads features, which are no tokens"),
    Mistake(
      "a vocabulary that is too large", "import c.h5 --vocabulary v.txt -o a.h5", 64,
      "the vocabulary has 4 numbers, the model's embedding 3 rows",
      "it is another model's vocabulary, or one that was extended"
    ) {
      try writeCharacterModel($0)
      try $0.write("v.txt", "a\nb\nc\nd\n")
    },
    Mistake(
      "no vocabulary to generate with", "generate c.h5 --prompt a", 64,
      "c.h5 has no vocabulary: nobody knows which number stands for which character or word",
      "give it with lstm-ft import CHECKPOINT --vocabulary FILE", prepare: writeCharacterModel),
    Mistake(
      "a label without a text", "finetune --data mine.csv --label-column temp", 64,
      "--label-column needs --text-column or --sequence-id"),
    Mistake(
      "no label", "finetune --data mine.csv --sequence-id date", 64, "no --label-column given", "columns are temp, date"
    ),
    Mistake(
      "names that the model does not know", "evaluate --data l.csv --sequence-id id --label-column l", 64,
      "the model does not know which of its outputs stands for which label",
      "say it with lstm-ft import CHECKPOINT --classes NAMES, or fine-tune it on labeled data"
    ) { try $0.write("l.csv", "id,x,l\na,1,up\nb,2,down\n") },
    Mistake(
      "too few names of classes", "import weights.h5 --classes a,b -o a.h5", 64,
      "--classes a,b: expected 24 different names, found 2"),
  ]

  /// `c.h5`, a model of three tokens.
  private static let writeCharacterModel: @Sendable (Workplace) throws -> Void = { place in
    let configuration = ModelConfiguration(
      input: .tokens(vocabulary: 3, size: 2), layers: [.init(hiddenSize: 2)], readout: .all, head: [.init(size: 3)])
    try LSTMModel(configuration).write(path: place.path("c.h5"), as: .native)
  }

  static let imports = [
    Mistake(
      "a CSV as weights", "import mine.csv", 65,
      "mine.csv: it is not an HDF5 file: it begins with the text \"temp,date\"",
      "weights and models are HDF5 or .npz files; a table is data: --data mine.csv"),
    Mistake(
      "a CSV as the model", "finetune mine.csv --data mine.csv --target temp --window 48", 65,
      "mine.csv: it is not an HDF5 file: it begins with the text \"temp,date\"",
      "weights and models are HDF5 or .npz files; a table is data: --data mine.csv"),
    Mistake(
      "a text file named .h5", "import text.h5", 65,
      "text.h5: it is not an HDF5 file: it begins with the text \"hello there\"",
      "expected HDF5 or .npz; in Python: for k, v in state_dict.items(): h5py_file[k] = v.numpy()"
    ) { try $0.write("text.h5", "hello there\n") },
    Mistake("a folder as weights", "import folder", 65, "folder: it is a directory, not an HDF5 file") {
      try $0.makeFolder("folder")
    },
    Mistake("no such weights", "import nope.h5", 66, "nope.h5: no such file"),
    Mistake("no such file to inspect", "inspect nope.h5", 66, "nope.h5: no such file"),
    Mistake(
      "a truncated checkpoint", "import cut.h5", 65,
      "cut.h5: it is truncated: it has only 5000 bytes, fewer than its header states"
    ) { place in
      try place.write("cut.h5", Data(contentsOf: place.url.appendingPathComponent("weights.h5")).prefix(5000))
    },
    Mistake("a file of no bytes", "import zero.h5", 65, "zero.h5: it is empty (0 bytes)") {
      try $0.write("zero.h5", "")
    },
    Mistake(
      "tensors in an object, under another ending", "import pt.h5", 65,
      "pt.h5: its tensors lie in a Python object, __main__.make_opaque, under \"learner\", that only running code could take apart; nothing was run",
      "save the tensors alone, in Python, if you trust the file; the object may have a state_dict:",
      "x = torch.load(\"pt.h5\", weights_only=False)[\"learner\"]; torch.save(x.state_dict(), \"weights.pt\")"
    ) { try $0.copy("pickle/refused-opaque.pt", as: "pt.h5") },
    Mistake(
      "a download that broke off", "import s.safetensors", 65,
      "s.safetensors: expected a file of 66 bytes by its header, found 65"
    ) { place in
      let header = #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#
      let length = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Data($0) }
      try place.write("s.safetensors", length + Data(header.utf8) + Data(count: 3))
    },
    Mistake(
      "one array as weights", "import x.npy", 65,
      "x.npy: it is one array (.npy), expected an HDF5 or .npz file of named tensors"
    ) { try $0.write("x.npy", npy([1, 2], [1, 2])) },
    Mistake(
      "a shape that does not fit", "import weights.h5 --config two.json -o a.h5", 65,
      "weights.h5: lstm.weight_ih_l0: expected shape (256, 2), found (256, 1)"
    ) { try $0.write("two.json", configuration(features: 2, layers: 2)) },
    Mistake(
      "missing tensors", "import weights.h5 --config three.json -o a.h5", 65,
      "weights.h5: missing lstm.weight_ih_l2 (256, 64), and 3 more",
      "start it from fresh values with --allow missing='lstm.weight_ih_l2', or find it with --map "
        + "'REGEX=REPLACEMENT' or --prefix"
    ) { try $0.write("three.json", configuration(features: 1, layers: 3)) },
    Mistake(
      "unexpected tensors", "import extra.h5 -o a.h5", 65,
      "extra.h5: unexpected optimizer/state/0/exp_avg (40, 6): the state of an optimizer, and 1 more",
      "leave out what is not needed with --allow unexpected='optimizer/*', or rename it with --map 'REGEX=REPLACEMENT'"
    ) { try $0.copy("golden-models/compiled_extras.h5", as: "extra.h5") },
    Mistake(
      "a map without =", "import weights.h5 --map lstm", 64,
      "--map lstm: expected REGEX=REPLACEMENT, found no =", "for example --map '^rnn\\.=lstm.'"),
    Mistake(
      "an allowance that is none", "import weights.h5 --allow nonsense", 64,
      "--allow nonsense: expected missing=GLOB or unexpected=GLOB", "for example --allow unexpected='optimizer*'"),
    Mistake(
      "a prefix of nothing", "import weights.h5 --prefix lstmm", 64,
      "--prefix lstmm: no tensor of weights.h5 is below it", "did you mean lstm?"),
    Mistake(
      "a head of two layers", "import f.h5", 65,
      "f.h5: the head has 2 dense layers (fc1.weight, fc2.weight) and tensors do not tell what stands between them",
      "say it with --activation none, relu, tanh or sigmoid, or describe the model with --config FILE"
    ) { try $0.copy("golden-models/head_fc1_fc2.h5", as: "f.h5") },
    Mistake(
      "two heads", "import heads.h5 -o a.h5", 65,
      "heads.h5: 2 linear layers read the same 6 values: one.weight, two.weight",
      "if they are heads side by side, keep one, whose output is then all there is, for example --allow "
        + "unexpected='two.*'"
    ) { place in
      try place.writeBareLSTM(as: "bare.h5")
      let heads = ["one.weight", "two.weight"].map {
        StoredTensor(name: $0, shape: [2, 6], values: [Float](repeating: 0.5, count: 12))
      }
      try StoredTensor.write(
        place.checkpoint("bare.h5").tensors + heads, path: place.path("heads.h5"), as: .pytorchHDF5)
    },
    Mistake(
      "a misspelled key", "import weights.h5 --config bad.json", 65,
      "bad.json: not a model configuration: layers[0]: unknown key \"projecton\"; known are hidden, bidirectional, "
        + "projection, bias, gates, peepholes, forget_offset"
    ) { try $0.write("bad.json", #"{"input":{"features":1},"layers":[{"hidden":64,"projecton":3}]}"#) },
    Mistake("nothing to compare with", "diff model.h5 nope.h5", 66, "nope.h5: no such file"),
    Mistake("no such configuration", "import weights.h5 --config nope.json", 66, "nope.json: no such file"),
    Mistake(
      "a scaler of one number", "import weights.h5 --scaler 3 -o a.h5", 64,
      "--scaler 3: expected MEAN,DEVIATION with a deviation above 0", "for example --scaler 54.0,9.6"),
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
      "folder: it is a directory; a file is to be written here"
    ) { try $0.makeFolder("folder") },
    Mistake(
      "an output of no known format", "predict --data mine.csv -o y.txt", 64,
      "-o y.txt: expected a name that ends in .npy, .csv or .h5, found .txt"),
    Mistake(
      "output over the data", finetune + "-o mine.csv", 64,
      "mine.csv: the output would replace what it is made from", "give another -o"),
    Mistake(
      "output over the model", finetune + "-o ./model.h5", 64,
      "./model.h5: the output would replace what it is made from", "give another -o"),
    Mistake(
      "predictions over the model", "predict --data mine.csv -o model.h5", 64,
      "model.h5: the output would replace what it is made from", "give another -o"),
    Mistake(
      "import over its source", "import weights.h5 -o weights.h5", 64,
      "weights.h5: the output would replace what it is made from", "give another -o"),
    Mistake(
      "export over its source", "export model.h5 --to pytorch-h5 -o model.h5", 64,
      "model.h5: the output would replace what it is made from", "give another -o"),
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
      "--cache-memory has no meaning with --no-cache"),
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
      "momentum for Adam", finetune + "--momentum 0.9", 64, "--momentum has no meaning for --optimizer adam",
      "choose --optimizer sgd"),
    Mistake(
      "AMSGrad for SGD", finetune + "--optimizer sgd --amsgrad", 64,
      "--amsgrad has no meaning for --optimizer sgd", "choose --optimizer adam or adamw"),
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
      "commands are import, inspect, finetune, lr-find, evaluate, predict, generate, export, verify, diff, report"),
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

  private static func npy(_ values: [Float], _ shape: [Int]) throws -> Data {
    Data(try NPY.encode(floats: values, shape: shape))
  }

  private static func configuration(features: Int, layers: Int) -> String {
    let stack = Array(repeating: #"{"hidden":64}"#, count: layers).joined(separator: ",")
    return #"{"input":{"features":\#(features)},"layers":[\#(stack)],"head":[{"size":24}]}"#
  }
}
