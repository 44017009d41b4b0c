import FileIO
import Foundation
import HDF5
import TestSupport
import Testing

@testable import LSTMCheckpoints

private let folder = fixtures.appendingPathComponent("keras-graph")

private func graph(_ name: String, _ options: LoadOptions = LoadOptions()) throws -> LoadPlan {
  try LoadPlan(Checkpoint(path: folder.appendingPathComponent(name).path), options: options)
}

private func kinds(_ configuration: ModelConfiguration) -> [String] { configuration.layers.map(\.kind.kind) }

/// The same archive with another configuration.
private func archive(_ name: String, _ changes: [(String, String)]) throws -> Checkpoint {
  let place = try TemporaryFolder()
  let zip = try ZipArchive(contentsOf: folder.appendingPathComponent(name).path)
  var config = String(decoding: try zip.read(named: "config.json"), as: UTF8.self)
  for (old, new) in changes {
    #expect(config.contains(old), "\(old)")
    config = config.replacing(old, with: new)
  }
  let bytes = try ZipWriter.encode([
    ("metadata.json", try zip.read(named: "metadata.json")), ("config.json", Array(config.utf8)),
    ("model.weights.h5", try zip.read(named: "model.weights.h5")),
  ])
  try Data(bytes).write(to: URL(fileURLWithPath: place.path("m.keras")))
  return try Checkpoint(path: place.path("m.keras"))
}

private func changed(_ name: String, _ changes: [(String, String)]) throws -> LoadPlan {
  let plan = try LoadPlan(archive(name, changes))
  try plan.validate()
  return plan
}

@Suite struct KerasGraphReadingTests {
  static let cases =
    fixtureNames(in: "keras-graph", suffix: ".keras").map { $0 + ".keras" }
    + fixtureNames(in: "keras-graph", suffix: ".h5").map { $0 + ".h5" }

  /// Everything in the file has its place, and every layer its weights.
  @Test(arguments: cases)
  func everyTensorIsTaken(_ name: String) throws {
    let plan = try graph(name)
    try plan.validate()
    #expect(plan.configuration.stack == nil)
    #expect(plan.report.unexpected.isEmpty)
    #expect(Set(plan.tensors.keys) == Set(plan.configuration.parameters.map(\.name)))
    // The graph is what the native file keeps.
    let json = Data(try plan.configuration.json.utf8)
    #expect(try ModelConfiguration(json: json, file: name) == plan.configuration)
  }

  @Test func thereAreSixtyAndMore() { #expect(Self.cases.count >= 60) }

  @Test(arguments: [2, 3])
  func convolutionsAndPoolings(_ major: Int) throws {
    let model = try graph("k\(major)_conv_forms.keras").configuration
    #expect(
      kinds(model) == [
        "convolution", "convolution", "batch_norm", "activation", "max_pooling", "gru", "readout", "dense",
      ])
    let first = try #require(model.layers[0].kind as? Layer.Convolution)
    #expect(first.kernel == [3] && first.stride == [2] && first.padding == .same && first.hasBias)
    let second = try #require(model.layers[1].kind as? Layer.Convolution)
    #expect(second.dilation == [2] && second.groups == 2 && !second.hasBias && second.size == 6)
    let norm = try #require(model.layers[2].kind as? Layer.BatchNorm)
    #expect(norm.epsilon == 1e-3 && abs(norm.momentum - 0.01) < 1e-6 && !norm.isUnbiased)
    #expect(try #require(model.layers[4].kind as? Layer.Pooling).isSame)
  }

  /// TensorFlow's fused kernel, which tf_keras uses for images, corrects the running variance.
  @Test func batchNormalizationOfImages() throws {
    for (major, isUnbiased) in [(2, true), (3, false)] {
      let model = try graph("k\(major)_crnn_height_first.keras").configuration
      let norms = model.layers.compactMap { $0.kind as? Layer.BatchNorm }
      #expect(norms.map(\.isUnbiased) == [isUnbiased])
      // Time is the second axis there: 8 high, 12 steps.
      #expect(model.inputs[0].channels == 1 && model.inputs[0].width == 8)
    }
  }

