import FileIO
import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

/// Graphs of any layers: what is found in them, what is written, and what is refused by name.
@Suite struct ONNXGraphTests {
  static let names = fixtureNames(in: "onnx-graph", suffix: ".onnx")

  static let masked = names.filter { $0.hasPrefix("keras_mask") }
  /// Opset 17, which is written, has no group normalization.
  static let normed = names.filter { $0.contains("group_norm") || $0.contains("instance_norm") }

  static func plan(_ name: String) throws -> LoadPlan {
    try LoadPlan(Checkpoint(path: fixtures.appendingPathComponent("onnx-graph/\(name).onnx").path))
  }

  static func kinds(_ configuration: ModelConfiguration) -> String {
    configuration.layers.filter { ($0.kind as? Layer.Readout)?.take != .all }.map(\.kind.kind).joined(separator: " ")
  }

  @Test func thereAreAHundredCases() { #expect(Self.names.count >= 110) }

  /// Every layer of the framework's graph is one of the model, and no tensor is left over.
  @Test(arguments: names)
  func findsTheLayers(_ name: String) throws {
    let plan = try Self.plan(name)
    let golden = try Golden("onnx-graph/\(name).reference.h5")
    #expect(plan.report.isComplete)
    #expect(Self.kinds(plan.configuration) == (try golden.text("kinds")))
    #expect(plan.report.layout == .onnx)
    #expect(plan.report.evidence.first?.contains("recurrent layer") == true || plan.configuration.stack != nil)
  }

  /// What is written has the same tensors, and read back the same layers, names, bytes and file.
  @Test(arguments: names.filter { !masked.contains($0) && !normed.contains($0) })
  func comesBackFromAnExport(_ name: String) throws {
    let folder = try TemporaryFolder()
    let model = try Self.plan(name).imported()
    try model.write(path: folder.path("a.onnx"), as: .onnx)
    let plan = try LoadPlan(Checkpoint(path: folder.path("a.onnx")))
    let again = try plan.imported()
    #expect(!plan.report.notes.contains { $0.contains("is not used") }, "\(plan.report.notes)")
    #expect(again.configuration == model.configuration)
    #expect(again.tensors.map(\.name) == model.tensors.map(\.name))
    for (one, other) in zip(model.tensors, again.tensors) {
      #expect(one.dataType == other.dataType && one.shape == other.shape)
      #expect(try one.bytes() == other.bytes(), "\(one.name)")
    }
    try again.write(path: folder.path("b.onnx"), as: .onnx)
    #expect(
      try Data(contentsOf: URL(fileURLWithPath: folder.path("a.onnx")))
        == Data(contentsOf: URL(fileURLWithPath: folder.path("b.onnx"))))
  }

  @Test(arguments: masked)
  func masksAreTheModels(_ name: String) throws {
    #expect(try Self.plan(name).configuration.mask == (name.hasPrefix("keras_masking") ? .value(-1) : .token(0)))
  }

  /// ONNX has no operator with a mask; Keras' layers have one.
  @Test(arguments: masked)
  func comesBackThroughKeras(_ name: String) throws {
    let folder = try TemporaryFolder()
    let model = try Self.plan(name).imported()
    try model.write(path: folder.path("a.keras"), as: .kerasArchive)
    let again = try LoadPlan(Checkpoint(path: folder.path("a.keras"))).imported()
    #expect(again.configuration.mask == model.configuration.mask)
    #expect(Self.kinds(again.configuration) == Self.kinds(model.configuration))
    let bytes = try [model, again].map {
      try $0.tensors.map { try $0.bytes() }.sorted { $0.lexicographicallyPrecedes($1) }
    }
    #expect(bytes[0] == bytes[1])
  }

  @Test func saysWhatWasTakenForGranted() throws {
    let plan = try Self.plan("branch_of_a_number")
    #expect(plan.report.assumed.contains { $0.what.contains("rate is 8000") })
    let carried = try Self.plan("carried_states")
    #expect(carried.report.notes.contains { $0.contains("initial_h comes from the input \"h0\"") })
    #expect(carried.configuration.outputs.isEmpty)
  }

  @Test func oneTensorInTwoPlacesIsOneParameter() throws {
    #expect(try Self.plan("two_tables").configuration.ties == [["embedding1.weight", "head.0.weight"]])
  }

  /// A decoder's cells are one cell, which each of its steps has.
  @Test func cellsThatGoOnAreOne() throws {
    let plan = try Self.plan("cells_that_go_on")
    #expect(plan.configuration.ties.contains(["lstm.weight_ih_l2", "lstm.weight_ih_l4", "lstm.weight_ih_l6"]))
    #expect(plan.configuration.ties.contains(["lstm.bias_hh_l3", "lstm.bias_hh_l5", "lstm.bias_hh_l7"]))
    #expect(plan.configuration.ties.contains { $0.contains("head.0.weight") && $0.count == 3 })
  }

  @Test func quantizedWeightsAreSaidToBe() throws {
    let plan = try Self.plan("dequantized_weights")
    #expect(plan.report.notes.contains { $0.contains("quantized weights are taken as the numbers") })
    let weight = try #require(plan.tensors["head.0.weight"])
    #expect(weight.shape == [3, 5] && weight.dataType == .float32)
  }

