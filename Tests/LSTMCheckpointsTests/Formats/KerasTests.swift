import FileIO
import Foundation
import HDF5
import TestSupport
import Testing

@testable import LSTMCheckpoints

func kerasFixture(_ name: String) throws -> Checkpoint {
  try Checkpoint(path: fixtures.appendingPathComponent("golden-keras/\(name)").path)
}

/// A model as `import` makes it.
func importedKeras(_ source: Checkpoint, _ options: LoadOptions) throws -> StoredModel {
  try LoadPlan(source, options: options).imported()
}

private struct Said: Decodable {
  var readout: PlainStack.Readout?
  var gates: PlainStack.GateActivation?
  var config: ModelConfiguration?
}

private func said(_ reference: String) throws -> (file: String, options: LoadOptions) {
  let golden = try Golden("golden-keras/\(reference).reference.h5")
  let said = try golden.json("options", as: Said.self)
  return (
    try golden.text("file"), LoadOptions(configuration: said.config, readout: said.readout, gates: said.gates)
  )
}

@Suite struct KerasRoundTripTests {
  static let cases = fixtureNames(in: "golden-keras", suffix: ".reference.h5")

  /// Back in its own format a tensor has its own name, type and bytes.
  @Test(arguments: cases)
  func everyTensorComesBackByteForByte(_ name: String) throws {
    let (file, options) = try said(name)
    let source = try kerasFixture(file)
    let made = try importedKeras(source, options)
    let folder = try TemporaryFolder()
    let path = folder.path("back.h5")
    // An archive's weights are the same kind of file.
    let format = source.format == .kerasArchive ? .kerasWeights : source.format
    // Keras saves them and cannot load them.
    if format == .kerasH5, made.tensors.contains(where: { $0.dataType == .bfloat16 }) {
      let error = #expect(throws: CheckpointError.self) { try made.write(path: path, as: format) }
      #expect(error?.advice == ["write it with dataType float32"])
      return
    }
    try made.write(path: path, as: format)
    let back = try Checkpoint(path: path)
    #expect(back.format == format)
    let taken = Set(
      (made.provenance?.mapping.values).map(Array.init)?.flatMap { $0.components(separatedBy: " + ") } ?? [])
    // A whole model that is more than a stack has names of its own.
    guard made.configuration.stack != nil else {
      let bytes = try back.tensors.map { try $0.bytes() }.sorted { $0.lexicographicallyPrecedes($1) }
      #expect(
        try bytes == source.tensors.map { try $0.bytes() }.sorted { $0.lexicographicallyPrecedes($1) })
      return
    }
    #expect(Set(back.tensors.map(\.name)) == taken)
    for tensor in back.tensors {
      let original = try #require(source[tensor.name], "\(tensor.name)")
      #expect(tensor.shape == original.shape)
      #expect(tensor.dataType == original.dataType)
      #expect(try tensor.bytes() == original.bytes(), "\(tensor.name)")
    }
    // And what is written twice is the same file.
    let size = try Data(contentsOf: URL(fileURLWithPath: path))
    try made.write(path: path, as: format)
    #expect(try Data(contentsOf: URL(fileURLWithPath: path)) == size)
  }

  /// The archive's own names are Keras' usual ones, the bytes those that came.
  @Test(arguments: cases.filter { $0.hasPrefix("k3") && !$0.contains("nested") && !$0.contains("shards") })
  func archivesHoldTheSameBytes(_ name: String) throws {
    let (file, options) = try said(name)
    let made = try importedKeras(try kerasFixture(file), options)
    let folder = try TemporaryFolder()
    try made.write(path: folder.path("m.keras"), as: .kerasArchive)
    let again = try importedKeras(try Checkpoint(path: folder.path("m.keras")), LoadOptions())
    if made.configuration.stack == nil, file.hasSuffix(".h5") { return }
    #expect(again.configuration == made.configuration)
    #expect(again.tensors.map(\.name) == made.tensors.map(\.name))
    for (tensor, original) in zip(again.tensors, made.tensors) {
      #expect(tensor.dataType == original.dataType)
      #expect(try tensor.bytes() == original.bytes(), "\(tensor.name)")
    }
  }

  @Test(arguments: [DataType.float16, .bfloat16, .float32, .float64], [Checkpoint.Format.kerasH5, .kerasWeights])
  func everyTypeIsHeld(_ type: DataType, _ format: Checkpoint.Format) throws {
    let made = try importedKeras(try kerasFixture("k3_bi.keras"), LoadOptions())
    let folder = try TemporaryFolder()
    let options = WriteOptions(dataType: type)
    if type == .bfloat16, format == .kerasH5 {
      let error = #expect(throws: CheckpointError.self) {
        try made.write(path: folder.path("w.h5"), as: format, options: options)
      }
      #expect(error?.message.contains("cannot be loaded with bfloat16") == true)
      return
    }
    try made.write(path: folder.path("w.h5"), as: format, options: options)
    let again = try importedKeras(
      try Checkpoint(path: folder.path("w.h5")), LoadOptions(configuration: made.configuration))
    for (tensor, original) in zip(again.tensors, made.tensors) {
      #expect(tensor.dataType == type)
      #expect(try tensor.bytes() == original.converted(to: type).bytes())
    }
  }
}