  @Test(arguments: [2, 3])
  func resetBeforeAndAfter(_ major: Int) throws {
    let model = try graph("k\(major)_gru_before.keras").configuration
    let layers = model.recurrentLayers.map(\.kind)
    #expect(layers.map(\.cell) == [.gru, .gru])
    #expect(layers.map(\.resetsAfter) == [false, true])
    #expect(layers.map(\.bias) == [.single, .none])
  }

  /// A layer that goes backwards gives its steps from the last to the first; what reads these turns them again.
  @Test func directionsOfTime() throws {
    let layers = try graph("k3_backwards.keras").configuration.recurrentLayers.map(\.kind)
    #expect(layers.map(\.isReversed) == [true, false, true])
  }

  @Test func sharedLayersAreTied() throws {
    let model = try graph("k3_siamese.keras").configuration
    #expect(model.validTies.contains { $0.contains("lstm.weight_ih_l0") && $0.contains("lstm.weight_ih_l1") })
    #expect(model.validTies.count == 5)
    #expect(model.inputs.count == 2)
  }

  @Test func inputsAndOutputsKeepTheirNames() throws {
    let model = try graph("k3_inputs_and_outputs.keras").configuration
    #expect(model.inputs.map(\.name) == ["series", "static"])
    #expect(model.inputs.map(\.isPerSequence) == [false, true])
    #expect(model.outputs == ["mean", "deviation"])
  }

  @Test func statesAreHandedOn() throws {
    let model = try graph("k2_encoder_decoder.keras").configuration
    #expect(model.recurrentLayers.map(\.kind.initialFrom) == [nil, "layer0"])
    #expect(kinds(model).filter { $0 == "readout" }.isEmpty)
  }

