import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// Models of Keras and ONNX that were once imported without a word and gave other numbers: each is computed as the
/// framework computes it, or refused by name, whatever is said beside it.
@Suite struct WrongWithoutAWordKerasTests {
  private static let plain = #"{"input": {"features": 3}, "layers": [{"hidden": 4, "bias": "single"}]}"#

  /// Imports a file and compares what it predicts with what the framework gave.
  private func expectSame(
    _ file: String, _ flags: [String] = [], data: String, answer: String = "y",
    sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let place = try Workplace()
    try place.copy("wild/" + file, as: "source." + file.split(separator: ".", maxSplits: 1)[1])
    let source = "source." + file.split(separator: ".", maxSplits: 1)[1]
    try place.copy("wild/" + data, as: "data.npz")
    let imported = try await place.run(["import", source] + flags)
    #expect(imported.code == 0, "\(file): \(imported.stderr)", sourceLocation: sourceLocation)
    let predicted = try await place.run("predict", "--data", "data.npz", "-o", "y.h5")
    #expect(predicted.code == 0, "\(file): \(predicted.stderr)", sourceLocation: sourceLocation)
    let found = try #require(try place.checkpoint("y.h5")["y"]).floats()
    let wanted = try Self.array(answer.contains("/") ? answer : data, answer)
    #expect(relativeDifference(found, wanted) <= 1e-5, "\(file)", sourceLocation: sourceLocation)
  }

  private static func array(_ file: String, _ name: String) throws -> [Float] {
    let checkpoint = try Checkpoint(path: fixtures.appendingPathComponent("wild/" + file).path)
    let tensor = checkpoint[name] ?? checkpoint.tensors[0]
    return try tensor.floats()
  }

  /// Refused as it is and with a description of a plain stack; nothing said leads around it.
  private func expectRefused(
    _ file: String, _ words: [String], sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let place = try Workplace()
    let source = "source." + file.split(separator: ".", maxSplits: 1)[1]
    try place.copy("wild/" + file, as: source)
    try place.write("config.json", Self.plain)
    for flags in [[], ["--config", "config.json"], ["--readout", "last"]] {
      let outcome = try await place.run(["import", source] + flags)
      #expect(outcome.code == 65, "\(file) \(flags)", sourceLocation: sourceLocation)
      for word in words {
        #expect(outcome.stderr.contains(word), "\(file): \(outcome.stderr)", sourceLocation: sourceLocation)
      }
      // Weights alone need a description of the whole, which no plain stack is.
      if !file.hasSuffix("weights.h5") {
        #expect(!outcome.stderr.contains("--config"), "\(file): \(outcome.stderr)", sourceLocation: sourceLocation)
      }
      #expect(!outcome.stderr.contains("--allow"), "\(file): \(outcome.stderr)", sourceLocation: sourceLocation)
    }
    #expect(!FileManager.default.fileExists(atPath: place.path("model.h5")), sourceLocation: sourceLocation)
  }

  @Test(arguments: [
    "keras-relu/model.h5", "keras-repeatvector/model.keras", "keras-batchnorm/model.keras", "keras-conv1d/model.keras",
    "keras-flatten/model.keras", "keras-gru/model.keras",
  ])
  func layersAroundAndOtherCells(_ file: String) async throws {
    try await expectSame(file, data: file.split(separator: "/")[0] + "/expected.npz")
  }

  @Test func aDescriptionBesideTheWeights() async throws {
    let place = try Workplace()
    for name in ["model.json", "weights.h5"] { try place.copy("wild/keras-architecture-json/\(name)", as: name) }
    try place.copy("wild/keras-architecture-json/expected.npz", as: "data.npz")
    let imported = try await place.run("import", "weights.h5")
    #expect(imported.code == 0, "\(imported.stderr)")
    #expect(imported.stdout.contains("the model is described by model.json beside it"))
    let predicted = try await place.run("predict", "--data", "data.npz", "-o", "y.h5")
    #expect(predicted.code == 0, "\(predicted.stderr)")
    let found = try #require(try place.checkpoint("y.h5")["y"]).floats()
    #expect(relativeDifference(found, try Self.array("keras-architecture-json/expected.npz", "y")) <= 1e-5)
  }

  /// Weights alone do not say how their layers are joined.
  @Test(arguments: [
    ("pooling", "MaxPooling1D"), ("conv", "conv1d"), ("repeat", "RepeatVector"), ("leaky", "does not say"),
    ("residual", "Add"),
  ])
  func layersThatComputeInFilesOfWeights(_ name: String, _ word: String) async throws {
    try await expectRefused("keras-kinds/\(name).weights.h5", [word])
  }