@Suite struct KerasReadingTests {
  private func refusal(_ name: String, _ options: LoadOptions = LoadOptions()) throws -> CheckpointError? {
    let checkpoint = try kerasFixture(name)
    return #expect(throws: CheckpointError.self) { try LoadPlan(checkpoint, options: options) }
  }

  @Test func theReportTellsLayoutAndReasons() throws {
    let plan = try LoadPlan(kerasFixture("cudnn_l2_full.h5"))
    #expect(plan.report.layout == .kerasCuDNN)
    #expect(plan.report.format == .kerasH5)
    #expect(plan.report.evidence.contains("biases of 8H: CuDNNLSTM"))
    #expect(plan.configuration.plain.layers.allSatisfy { $0.bias == .dual })
    #expect(
      try LoadPlan(kerasFixture("keras1_bi.h5"), options: LoadOptions(gates: .hardSigmoid)).report.layout == .keras1)
  }

  @Test func hardSigmoidIsThatOfTheVersion() throws {
    #expect(try LoadPlan(kerasFixture("k2_hard.h5")).configuration.plain.layers[0].gateActivation == .hardSigmoid)
    #expect(try LoadPlan(kerasFixture("k3_hard.h5")).configuration.plain.layers[0].gateActivation == .hardSigmoidKeras3)
  }

  @Test func oldWeightsAskForTheirGates() throws {
    let error = try refusal("keras1_l2.h5")
    #expect(error?.message.contains("hard_sigmoid") == true)
    #expect(error?.advice.first?.contains("gates hard_sigmoid") == true)
    let plan = try LoadPlan(kerasFixture("k2_l1_w.h5"))
    #expect(
      plan.report.assumed.contains { $0.what.description.hasPrefix("tanh, sigmoid in the gates") && $0.change != nil })
  }

  @Test func gatesThatTheModelTellsAreNotOverruled() throws {
    #expect(try refusal("k2_hard.h5", LoadOptions(gates: .sigmoid))?.category == .usage)
    _ = try LoadPlan(kerasFixture("k2_hard.h5"), options: LoadOptions(gates: .hardSigmoid))
  }

  @Test func aLayoutThatTheShapesContradictIsRefused() throws {
    #expect(try refusal("k2_l1.h5", LoadOptions(layout: .kerasCuDNN))?.category == .usage)
    #expect(try refusal("cudnn_l2_full.h5", LoadOptions(layout: .keras))?.category == .usage)
    #expect(try refusal("k2_l1.h5", LoadOptions(layout: .mlx))?.category == .usage)
    _ = try LoadPlan(kerasFixture("k2_l1.h5"), options: LoadOptions(layout: .keras))
  }

  /// What the stack reads and what each of its layers gives, side by side.
  @Test func aConcatenationOfAllIsRead() throws {
    let alone = try LoadPlan(kerasFixture("branches.h5"))
    #expect(alone.configuration.plain.skip && alone.configuration.readout == .mean)
    let layer = PlainStack.Layer(hiddenSize: 4, bias: .single)
    let plan = try LoadPlan(
      kerasFixture("branches.h5"),
      options: LoadOptions(
        configuration: .init(
          input: .features(size: 3), layers: [layer, layer], skip: true, readout: .mean, head: [.init(size: 2)])))
    try plan.validate()
    #expect(plan.configuration == alone.configuration)
  }

  /// A description may say what a file does not, never other than it says.
  @Test(arguments: [
    (
      "k2_l1.h5",
      #"{"input": {"features": 3}, "layers": [{"hidden": 5}], "readout": "all", "head": [{"size": 2}]}"#,
      "readout"
    ),
    (
      "k2_l1.h5",
      #"{"input": {"features": 3}, "layers": [{"hidden": 5}], "head": [{"size": 2, "activation": "relu"}]}"#,
      "head[0].activation"
    ),
    (
      "k2_l1.h5",
      #"{"input": {"features": 3}, "layers": [{"hidden": 5, "gates": "hard_sigmoid"}], "head": [{"size": 2}]}"#,
      "layers[0].gates"
    ),
    (
      "k2_l1.h5",
      #"{"input": {"features": 3}, "layers": [{"hidden": 5}], "head": [{"size": 2}], "mask": {"value": 0}}"#,
      "mask"
    ),
    ("k3_bi.keras", #"{"input": {"features": 3}, "layers": [{"hidden": 5}]}"#, "the number of"),
  ])
  func aDescriptionCannotContradictTheFile(_ file: String, _ json: String, _ key: String) throws {
    let found = try LoadPlan(kerasFixture(file)).configuration
    let given = try ModelConfiguration(json: Data(json.utf8), file: "config.json")
    let error = #expect(throws: CheckpointError.self) {
      _ = try LoadPlan(kerasFixture(file), options: LoadOptions(configuration: given))
    }
    #expect(error?.category == .usage)
    #expect(
      error?.message.description.hasPrefix("configuration: ") == true, "\(error?.message ?? "") of \(found.summary)")
    #expect(error?.message.contains(key) == true || file == "k3_bi.keras", "\(error?.message ?? "")")
    // Its own word is no contradiction.
    #expect(try LoadPlan(kerasFixture(file), options: LoadOptions(configuration: found)).configuration == found)
  }

  @Test func masksAreNoted() throws {
    #expect(try LoadPlan(kerasFixture("k2_functional.h5")).report.notes.contains { $0.contains("masks token 0") })
    #expect(try LoadPlan(kerasFixture("k2_l3.keras")).report.notes.contains { $0.contains("masks steps") })
  }

  @Test func theOptimizerIsHarmless() throws {
    let folder = try TemporaryFolder()
    let made = try importedKeras(try kerasFixture("k3_l1.weights.h5"), LoadOptions(readout: .last))
    var document = HDF5Document()
    for tensor in try kerasFixture("k3_l1.weights.h5").tensors {
      document.addDataset(tensor.name, shape: tensor.shape, type: .float32) { try tensor.bytes() }
    }
    document.addDataset("optimizer/vars/0", shape: [], type: .int64) { [UInt8](repeating: 0, count: 8) }
    document.addDataset("layers/dropout/seed_generator/vars/0", shape: [2], type: .uint32) {
      [UInt8](repeating: 0, count: 8)
    }
    try document.write(to: folder.path("w.h5"))
    let plan = try LoadPlan(Checkpoint(path: folder.path("w.h5")), options: LoadOptions(readout: .last))
    try plan.validate()
    #expect(plan.configuration == made.configuration)
    #expect(plan.report.unexpected.count == 2)
  }

  /// LSTMs of two classes in a file without order: sizes decide, or the user.
  @Test func anOrderThatSizesDoNotTellIsAskedFor() throws {
    let folder = try TemporaryFolder()
    func write(_ sizes: [(String, Int, Int)]) throws -> Checkpoint {
      var document = HDF5Document()
      for (name, input, hidden) in sizes {
        for (index, shape) in [[input, 4 * hidden], [hidden, 4 * hidden], [4 * hidden]].enumerated() {
          document.addDataset("\(name)/cell/vars/\(index)", shape: shape, type: .float32) {
            [UInt8](repeating: 0, count: shape.reduce(4, *))
          }
        }
      }
      try document.write(to: folder.path("w.weights.h5"))
      return try Checkpoint(path: folder.path("w.weights.h5"))
    }
    let plan = try LoadPlan(try write([("a", 4, 5), ("z", 3, 4)]))
    #expect(plan.mapping["lstm.weight_ih_l0"] == "z/cell/vars/0")
    let equal = try write([("a", 4, 4), ("z", 4, 4)])
    let error = #expect(throws: CheckpointError.self) { try LoadPlan(equal) }
    #expect(error?.message.contains("does not say in which order") == true)
  }

  private func archive(_ change: (inout String) -> Void) throws -> CheckpointError? {
    let folder = try TemporaryFolder()
    let zip = try ZipArchive(contentsOf: fixtures.appendingPathComponent("golden-keras/k2_l1.keras").path)
    var config = String(decoding: try zip.read(named: "config.json"), as: UTF8.self)
    change(&config)
    let bytes = try ZipWriter.encode([
      ("metadata.json", try zip.read(named: "metadata.json")), ("config.json", Array(config.utf8)),
      ("model.weights.h5", try zip.read(named: "model.weights.h5")),
    ])
    try Data(bytes).write(to: URL(fileURLWithPath: folder.path("m.keras")))
    return #expect(throws: CheckpointError.self) { try LoadPlan(Checkpoint(path: folder.path("m.keras"))) }
  }

  @Test(arguments: [
    ("\"activation\": \"tanh\"", "\"activation\": \"softmax\"", "activation softmax"),
    ("\"recurrent_activation\": \"sigmoid\"", "\"recurrent_activation\": \"mine\"", "recurrent_activation mine"),
    ("\"class_name\": \"LSTM\"", "\"class_name\": \"GRU\"", "GRU"),
    ("\"activation\": \"linear\"", "\"activation\": \"mine\"", "activation mine"),
    ("\"units\": 5", "\"units\": 6", "6 units"),
    ("\"class_name\": \"Sequential\"", "\"class_name\": \"Mine\"", "class Mine"),
    ("\"class_name\": \"Dense\"", "\"class_name\": \"BatchNormalization\"", "BatchNormalization"),
    ("\"layers\": [", "\"layers\": 7, \"others\": [", "lists no layers"),
    ("\"config\": {", "\"config\": 5, \"old\": {", "lists no layers"),
  ])
  func whatCannotBeSaidIsRefused(_ old: String, _ new: String, _ expected: String) throws {
    let error = try archive { $0 = $0.replacing(old, with: new) }
    #expect(error?.message.contains(expected) == true, "\(error?.message ?? "")")
  }

  @Test func aConfigurationMadeToHurtIsRefused() throws {
    let deep = String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000)
    #expect(try archive { $0 = deep }?.message.contains("nested more than") == true)
    #expect(try archive { $0 = String($0.dropLast()) }?.message.contains("not valid JSON") == true)
    for text in ["null", "[]", "7", "\"x\"", "{\"class_name\": [], \"config\": {}}"] {
      _ = try archive { $0 = text }
    }
  }
}

