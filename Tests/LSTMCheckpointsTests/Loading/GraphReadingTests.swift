import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// What is found in state_dicts that are more than an LSTM with a head, and what is asked.
@Suite struct GraphReadingTests {
  static func file(_ name: String) -> String { fixtures.appendingPathComponent(name).path }

  /// `layer0: gru` and so on.
  private func kinds(_ configuration: ModelConfiguration) -> [String] {
    configuration.layers.map { "\($0.name): \($0.kind.kind)" }
  }

  @Test(arguments: [
    ("gru", ["layer0: gru", "layer1: gru", "readout: readout", "head.0: dense"]),
    ("rnn", ["layer0: rnn", "readout: readout", "head.0: dense"]),
    ("linear_before", ["dense1: dense", "layer0: lstm", "readout: readout", "head.0: dense"]),
    ("batch_norm", ["norm1: batch_norm", "layer0: lstm", "readout: readout", "norm2: batch_norm", "head.0: dense"]),
    ("layer_norm", ["norm1: layer_norm", "layer0: lstm", "readout: readout", "norm2: layer_norm", "head.0: dense"]),
    (
      "embedding_gru",
      ["embedding: embedding", "layer0: gru", "readout: readout", "norm1: layer_norm", "head.0: dense"]
    ),
    ("learned_state", ["layer0: lstm", "layer1: lstm", "readout: readout", "head.0: dense"]),
    ("attention_tanh", ["layer0: lstm", "attention: attention", "head.0: dense"]),
    ("attention_omega", ["layer0: lstm", "attention: attention", "head.0: dense"]),
    ("crf", ["embedding: embedding", "layer0: lstm", "head.0: dense", "crf: crf"]),
    ("flatten", ["layer0: lstm", "flatten: flatten", "head.0: dense"]),
  ])
  func isFound(_ name: String, _ expected: [String]) throws {
    let plan = try LoadPlan(Checkpoint(path: Self.file("torch-graph/\(name).pt")))
    try plan.validate()
    #expect(kinds(plan.configuration) == expected)
    // Every assumption about order comes with the model in words.
    #expect(
      plan.report.assumed.contains {
        $0.what.description.hasPrefix("the layers follow each other in the order of the file")
      })
    #expect(plan.report.notes.count >= expected.count - 2)
  }

  @Test func whatIsFoundHasItsSettings() throws {
    func layer<Kind: LayerKind>(_ file: String, _ index: Int, _: Kind.Type) throws -> Kind {
      let plan = try LoadPlan(Checkpoint(path: Self.file("torch-graph/\(file).pt")))
      return try #require(plan.configuration.layers[index].kind as? Kind)
    }
    #expect(try layer("gru", 0, Layer.Recurrent.self).isBidirectional)
    #expect(try layer("learned_state", 1, Layer.Recurrent.self).initial == .learned)
    #expect(try layer("embedding_gru", 0, Layer.Embedding.self).paddingToken == 0)
    let attention = try layer("attention_tanh", 1, Layer.Attention.self)
    #expect(attention.form == .tanh && attention.size == 4 && attention.hasBias && attention.hasScoreBias)
    let flat = try LoadPlan(Checkpoint(path: Self.file("torch-graph/flatten.pt"))).configuration
    #expect(flat.inputs[0].steps == 7)
  }

  @Test func statesAreCutByLayerAndDirection() throws {
    let checkpoint = try Checkpoint(path: Self.file("torch-graph/learned_state.pt"))
    let plan = try LoadPlan(checkpoint)
    let all = try #require(checkpoint["h0"]).floats()
    let names = ["lstm.initial_h_l0", "lstm.initial_h_l0_reverse", "lstm.initial_h_l1", "lstm.initial_h_l1_reverse"]
    for (row, name) in names.enumerated() {
      #expect(try #require(plan.tensors[name]).floats() == Array(all[row * 5..<row * 5 + 5]))
    }
  }

  // MARK: - What is asked

  private func refused(_ path: String, _ options: LoadOptions = LoadOptions()) throws -> [String] {
    refusal(try Checkpoint(path: Self.file(path)), options)
  }

  /// The models that an error proposes.
  static func proposals(_ checkpoint: Checkpoint, _ options: LoadOptions = LoadOptions()) throws -> [ModelConfiguration]
  {
    let candidates = try RewrittenNames(checkpoint, options: options, file: "w").candidates
    let reading = GraphReading(candidates, file: "w", options: options, keepsOrder: checkpoint.keepsOrder)
    switch reading.outcome() {
    case .question(_, let models, _), .arrangement(_, let models, _): return models
    default: return []
    }
  }

  @Test func aConvolutionIsAskedAbout() throws {
    let lines = try refused("wild/pt-conv-front/model.pt")
    #expect(lines.count == 3)
    #expect(lines[0].contains("conv is a convolution, of which tensors tell neither the padding (same, or pad"))
    // Each with a pooling beside it.
    #expect(lines[1].contains("relu -> max pool 2 ->") && lines[2].contains("relu -> max pool 2 ->"))
    let models = try Self.proposals(Checkpoint(path: Self.file("wild/pt-conv-front/model.pt")))
    let convolutions = models.compactMap { $0.layers[0].kind as? Layer.Convolution }
    #expect(convolutions.map(\.padding) == [.same, .valid])
    #expect(convolutions.map(\.activation) == [.relu, .relu])
  }

  @Test func anAttentionOfAnOpenFormIsAskedAbout() throws {
    let lines = try refused("wild/pt-attention-taken-for-dense/model.pt")
    #expect(lines.count == 3)
    #expect(lines[0].contains("attention (4, 4) is an attention of a form that tensors do not tell"))
    let models = try Self.proposals(Checkpoint(path: Self.file("wild/pt-attention-taken-for-dense/model.pt")))
    #expect((models.first?.layers[1].kind as? Layer.Attention)?.form == .feature)
  }

  @Test(arguments: ["par_sum_square", "residual"]) func parallelLSTMsAreAskedAbout(_ name: String) throws {
    let models = try Self.proposals(Checkpoint(path: Self.file("wild/parallel-pt/\(name).pt")))
    #expect(models.count == 2)
    #expect(models[0].layers.map(\.from) == [["input"], ["input"], ["layer0", "layer1"], [], []])
    #expect(models[1].layers.map(\.from) == [["input"], [], ["layer0", "layer1"], [], []])
    let lines = try refused("wild/parallel-pt/\(name).pt")
    #expect(
      lines.first?.hasSuffix("if each reads what the one before gives, and nothing else: stack lstm1,lstm2") == true)
    for model in models {
      let plan = try LoadPlan(
        Checkpoint(path: Self.file("wild/parallel-pt/\(name).pt")), options: LoadOptions(configuration: model))
      try plan.validate()
      #expect(plan.mapping["lstm.weight_ih_l1"] == "lstm2.weight_ih_l0")
    }
  }

  @Test func theActivationBetweenDenseLayersIsAskedAboutOrGiven() throws {
    #expect(
      try refused("torch-graph/relu_head.pt").first?.hasSuffix(
        "the tensors do not show which activation is after fc1") == true)
    let plan = try LoadPlan(
      Checkpoint(path: Self.file("torch-graph/relu_head.pt")), options: LoadOptions(readout: .last, activation: .relu))
    try plan.validate()
    #expect((plan.configuration.layers[2].kind as? Layer.Dense)?.activation == .relu)
  }

  @Test func whatAUserSaysIsPutIn() throws {
    var options = LoadOptions(readout: .mean)
    options.readoutActivation = .tanh
    options.outputActivation = .sigmoid
    let plan = try LoadPlan(Checkpoint(path: Self.file("wild/pt-batchnorm/model.pt")), options: options)
    #expect(
      kinds(plan.configuration) == [
        "layer0: lstm", "readout: readout", "activation1: activation", "norm1: batch_norm", "head.0: dense",
      ])
    #expect((plan.configuration.layers[1].kind as? Layer.Readout)?.take == .mean)
    #expect((plan.configuration.layers[4].kind as? Layer.Dense)?.activation == .sigmoid)
  }

  /// HDF5 and safetensors sort their names: widths tell the order, or nothing does.
  @Test func withoutAnOrderWidthsTell() throws {
    let norm = [("bn.weight", [4]), ("bn.bias", [4]), ("bn.running_mean", [4]), ("bn.running_var", [4])]
    let told = try LoadPlan(
      checkpoint([("a.weight", [2, 4]), ("a.bias", [2])] + norm + layer("lstm.", 0, 3, 4)))
    try told.validate()
    #expect(kinds(told.configuration) == ["layer0: lstm", "readout: readout", "norm1: batch_norm", "head.0: dense"])
    // Where what the LSTM reads and gives have one width, the normalization may stand before it.
    let open = checkpoint([("a.weight", [2, 4]), ("a.bias", [2])] + norm + layer("lstm.", 0, 4, 4))
    #expect(try Self.proposals(open).count == 2)
    #expect(refusal(open).first == "w.h5: its layers may be arranged in several ways")
  }

  @Test func nothingOfAnUnknownKindIsPassedOver() throws {
    let mystery = checkpoint(layer("lstm.", 0, 3, 4) + [("mystery", [4, 4]), ("fc.weight", [1, 4])])
    #expect(refusal(mystery).first?.contains("unexpected mystery (4, 4): no part of this model") == true)
    let slopes = checkpoint(layer("lstm.", 0, 3, 4) + [("act.weight", [1]), ("fc.weight", [1, 4])])
    #expect(refusal(slopes).first == "w.h5: its layers may be arranged in several ways")
  }

  /// A plain stack stays one, whatever else could be read into it.
  @Test func aPlainStackStaysOne() throws {
    let plan = try LoadPlan(checkpoint(layer("lstm.", 0, 3, 4) + [("fc.weight", [1, 4]), ("fc.bias", [1])]))
    #expect(plan.configuration.stack != nil)
  }

  @Test func badShapesAreNoModules() throws {
    for shapes: [(String, [Int])] in [
      [("gru.weight_ih_l0", [12, 3]), ("gru.weight_hh_l0", [12, 5])],
      [("gru.weight_ih_l0", [0, 3]), ("gru.weight_hh_l0", [0, 0])],
      [("gru.weight_ih_l0", [12]), ("gru.weight_hh_l0", [12, 4, 1])],
      [("gru.weight_ih_l0", [1 << 40, 3]), ("gru.weight_hh_l0", [1 << 40, 1 << 40])],
      [("g.weight_ih_l0", [12, 3]), ("g.weight_hh_l0", [12, 4]), ("b.running_mean", [0]), ("b.running_var", [0])],
      [("g.weight_ih_l0", [12, 3]), ("g.weight_hh_l0", [12, 4]), ("crf.transitions", [1 << 30, 1 << 30])],
      [("g.weight_ih_l0", [12, 3]), ("g.weight_hh_l0", [12, 4]), ("a.in_proj_weight", [12, 4])],
      // Of no values, and yet beyond an `Int` where its shape is taken apart.
      [
        ("g.weight_ih_l0", [12, 3]), ("g.weight_hh_l0", [12, 4]), ("c.weight_g", [0, 1, 1]),
        ("c.weight_v", [0, 1 << 40, 1 << 40]),
      ],
    ] {
      #expect(!refusal(checkpoint(shapes)).isEmpty)
    }
  }

  // MARK: - What names and values tell

  /// A number in a file's name is not the project's: `conv1` beside `conv0` is the second.
  @Test func aFileMayCountFromZero() throws {
    let checkpoint = try Checkpoint(path: Self.file("torch-graph/counted_from_zero.pt"))
    let model = try #require(Self.proposals(checkpoint).first)
    let plan = try LoadPlan(checkpoint, options: LoadOptions(configuration: model))
    try plan.validate()
    for (own, source) in [("conv1", "conv0"), ("conv2", "conv1"), ("conv3", "conv2")] {
      let found = try #require(plan.tensors[own + ".weight"]).floats()
      #expect(try found == #require(checkpoint[source + ".weight"]).floats())
    }
    #expect(plan.report.assumed.contains { $0.what.description.contains("conv1 is conv0, conv2 is conv1") })
  }

  /// What is asked of the same tensors in a file that does not keep an order.
  private static func proposalsWithoutOrder(_ checkpoint: Checkpoint) throws -> [ModelConfiguration] {
    let candidates = try RewrittenNames(checkpoint, options: LoadOptions(), file: "w").candidates
    let reading = GraphReading(
      candidates.sorted { $0.name < $1.name }, file: "w", options: LoadOptions(), keepsOrder: false)
    guard case .question(_, let models, _) = reading.outcome() else {
      Issue.record("nothing was asked")
      return []
    }
    return models
  }

  @Test func aSpectrumIsFoundAndItsStrideAsked() throws {
    let checkpoint = try Checkpoint(path: Self.file("torch-graph/spectrum.pt"))
    let lines = refusal(checkpoint, LoadOptions())
    #expect(lines.count == 2 && lines[0].contains("N stands for the strides"))
    let front =
      "1 feature -> conv 18 kernel 16 stride N without bias -> magnitude -> conv 6 kernel 3 stride N pad 1x1 relu"
    #expect(lines[1].contains(front), "\(lines)")
    #expect(lines[1].contains("-> LSTM 6 -> last -> dense 1"))
    // Widths tell as much where the order of the file does not.
    let models = try Self.proposalsWithoutOrder(checkpoint)
    #expect(
      models.map(GraphReading.line) == [
        lines[1].replacing("model ", with: "").trimmingCharacters(in: .init(charactersIn: " '"))
      ])
  }

  @Test func tagsForTheStartAndTheEndAreFound() throws {
    let checkpoint = try Checkpoint(path: Self.file("torch-graph/crf_start_stop.pt"))
    let plan = try LoadPlan(checkpoint)
    try plan.validate()
    let all = try #require(checkpoint["transitions"]).floats()
    func own(_ name: String) throws -> [Float] { try #require(plan.tensors["crf." + name]).floats() }
    #expect(try own("start_transitions") == (0..<6).map { all[$0 * 6 + 4] })
    #expect(try own("end_transitions") == Array(all[30...]))
    #expect(try own("transitions") == (0..<36).map { all[$0 % 6 * 6 + $0 / 6] })
    #expect(
      plan.report.assumed.contains {
        $0.what.description.hasPrefix("transitions has scores from column to row, with tag 4 for the start and tag 5")
      })
  }

  @Test func headsAreSaid() throws {
    let checkpoint = try Checkpoint(path: Self.file("torch-graph/attention_heads.pt"))
    #expect(refusal(checkpoint, LoadOptions())[0].contains("(heads 1, 2, 4, 8 or 16)"))
    var options = LoadOptions(readout: .mean)
    options.heads = 8
    let plan = try LoadPlan(checkpoint, options: options)
    try plan.validate()
    #expect(plan.configuration.line == "3 features -> LSTM 16 -> self attention heads 8 -> mean -> dense 2")
    options.heads = 3
    #expect(refusal(checkpoint, options)[0].contains("which heads 3 does not divide"))
  }

  @Test func learnedSlopesAreAPReLU() throws {
    for (name, words) in [("prelu", "prelu shared"), ("prelu_each", "prelu")] {
      let plan = try LoadPlan(
        Checkpoint(path: Self.file("torch-graph/\(name).pt")), options: LoadOptions(readout: .last))
      try plan.validate()
      #expect(plan.configuration.line == "3 features -> LSTM 5 -> last -> dense 6 -> \(words) -> dense 2")
      #expect(plan.tensors["prelu1.weight"]?.shape == [name == "prelu" ? 1 : 6])
    }
  }

  @Test func aLearnedSlopeMayBeASetting() throws {
    let checkpoint = try Checkpoint(path: Self.file("torch-graph/prelu.pt"))
    let line = "3 features -> LSTM 5 -> last -> dense 6 -> leaky relu alpha 0.37 -> dense 2"
    let plan = try LoadPlan(checkpoint, options: LoadOptions(configuration: ModelConfiguration(line: line)))
    try plan.validate()
    #expect(plan.report.unexpected.contains { $0.source == "act.weight" && $0.isAllowed })
    // With another slope the tensor is none's.
    let other = try ModelConfiguration(line: "3 features -> LSTM 5 -> last -> dense 6 -> leaky relu -> dense 2")
    #expect(throws: CheckpointError.self) {
      try LoadPlan(checkpoint, options: LoadOptions(configuration: other)).validate()
    }
  }

  /// Rows of layers are found in files that do not keep an order, too, with the file's names where shapes are equal.
  @Test(arguments: ["lstm_fcn", "two_embeddings", "static_dense", "autoencoder_repeat"])
  func rowsOfLayersNeedNoOrder(_ name: String) throws {
    let checkpoint = try Checkpoint(path: Self.file("torch-graph/\(name).pt"))
    let kept = try Self.proposals(checkpoint).map(GraphReading.line)
    let models = try Self.proposalsWithoutOrder(checkpoint)
    #expect(!kept.isEmpty)
    #expect(
      Set(models.map(GraphReading.line).map { $0.count }) == Set(kept.map(\.count)), "\(models.map(\.line)) \(kept)")
  }
}
