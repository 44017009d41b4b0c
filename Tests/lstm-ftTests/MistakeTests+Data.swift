import Foundation
import LSTMCheckpoints
import LSTMLayers

/// Mistakes in data: series, arrays, texts, labels.
extension MistakeTests {
  static let data = [
    Mistake("no such data", "finetune --data nope.csv", 66, "nope.csv: no such file"),
    Mistake(
      "a wrong column", "finetune --data mine.csv --target tmp --window 48", 64,
      "mine.csv column \"tmp\": no such column", "did you mean \"temp\"?", "available: temp, date"),
    Mistake(
      "a column of dates", "finetune --data mine.csv --target date --window 48", 65,
      "mine.csv line 2, column \"date\": expected a number, found \"2010/01/01 00:00:00\"",
      "numeric columns are temp"),
    Mistake(
      "which column", "finetune --data many.csv --window 1", 64,
      "no --target given, and many.csv has 2 numeric columns: a, b",
      "choose the one to predict, for example --target a"
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
      "mine.csv: the model reads 4 features per step, found 1 numeric column: temp"
    ) { try $0.copy("golden-training/freeze_layer0_weights.h5", as: "four.h5") },
    Mistake(
      "too many features", "finetune --data mine.csv --target temp --features temp,date --window 48", 64,
      "--features temp,date: names 2 columns, but the model reads 1 feature per step"),
    Mistake(
      "which features", "finetune four.h5 --data five.csv --target a --window 1", 64,
      "the model reads 4 features per step, but five.csv has 5 numeric columns: a, b, c, d, e",
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
      "the model has no vocabulary, which maps token numbers to characters or words",
      "add one with lstm-ft import CHECKPOINT --vocabulary FILE", prepare: writeCharacterModel),
    Mistake(
      "a text and data", "evaluate --text mine.csv --data mine.csv", 64, "--data and --text cannot be combined"),
    Mistake("no such text", "evaluate --text nope.txt", 66, "nope.txt: no such file"),
    Mistake(
      "a text option for a series", "evaluate --data mine.csv --stride 3", 64, "--stride is for --text"),
    Mistake(
      "a series' option for a text", "evaluate --text mine.csv --target temp", 64,
      "--target is for CSV files; --text predicts the next token"),
    Mistake(
      "a vocabulary for features", "import weights.h5 --vocabulary mine.csv -o a.h5", 64,
      "--vocabulary: this model reads features, not tokens"),
    Mistake(
      "a vocabulary that is too large", "import c.h5 --vocabulary v.txt -o a.h5", 64,
      "the vocabulary has 4 entries, the model's embedding 3 rows",
      "use the vocabulary that this model was trained with"
    ) {
      try writeCharacterModel($0)
      try $0.write("v.txt", "a\nb\nc\nd\n")
    },
    Mistake(
      "no vocabulary to generate with", "generate c.h5 --prompt a", 64,
      "c.h5 has no vocabulary, which maps token numbers to characters or words",
      "add one with lstm-ft import CHECKPOINT --vocabulary FILE", prepare: writeCharacterModel),
    Mistake(
      "a label without a text", "finetune --data mine.csv --label-column temp", 64,
      "--label-column needs --text-column or --sequence-id"),
    Mistake(
      "no label", "finetune --data mine.csv --sequence-id date", 64, "no --label-column given", "columns are temp, date"
    ),
    Mistake(
      "names that the model does not know", "evaluate --data l.csv --sequence-id id --label-column l", 64,
      "the model does not know which class each of its outputs stands for",
      "name them with lstm-ft import CHECKPOINT --classes NAMES, or fine-tune it on labeled data"
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

  static func npy(_ values: [Float], _ shape: [Int]) throws -> Data {
    Data(try NPY.encode(floats: values, shape: shape))
  }
}
