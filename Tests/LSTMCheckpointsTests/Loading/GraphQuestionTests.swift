import FileIO
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// What is asked of tensors that go together in several ways, and what is refused because no layer here computes it.
@Suite struct GraphQuestionTests {
  private func lines(_ shapes: [(String, [Int])], _ options: LoadOptions = LoadOptions()) throws -> [String] {
    try GraphReadingTests.proposals(checkpoint(shapes), options).map(\.line)
  }

  private func dense(_ name: String, _ outputs: Int, _ inputs: Int) -> [(String, [Int])] {
    [(name + ".weight", [outputs, inputs]), (name + ".bias", [outputs])]
  }

  private func vectors(_ name: String, _ width: Int) -> [(String, [Int])] {
    [(name + ".weight", [width]), (name + ".bias", [width])]
  }

  private func gru(_ name: String, _ input: Int, _ hidden: Int) -> [(String, [Int])] {
    [
      (name + ".weight_ih_l0", [3 * hidden, input]), (name + ".weight_hh_l0", [3 * hidden, hidden]),
      (name + ".bias_ih_l0", [3 * hidden]), (name + ".bias_hh_l0", [3 * hidden]),
    ]
  }

  /// Nothing is asked where widths leave one arrangement.
  @Test func widthsTellTheOrder() throws {
    let plan = try LoadPlan(checkpoint(layer("lstm.", 0, 3, 4) + gru("gru", 4, 5) + dense("fc", 1, 5)))
    try plan.validate()
    #expect(plan.configuration.layers.map(\.kind.kind) == ["lstm", "gru", "readout", "dense"])
    // Of one width they may lie side by side, or be added.
    #expect(try lines(layer("lstm.", 0, 4, 4) + gru("gru", 4, 4) + dense("fc", 1, 4)).count == 2)
  }