  /// Keras has no place for what no output needs.
  @Test func whatIsNotWrittenIsSaid() throws {
    func notes(_ line: String) throws -> [String] {
      let stored = StoredModel(try ModelConfiguration(line: line), tensors: [])
      return stored.exportNotes(as: .kerasArchive).map(\.description)
    }
    let line = "4 features -> LSTM 3 bias single -> last -> dense 2 -> extra: dense 5 from readout"
    #expect(
      try notes(line + "; outputs head.0") == ["no output needs extra, which Keras has no place for: it is not written"]
    )
    #expect(try notes(line + "; outputs head.0, extra").isEmpty)
    #expect(try notes("4 features -> a: LSTM 3 bias single -> b: LSTM 3 bias single initial from a from input").isEmpty)
  }

  @Test func masks() throws {
    #expect(try graph("k3_masked.keras").configuration.mask == .token(0))
    #expect(try graph("k2_masking.keras").configuration.mask == .value(0))
    let lost = try graph("k2_mask_lost.keras")
    #expect(lost.configuration.mask == nil)
    #expect(lost.report.notes.contains { $0.contains("masks token 0, which has no effect") })
  }

  @Test(arguments: [2, 3])
  func attentionThatIsWrittenWithProducts(_ major: Int) throws {
    #expect(kinds(try graph("k\(major)_luong.keras").configuration).contains("dot_attention"))
    let forms = try graph("k\(major)_attention_of_steps.keras").configuration.layers.compactMap {
      $0.kind as? Layer.Attention
    }
    #expect(forms.map(\.form) == [.vector, .tanh])
    #expect(forms[0].hasBias && forms[0].scoreActivation == .tanh)
    #expect(forms[1].hasBias && !forms[1].hasScoreBias && forms[1].scoreActivation == .none)
  }

  @Test func layersOfTheSourceAreKept() throws {
    let layers = try graph("k3_norms.keras").sourceLayers
    #expect(
      layers.map(\.kind) == [
        "InputLayer", "LayerNormalization", "LSTM", "BatchNormalization", "Dropout", "LSTM", "UnitNormalization",
        "Dense",
      ])
    #expect(layers.last?.part == "head.0")
    #expect(layers[4].part == "dropout" && layers[4].values?["rate"] == 0.2)
  }

  @Test(arguments: [
    ("k3_conv_causal.keras", [("\"class_name\": \"Conv1D\"", "\"class_name\": \"Lambda\"")], "function of Python's"),
    (
      "k3_conv_causal.keras", [("\"class_name\": \"Conv1D\"", "\"class_name\": \"Conv1DTranspose\"")], "Conv1DTranspose"
    ),
    ("k3_conv_causal.keras", [("\"padding\": \"causal\"", "\"padding\": \"reflect\"")], "padding"),
    ("k3_conv_causal.keras", [("channels_last", "channels_first")], "channels before steps"),
    ("k3_conv_causal.keras", [("\"activation\": \"relu\"", "\"activation\": \"sparsemax\"")], "activation sparsemax"),
    ("k3_norms.keras", [("\"epsilon\": 0.001", "\"epsilon\": -1")], "epsilon"),
    ("k3_merge_sum.keras", [("\"merge_mode\": \"sum\"", "\"merge_mode\": \"max\"")], "merges its directions by max"),
    ("k3_gru_before.keras", [("\"reset_after\": false", "\"reset_after\": true")], "(2, 3H)"),
    ("k3_residual.keras", [("\"class_name\": \"Maximum\"", "\"class_name\": \"Dot\"")], "Dot"),
    ("k3_attention_layers.keras", [("\"score_mode\": \"dot\"", "\"score_mode\": \"concat\"")], "attention"),
    ("k3_backwards.keras", [("\"go_backwards\": true", "\"go_backwards\": false")], ""),
    (
      "k3_masked.keras", [("\"class_name\": \"GlobalAveragePooling1D\"", "\"class_name\": \"Cropping1D\"")],
      "takes away"
    ),
  ])
  func whatCannotBeSaidIsRefused(_ name: String, _ changes: [(String, String)], _ words: String) throws {
    if words.isEmpty {
      _ = try changed(name, changes)
      return
    }
    let error = #expect(throws: CheckpointError.self) { try changed(name, changes) }
    #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
  }

  /// Whatever a configuration says, it is a model that fits the weights or a typed error.
  @Test(arguments: ["k3_masked.keras", "k2_encoder_decoder.keras", "k3_crnn_height_first.keras", "k3_luong.keras"])
  func configurationsOfWrongTypes(_ name: String) throws {
    var checkpoint = try Checkpoint(path: folder.appendingPathComponent(name).path)
    var structure = try #require(checkpoint.structure as? KerasStructure)
    var loaded = 0
    var all = 0
    for variant in kerasVariants(try #require(structure.model)) {
      all += 1
      structure.model = variant
      checkpoint.structure = structure
      guard let plan = try? LoadPlan(checkpoint) else { continue }
      loaded += 1
      for (name, tensor) in plan.tensors {
        #expect(plan.configuration.parameters.first { $0.name == name }?.shape == tensor.shape)
      }
    }
    #expect(all > 500 && loaded > 0 && loaded < all)
  }

  /// Since Keras 3 a product is zero or one where its mask hides a step, a maximum what the first of its values is there.
  @Test(arguments: [("Multiply", "multiplies steps"), ("Maximum", "compares steps"), ("Minimum", "compares steps")])
  func mergedStepsThatAMaskHides(_ className: String, _ does: String) throws {
    var checkpoint = try archive("k2_mask_multiplied.keras", [("\"Multiply\"", "\"\(className)\"")])
    try LoadPlan(checkpoint).validate()
    var structure = try #require(checkpoint.structure as? KerasStructure)
    structure.version = KerasVersion("3.15.1")
    checkpoint.structure = structure
    let error = #expect(throws: CheckpointError.self) { try LoadPlan(checkpoint) }
    let message = error?.message ?? ""
    #expect(message.contains("\(does) that layer embedding (Embedding) hides"), "\(message)")
  }

  @Test func graphsThatRunInCircles() throws {
    let error = #expect(throws: CheckpointError.self) {
      try changed("k2_parallel.keras", [("[[[\"input_1\", 0, 0, {}]]]", "[[[\"add\", 0, 0, {}]]]")])
    }
    #expect(error?.message.contains("circle") == true, "\(error?.message ?? "")")
  }
}