  /// Names and shapes tell what they are; a description of a plain stack does not take their place.
  @Test(arguments: ["layer_norm", "batch_norm", "simple_rnn"])
  func layersThatNamesAndShapesTell(_ name: String) async throws {
    let file = "keras-kinds/\(name).weights.h5"
    try await expectSame(file, ["--readout", "last"], data: "keras-kinds/\(name).npz")
    let place = try Workplace()
    try place.copy("wild/" + file, as: "source.weights.h5")
    try place.write("config.json", Self.plain)
    #expect(try await place.run("import", "source.weights.h5", "--config", "config.json").code == 65)
  }

  @Test func whatAModelSaysIsNotPassedOver() async throws {
    try await expectRefused("keras-kinds/softmax_steps.keras", ["softmax over the steps"])
  }

  @Test func numberedCellsInAWeightsOnlyBidirectional() async throws {
    try await expectSame(
      "keras-numbered-bidirectional/weights.h5", ["--readout", "all"], data: "keras-numbered-bidirectional/expected.npz"
    )
  }

  @Test func masksOfTheWild() async throws {
    try await expectSame(
      "mask-keras/k3_last.keras", data: "mask-keras/pre.npz", answer: "mask-keras/k3_last_pre.npy")
    try await expectSame(
      "mask-keras/k3_masking.h5", data: "mask-keras/fpost.npz", answer: "mask-keras/k3_masking_fpost.npy")
  }

  @Test(arguments: [
    "mask_stack_pre.keras", "mask_stack_post.keras", "mask_stack_inner.keras", "mask_mean_pre.keras",
    "mask_mean_post.keras", "mask_mean_inner.keras", "mask_steps_post.keras", "mask_steps_inner.keras",
    "mask_functional.keras", "mask_tf.h5",
  ])
  func masksWhereverTheHiddenStepsLie(_ file: String) async throws {
    try await expectSame("keras-kinds/" + file, data: "keras-kinds/\(file.split(separator: ".")[0]).npz")
  }

  /// The same numbers after a way through each of Keras' whole formats.
  @Test(arguments: [
    "mask_stack_pre.keras", "mask_functional.keras", "normalization.keras", "rescaling.keras", "noise.h5",
  ])
  func exportsToKerasKeepMasksScalersAndLayers(_ file: String) async throws {
    let place = try Workplace()
    let stem = String(file.split(separator: ".")[0])
    try place.copy("wild/keras-kinds/" + file, as: file)
    try place.copy("wild/keras-kinds/\(stem).npz", as: "data.npz")
    let wanted = try Self.array("keras-kinds/\(stem).npz", "y")
    try await place.run("import", file)
    for (format, name) in [("keras", "back.keras"), ("keras-h5", "back.h5"), ("onnx", "back.onnx")] {
      let outcome = try await place.run("export", "model.h5", "--to", format, "-o", name)
      #expect(outcome.code == 0, "\(format): \(outcome.stderr)")
      #expect(!outcome.stdout.contains("standardized"))
      if format == "onnx" {
        #expect(outcome.stdout.contains("the mask is not in this format") == stem.hasPrefix("mask"))
        if stem.hasPrefix("mask") { continue }
      }
      let again = try await place.run("import", name, "-o", "again.h5")
      #expect(again.code == 0, "\(format): \(again.stderr)")
      if file == "noise.h5", format != "onnx" {
        #expect(again.stdout.contains("noise (GaussianNoise), drop (SpatialDropout1D), reg (ActivityRegularization)"))
      }
      let predicted = try await place.run("predict", "again.h5", "--data", "data.npz", "-o", "y.h5", "--overwrite")
      #expect(predicted.code == 0, "\(format): \(predicted.stderr)")
      #expect(relativeDifference(try #require(try place.checkpoint("y.h5")["y"]).floats(), wanted) <= 1e-5, "\(format)")
    }
  }

  @Test(arguments: ["normalization.keras", "normalization.h5", "normalization_tf.h5", "rescaling.keras", "noise.keras"])
  func scalingIsAPartOfTheModel(_ file: String) async throws {
    try await expectSame("keras-kinds/" + file, data: "keras-kinds/\(file.split(separator: ".")[0]).npz")
  }