  /// A GRU whose single bias must not be split over its reset gate, and other settings that a file has to carry.
  @Test func settingsComeBack() throws {
    var gru = Layer.Recurrent(.gru, size: 4)
    (gru.bias, gru.resetsAfter, gru.isBidirectional) = (.single, true, true)
    var rnn = Layer.Recurrent(.rnn, size: 3)
    (rnn.activation, rnn.isReversed, rnn.inputClip) = (.relu, true, 2)
    var lstm = Layer.Recurrent(.lstm, size: 3)
    (lstm.initial, lstm.hasPeepholes, lstm.outputActivation, lstm.forgetOffset) = (.learned, true, .softsign, 1)
    var convolution = Layer.Convolution(size: 6, kernel: [3])
    (convolution.padding, convolution.groups, convolution.activation) = (.causal, 2, .leakyReLU)
    let configuration = try ModelConfiguration(
      inputs: [.init(.features(size: 4))],
      layers: [
        Layer("front", convolution), Layer("layer0", gru), Layer("drop", Layer.Dropout(rate: 0.2)),
        Layer("middle", rnn), Layer("last", lstm), Layer("mean", Layer.Readout(.mean)),
        Layer("out", Layer.Dense(size: 2)), Layer("act", Layer.ActivationLayer(.softsign)),
      ])
    let model = StoredModel(
      configuration,
      tensors: configuration.places.enumerated().map { number, place in
        StoredTensor(
          name: place.name, shape: place.shape, values: (0..<place.elementCount).map { Float(($0 + number) % 7) / 8 })
      })
    let folder = try TemporaryFolder()
    try model.write(path: folder.path("m.onnx"), as: .onnx)
    let plan = try LoadPlan(Checkpoint(path: folder.path("m.onnx")))
    #expect(!plan.report.notes.contains { $0.contains("is not used") }, "\(plan.report.notes)")
    let again = try plan.imported()
    #expect(again.configuration.layers.map(\.name) == configuration.layers.map(\.name))
    // The offset has gone into the bias.
    var expected = lstm
    expected.forgetOffset = 0
    #expect(again.configuration.layers[4].kind as? Layer.Recurrent == expected)
    #expect(again.configuration.layers[1].kind as? Layer.Recurrent == gru)
    #expect(again.configuration.layers[3].kind as? Layer.Recurrent == rnn)
    let before = try #require(model["last.bias_ih"]).floats(), after = try #require(again["last.bias_ih"]).floats()
    #expect(after[3] == before[3] + 1 && after[0] == before[0])
  }

  @Test func whatOnnxHasNotIsRefused() throws {
    var lstm = Layer.Recurrent(.lstm, size: 4)
    lstm.cellClip = 3
    let cases: [(Layer, String)] = [
      (Layer("tags", Layer.CRF()), "layer tags is of a kind (crf)"),
      (Layer("layer1", lstm), "layer layer1 has a clip of the cell's state"),
    ]
    let folder = try TemporaryFolder()
    for (layer, words) in cases {
      let configuration = try ModelConfiguration(
        inputs: [.init(.features(size: 3))], layers: [Layer("layer0", Layer.Recurrent(.gru, size: 4)), layer])
      let model = StoredModel(
        configuration,
        tensors: configuration.places.map {
          StoredTensor(name: $0.name, shape: $0.shape, values: [Float](repeating: 0, count: $0.elementCount))
        })
      let error = #expect(throws: CheckpointError.self) { try model.write(path: folder.path("m.onnx"), as: .onnx) }
      #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
    }
  }
}

/// Sizes and indices computed as a runtime would.
@Suite struct ONNXNumbersTests {
  private let six = ONNXNumbers((0..<6).map { ONNXSize(factor: $0) }, shape: [2, 3])

  @Test func slicesRunBothWays() {
    #expect(ONNXNumbers.range(-1, .min, -1, count: 3) == [2, 1, 0])
    #expect(ONNXNumbers.range(1, .max, 1, count: 3) == [1, 2])
    #expect(ONNXNumbers.range(5, .max, 1, count: 3).isEmpty)
    #expect(six.sliced(axis: 0, start: -1, end: .min, step: -1)?.known == [3, 4, 5, 0, 1, 2])
  }

  @Test func axesMove() {
    #expect(six.transposed([1, 0])?.known == [0, 3, 1, 4, 2, 5])
    #expect(six.reshaped([-1])?.shape == [6])
    #expect(six.reshaped([4, -1]) == nil)
    #expect(six.gathered(axis: 1, ONNXNumbers(-1))?.known == [2, 5])
    #expect(ONNXNumbers.joined([six, six], axis: 1)?.known == [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5])
  }

  @Test func whatIsNotKnownStaysSo() {
    let time = ONNXNumbers([ONNXSize(factor: 1, symbols: [1])], shape: [])
    let product = ONNXSize.combining("Mul").flatMap { ONNXNumbers.combined(time, ONNXNumbers(3), $0) }
    #expect(product?.values == [ONNXSize(factor: 3, symbols: [1])])
    let sum = ONNXSize.combining("Add").flatMap { ONNXNumbers.combined(time, ONNXNumbers(1), $0) }
    #expect(sum?.values == [nil])
    let divided = ONNXSize.combining("Div").flatMap { ONNXNumbers.combined(ONNXNumbers(1), ONNXNumbers(0), $0) }
    #expect(divided?.values == [nil])
  }
}