@Suite struct KerasGraphWritingTests {
  /// What Keras 3 computes otherwise: other hard sigmoids, and the mask of a product whose factors have not all one.
  private static func isRefused(_ name: String, _ configuration: ModelConfiguration) -> Bool {
    name.contains("hidden_again") || configuration.recurrentLayers.contains { $0.kind.gateActivation == .hardSigmoid }
  }

  /// Written and read back, it is the same graph with the same bytes.
  @Test(arguments: KerasGraphReadingTests.cases, [Checkpoint.Format.kerasArchive, .kerasH5])
  func thereAndBack(_ name: String, _ format: Checkpoint.Format) throws {
    let made = try graph(name).imported()
    let place = try TemporaryFolder()
    if format == .kerasArchive, Self.isRefused(name, made.configuration) {
      #expect(throws: CheckpointError.self) { try made.write(path: place.path("m"), as: format) }
      return
    }
    try made.write(path: place.path("m"), as: format)
    let plan = try LoadPlan(Checkpoint(path: place.path("m")))
    try plan.validate()
    #expect(plan.report.unexpected.isEmpty)
    let again = try plan.imported()
    #expect(
      kinds(again.configuration).filter { $0 != "reshape" }.sorted()
        == kinds(made.configuration).filter { $0 != "reshape" }.sorted()
        || made.configuration.layers.contains {
          $0.kind is Layer.Attention || $0.kind is Layer.DotAttention || $0.kind is Layer.Slice
            || $0.kind is Layer.Flatten
        })
    #expect(again.configuration.mask == made.configuration.mask)
    // Ties come apart in Keras' files, where each layer has its own weights.
    if !made.configuration.validTies.isEmpty { return }
    let bytes = try again.tensors.map { try $0.bytes() }.sorted { $0.lexicographicallyPrecedes($1) }
    let wanted = try made.tensors.map { try $0.bytes() }.sorted { $0.lexicographicallyPrecedes($1) }
    #expect(bytes == wanted)
  }

  /// Weights go back to the places that they had, for a file that a person's own code loads.
  @Test(arguments: KerasGraphReadingTests.cases.filter { $0.hasPrefix("k3") && $0.hasSuffix(".keras") })
  func weightsHaveTheirOwnPlaces(_ name: String) throws {
    let source = try Checkpoint(path: folder.appendingPathComponent(name).path)
    let made = try LoadPlan(source).imported()
    let place = try TemporaryFolder()
    try made.write(path: place.path("m.weights.h5"), as: .kerasWeights)
    for tensor in try Checkpoint(path: place.path("m.weights.h5")).tensors {
      guard let original = source[tensor.name] else {
        // Projections that were joined have Keras' usual places.
        #expect(name == "k3_attention_layers.keras" || name == "k3_attention_of_steps.keras", "\(tensor.name)")
        continue
      }
      #expect(tensor.shape == original.shape, "\(tensor.name)")
      #expect(try tensor.bytes() == original.bytes(), "\(tensor.name)")
    }
  }

  /// TensorFlow makes a tensor of a list, with one axis more.
  @Test func anOperationIsGivenItsValueItself() throws {
    let path = fixtures.appendingPathComponent("keras-own/k2_sum_of_products.keras").path
    let place = try TemporaryFolder()
    try LoadPlan(Checkpoint(path: path)).imported().write(path: place.path("m.h5"), as: .kerasH5)
    let checkpoint = try Checkpoint(path: place.path("m.h5"))
    let structure = try #require(checkpoint.structure as? KerasStructure)
    let layers = try #require(structure.model?["config"]?["layers"]?.array)
    let sum = try #require(layers.first { $0["class_name"]?.string == "TFOpLambda" })
    let call = try #require(sum["inbound_nodes"]?.array?.first?.array)
    #expect(call.first?.string == "multiply" && call.last?["axis"] == 1)
    let again = try LoadPlan(checkpoint).imported()
    #expect(again.configuration.layers.contains { ($0.kind as? Layer.Readout)?.take == .sum })
  }

  /// A model in Keras has only layers that its outputs need: files with others' weights are not loaded.
  @Test(arguments: [Checkpoint.Format.kerasArchive, .kerasH5, .kerasWeights])
  func layersThatNoOutputNeeds(_ format: Checkpoint.Format) throws {
    let configuration = try ModelConfiguration(
      line:
        "4 features -> LSTM 3 bias single -> unread: GRU 2 bias single -> seen: LSTM 2 bias single from layer0 -> last -> dense 1"
    )
    let tensors = configuration.parameters.map {
      StoredTensor(name: $0.name, shape: $0.shape, values: [Float](repeating: 0.5, count: $0.elementCount))
    }
    let place = try TemporaryFolder()
    try StoredModel(configuration, tensors: tensors).write(path: place.path("m"), as: format)
    // Two recurrent layers of three tensors each, and a dense one.
    #expect(try Checkpoint(path: place.path("m")).tensors.count == 8)
    guard format != .kerasWeights else { return }
    let again = try LoadPlan(Checkpoint(path: place.path("m"))).imported()
    #expect(kinds(again.configuration) == ["lstm", "lstm", "readout", "dense"])
  }

  @Test func namesOfLayersAreKept() throws {
    let made = try graph("k3_inputs_and_outputs.keras").imported()
    let place = try TemporaryFolder()
    try made.write(path: place.path("m.h5"), as: .kerasH5)
    let names = Set(try Checkpoint(path: place.path("m.h5")).tensors.map { String($0.name.split(separator: "/")[1]) })
    #expect(names == ["encoder", "joint", "dense", "mean", "deviation"])
  }

  private func refusal(
    _ layers: [Layer], inputs: [ModelConfiguration.Input] = [.init(.features(size: 4))],
    mask: ModelConfiguration.Mask? = nil, as format: Checkpoint.Format = .kerasArchive
  ) throws -> CheckpointError? {
    let configuration = try ModelConfiguration(inputs: inputs, layers: layers, mask: mask)
    let tensors = configuration.parameters.map {
      StoredTensor(name: $0.name, shape: $0.shape, values: [Float](repeating: 0.5, count: $0.elementCount))
    }
    return #expect(throws: CheckpointError.self) {
      try StoredModel(configuration, tensors: tensors).write(path: "/nowhere/m", as: format)
    }
  }

  @Test func whatKerasLacksIsRefusedByName() throws {
    var projected = Layer.Recurrent(.lstm, size: 3)
    projected.projectionSize = 2
    #expect(
      try refusal([Layer("layer0", projected), Layer("x", Layer.L2())])?.message.contains("a projection") == true)
    let dual = try refusal([Layer("layer0", Layer.Recurrent(.rnn, size: 3))])
    #expect(dual?.advice.first?.contains("bias single") == true)
    var single = Layer.Recurrent(.rnn, size: 3)
    single.bias = .single
    let crf = try refusal([Layer("layer0", single), Layer("tags", Layer.CRF())])
    #expect(crf?.message.contains("layer tags has the kind crf") == true, "\(crf?.message ?? "")")
    let masked = try refusal(
      [Layer("conv1", Layer.Convolution(size: 2, kernel: [3])), Layer("layer0", single)], mask: .value(0))
    #expect(masked?.message.contains("layer conv1 has a mask") == true)
    // Keras 3 hides no step of what is merged with values that have no mask, and replaces hidden factors.
    for line in [
      "4 features of 7 steps masked 0 -> LSTM 3 bias single -> r: last -> multiply from layer0, r -> mean",
      "4 features of 7 steps masked 0 -> LSTM 3 bias single -> r: last -> concatenate from layer0, r -> mean",
      "4 features of 7 steps masked 0 -> LSTM 3 bias single -> u: unmask -> d: dense 3 -> multiply from u, d -> max",
      "4 features of 7 steps masked 0 -> LSTM 3 bias single -> d: dense 3 -> multiply from layer0, d -> dense 2",
      "4 features of 7 steps masked 0 -> LSTM 3 bias single -> u: unmask -> c: conv 3 kernel 1 -> add from u, c -> remask -> mean",
    ] {
      let model = try ModelConfiguration(line: line)
      let error = try refusal(model.layers, inputs: model.inputs, mask: model.mask)
      #expect(error?.message.contains("which Keras' layers have not") == true, "\(line): \(error?.message ?? "")")
    }
    single.activation = .hardTanh
    let part = [Layer("layer0", single), Layer("slice", Layer.Slice(first: 0, count: 2))]
    #expect(try refusal(part, as: .kerasH5)?.message.contains("no GetItem in an HDF5 file of Keras 3") == true)
  }
}

