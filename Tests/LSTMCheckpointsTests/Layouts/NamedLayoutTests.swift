import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// Other frameworks' LSTMs by the names of their tensors; the values are in `NamedGoldenTests`.
@Suite struct NamedLayoutTests {
  static let cases = fixtureNames(in: "named", suffix: ".reference.h5")

  @Test func everyFrameworkIsThere() throws {
    let layouts = try Set(Self.cases.map { try plan($0).report.layout })
    #expect(layouts == [.mlx, .keras, .flax, .flaxOptimized, .haiku, .tf1, .s4tf, .burn])
  }

  private func plan(_ name: String) throws -> LoadPlan {
    let plan = try LoadPlan(namedFixture(name), options: namedFixtureOptions(name))
    try plan.validate()
    return plan
  }

  /// In, to the native file, and out again under the same names: the bytes that came.
  @Test(arguments: cases)
  func everyTensorComesBackByteForByte(_ name: String) throws {
    let folder = try TemporaryFolder()
    let source = try namedFixture(name)
    let plan = try plan(name)
    try plan.imported().write(path: folder.path("model.h5"))
    let model = try Checkpoint(path: folder.path("model.h5"))
    #expect(model.configuration == plan.configuration)
    #expect(try LoadPlan(model).report.isComplete)
    let written = try StoredModel(model).write(
      path: folder.path("back.h5"), as: .pytorchHDF5, options: WriteOptions(layout: plan.report.layout))
    let back = try Checkpoint(path: folder.path("back.h5"))
    let kept = source.tensors.filter { !$0.name.contains("rngs") }
    #expect(Set(written.map(\.target)) == Set(kept.map(\.name)))
    for original in kept {
      let tensor = try #require(back[original.name])
      #expect(tensor.shape == original.shape && tensor.dataType == original.dataType)
      #expect(try tensor.bytes() == original.bytes(), "\(original.name)")
    }
  }

