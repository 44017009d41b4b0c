import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing

/// Kinds of PyTorch checkpoints that once came in with wrong numbers and without a word: now the numbers are right, what
/// was taken for granted is said, or the file is refused by what it is.
@Suite(.serialized) struct WrongWithoutAWordPyTorchTests {
  // MARK: - What a state_dict cannot show

  @Test(arguments: [
    ("pt-relu-before-head/model.pt", "pt-relu-before-head/expected.npz", "", ["--readout-activation", "relu"]),
    (
      "layer-order-pt/relu_between.pt", "layer-order-pt/x.npz", "layer-order-pt/relu_between.npy",
      ["--readout-activation", "relu"]
    ),
    ("pt-sigmoid-after-head/model.pt", "pt-sigmoid-after-head/expected.npz", "", ["--output-activation", "sigmoid"]),
  ])
  func anActivationIsAssumedAloudAndCanBeSaid(_ file: String, _ data: String, _ expected: String, _ said: [String])
    async throws
  {
    let place = try Workplace()
    try place.copy("wild/\(file)", as: "w.pt")
    try place.copy("wild/\(data)", as: "x.npz")
    let bare = try await place.run("import", "w.pt", "-o", "bare.h5")
    #expect(bare.code == 0)
    #expect(
      bare.stdout.contains(
        "assumed: nothing between the LSTM and head.0 (otherwise: --readout-activation relu, tanh or sigmoid)\n"))
    #expect(
      bare.stdout.contains(
        "assumed: no activation after head.0 (otherwise: --output-activation sigmoid, softmax, log_softmax, relu or tanh)\n"
      ))
    #expect(bare.stdout.contains("assumed: the LSTM's gates are squashed by sigmoid and its cell by tanh"))
    #expect(bare.stdout.contains("(otherwise: --readout last, final, all, mean or max)\n"))

    let told = try await place.run(["import", "w.pt", "-o", "told.h5", "--readout", "last"] + said)
    #expect(told.code == 0)
    #expect(!told.stdout.contains("assumed: " + (said[0].contains("readout") ? "nothing between" : "no activation")))
    let wanted = try expected.isEmpty ? place.tensor("x.npz", "y") : Self.array(expected)
    let right = try await place.predicted("told.h5", "x.npz")
    #expect(right.differs(from: wanted) < 1e-5)
    let wrong = try await place.predicted("bare.h5", "x.npz", "--readout", "last")
    #expect(wrong.differs(from: wanted) > 1e-3)
  }

  @Test func whatIsAssumedIsInTheJSON() async throws {
    let place = try Workplace()
    try place.copy("wild/pt-sigmoid-after-head/model.pt", as: "w.pt")
    let outcome = try await place.run("import", "w.pt", "--json")
    let report = try JSONDecoder().decode(LoadReport.self, from: Data(outcome.stdout.utf8))
    #expect(report.assumed.map(\.what).contains("nothing between the LSTM and head.0"))
    #expect(report.assumed.map(\.what).contains("no activation after head.0"))
  }

  @Test func aConfigurationSaysItAllAndNothingIsAssumed() async throws {
    let place = try Workplace()
    try place.copy("wild/pt-relu-before-head/model.pt", as: "w.pt")
    try place.copy("wild/pt-relu-before-head/expected.npz", as: "x.npz")
    try place.write(
      "c.json",
      #"{"input":{"features":3},"layers":[{"hidden":4}],"readout":"last","readout_activation":"relu","head":[{"size":1}]}"#
    )
    let outcome = try await place.run("import", "w.pt", "--config", "c.json")
    #expect(outcome.code == 0)
    #expect(!outcome.stdout.contains("assumed:"))
    #expect(outcome.stdout.contains("LSTM 4 -> last step -> relu -> dense 1"))
    #expect(try await place.predicted("model.h5", "x.npz").differs(from: place.tensor("x.npz", "y")) < 1e-5)
    let twice = try await place.run("import", "w.pt", "--config", "c.json", "--output-activation", "tanh")
    #expect(twice.code == 64)
    #expect(twice.stderr == "error: --output-activation: the model's configuration already says it\n")
  }

  /// What stands between the LSTM and the head goes out with the model, or the export is refused.
  @Test func theReadoutsActivationIsExported() async throws {
    let place = try Workplace()
    try place.copy("wild/pt-relu-before-head/model.pt", as: "w.pt")
    try place.copy("wild/pt-relu-before-head/expected.npz", as: "x.npz")
    try await place.run("import", "w.pt", "--readout", "last", "--readout-activation", "relu")
    for format in ["keras", "keras-h5", "onnx"] {
      let exported = try await place.run("export", "model.h5", "--to", format, "--bias", "single", "-o", "out")
      #expect(exported.code == 0, "\(exported.stderr)")
      let back = try await place.run("import", "out", "-o", "back.h5")
      #expect(back.code == 0 && !back.stdout.contains("is not used"), "\(back.stdout)\(back.stderr)")
      #expect(try place.checkpoint("back.h5").configuration?.plain.readoutActivation == .relu)
      let y = try await place.predicted("back.h5", "x.npz")
      #expect(y.differs(from: try place.tensor("x.npz", "y")) < 1e-5)
      try FileManager.default.removeItem(atPath: place.path("out"))
    }
    let refused = try await place.run("export", "model.h5", "--to", "rtneural-json", "-o", "out.json")
    #expect(refused.code == 64)
    #expect(refused.stderr.contains("the model has relu between the LSTM and the head, which RTNeural has not"))
  }

  // MARK: - What computes is never advised away

  @Test(
    arguments: [
      ("pt-batchnorm/model.pt", "bn", nil), ("layer-order-pt/ln_after.pt", "ln", nil),
      ("layer-order-pt/square_in.pt", "inp", nil),
      ("pt-conv-front/model.pt", "conv", "conv is a convolution, of which tensors tell neither the padding"),
      ("pt-attention-taken-for-dense/model.pt", "attention", "is an attention of a form that tensors do not tell"),
    ] as [(String, String, String?)])
  func aLayerThatComputesIsReadOrAskedAbout(_ file: String, _ module: String, _ asks: String?) async throws {
    let place = try Workplace()
    try place.copy("wild/\(file)", as: "w.pt")
    let outcome = try await place.run("import", "w.pt", "-o", "whole.h5")
    if let asks {
      #expect(outcome.code == 65)
      #expect(outcome.stderr.contains(asks))
      #expect(!outcome.stderr.contains("--allow unexpected"))
      #expect(outcome.stderr.contains("\n  --model '"))
      #expect(try place.contents().keys.sorted() == ["w.pt"])
    } else {
      #expect(outcome.code == 0)
      #expect(outcome.stdout.contains("assumed: the layers follow each other in the order of the file: "))
      #expect(outcome.stdout.contains(" (otherwise: the layers of --model '"))
    }

    // The LSTM alone.
    let alone = try await place.run("import", "w.pt", "--prefix", "lstm", "-o", "alone.h5")
    #expect(alone.code == 0)
    #expect(alone.stdout.contains("tensors outside not looked at"))
    #expect(try place.checkpoint("alone.h5").configuration?.plain.head.isEmpty == true)

    // What a user leaves out all the same is said.
    let allowed = try await place.run("import", "w.pt", "--allow", "unexpected=\(module).*", "-o", "allowed.h5")
    #expect(allowed.code == 0)
    #expect(allowed.stdout.contains("assumed: \(module) (a"))
    #expect(
      allowed.stdout.contains(
        "is left out as you allow: the output is then that of the model without it, not the source's\n"))
  }

  /// The order of the tensors tells where names do not.
  @Test func linearBeforeTheLSTM() async throws {
    let place = try Workplace()
    let shapes =
      [("a.weight", [8, 8]), ("a.bias", [8])] + Self.lstm("rnn.", 8, 8) + [("b.weight", [2, 8]), ("b.bias", [2])]
    try place.save(shapes, as: "w.pt", .pt)
    let read = try await place.run("import", "w.pt")
    #expect(read.code == 0)
    #expect(read.stdout.contains("the layers follow each other in the order of the file: a, rnn, b"))
    #expect(try place.checkpoint("model.h5").provenance?.mapping["dense1.weight"] == "a.weight")
    // HDF5 sorts its names.
    try place.save(shapes, as: "w.h5", .pytorchHDF5)
    let asked = try await place.run("import", "w.h5")
    #expect(asked.code == 65)
    #expect(
      asked.stderr.hasPrefix(
        "error: w.h5: a.weight (8, 8) fits before the LSTM and behind it, and the file does not keep the "
          + "order of its tensors\n  --model '"))
    try place.write(
      "c.json",
      #"{"input":{"features":8},"layers":[{"hidden":8}],"head":[{"size":8,"activation":"relu"},{"size":2}]}"#)
    for file in ["w.pt", "w.h5"] {
      #expect(try await place.run("import", file, "--config", "c.json").code == 0)
      #expect(try place.checkpoint("model.h5").provenance?.mapping["head.0.weight"] == "a.weight")
    }
  }

  @Test func attentionIsTakenOnlyWhereItIsTheFormThatIsComputed() async throws {
    let place = try Workplace()
    let head = [("fc.weight", [2, 4]), ("fc.bias", [2])]
    try place.save(Self.lstm("lstm.", 3, 4) + [("attention.weight", [1, 4])] + head, as: "w.pt", .pt)
    let taken = try await place.run("import", "w.pt")
    #expect(taken.code == 0)
    #expect(
      taken.stdout.contains(
        "assumed: attention as the sum of the LSTM's outputs, weighted by the softmax over time of attention.weight times each"
      ))
    let forms: [[(String, [Int])]] = [
      [("W.weight", [4, 4]), ("U.weight", [4, 4]), ("v.weight", [1, 4])],
      [("q_proj.weight", [4, 4]), ("k_proj.weight", [4, 4]), ("v_proj.weight", [4, 4])],
    ]
    for form in forms {
      try place.save(Self.lstm("lstm.", 3, 4) + form + head, as: "w.pt", .pt)
      let refused = try await place.run("import", "w.pt", "--activation", "none")
      #expect(refused.code == 65, "\(form)")
      #expect(refused.stderr.contains("an attention of "), "\(refused.stderr)")
      #expect(refused.stderr.components(separatedBy: "\n  --model '").count == 3)
    }
    let others: [[(String, [Int])]] = [
      [("w_omega", [4, 4]), ("u_omega", [4, 1])], [("self_attn.weight", [1, 4]), ("self_attn.bias", [1])],
    ]
    for form in others {
      try place.save(Self.lstm("lstm.", 3, 4) + form + head, as: "w.pt", .pt)
      let read = try await place.run("import", "w.pt")
      #expect(read.code == 0, "\(read.stderr)")
      #expect(try place.checkpoint("model.h5").configuration?.index(of: "attention") == 1)
    }
    let heads: [(String, [Int])] = [
      ("mha.in_proj_weight", [12, 4]), ("mha.in_proj_bias", [12]), ("mha.out_proj.weight", [4, 4]),
      ("mha.out_proj.bias", [4]),
    ]
    try place.save(Self.lstm("lstm.", 3, 4) + heads + head, as: "w.pt", .pt)
    let asked = try await place.run("import", "w.pt")
    #expect(asked.code == 65)
    #expect(asked.stderr.contains("mha is self-attention over 4 values, and tensors tell neither its number of heads"))
  }

  // MARK: - LSTMs of equal shapes

  @Test(arguments: ["par_sum_square", "residual"])
  func parallelAndResidualLSTMsAreAskedAbout(_ name: String) async throws {
    let place = try Workplace()
    try place.copy("wild/parallel-pt/\(name).pt", as: "w.pt")
    let asked = try await place.run("import", "w.pt")
    #expect(asked.code == 65)
    #expect(
      asked.stderr.hasPrefix(
        "error: w.pt: lstm1 and lstm2 both read 8 values and give 8: they may stand one above the other, "
          + "or side by side; the tensors do not tell; if each reads what the one before gives, and nothing else: "
          + "--stack lstm1,lstm2\n  --model '"))
    #expect(asked.stderr.components(separatedBy: "--model").count == 3)
    let stacked = try await place.run("import", "w.pt", "--stack", "lstm2,lstm1")
    #expect(stacked.code == 0)
    #expect(stacked.stdout.contains("note: one stack in the order of --stack: lstm2, lstm1\n"))
    #expect(try place.checkpoint("model.h5").provenance?.mapping["lstm.weight_ih_l0"] == "lstm2.weight_ih_l0")
    let alone = try await place.run("import", "w.pt", "--prefix", "lstm1")
    #expect(alone.code == 0)
    let stranger = try await place.run("import", "w.pt", "--stack", "lstm1,lstm3")
    #expect(stranger.code == 64)
    #expect(stranger.stderr == "error: --stack lstm1,lstm3: no LSTM of w.pt is lstm3\n  it has lstm1, lstm2\n")
  }

  @Test func aStackIsAssumedAloudWhereNothingElseFits() async throws {
    let place = try Workplace()
    let cases = [
      Self.lstm("lstm1.", 3, 8) + Self.lstm("lstm2.", 8, 8), Self.lstm("rnns.0.", 8, 8) + Self.lstm("rnns.1.", 8, 8),
    ]
    for shapes in cases {
      try place.save(shapes, as: "w.pt", .pt)
      let outcome = try await place.run("import", "w.pt")
      #expect(outcome.code == 0)
      #expect(
        outcome.stdout.contains(
          "stand one above the other, in the order of their numbers, with nothing between or around them (otherwise: "
            + "--stack MODULES"))
    }
  }

  /// Arrays under another framework's names.
  @Test func aStackUnderKerasNamesIsAssumedAloudAndCanBeOrdered() async throws {
    let place = try Workplace()
    func cell(_ module: String) -> [(String, [Int])] {
      [(module + "/kernel", [8, 32]), (module + "/recurrent_kernel", [8, 32]), (module + "/bias", [32])]
    }
    try place.save(cell("lstm") + cell("lstm_1"), as: "w.npz", .npz)
    let outcome = try await place.run("import", "w.npz")
    #expect(outcome.code == 0)
    #expect(outcome.stdout.contains("assumed: lstm, lstm_1 stand one above the other, in the order of their numbers"))
    let ordered = try await place.run("import", "w.npz", "--stack", "lstm_1,lstm")
    #expect(ordered.code == 0, "\(ordered.stderr)")
    #expect(try place.checkpoint("model.h5").provenance?.mapping["lstm.weight_ih_l0"] == "lstm_1/kernel")
  }

  // MARK: - Other recurrent layers

  @Test(arguments: [
    (
      [
        ("rnn.weight_ih_l0", [24, 3]), ("rnn.weight_hh_l0", [24, 8]), ("rnn.bias_ih_l0", [24]),
        ("rnn.bias_hh_l0", [24]),
      ], "layer0 is rnn: a GRU, as weight_hh has 3H = 24 rows"
    ),
    (
      [("weight_ih", [30, 3]), ("weight_hh", [30, 10])], "a GRU, as weight_hh has 3H = 30 rows"
    ),
    (
      [("rnn.weight_ih_l0", [8, 3]), ("rnn.weight_hh_l0", [8, 8]), ("rnn.bias_ih_l0", [8]), ("rnn.bias_hh_l0", [8])],
      "layer0 is rnn: a plain RNN, as weight_hh has H = 8 rows"
    ),
  ])
  func aGRUIsCalledAGRU(_ shapes: [(String, [Int])], _ says: String) async throws {
    let place = try Workplace()
    try place.save(shapes, as: "w.npz", .npz)
    let outcome = try await place.run("import", "w.npz")
    #expect(outcome.code == 0, "\(outcome.stderr)")
    #expect(outcome.stdout.contains(says))
  }

  @Test func arraysOfAKerasGRUAreNotRead() async throws {
    let place = try Workplace()
    try place.save(
      [
        ("gru/gru_cell/kernel", [3, 24]), ("gru/gru_cell/recurrent_kernel", [8, 24]), ("gru/gru_cell/bias", [2, 24]),
      ],
      as: "w.npz", .npz)
    let outcome = try await place.run("import", "w.npz")
    #expect(outcome.code == 65)
    #expect(
      outcome.stderr
        == "error: w.npz: gru/gru_cell/recurrent_kernel (8, 24): 3H = 24: a GRU; it changes the output\n")
  }

  // MARK: - Columns first

  @Test func aColumnMajorFileIsAskedAboutAndReadRight() async throws {
    let place = try Workplace()
    try place.copy("wild/column-major/emb.h5", as: "w.h5")
    try place.copy("wild/column-major/emb_x.npz", as: "x.npz")
    let asked = try await place.run("import", "w.h5")
    #expect(asked.code == 65)
    #expect(
      asked.stderr.contains("--order column-major if a program wrote it that stores columns first (Julia, MATLAB, R)"))
    let outcome = try await place.run("import", "w.h5", "--order", "column-major", "--readout", "last")
    #expect(outcome.code == 0)
    let y = try await place.predicted("model.h5", "x.npz")
    #expect(y.differs(from: try Self.array("column-major/emb.npy")) < 1e-5)
  }

  /// The LSTM's matrices tell that the file is turned, a square embedding does not: Keras turns all but that.
  @Test func aSquareEmbeddingOfATurnedFileIsSaid() async throws {
    let place = try Workplace()
    try place.save(
      [
        ("embedding/weight", [5, 5]), ("lstm/weight_ih_l0", [5, 32]), ("lstm/weight_hh_l0", [8, 32]),
        ("fc/weight", [8, 2]), ("fc/bias", [2]),
      ], as: "w.h5", .pytorchHDF5)
    #expect(try await place.run("import", "w.h5").code == 65)
    let keras = try await place.run("import", "w.h5", "--layout", "keras", "-o", "keras.h5")
    #expect(keras.code == 0)
    #expect(
      keras.stdout.contains(
        "assumed: embedding/weight (5, 5) has a row for each token, as Keras keeps it (otherwise: --order column-major in "
          + "place of --layout keras)\n"))
    let columns = try await place.run("import", "w.h5", "--order", "column-major", "-o", "columns.h5")
    #expect(columns.code == 0)
    let stored = try place.tensor("w.h5", "embedding/weight")
    #expect(try place.tensor("keras.h5", "embedding.weight") == stored)
    let turned = (0..<25).map { stored[$0 % 5 * 5 + $0 / 5] }
    #expect(try place.tensor("columns.h5", "embedding.weight") == turned)
  }

  /// MATLAB leaves its mark at every dataset, and keeps vectors as matrices of one column.
  @Test func aFileThatMATLABWroteIsTurned() async throws {
    let place = try Workplace()
    try place.copy("wild/matlab/net.mat", as: "net.mat")
    try place.copy("wild/matlab/x.npz", as: "x.npz")
    try place.write(
      "c.json",
      #"{"input":{"features":3},"layers":[{"hidden":8,"bias":"single"}],"readout":"last","head":[{"size":2}]}"#)
    let outcome = try await place.run(
      "import", "net.mat", "--config", "c.json", "--map", "^InputWeights$=lstm.weight_ih_l0", "--map",
      "^RecurrentWeights$=lstm.weight_hh_l0", "--map", "^Bias$=lstm.bias_ih_l0", "--map", "^fcWeights$=fc.weight",
      "--map", "^fcBias$=fc.bias")
    #expect(outcome.code == 0, "\(outcome.stderr)")
    #expect(
      outcome.stdout.contains("note: MATLAB wrote the file, which stores columns first: every matrix is turned\n"))
    let y = try await place.predicted("model.h5", "x.npz")
    #expect(y.differs(from: try Self.array("matlab/expected.npy")) < 1e-5)
  }

  // MARK: - Averages, a Sequential called head

  @Test func ofAModelAndItsAverageOneIsChosenWithItsHead() async throws {
    let place = try Workplace()
    let part = Self.lstm("lstm.", 3, 4) + [("fc.weight", [2, 4]), ("fc.bias", [2])]
    try place.save(part.map { ("model." + $0, $1) } + part.map { ("ema." + $0, $1) }, as: "w.pt", .pt)
    let asked = try await place.run("import", "w.pt")
    #expect(asked.code == 65)
    #expect(
      asked.stderr
        == "error: w.pt: tensors of the same names and shapes lie below ema and below model: two copies of one "
        + "model, or two parts that work together\n  if they are a model and its average, choose one with its head: "
        + "--prefix ema or --prefix model\n  parts that work together are described with --model LINE\n")
    for prefix in ["model", "ema"] {
      #expect(try await place.run("import", "w.pt", "--prefix", prefix).code == 0)
      #expect(try place.checkpoint("model.h5").provenance?.mapping["head.0.weight"] == "\(prefix).fc.weight")
    }
    // The model at the root.
    try place.save(part + part.map { ("ema." + $0, $1) }, as: "w.pt", .pt)
    let root = try await place.run("import", "w.pt")
    #expect(
      root.stderr.contains(
        "if they are a model and its average: --prefix ema takes the one, --allow unexpected='ema.*' the other"))
    #expect(try await place.run("import", "w.pt", "--prefix", "ema").code == 0)
    #expect(try place.checkpoint("model.h5").provenance?.mapping["head.0.weight"] == "ema.fc.weight")
    #expect(try await place.run("import", "w.pt", "--allow", "unexpected=ema.*").code == 0)
    #expect(try place.checkpoint("model.h5").provenance?.mapping["head.0.weight"] == "fc.weight")
  }

  @Test func aSequentialCalledHeadIsMatchedInOrder() async throws {
    let place = try Workplace()
    let head = [("head.0.weight", [5, 4]), ("head.0.bias", [5]), ("head.3.weight", [2, 5]), ("head.3.bias", [2])]
    try place.save(Self.lstm("lstm.", 3, 4) + head, as: "w.pt", .pt)
    try place.write(
      "c.json",
      #"{"input":{"features":3},"layers":[{"hidden":4}],"head":[{"size":5,"activation":"relu"},{"size":2}]}"#)
    let outcome = try await place.run("import", "w.pt", "--config", "c.json")
    #expect(outcome.code == 0, "\(outcome.stderr)")
    let mapping = try place.checkpoint("model.h5").provenance?.mapping
    #expect(mapping?["head.0.weight"] == "head.0.weight")
    #expect(mapping?["head.1.weight"] == "head.3.weight")
    #expect(mapping?["head.1.bias"] == "head.3.bias")
  }

  // MARK: - Fixtures

  /// The tensors of one layer of `nn.LSTM`.
  static func lstm(_ prefix: String, _ input: Int, _ hidden: Int) -> [(String, [Int])] {
    [
      (prefix + "weight_ih_l0", [4 * hidden, input]), (prefix + "weight_hh_l0", [4 * hidden, hidden]),
      (prefix + "bias_ih_l0", [4 * hidden]), (prefix + "bias_hh_l0", [4 * hidden]),
    ]
  }

  private static func array(_ name: String) throws -> [Float] {
    try NPY.read(contentsOf: fixtures.appendingPathComponent("wild/" + name).path).floats()
  }
}