@Suite struct KerasArchitectureTests {
  private func place() throws -> TemporaryFolder {
    let place = try TemporaryFolder()
    for name in ["model.json", "weights.h5"] {
      let from = fixtures.appendingPathComponent("wild/keras-architecture-json/\(name)")
      try FileManager.default.copyItem(at: from, to: URL(fileURLWithPath: place.path(name)))
    }
    return place
  }

  @Test func theOnlyDescriptionBesideWeights() throws {
    let place = try place()
    let plan = try LoadPlan(Checkpoint(path: place.path("weights.h5")))
    try plan.validate()
    #expect(plan.report.notes.contains { $0.contains("the model is described by model.json beside it") })
    #expect(plan.report.evidence.contains("the model's own configuration"))
  }

  @Test func ofTwoOneIsNamed() throws {
    let place = try place()
    try FileManager.default.copyItem(atPath: place.path("model.json"), toPath: place.path("other.json"))
    let found = try Checkpoint(path: place.path("weights.h5"))
    #expect(found.notes.contains { $0.contains("model.json, other.json beside it each describe") })
    var options = LoadOptions()
    options.architecture = place.path("other.json")
    try LoadPlan(found, options: options).validate()
  }

  @Test func aDescriptionOfAnotherModelIsNotTaken() throws {
    let place = try place()
    var text = try String(contentsOfFile: place.path("model.json"), encoding: .utf8)
    text = text.replacing("\"class_name\": \"Dense\"", with: "\"class_name\": \"Lambda\"")
    try Data(text.utf8).write(to: URL(fileURLWithPath: place.path("model.json")))
    #expect(try Checkpoint(path: place.path("weights.h5")).notes.isEmpty)
    var options = LoadOptions()
    options.architecture = place.path("model.json")
    #expect(throws: CheckpointError.self) { try LoadPlan(Checkpoint(path: place.path("weights.h5")), options: options) }
    options.architecture = place.path("none.json")
    #expect(throws: CheckpointError.self) { try LoadPlan(Checkpoint(path: place.path("weights.h5")), options: options) }
  }

