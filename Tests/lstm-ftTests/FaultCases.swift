import Testing

#if DEBUG
  extension FaultTests {
    /// A command, and the file that it writes.
    struct Case: Sendable, CustomTestStringConvertible {
      let testDescription: String
      /// Fixtures that it reads, and what they are called there.
      var fixtures: [(String, String)] = []
      /// Commands that make what it reads.
      var before: [[String]] = []
      let arguments: [String]
      var output: String?
    }

    static let data = ["--data", "mine.csv", "--target", "temp", "--window", "8"]
    static let finetune =
      ["finetune", "headed.h5"] + data + [
        "--epochs", "1", "--batch-size", "16", "--threads", "1", "--run", "run", "-o", "out.h5",
      ]

    static let cases: [Case] = [
      Case(testDescription: "inspect", arguments: ["inspect", "model.h5", "--verify"]),
      Case(testDescription: "evaluate", arguments: ["evaluate", "headed.h5"] + data),
      Case(testDescription: "import", arguments: ["import", "weights.h5", "-o", "out.h5"], output: "out.h5"),
      Case(
        testDescription: "import of an archive", arguments: ["import", "weights.keras", "-o", "out.h5"],
        output: "out.h5"
      ),
      Case(
        testDescription: "export",
        arguments: ["export", "model.h5", "--to", "safetensors", "-o", "out.safetensors", "--overwrite"],
        output: "out.safetensors"),
      Case(
        testDescription: "export of an archive",
        arguments: ["export", "headed.h5", "--to", "keras", "--bias", "single", "-o", "out.keras", "--overwrite"],
        output: "out.keras"),
      Case(
        testDescription: "predict", arguments: ["predict", "headed.h5"] + data + ["-o", "out.csv", "--overwrite"],
        output: "out.csv"),
      Case(
        testDescription: "lr-find", arguments: ["lr-find", "headed.h5"] + data + ["--steps", "10", "-o", "out.svg"],
        output: "out.svg"),
      Case(testDescription: "finetune", arguments: finetune, output: "out.h5"),
    ]

    /// Every other format, in and out, and what only reads.
    static let others: [Case] =
      [
        reading("safetensors", "weights.safetensors"), reading("pt", "weights.pt"), reading("npz", "weights.npz"),
        reading("onnx", "weights.onnx"), reading("mlx", "weights.mlx.safetensors", of: "headed.h5", "--bias", "single"),
        reading("keras-h5", "weights.keras.h5", of: "headed.h5", "--bias", "single"),
        fixture("a Keras model in HDF5", "keras-graph/k3_gru_whole.h5"),
        fixture("legacy Keras weights", "golden-keras/k2_l1_w.h5"),
        fixture(
          "Keras weights in several files", "golden-keras/k3_shards.weights.json",
          (0...5).map { "golden-keras/k3_shards_0000\($0).weights.h5" }),
        fixture(
          "shards of safetensors", "pt/model-shards.safetensors.index.json",
          (1...2).map { "pt/shards-0000\($0)-of-00002.safetensors" }),
        fixture("a graph of ONNX", "onnx-graph/attention_product.onnx"),
        fixture("a stack of ONNX with scaling", "onnx/torch_normalize.onnx"),
        fixture("steps that ONNX unfolds", "onnx/torch_unfolded.onnx"),
        fixture("a graph of PyTorch", "torch-graph/crf_start_stop.pt"),
        fixture("a legacy stream of PyTorch", "pt/model-legacy.pt"),
        fixture("a pickle", "pickle/whole-in-dictionary.pkl"),
      ]
      + [
        ("onnx", "onnx", "headed.h5", []), ("pytorch-h5", "pytorch.h5", "model.h5", []),
        ("keras-h5", "keras.h5", "headed.h5", ["--bias", "single"]),
        ("keras-weights", "weights.h5", "headed.h5", ["--bias", "single"]),
        ("mlx", "mlx.safetensors", "headed.h5", ["--bias", "single"]),
        ("pt", "pt", "model.h5", ["--module", "module.py"]), ("npz", "npz", "model.h5", []),
        ("rtneural-json", "json", "headed.h5", ["--bias", "single"]),
        ("lstm-ft", "h5", "headed.h5", ["--dtype", "float16"]),
      ].map { format, suffix, model, more in
        Case(
          testDescription: "export to \(format)",
          arguments: ["export", model, "--to", format, "-o", "out.\(suffix)", "--overwrite"] + more,
          output: "out.\(suffix)")
      } + [
        Case(
          testDescription: "diff", before: [["export", "headed.h5", "--to", "onnx", "-o", "weights.onnx"]],
          arguments: ["diff", "headed.h5", "weights.onnx"]),
        Case(
          testDescription: "diff of one format", before: [["export", "model.h5", "--to", "pt", "-o", "weights.pt"]],
          arguments: ["diff", "weights.pt", "weights.h5"]),
        Case(
          testDescription: "verify",
          fixtures: [("onnx/torch_bare.onnx", "bare.onnx"), ("onnx/torch_bare.reference.h5", "reference.h5")],
          arguments: ["verify", "bare.onnx", "reference.h5"]),
        Case(testDescription: "inspect with statistics", arguments: ["inspect", "weights.keras", "--stats"]),
        Case(
          testDescription: "report", before: [finetune.map { $0 == "run" ? "done" : $0 }],
          arguments: ["report", "done", "-o", "out.html"], output: "out.html"),
        Case(
          testDescription: "generate", fixtures: language, before: importLanguage,
          arguments: ["generate", "language.h5", "--prompt", "the", "--length", "5"]),
        Case(
          testDescription: "predict arrays",
          fixtures: [("onnx/torch_bare.onnx", "bare.onnx"), ("onnx/torch_bare.reference.h5", "reference.h5")],
          before: [["import", "bare.onnx", "-o", "bare.h5"]],
          arguments: ["predict", "bare.h5", "--data", "reference.h5", "-o", "out.npy", "--overwrite"], output: "out.npy"
        ),
        Case(
          testDescription: "finetune on a text", fixtures: language, before: importLanguage,
          arguments: [
            "finetune", "language.h5", "--text", "mine.txt", "--epochs", "1", "--threads", "1", "--run", "run",
          ]
            + ["-o", "out.h5"], output: "out.h5"),
      ]

    private static func reading(
      _ format: String, _ name: String, of model: String = "model.h5", _ more: String...
    ) -> Case {
      Case(
        testDescription: "import of \(format)", before: [["export", model, "--to", format, "-o", name] + more],
        arguments: ["import", name, "-o", "out.h5"], output: "out.h5")
    }

    private static let language = [
      ("golden-text/window.h5", "text.h5"), ("golden-text/vocabulary.json", "v.json"),
      ("golden-text/text.txt", "mine.txt"),
    ]
    private static let importLanguage = [["import", "text.h5", "--vocabulary", "v.json", "-o", "language.h5"]]

    private static func fixture(_ what: String, _ file: String, _ parts: [String] = []) -> Case {
      let files = [file] + parts
      let names = files.map { String($0.split(separator: "/").last ?? "") }
      return Case(
        testDescription: "import of \(what)", fixtures: Array(zip(files, names)),
        arguments: ["import", names[0], "-o", "out.h5"], output: "out.h5")
    }
  }
#endif