extension Workplace {
  /// A checkpoint of these tensors, with values of no meaning.
  func save(_ shapes: [(String, [Int])], as name: String, _ format: Checkpoint.Format) throws {
    let tensors = shapes.enumerated().map { index, item in
      let count = item.1.reduce(1, *)
      return StoredTensor(
        name: item.0, shape: item.1, values: (0..<count).map { Float(($0 * 7 + index * 3) % 11) / 11 - 0.5 })
    }
    try? FileManager.default.removeItem(atPath: path(name))
    try StoredTensor.write(tensors, path: path(name), as: format)
  }

  func tensor(_ file: String, _ name: String) throws -> [Float] {
    guard let tensor = try checkpoint(file)[name] else { throw WorkplaceError(description: "\(file) has no \(name)") }
    return try tensor.floats()
  }

  /// What `predict` gives for the `x` of a file.
  func predicted(_ model: String, _ data: String, _ more: String...) async throws -> [Float] {
    let outcome = try await run(["predict", model, "--data", data, "-o", "predicted.npy", "--overwrite"] + more)
    guard outcome.code == 0 else { throw WorkplaceError(description: outcome.stderr) }
    return try NPY.read(contentsOf: path("predicted.npy")).floats()
  }
}

extension [Float] {
  /// The largest difference, against the largest value; infinite where the sizes differ.
  func differs(from wanted: [Float]) -> Float {
    guard count == wanted.count, let largest = wanted.map(\.magnitude).max() else { return .infinity }
    return zip(self, wanted).map { ($0 - $1).magnitude }.reduce(0, Swift.max) / Swift.max(largest, 1e-6)
  }
}
