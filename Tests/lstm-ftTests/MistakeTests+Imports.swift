import Foundation
import LSTMCheckpoints

/// Mistakes in checkpoints.
extension MistakeTests {
  static let imports = [
    Mistake(
      "a CSV as weights", "import mine.csv", 65,
      "mine.csv: it is not an HDF5 file: it begins with the text \"temp,date\"",
      "a table is data, not a model: give it as --data mine.csv"),
    Mistake(
      "a CSV as the model", "finetune mine.csv --data mine.csv --target temp --window 48", 65,
      "mine.csv: it is not an HDF5 file: it begins with the text \"temp,date\"",
      "a table is data, not a model: give it as --data mine.csv"),
    Mistake(
      "a text file named .h5", "import text.h5", 65,
      "text.h5: it is not an HDF5 file: it begins with the text \"hello there\"",
      "expected a .pt, .safetensors, .h5, .npz, .keras or .onnx file"
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
      "x.npy: it is one array (.npy), expected a file of named tensors"
    ) { try $0.write("x.npy", npy([1, 2], [1, 2])) },
    Mistake(
      "a shape that does not fit", "import weights.h5 --config two.json -o a.h5", 65,
      "weights.h5: lstm.weight_ih_l0: expected shape (256, 2), found (256, 1)"
    ) { try $0.write("two.json", configuration(features: 2, layers: 2)) },
    Mistake(
      "missing tensors", "import weights.h5 --config three.json -o a.h5", 65,
      "weights.h5: missing lstm.weight_ih_l2 (256, 64), and 3 more",
      "start it from random values with --allow missing=lstm.weight_ih_l2, or find it with --map "
        + "REGEX=REPLACEMENT or --prefix"
    ) { try $0.write("three.json", configuration(features: 1, layers: 3)) },
    Mistake(
      "unexpected tensors", "import extra.h5 -o a.h5", 65,
      "extra.h5: unexpected optimizer/state/0/exp_avg (40, 6): the state of an optimizer, and 1 more",
      "leave out what is not needed with --allow unexpected='optimizer/*', or rename it with --map REGEX=REPLACEMENT"
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
      "f.h5: the head has 2 dense layers (fc1.weight, fc2.weight) and the tensors do not show which activation is between them",
      "say it with --activation none, relu, tanh or sigmoid, or describe the model with --config FILE"
    ) { try $0.copy("golden-models/head_fc1_fc2.h5", as: "f.h5") },
    Mistake(
      "two heads", "import heads.h5 -o a.h5", 65,
      "heads.h5: 2 dense layers read the same values: one, two",
      "--model '1 feature -> LSTM 6 -> LSTM 6 -> last -> dense 2 without bias -> dense 2 without bias from readout; "
        + "outputs head.0, head.1'"
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

  private static func configuration(features: Int, layers: Int) -> String {
    let stack = Array(repeating: #"{"hidden":64}"#, count: layers).joined(separator: ",")
    return #"{"input":{"features":\#(features)},"layers":[\#(stack)],"head":[{"size":24}]}"#
  }
}