  /// A file of weights, and a description of the whole model.
  @Test(arguments: ["k3_conv_forms", "k3_norms", "k3_states", "k3_residual", "k3_attention_layers", "k3_merge_sum"])
  func weightsForAGivenGraph(_ name: String) throws {
    let place = try TemporaryFolder()
    let zip = try ZipArchive(contentsOf: folder.appendingPathComponent(name + ".keras").path)
    try Data(zip.read(named: "model.weights.h5")).write(to: URL(fileURLWithPath: place.path("m.weights.h5")))
    let wanted = try graph(name + ".keras")
    let plan = try LoadPlan(
      Checkpoint(path: place.path("m.weights.h5")), options: LoadOptions(configuration: wanted.configuration))
    try plan.validate()
    #expect(plan.configuration == wanted.configuration)
    #expect(plan.report.assumed.contains { $0.what.contains("which weights are whose") })
    for (name, tensor) in wanted.tensors { #expect(try plan.tensors[name]?.bytes() == tensor.bytes(), "\(name)") }
  }

  @Test func aGivenGraphThatDoesNotFit() throws {
    let place = try TemporaryFolder()
    let zip = try ZipArchive(contentsOf: folder.appendingPathComponent("k3_norms.keras").path)
    try Data(zip.read(named: "model.weights.h5")).write(to: URL(fileURLWithPath: place.path("m.weights.h5")))
    let given = try graph("k3_conv_forms.keras").configuration
    let error = #expect(throws: CheckpointError.self) {
      try LoadPlan(Checkpoint(path: place.path("m.weights.h5")), options: LoadOptions(configuration: given))
    }
    #expect(error?.message.contains("has no weights for its Conv1D conv1d") == true, "\(error?.message ?? "")")
  }
}