  @Test func whyALayoutWasChosenAndWhatWasDone() throws {
    let report = try plan("haiku_stack").report
    #expect(report.evidence == ["lstm/linear/w: Haiku's names"])
    func how(_ target: String) -> String? { report.applied.first { $0.target == target }?.how }
    #expect(how("lstm.weight_ih_l0") == "the rows of the input, transposed, gates i g f o put in order")
    #expect(how("lstm.weight_hh_l1") == "the rows of the state, transposed, gates i g f o put in order")
    #expect(how("lstm.bias_ih_l0") == "gates i g f o put in order")
    #expect(how("head.0.weight") == "transposed")
    #expect(how("embedding.weight") == nil)
    #expect(report.configuration?.plain.layers.map(\.forgetOffset) == [1, 1])
    #expect(report.configuration?.plain.layers.map(\.bias) == [.single, .single])
    #expect(try plan("mlx_stack").report.applied.allSatisfy { $0.how == nil })
    #expect(try plan("mlx_stack").configuration.plain.layers.map(\.bias) == [.single, .single, .none])
    #expect(
      try plan("flax_nnx").report.unexpected.allSatisfy {
        $0.isAllowed && $0.reason == "the state of a random number generator"
      })
    #expect(
      try plan("flax_linen_bidirectional").report.notes.contains {
        $0.contains("params.both.forward_rnn.cell and params.both.backward_rnn.cell are the two directions of a layer")
      })
    #expect(try plan("tf1_peepholes").configuration.plain.layers[0].hasPeepholes)
    #expect(try plan("tf1_peepholes").configuration.plain.layers[0].projectionSize == 4)
  }

  // MARK: - Choosing

  static let fused: KeyValuePairs<String, [Int]> = ["lstm/kernel": [7, 16], "lstm/bias": [16]]

  @Test func oneWeightForAllIsAskedFor() throws {
    #expect(
      refusal(checkpoint(Self.fused)) == [
        "w.h5: lstm/kernel (7, 16) can be the one weight (I + H, 4H) of Haiku, of TensorFlow 1 or of swift-apis: the same "
          + "order of gates, but Haiku adds 1 to the forget gate when it runs, TensorFlow 1 its forget_bias, swift-apis "
          + "nothing",
        "say which with layout haiku, layout tf1 forgetBias 1, or layout s4tf",
      ])
    for (layout, offset) in [(Layout.haiku, Float(1)), (.tf1, 0.5), (.s4tf, 0)] {
      let plan = try LoadPlan(
        checkpoint(Self.fused), options: LoadOptions(layout: layout, forgetBias: layout == .tf1 ? 0.5 : nil))
      #expect(plan.report.isComplete && plan.report.layout == layout)
      #expect(plan.configuration.plain.layers == [.init(hiddenSize: 4, bias: .single, forgetOffset: offset)])
      #expect(plan.configuration.input == .features(size: 3))
    }
  }

  @Test func whatTensorFlowAddsIsAskedFor() {
    let found = checkpoint(["rnn/lstm_cell/kernel:0": [7, 16], "rnn/lstm_cell/bias:0": [16]])
    #expect(
      refusal(found) == [
        "w.h5: TensorFlow 1 adds forget_bias to the forget gate each time it runs; the file does not say it",
        "say it with forgetBias VALUE; the cells' own default is 1, forgetBias 1",
      ])
    #expect(refusal(found, LoadOptions(forgetBias: 1)).isEmpty)
    #expect(
      refusal(checkpoint(["lstm.Wx": [16, 3], "lstm.Wh": [16, 4]]), LoadOptions(forgetBias: 1)).first
        == "forgetBias 1.0: the file is read in the layout mlx, which says it itself")
  }

  @Test func namesOfTwoLayouts() {
    let found = checkpoint(layer("lstm.", 0, 3, 4) + [("rnn.Wx", [16, 4]), ("rnn.Wh", [16, 4])])
    #expect(
      refusal(found) == [
        "w.h5: holds LSTMs under the names of several layouts: weight_ih and weight_hh: PyTorch's names; "
          + "Wx and Wh: MLX' names",
        "choose one with layout, and leave the others out with allowedUnexpected GLOB",
        "or look at one part only with prefix",
      ])
    #expect(refusal(found, LoadOptions(allowedUnexpected: ["rnn.*"])).isEmpty)
    #expect(refusal(found, LoadOptions(allowedUnexpected: ["lstm.*"])).isEmpty)
    #expect(refusal(found, LoadOptions(prefix: "rnn")).isEmpty)
  }

  @Test func aLayoutThatTheNamesAreNot() {
    let found = checkpoint(layer("lstm.", 0, 3, 4))
    #expect(
      refusal(found, LoadOptions(layout: .flax)) == [
        "w.h5: holds no LSTM in the layout flax: expected ii.kernel and hi.kernel, found lstm.weight_ih_l0, "
          + "lstm.weight_hh_l0, lstm.bias_ih_l0, lstm.bias_hh_l0",
        "rename tensors with rules REGEX=REPLACEMENT, or leave layout away to go by the names",
      ])
    #expect(
      refusal(found, LoadOptions(layout: .onnx)).first
        == "layout onnx: its tensors are known by their place in a file of their framework, not by names")
    #expect(
      refusal(checkpoint(["lstm.Wx": [16, 3], "lstm.Wh": [16, 4]]), LoadOptions(layout: .pytorch)).first?
        .contains("holds no LSTM: expected names like weight_ih_l0") == true)
  }

  @Test func pyTorchsNamesWithKerasShapes() throws {
    let found = checkpoint([
      "lstm.weight_ih_l0": [3, 16], "lstm.weight_hh_l0": [4, 16], "lstm.bias_ih_l0": [16], "lstm.bias_hh_l0": [16],
      "fc.weight": [4, 2], "fc.bias": [2],
    ])
    let plan = try LoadPlan(found, options: LoadOptions(layout: .keras))
    #expect(plan.report.isComplete)
    #expect(plan.configuration.plain.layers == [.init(hiddenSize: 4)])
    #expect(plan.configuration.plain.head == [.init(size: 2)])
    #expect(plan.report.applied.first?.how == "transposed")
    // And back as it came.
    let folder = try TemporaryFolder()
    try plan.imported().write(path: folder.path("back.h5"), as: .pytorchHDF5, options: WriteOptions(layout: .keras))
    let back = try Checkpoint(path: folder.path("back.h5"))
    #expect(Set(back.tensors.map(\.name)) == Set(found.tensors.map(\.name)))
    for tensor in found.tensors { #expect(back[tensor.name]?.shape == tensor.shape) }
  }

  /// I = H: the shapes are those of PyTorch, only the names tell that they are turned.
  @Test func squareMatricesAreTurnedByName() throws {
    let values = (0..<16 * 4).map(Float.init)
    func made(_ input: String, _ recurrent: String) throws -> [Float]? {
      let file = Checkpoint(
        tensors: [
          StoredTensor(name: input, shape: [4, 16], values: values),
          StoredTensor(name: recurrent, shape: [4, 16], values: values),
        ], path: "w.h5", format: .pytorchHDF5)
      return try LoadPlan(file, options: LoadOptions()).tensors["lstm.weight_ih_l0"]?.floats()
    }
    let turned = try made("lstm/kernel", "lstm/recurrent_kernel")
    let expected: [Float] = (0..<64).map { (at: Int) -> Float in values[(at % 4) * 16 + at / 4] }
    #expect(turned == expected)
    let cell = Checkpoint(
      tensors: ["Wx", "Wh"].map { StoredTensor(name: $0, shape: [16, 4], values: values) }, path: "w.h5",
      format: .pytorchHDF5)
    #expect(try LoadPlan(cell).tensors["lstm.weight_ih_l0"]?.floats() == values)
  }

  @Test func eightHiddenBiasesAreCuDNN() throws {
    let found = checkpoint(["rnn/kernel:0": [3, 20], "rnn/recurrent_kernel:0": [5, 20], "rnn/bias:0": [40]])
    let plan = try LoadPlan(found)
    #expect(plan.report.layout == .kerasCuDNN && plan.report.isComplete)
    #expect(plan.configuration.plain.layers == [.init(hiddenSize: 5)])
    #expect(
      refusal(found, LoadOptions(layout: .keras)).first
        == "tensor \"rnn/bias:0\": expected the bias of shape (20,), for hidden size 5, found (40,)")
  }

  // MARK: - Order and directions

  private func cells(_ modules: [(String, Int, Int)]) -> Checkpoint {
    checkpoint(modules.flatMap { [("\($0).Wx", [4 * $2, $1]), ("\($0).Wh", [4 * $2, $2])] })
  }

  @Test(arguments: [
    ["rnn.layers.0", "rnn.layers.2", "rnn.layers.10"], ["lstm", "lstm_1", "lstm_2"],
    ["LSTMCell_0", "LSTMCell_9", "LSTMCell_10"], ["a.cell_0.x", "a.cell_1.y", "a.cell_2.x"],
  ])
  func numbersOrderModules(_ modules: [String]) throws {
    let file = cells([(modules[2], 6, 7), (modules[0], 3, 5), (modules[1], 5, 6)])
    let plan = try LoadPlan(file)
    #expect(plan.report.isComplete)
    #expect(plan.configuration.plain.layers.map(\.hiddenSize) == [5, 6, 7])
  }

  @Test func widthsOrderWhatNumbersDoNot() throws {
    let plan = try LoadPlan(cells([("top", 5, 7), ("below", 3, 5)]))
    #expect(plan.configuration.plain.layers.map(\.hiddenSize) == [5, 7])
    #expect(
      refusal(cells([("a", 4, 4), ("b", 4, 4)])) == [
        "w.h5: holds 2 LSTMs whose order neither their names nor their widths tell: a, b",
        "number them in order with rules, for example rules ^a\\.=lstm_0.", "or choose one with prefix",
      ])
    #expect(
      refusal(cells([("l_0", 4, 4), ("l_1", 3, 4)])).first
        == "w.h5: holds 2 LSTMs that do not make one stack: l_0, l_1; l_1 reads 3 values, but l_0 gives 4")
  }

  @Test(arguments: [
    ("bi.forward", "bi.reverse"), ("bi.forward_rnn.cell", "bi.backward_rnn.cell"), ("x.fw.c", "x.bw.c"),
    ("bi.forward_lstm", "bi.backward_lstm"), ("bi.forwardLayer", "bi.backwardLayer"),
  ])
  func directionsArePaired(_ forward: String, _ backward: String) throws {
    let plan = try LoadPlan(cells([(backward, 3, 4), (forward, 3, 4)]))
    #expect(plan.report.isComplete)
    #expect(plan.configuration.plain.layers == [.init(hiddenSize: 4, isBidirectional: true, bias: .none)])
    #expect(plan.mapping["lstm.weight_ih_l0_reverse"] == "\(backward).Wx")
  }

  @Test func aDirectionAlone() {
    #expect(refusal(cells([("forward", 3, 4)])).isEmpty)
    #expect(
      refusal(cells([("bi.backward_rnn", 3, 4)])).first
        == "w.h5: bi.backward_rnn reads from the end, and there is no cell that reads from the start")
  }

  // MARK: - What does not fit

  @Test func aGateThatIsMissing() {
    var found = checkpoint([:])
    for gate in ["i", "f", "g", "o"] {
      found.tensors += [
        StoredTensor(name: "c/i\(gate)/kernel", shape: [3, 4], values: .init(repeating: 0, count: 12)),
        StoredTensor(name: "c/h\(gate)/kernel", shape: [4, 4], values: .init(repeating: 0, count: 16)),
      ]
    }
    #expect(refusal(found).isEmpty)
    let whole = found.tensors
    found.tensors.removeAll { $0.name == "c/hg/kernel" }
    #expect(
      refusal(found).first == "w.h5: c has no hg.kernel beside c/hf/kernel, c/hi/kernel, c/ho/kernel")
    found.tensors = whole + [StoredTensor(name: "c/if_/kernel", shape: [3, 4], values: .init(repeating: 0, count: 12))]
    #expect(
      refusal(found).first == "w.h5: c/if/kernel and c/if_/kernel are names of the same part of a cell")
  }

  @Test(arguments: [
    ("Wx", [16, 3], "Wh", [16, 5], "expected the recurrent weight (4H, H) of shape (16, 4), for hidden size 4"),
    ("Wx", [12, 3], "Wh", [16, 4], "expected the input weight (4H, I) of shape (16, any), for hidden size 4"),
    ("Wx", [16], "Wh", [16, 4], "expected the input weight (4H, I) of shape (16, any), for hidden size 4"),
    ("Wx", [16, 3], "Wh", [], "expected a dimension of four gates"),
    ("Wx", [16, 3], "Wh", [18, 4], "expected a dimension of four gates"),
    ("Wx", [16, 1 << 40], "Wh", [16, 4], "expected the input weight (4H, I) of shape (16, any), for hidden size 4"),
    ("kernel", [3, 16], "recurrent_kernel", [5, 16], "expected the recurrent weight (H, 4H) of shape (4, 16)"),
    ("kernel", [3, 12], "recurrent_kernel", [5, 12], "expected the recurrent weight (H, 4H) of shape (3, 12)"),
    ("kernel", [3, 12], "recurrent_kernel", [4, 12], "l.recurrent_kernel (4, 12): 3H = 12: a GRU"),
    ("dense_i.kernel", [1 << 62, 16], "dense_h.kernel", [4, 16], "expected the input weight (I, 4H)"),
    ("fusedWeight", [4, 16], "fusedBias", [16], "expected (I + 4, 16) with I at least 1"),
    ("fusedWeight", [7, 16], "fusedBias", [15], "expected the bias of shape (16,), for hidden size 4"),
    ("fusedWeight", [7, 1 << 62], "fusedBias", [15], "expected the weight (I + H, 4H), 2 dimensions"),
  ])
  func aPartOfAnotherShape(
    _ one: String, _ shape: [Int], _ other: String, _ otherShape: [Int], _ message: String
  ) {
    let found = refusal(checkpoint([("l.\(one)", shape), ("l.\(other)", otherShape)])).first
    #expect(found?.contains(message) == true, "\(found ?? "")")
  }

  /// Every tensor of every fixture left out, or of another shape or type: a report or a typed error, never a crash.
  @Test(arguments: cases)
  func damage(_ name: String) throws {
    let whole = try namedFixture(name)
    let options = namedFixtureOptions(name)
    for (index, tensor) in whole.tensors.enumerated() {
      let shapes: [[Int]?] = [
        nil, [], [0], [0, 0], [1], tensor.shape.reversed() + [1], tensor.shape.map { $0 + 1 },
        tensor.shape.map { $0 * 4 },
        [1 << 40, 4], [4, 1 << 40], [1 << 62, 1 << 62], [Int.max],
      ]
      for shape in shapes {
        var damaged = whole
        if let shape {
          damaged.tensors[index] = StoredTensor(name: tensor.name, shape: shape, dataType: .float32) {
            try tensor.bytes()
          }
        } else {
          damaged.tensors.remove(at: index)
        }
        do {
          let plan = try LoadPlan(damaged, options: options)
          if plan.report.isComplete { for tensor in plan.tensors.values { _ = try tensor.bytes() } }
        } catch is CheckpointError {}
      }
    }
  }

  @Test func gatesOfTwoTypes() {
    var found = checkpoint([:])
    for gate in ["i", "f", "g", "o"] {
      found.tensors +=
        checkpoint(
          [("c/i\(gate)/kernel", [3, 4]), ("c/h\(gate)/kernel", [4, 4])], types: ["c/if/kernel": .float16]
        ).tensors
    }
    #expect(
      refusal(found).first == "tensor \"c/if/kernel\": expected float32 like c/ii/kernel, found float16")
  }

  /// What another framework left in the file is no part of the cells that are read.
  @Test func namesOfPyTorchBesideAForcedLayout() throws {
    let found = checkpoint(layer("lstm.", 0, 3, 4) + [("rnn.Wx", [16, 3]), ("rnn.Wh", [16, 4])])
    let plan = try LoadPlan(found, options: LoadOptions(layout: .mlx))
    #expect(plan.configuration.plain.layers == [.init(hiddenSize: 4, bias: .none)])
    #expect(plan.report.unexpected.count == 4 && !plan.report.isComplete)
    #expect(
      plan.report.unexpected.first?.reason == "a name of PyTorch's, but the file is read in the layout mlx")
  }

  @Test func twinsOutsideOfCellsAreNobodysBusiness() {
    #expect(
      refusal(
        checkpoint(
          layer("lstm.", 0, 3, 4) + [("bn.bias", [4]), ("bn.biases", [4]), ("bn.kernel", [4]), ("bn.weights", [4])]),
        LoadOptions(allowedUnexpected: ["bn.bias"])
      ).first?.hasPrefix("w.h5: unexpected bn.biases (4,): no part of this model") == true)
  }

  @Test func numbersOfManyNamesAreBounded() {
    let many = (0..<3000).map { ("m\($0).fusedWeight", [8, 16]) }
    #expect(refusal(checkpoint(many)).first?.contains("holds 3000 LSTM cells; a model has at most 1000 layers") == true)
    let alike = (0..<40).map { ("m\(String(repeating: "x", count: $0)).fusedWeight", [8, 16]) }
    #expect(refusal(checkpoint(alike)).first?.contains("whose order neither their names") == true)
  }
}
