import FileIO
import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing

/// Files that are no checkpoint that is read here are called what they are, with what to do.
@Suite(.serialized) struct ForeignFileTests {
  struct Foreign: Sendable, CustomTestStringConvertible {
    let what: String
    let says: [String]
    let prepare: @Sendable (Workplace) throws -> Void
    var name = "f"
    var testDescription: String { what }

    init(
      _ what: String, name: String = "f", _ says: String..., prepare: @escaping @Sendable (Workplace) throws -> Void
    ) {
      self.what = what
      self.name = name
      self.says = says
      self.prepare = prepare
    }
  }

  private static let checkpoint = [
    "is a TensorFlow checkpoint (.index and .data)",
    "save its arrays, in Python: r = tensorflow.train.load_checkpoint(\"m\")",
    "numpy.savez(\"weights.npz\", **{n: r.get_tensor(n) for n in r.get_variable_to_shape_map()})",
  ]

  static let all: [Foreign] = [
    Foreign(
      "a SavedModel, the folder", "is a TensorFlow SavedModel",
      "save it for Keras, in Python: tf_keras.models.load_model(\"f\").save(\"model.keras\")"
    ) {
      try $0.makeFolder("f")
      try $0.write("f/saved_model.pb", savedModel())
    },
    Foreign(
      "a SavedModel, the file", "is a TensorFlow SavedModel",
      "save it for Keras, in Python: tf_keras.models.load_model(\"FOLDER\").save(\"model.keras\")"
    ) { try $0.write("f", savedModel()) },
    Foreign(
      "a frozen graph", "is a TensorFlow graph (GraphDef), which has its operators apart",
      "give the checkpoint or the Keras file it was made from"
    ) {
      try $0.write(
        "f", Data([0x0a, 22, 0x0a, 5] + Array("input".utf8) + [0x12, 11] + Array("Placeholder".utf8) + [0, 0]))
    },
    Foreign("a TensorFlow checkpoint's index", name: "m.index", checkpoint[0], checkpoint[1], checkpoint[2]) {
      try $0.copy("wild/tf1-checkpoint/model.ckpt.index", as: "m.index")
    },
    Foreign(
      "a TensorFlow checkpoint's data", name: "m.data-00000-of-00001", checkpoint[0], checkpoint[1], checkpoint[2]
    ) {
      try $0.copy("wild/tf1-checkpoint/model.ckpt.index", as: "m.index")
      try $0.copy("wild/tf1-checkpoint/model.ckpt.data-00000-of-00001", as: "m.data-00000-of-00001")
    },
    Foreign("a TensorFlow checkpoint's name", name: "m", checkpoint[0], checkpoint[1], checkpoint[2]) {
      try $0.copy("wild/tf1-checkpoint/model.ckpt.index", as: "m.index")
    },
    Foreign(
      "a folder with a TensorFlow checkpoint", "is a TensorFlow checkpoint (.index and .data)",
      "save its arrays, in Python: r = tensorflow.train.load_checkpoint(\"f/m\")", checkpoint[2]
    ) {
      try $0.makeFolder("f")
      try $0.copy("wild/tf1-checkpoint/model.ckpt.index", as: "f/m.index")
      try $0.copy("wild/tf1-checkpoint/model.ckpt.data-00000-of-00001", as: "f/m.data-00000-of-00001")
    },
    Foreign(
      "TFLite", "is a TFLite model, whose network was converted for phones",
      "give the checkpoint or the Keras file it was made from"
    ) { try $0.write("f", Data([0x1c, 0, 0, 0] + Array("TFL3".utf8) + [UInt8](repeating: 0, count: 40))) },
    Foreign(
      "MATLAB 5", "is a MATLAB file of version 5",
      "save it in MATLAB as version 7.3, which is HDF5: save(\"weights.mat\", \"-v7.3\")"
    ) { try $0.write("f", "MATLAB 5.0 MAT-file, Platform: GLNXA64" + String(repeating: " ", count: 200)) },
    Foreign("Git LFS", "is a pointer of Git LFS, not the file itself", "fetch it: git lfs pull") {
      try $0.write("f", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n")
    },
    Foreign("a web page", "is a web page, not the file that it links to", "download the file itself") {
      try $0.write("f", "\n<!DOCTYPE html>\n<html><head></head></html>\n")
    },
    Foreign("gzip", "is compressed with gzip", "unpack it first: gunzip, or tar -xzf for an archive") {
      try $0.write("f", Data([0x1f, 0x8b, 8, 0, 0, 0]))
    },
    Foreign(
      "stable-baselines3", "is an agent of stable-baselines3",
      "take its weights out and import them: unzip f policy.pth"
    ) { try $0.copy("wild/sb3-zip/ppo.zip", as: "f") },
    Foreign(
      "a Keras architecture", "is the architecture of a Keras model, which holds no weights",
      "name the file of its weights, with this one beside it or as --architecture f"
    ) { try $0.copy("wild/keras-architecture-json/model.json", as: "f") },
    Foreign(
      "TensorFlow.js", "is a TensorFlow.js model",
      "convert it: tensorflowjs_converter --input_format tfjs_layers_model --output_format keras model.json model.h5"
    ) { try $0.write("f", #"{"format":"layers-model","modelTopology":{},"weightsManifest":[]}"#) },
    Foreign(
      "GuitarML",
      "is a guitar amplifier of GuitarML (Proteus); its output adds the input to the LSTM's, which this version cannot compute"
    ) { try $0.write("f", #"{"model_data":{"skip":1},"state_dict":{"rec.weight_ih_l0":[[1]]}}"#) },
    Foreign(
      "a Neural Amp Modeler model",
      "is a model of Neural Amp Modeler (LSTM), whose weights are one list of numbers",
      "export it in the trainer as a checkpoint (.ckpt), or as ONNX"
    ) { try $0.copy("wild/json-nam/lstm.nam", as: "f") },
    Foreign(
      "a state_dict as JSON", "is a state_dict as JSON",
      "save its tensors, in Python: d = json.load(open(\"f\"))",
      "torch.save({k: torch.tensor(v) for k, v in d.items()}, \"weights.pt\")"
    ) { try $0.copy("wild/json-statedict/lstm_torch.json", as: "f") },
    Foreign(
      "RTNeural's JSON", "is a model for RTNeural, which is written here and not read",
      "give the checkpoint that it was made from"
    ) { place in
      let model = LSTMModel(.init(input: .features(size: 1), layers: [.init(hiddenSize: 2, bias: .single)]), seed: 1)
      try model.write(path: place.path("f"), as: .rtneural)
    },
  ]

  @Test(arguments: all) func isCalledWhatItIs(_ foreign: Foreign) async throws {
    let place = try Workplace()
    try foreign.prepare(place)
    for command in ["import", "inspect"] {
      let outcome = try await place.run(command, foreign.name)
      #expect(outcome.code == 65)
      #expect(outcome.stderr == "error: \(foreign.name): " + foreign.says.joined(separator: "\n  ") + "\n")
    }
  }

  /// Field 1 says the schema; field 2, most of the file, begins with what the graph is about.
  private static func savedModel() -> Data {
    Data([0x08, 0x01, 0x12, 0xc8, 0x01, 0x0a, 0x02, 0x1b, 0x00] + [UInt8](repeating: 0, count: 196))
  }
}

/// What import prints of tensors that are no part of a model, of rules, and of what to type next.
@Suite(.serialized) struct ImportReportTests {
  @Test func anOptimizersTensorsShareOneLine() async throws {
    let place = try Workplace()
    var shapes: [(String, [Int])] = [("lstm.weight_ih_l0", [16, 3]), ("lstm.weight_hh_l0", [16, 4])]
    for number in 0..<14 {
      shapes += [("optimizer.state.\(number).exp_avg", [16, 3]), ("optimizer.state.\(number).exp_avg_sq", [16, 3])]
    }
    try place.save(shapes, as: "w.pt", .pt)
    let refused = try await place.run("import", "w.pt")
    #expect(refused.code == 65)
    #expect(
      refused.stderr.contains(
        "leave out what is not needed with --allow unexpected='optimizer.*', or rename it with --map"))
    let outcome = try await place.run("import", "w.pt", "--allow", "unexpected=optimizer.*")
    #expect(outcome.code == 0)
    let lines = outcome.stdout.split(separator: "\n").filter { $0.contains("optimizer") }
    #expect(lines.count == 1, "\(lines)")
    #expect(lines.first?.contains("28 tensors") == true)
    #expect(!outcome.stdout.contains("is left out as you allow"))
  }

  /// A report prints the slashes that a file has.
  @Test(arguments: ["^net/rnn_=lstm.", "^net\\.rnn_=lstm.", "net/rnn_(.*)=lstm/$1"])
  func aRuleMatchesSlashesAndDots(_ rule: String) async throws {
    let place = try Workplace()
    try place.save([("net/rnn_weight_ih_l0", [16, 3]), ("net/rnn_weight_hh_l0", [16, 4])], as: "w.h5", .pytorchHDF5)
    let outcome = try await place.run("import", "w.h5", "--map", rule)
    #expect(outcome.code == 0, "\(outcome.stderr)")
    #expect(!outcome.stdout.contains("changes no name"))
  }

  /// Typed as it stands, but for the names of one's own file and column.
  @Test func whatIsToBeTypedNextWorks() async throws {
    let place = try Workplace()
    try place.writeSeries()
    let features = ModelConfiguration(input: .features(size: 1), layers: [.init(hiddenSize: 4)])
    var headed = features
    headed.plain.head = [.init(size: 1)]
    var deep = features
    deep.plain.layers.append(.init(hiddenSize: 4))
    for (configuration, freezes) in [(features, false), (headed, true), (deep, true)] {
      try LSTMModel(configuration, seed: 3).write(path: place.path("w.pt"), as: .pt)
      let outcome = try await place.run("import", "w.pt", "-o", "m.h5")
      let next = try #require(outcome.stdout.split(separator: "\n").first { $0.hasPrefix("next: ") })
      #expect(next.hasSuffix(" --freeze layer0") == freezes)
      let typed = next.dropFirst(6).split(separator: " ").dropFirst().map { $0 == "COLUMN" ? "temp" : String($0) }
      let run = try await place.run(typed + ["--epochs", "1", "--run", "run\(freezes)\(configuration.layers.count)"])
      #expect(run.code == 0, "\(typed): \(run.stderr)")
    }
    let tokens = ModelConfiguration(
      input: .tokens(vocabulary: 5, size: 3), layers: [.init(hiddenSize: 4)], head: [.init(size: 5)])
    try LSTMModel(tokens, seed: 3).write(path: place.path("w.pt"), as: .pt)
    let outcome = try await place.run("import", "w.pt", "-o", "m.h5")
    #expect(outcome.stdout.hasSuffix("next: lstm-ft finetune m.h5 --data mine.npz --freeze layer0\n"))
  }
}