  @Test func groupsAreAsked() throws {
    let open = layer("lstm.", 0, 3, 12) + vectors("gn", 12) + dense("fc", 1, 12)
    #expect(
      try lines(open) == [
        "3 features -> LSTM 12 -> last -> group norm groups 4 -> dense 1",
        "3 features -> LSTM 12 -> last -> group norm groups 2 -> dense 1",
      ])
    #expect(refusal(checkpoint(open))[0].hasSuffix("the number of groups (groups 1, 2, 3, 4, 6, 12)"))
    // Each feature is a group of an instance normalization.
    let told = try LoadPlan(checkpoint(layer("lstm.", 0, 3, 12) + vectors("instance_norm", 12) + dense("fc", 1, 12)))
    try told.validate()
    #expect((told.configuration.layers[2].kind as? Layer.GroupNorm)?.groups == 12)
    // A name that says nothing may be of groups behind a convolution.
    let front = [("conv.weight", [12, 3, 3])] + vectors("norm", 12) + layer("lstm.", 0, 12, 4) + dense("fc", 1, 4)
    #expect(refusal(checkpoint(front))[0].contains("norm may be of each step (layer norm) or of groups of channels"))
  }

  @Test func headsOfSeveralLayersAreFound() throws {
    let heads = dense("a.0", 8, 4) + dense("a.2", 1, 8) + dense("b.0", 6, 4) + dense("b.2", 3, 6)
    let wanted =
      "5 features -> LSTM 4 -> last -> dense 8 relu -> dense 1 -> dense 6 relu from readout -> dense 3; outputs head.1, head.3"
    #expect(try lines(layer("lstm.", 0, 5, 4) + heads) == [wanted])
    // Nothing is advised away.
    #expect(!refusal(checkpoint(layer("lstm.", 0, 5, 4) + heads)).contains { $0.contains("keep one") })
  }

  /// A dense layer below the LSTM is not what several heads read.
  @Test func headsAboveADenseFront() throws {
    let found = try lines(dense("fc", 5, 3) + layer("lstm.", 0, 5, 4) + dense("actor", 2, 4) + dense("critic", 1, 4))
    #expect(
      found == [
        "3 features -> dense 5 relu -> LSTM 4 -> last -> dense 2 -> dense 1 from readout; outputs head.0, head.1",
        "3 features -> dense 5 -> LSTM 4 -> last -> dense 2 -> dense 1 from readout; outputs head.0, head.1",
      ])
  }

  @Test func theLastStatesOfAllLayersMayBeRead() throws {
    let shapes = layer("lstm.", 0, 3, 4) + layer("lstm.", 1, 4, 4) + dense("fc", 1, 8)
    let wanted =
      "3 features -> LSTM 4 -> LSTM 4 -> last from layer0 -> last from layer1 -> concatenate from readout1, readout2 -> dense 1"
    #expect(try lines(shapes).first == wanted)
    // What lies below is asked about, too.
    let below = try Checkpoint(path: GraphReadingTests.file("torch-graph/states_of_layers.pt"))
    #expect(refusal(below)[0].hasSuffix("; nor do they show an activation after linear_1"))
  }

  @Test func ordersComeWithTheirHeads() throws {
    let attention = [
      ("attn.in_proj_weight", [36, 12]), ("attn.in_proj_bias", [36]), ("attn.out_proj.weight", [12, 12]),
      ("attn.out_proj.bias", [12]),
    ]
    let shapes = attention + dense("fc", 2, 12) + layer("lstm.", 0, 5, 12) + vectors("norm", 12)
    let advice = refusal(checkpoint(shapes))
    #expect(advice.count == 3 && advice[0].contains("(heads 1, 2, 3, 4, 6 or 12)"))
    #expect(advice[1].contains("heads 2 -> add") && advice[1].contains("layer norm -> self attention heads 2"))
    #expect(advice[2].contains("heads 4 -> add") && advice[2].contains("layer norm -> self attention heads 4"))
  }

  @Test func imagesAreCountedBack() throws {
    let pooled = try GraphReadingTests.proposals(Checkpoint(path: GraphReadingTests.file("torch-graph/crnn_pooled.pt")))
    #expect(
      pooled.first?.line
        == "8 features -> reshape grid -> conv 3 kernel 3x3 same -> batch norm -> relu -> max pool 1x2 "
        + "-> conv 4 kernel 5x3 same -> relu -> max pool 1x2 -> biLSTM 5 -> all -> dense 4")
    // The same without poolings beside it.
    let plain = try refusal(Checkpoint(path: GraphReadingTests.file("torch-graph/crnn.pt")))
    #expect(
      plain.count == 3
        && plain[1].contains(
          "or model 8 features -> reshape grid -> conv 3 kernel 3x3 same -> batch norm -> relu -> biLSTM 5 -> all -> dense 4"
        ),
      "\(plain)")
  }

  /// The line that says otherwise is the whole model: all blocks, all layers.
  @Test func whatIsSaidOtherwiseIsWhole() throws {
    func otherwise(_ shapes: [(String, [Int])], _ what: String) throws -> String {
      var file = checkpoint(shapes)
      file.keepsOrder = true
      let plan = try LoadPlan(file)
      try plan.validate()
      let found = try #require(plan.report.assumed.first { $0.what.description.contains(what) })
      return found.change?.description ?? ""
    }
    let list = dense("inp", 4, 7) + (0..<3).flatMap { layer("l.\($0).", 0, 4, 4) } + dense("fc", 1, 4)
    #expect(
      try otherwise(list, "l.0, l.1, l.2 give is not added").contains(
        "LSTM 4 -> add from layer0, dense1 -> LSTM 4 -> add from layer1, add1 -> LSTM 4 -> add from layer2, add2 -> last"
      ))
    // What a block adds is what it reads, before its normalization.
    let blocks = (0..<2).flatMap { vectors("b.\($0).norm", 4) + layer("b.\($0).lstm.", 0, 4, 4) }
    #expect(
      try otherwise(dense("inp", 4, 7) + blocks + dense("fc", 1, 4), "is not added").contains(
        "layer norm -> LSTM 4 -> add from layer0, dense1 -> layer norm -> LSTM 4 -> add from layer1, add1 -> last"))
    let rnn = (0..<2).flatMap { level in
      [
        ("r.weight_ih_l\(level)", [4, level == 0 ? 3 : 4]), ("r.weight_hh_l\(level)", [4, 4]),
        ("r.bias_ih_l\(level)", [4]), ("r.bias_hh_l\(level)", [4]),
      ]
    }
    #expect(
      try otherwise(rnn + dense("fc", 1, 4), "is tanh").contains("RNN 4 relu -> RNN 4 relu"))
  }

  // MARK: - Activations that a user says

  private func line(_ shapes: [(String, [Int])], _ change: (inout LoadOptions) -> Void) throws -> String {
    var options = LoadOptions(readout: .last)
    change(&options)
    let plan = try LoadPlan(checkpoint(shapes), options: options)
    try plan.validate()
    return plan.configuration.line
  }

  @Test func theActivationAtTheOutputHasAPlaceOrIsRefused() throws {
    let statistics = [("bn.running_mean", [1]), ("bn.running_var", [1])]
    let normalized = dense("a", 1, 4) + vectors("bn", 1) + statistics + layer("lstm.", 0, 3, 4)
    #expect(
      try line(normalized) { $0.outputActivation = .relu }
        == "3 features -> LSTM 4 -> last -> dense 1 -> batch norm -> relu")
    let asked = try LoadPlan(checkpoint(normalized), options: LoadOptions(readout: .last))
    #expect(asked.report.assumed.contains { $0.what.description == "no activation after bn" })
    var options = LoadOptions()
    options.outputActivation = .softmax
    let tagger = layer("lstm.", 0, 3, 4) + dense("fc", 2, 4) + [("crf.transitions", [2, 2])]
    let scores = tagger + [("crf.start_transitions", [2]), ("crf.end_transitions", [2])]
    #expect(refusal(checkpoint(scores), options)[0].contains("the model ends in a CRF"))
    // Several outputs: behind which of them it does not say.
    let heads = layer("lstm.", 0, 3, 4) + dense("policy", 2, 4) + dense("value", 1, 4)
    #expect(refusal(checkpoint(heads), options)[0].contains("the model has 2 outputs, and it does not say which"))
  }

  /// Vectors that are compared are divided by their length, of which there is no tensor.
  @Test(arguments: [(2, false), (16, true)]) func vectorsMayHaveALengthOfOne(_ width: Int, _ isSaid: Bool) throws {
    for file in [layer("lstm.", 0, 3, 4), layer("lstm.", 0, 3, 4) + vectors("ln", 4)] {
      let plan = try LoadPlan(checkpoint(file + dense("fc", width, 4)))
      let found = try #require(plan.report.assumed.first { $0.what.description.hasPrefix("no activation after") })
      #expect(found.change?.description.contains("L2") == isSaid)
    }
  }

  @Test func theActivationOfWhatIsReadStandsBehindAllOfIt() throws {
    var options = LoadOptions()
    options.readoutActivation = .relu
    let twice = try lines(layer("lstm.", 0, 3, 4) + dense("fc", 1, 8), options)
    #expect(twice.first?.hasSuffix("concatenate from readout1, readout2 -> relu -> dense 1") == true)
    let tagger = layer("lstm.", 0, 3, 4) + dense("fc", 2, 4) + [("crf.transitions", [2, 2])]
    let scores = tagger + [("crf.start_transitions", [2]), ("crf.end_transitions", [2])]
    let plan = try LoadPlan(checkpoint(scores), options: options)
    #expect(plan.configuration.line == "3 features -> LSTM 4 -> relu -> dense 2 -> CRF")
    let found = try LoadPlan(Checkpoint(path: GraphReadingTests.file("torch-graph/attention_tanh.pt")))
    let said = found.report.assumed.map(\.what.description).filter { $0.hasPrefix("nothing between") }
    #expect(said == ["nothing between the attention and fc"])
  }

  // MARK: - Cells that are others

  @Test(arguments: [
    [("cell.ln_ih.weight", [16]), ("cell.ln_ih.bias", [16])],
    // One for each gate, as wide as the state: no row of normalizations behind the cell.
    [("cell.ln_i.weight", [4]), ("cell.ln_i.bias", [4]), ("cell.ln_f.weight", [4]), ("cell.ln_f.bias", [4])],
  ])
  func aNormalizedCellIsNamed(_ norms: [(String, [Int])]) {
    let shapes = [("cell.weight_ih", [16, 3]), ("cell.weight_hh", [16, 4])] + norms
    let found = refusal(checkpoint(shapes))
    #expect(
      found[0].hasPrefix("w.h5: an LSTM or GRU with layer normalization inside its cell, which has no counterpart"))
    #expect(found.count == 2 && found[1].contains("lies beside that layer"))
    // Nor is there a line that has it.
    let line = try? ModelConfiguration(line: "3 features -> LSTM 4 without bias")
    #expect(!refusal(checkpoint(shapes), LoadOptions(configuration: line)).isEmpty)
  }

  @Test func aNormalizedCellUnderOtherNames() {
    let cell = [("c.kernel", [3, 16]), ("c.recurrent_kernel", [4, 16]), ("c.bias", [16])]
    for norms in [
      [("c.gamma", [2, 16]), ("c.gamma_h", [4]), ("c.beta_h", [4])],
      [("c.kernel_norm.gamma", [16]), ("c.kernel_norm.beta", [16])],
    ] {
      #expect(refusal(checkpoint(cell + norms))[0].contains("layer normalization inside its cell"))
    }
  }

  /// Buffers that a model scales its input with: no advice leaves them out, nor is one taken for an attention's vector.
  @Test(arguments: [3, 4]) func whatMayScaleIsNotAdvisedAway(_ width: Int) {
    for names in [["mean", "std"], ["input_mean"]] {
      let found = refusal(checkpoint(layer("lstm.", 0, 3, 4) + dense("fc", 1, 4) + names.map { ($0, [width]) }))
      #expect(
        found[0].contains("a mean, deviation or bound by its name, which may scale what the model reads or gives"))
      #expect(!found.contains { $0.contains("allowedUnexpected") })
    }
  }

  // MARK: - Names that two frameworks have

  @Test func theOrderOfKerasNamesIsAskedBesidePyTorchs() throws {
    let cell = [("l.kernel", [3, 16]), ("l.recurrent_kernel", [4, 16]), ("l.bias", [16])]
    let asked = refusal(checkpoint(cell + dense("fc", 1, 4)))
    #expect(asked.count == 2 && asked[1] == "say which with layout keras or layout haste")
    let alone = try LoadPlan(checkpoint(cell))
    #expect(alone.report.assumed.contains { $0.what.description == "the order of the gates is that of Keras' LSTM" })
    #expect(!alone.report.assumed.contains { $0.change?.description == "layout keras" })
  }

  @Test func hasteHasTheCandidateSecond() throws {
    let rows = (0..<3).flatMap { row in (0..<16).map { Float(100 * row + $0) } }
    var file = checkpoint([("l.kernel", [3, 16]), ("l.recurrent_kernel", [4, 16]), ("l.bias", [16])])
    file.tensors[0] = StoredTensor(name: "l.kernel", shape: [3, 16], values: rows)
    file.tensors[2] = StoredTensor(name: "l.bias", shape: [16], values: Array(rows.prefix(16)))
    let plan = try LoadPlan(file, options: LoadOptions(layout: .haste))
    try plan.validate()
    let order: [Float] = [0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15]
    #expect(try #require(plan.tensors["lstm.bias_ih_l0"]).floats() == order)
    #expect(
      try #require(plan.tensors["lstm.weight_ih_l0"]).floats()
        == order.flatMap { gate in [0, 100, 200].map { $0 + gate } })
  }
}