/// The same with one value, anywhere, replaced by another.
func kerasVariants(_ json: KerasJSON) -> [KerasJSON] {
  let others: [KerasJSON] = [.null, .number(-1), .number(1e300), .string("x"), .array([]), .object([:]), .bool(true)]
  switch json {
  case .object(let object):
    return others
      + object.flatMap { key, value in
        kerasVariants(value).map { variant in
          var changed = object
          changed[key] = variant
          return .object(changed)
        }
      }
  case .array(let list):
    return others
      + list.indices.flatMap { index in
        kerasVariants(list[index]).map { variant in
          var changed = list
          changed[index] = variant
          return .array(changed)
        }
      }
  default: return others
  }
}

@Suite struct KerasHostileTests {
  /// Whatever a configuration says, it is a model that fits the weights or a typed error.
  @Test(arguments: ["k2_functional.h5", "k3_bi.keras", "k2_stacked_cells.h5"])
  func configurationsOfWrongTypes(_ name: String) throws {
    var checkpoint = try kerasFixture(name)
    var structure = try #require(checkpoint.structure as? KerasStructure)
    let all = kerasVariants(try #require(structure.model))
    #expect(all.count > 500)
    var loaded = 0
    for variant in all {
      structure.model = variant
      checkpoint.structure = structure
      guard let plan = try? LoadPlan(checkpoint) else { continue }
      loaded += 1
      for (name, tensor) in plan.tensors {
        #expect(plan.configuration.parameters.first { $0.name == name }?.shape == tensor.shape)
      }
    }
    // Most of what Keras writes is of no concern here.
    #expect(loaded > 0 && loaded < all.count)
  }

  @Test func anArchiveWhoseWeightsAreNotHDF5() throws {
    let folder = try TemporaryFolder()
    let entries: [(String, [UInt8])] = [
      ("metadata.json", Array(#"{"keras_version": "3.0.0"}"#.utf8)), ("config.json", Array("{}".utf8)),
      ("model.weights.h5", Array("no HDF5 at all".utf8)),
    ]
    try Data(ZipWriter.encode(entries)).write(to: URL(fileURLWithPath: folder.path("m.keras")))
    let error = #expect(throws: CheckpointError.self) { try Checkpoint(path: folder.path("m.keras")) }
    #expect(error?.message.contains("model.weights.h5") == true)
    #expect(error?.category == .badInput)
  }

  @Test func everyCutArchiveIsAnError() throws {
    let folder = try TemporaryFolder()
    let whole = try Data(contentsOf: fixtures.appendingPathComponent("golden-keras/k3_l1.keras"))
    for count in stride(from: 0, to: whole.count, by: 97) {
      try whole.prefix(count).write(to: URL(fileURLWithPath: folder.path("m.keras")))
      #expect(throws: (any Error).self) { try LoadPlan(Checkpoint(path: folder.path("m.keras"))) }
    }
  }

  @Test(arguments: ["lstm/lstm_cell/none:0", "../kernel:0", "../../etc/passwd", "", "/lstm/lstm/lstm_cell/bias"])
  func weightNamesThatLie(_ name: String) throws {
    let folder = try TemporaryFolder()
    var document = HDF5Document()
    document.setAttribute("layer_names", .strings(["lstm"]), scalar: false)
    document.addDataset("lstm/lstm/lstm_cell/kernel:0", shape: [1, 4], type: .float32) {
      [UInt8](repeating: 0, count: 16)
    }
    document.setAttribute("weight_names", .strings([name]), on: "lstm", scalar: false)
    try document.write(to: folder.path("w.h5"))
    let error = #expect(throws: CheckpointError.self) { try Checkpoint(path: folder.path("w.h5")) }
    #expect(error?.message.contains("weight_names lists it") == true)
  }

  /// No other file is opened for a name that leads into one.
  @Test func weightNamesThroughAnExternalLink() {
    let error = #expect(throws: CheckpointError.self) { try kerasFixture("lying_external.h5") }
    #expect(error?.message.contains("external link") == true)
  }

  @Test(arguments: [HDF5Value.integers([3]), .floats([0.5, 1]), .strings(["none"]), .strings([""]), .strings([".."])])
  func layerNamesThatLie(_ value: HDF5Value) throws {
    let folder = try TemporaryFolder()
    var document = HDF5Document()
    document.setAttribute("layer_names", value, scalar: false)
    document.addGroup("lstm")
    try document.write(to: folder.path("w.h5"))
    #expect(throws: CheckpointError.self) { try Checkpoint(path: folder.path("w.h5")) }
  }

  @Test(arguments: ["../k3_l1.weights.h5", "/etc/passwd", "none.weights.h5", "..", "k3_l1.keras"])
  func shardsThatLie(_ name: String) throws {
    let folder = try TemporaryFolder()
    let json = "{\"weight_map\": {\"/layers/lstm/cell/vars\": [\"\(name)\"]}}"
    try Data(json.utf8).write(to: URL(fileURLWithPath: folder.path("m.weights.json")))
    #expect(throws: CheckpointError.self) { try Checkpoint(path: folder.path("m.weights.json")) }
  }
}

@Suite struct KerasWritingTests {
  private func model(_ configuration: ModelConfiguration) -> StoredModel {
    StoredModel(
      configuration,
      tensors: configuration.parameters.map {
        StoredTensor(name: $0.name, shape: $0.shape, values: .init(repeating: 0.25, count: $0.elementCount))
      })
  }

  private func refusal(
    _ configuration: ModelConfiguration, _ format: Checkpoint.Format, _ options: WriteOptions = WriteOptions()
  ) -> CheckpointError? {
    #expect(throws: CheckpointError.self) {
      try model(configuration).write(path: "/nowhere/m", as: format, options: options)
    }
  }

  private static let single = PlainStack.Layer(hiddenSize: 3, bias: .single)

  @Test(arguments: [Checkpoint.Format.kerasH5, .kerasWeights, .kerasArchive])
  func whatKerasLacksIsRefused(_ format: Checkpoint.Format) {
    let dual = ModelConfiguration(input: .features(size: 2), layers: [.init(hiddenSize: 3)])
    #expect(refusal(dual, format)?.advice.first?.contains("bias single") == true)
    var other = ModelConfiguration(
      input: .features(size: 2), layers: [.init(hiddenSize: 3, projectionSize: 2, bias: .single)])
    #expect(refusal(other, format)?.message.contains("a projection") == true)
    other.plain.layers = [.init(hiddenSize: 3, bias: .single, hasPeepholes: true)]
    #expect(refusal(other, format)?.message.contains("peepholes") == true)
    other.plain.layers = [Self.single]
    other.plain.skip = true
    #expect(refusal(other, format)?.message.contains("skip") == true)
    other.plain.skip = false
    other.plain.normalizesOutput = true
    #expect(refusal(other, format)?.message.contains("L2") == true)
    other.plain.normalizesOutput = false
    other.plain.readout = .attention
    // A whole model has it as layers that are no plain stack.
    if format == .kerasWeights { #expect(refusal(other, format)?.message.contains("attention") == true) }
    other.plain.readout = .all
    other.plain.layers = [.init(hiddenSize: 3, bias: .single, gateActivation: .hardSigmoid)]
    if format != .kerasH5 { #expect(refusal(other, format)?.message.contains("hard_sigmoid gates") == true) }
  }

  @Test func anUndecidedReadoutIsRefusedWhereItMatters() throws {
    let made = model(.init(input: .features(size: 2), layers: [Self.single], head: [.init(size: 1)]))
    #expect(throws: CheckpointError.self) { try made.write(path: "/nowhere/m", as: .kerasArchive) }
    let folder = try TemporaryFolder()
    for format in [Checkpoint.Format.kerasH5, .kerasWeights] {
      try made.write(path: folder.path("w.h5"), as: format)
      #expect(try LoadPlan(Checkpoint(path: folder.path("w.h5"))).configuration.readout == nil)
    }
  }

  @Test func aCuDNNLayerCanBeAskedFor() throws {
    let made = model(.init(input: .features(size: 2), layers: [.init(hiddenSize: 3)], readout: .last))
    let folder = try TemporaryFolder()
    try made.write(path: folder.path("w.h5"), as: .kerasH5, options: WriteOptions(layout: .kerasCuDNN))
    let plan = try LoadPlan(Checkpoint(path: folder.path("w.h5")))
    #expect(plan.report.layout == .kerasCuDNN)
    #expect(plan.configuration == made.configuration)
  }

  @Test func hardGatesWithoutAModelAreAskedForAgain() throws {
    let layer = PlainStack.Layer(hiddenSize: 3, bias: .single, gateActivation: .hardSigmoid)
    let made = model(.init(input: .features(size: 2), layers: [layer], head: [.init(size: 1)]))
    let folder = try TemporaryFolder()
    try made.write(path: folder.path("w.h5"), as: .kerasH5)
    let read = try Checkpoint(path: folder.path("w.h5"))
    let error = #expect(throws: CheckpointError.self) { try LoadPlan(read) }
    #expect(error?.advice.first?.contains("gates") == true)
  }
}