  /// What `load_weights(by_name=True)` looks for.
  @Test func exportToKerasKeepsTheNamesOfLayers() async throws {
    let place = try Workplace()
    try place.copy("wild/keras-names/k3.keras", as: "k3.keras")
    try await place.run("import", "k3.keras")
    try await place.run("export", "model.h5", "--to", "keras-h5", "-o", "k3.h5")
    let names = Set(
      try place.checkpoint("k3.h5").tensors.compactMap { tensor in
        let parts = tensor.name.split(separator: "/")
        return parts.count > 1 ? String(parts[1]) : nil
      })
    #expect(names == ["encoder_rnn", "ctx", "hidden", "readout"])
    let again = try await place.run("import", "k3.h5", "-o", "again.h5")
    #expect(again.stdout.contains("dropA (Dropout), dropB (Dropout)"))
    let weights = try await place.run("export", "model.h5", "--to", "safetensors", "-o", "k3.safetensors")
    #expect(
      weights.stdout.contains("layers for training alone are not in this format: dropA (Dropout), dropB (Dropout)"))
  }

  /// Keras 3's own names, in a file of another kind.
  @Test(arguments: ["safetensors", "npz"])
  func aKeras3SourceComesBackFromOtherContainers(_ format: String) async throws {
    let place = try Workplace()
    try place.copy("wild/keras-names/k3.keras", as: "k3.keras")
    try await place.run("import", "k3.keras")
    try await place.run("export", "model.h5", "--to", format, "-o", "k3.\(format)")
    let outcome = try await place.run(
      "import", "k3.\(format)", "--readout", "final", "--activation", "relu", "-o", "again.h5")
    #expect(outcome.code == 0, "\(outcome.stderr)")
    let difference = try await place.run("diff", "model.h5", "again.h5")
    #expect(difference.code == 0, "\(difference.stdout)\(difference.stderr)")
  }

  @Test func tokenizerOfKeras() async throws {
    let place = try Workplace()
    for name in ["oov.h5", "oov.json", "texts.csv"] { try place.copy("wild/keras-tokenizer/\(name)", as: name) }
    let imported = try await place.run("import", "oov.h5", "--vocabulary", "oov.json", "--window", "8")
    #expect(imported.code == 0, "\(imported.stderr)")
    let predicted = try await place.run(
      "predict", "--data", "texts.csv", "--text-column", "text", "-o", "y.h5")
    #expect(predicted.code == 0, "\(predicted.stderr)")
    let found = try #require(try place.checkpoint("y.h5")["y"]).floats()
    #expect(relativeDifference(found, try Self.array("keras-tokenizer/oov.npy", "oov")) <= 1e-5)
  }

  @Test func onnxWithScalingAround() async throws {
    try await expectSame("onnx-scaling/minmax_ts.onnx", data: "onnx-scaling/x.npz", answer: "onnx-scaling/minmax.npy")
    let place = try Workplace()
    try place.copy("wild/onnx-scaling/minmax_ts.onnx", as: "m.onnx")
    try place.write(
      "config.json",
      #"{"input": {"features": 3}, "layers": [{"hidden": 8}], "readout": "mean", "head": [{"size": 2}]}"#)
    let outcome = try await place.run("import", "m.onnx", "--config", "config.json")
    #expect(outcome.code == 64)
    #expect(outcome.stderr.contains("--config: readout is mean, but m.onnx itself says last"))
  }

  @Test func onnxWithoutFoldingOfConstants() async throws {
    try await expectSame("onnx-nofolding/model.onnx", data: "onnx-nofolding/expected.npz")
  }

  @Test func onnxWithABranch() async throws {
    try await expectSame("onnx-if/model.onnx", data: "onnx-if/expected.npz")
    let place = try Workplace()
    try place.copy("wild/onnx-if/model.onnx", as: "m.onnx")
    let outcome = try await place.run("import", "m.onnx")
    #expect(outcome.stdout.contains("sr is 16000"))
  }

  /// The numbers that quantized weights stand for; what rounding at run time does to the outputs is said.
  @Test func onnxWithQuantizedWeights() async throws {
    let place = try Workplace()
    try place.copy("wild/onnx-quantized/model.onnx", as: "m.onnx")
    let outcome = try await place.run("import", "m.onnx")
    #expect(outcome.code == 0, "\(outcome.stderr)")
    #expect(outcome.stdout.contains("quantized weights are taken as the numbers that they stand for"))
  }

  /// Nothing but what the target loads is written.
  @Test(arguments: [("keras-h5", "bfloat16"), ("mlx", "float64")])
  func typesThatTheTargetCannotLoad(_ format: String, _ type: String) async throws {
    let place = try Workplace()
    try place.copy("wild/keras-kinds/mask_tf.h5", as: "m.h5")
    try await place.run("import", "m.h5")
    let outcome = try await place.run("export", "model.h5", "--to", format, "--dtype", type, "-o", "out")
    #expect(outcome.code == 64)
    #expect(outcome.stderr.contains("cannot be loaded with \(type)"))
    #expect(outcome.stderr.contains("--dtype float32"))
    #expect(!FileManager.default.fileExists(atPath: place.path("out")))
  }
}
