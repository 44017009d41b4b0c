import Foundation
import LSTMCheckpoints
import LSTMLayers
import LSTMReports
import TestSupport
import Testing

/// From a file that PyTorch wrote to one that it reads, as a person types it.
@Suite(.serialized) struct EndToEndTests {
  @Test func twoCommandsAsTheREADMEHasThem() async throws {
    let place = try Workplace()
    try place.copy("demo/seattle.h5", as: "weights.h5")
    try place.writeSeries()

    try await succeeds(place, "import", "weights.h5")
    let tuning = try await succeeds(
      place, "finetune", "--data", "mine.csv", "--target", "temp", "--window", "48", "--freeze", "layer0")
    #expect(tuning.stdout.contains("51,992 parameters: 34,840 trainable, 17,152 frozen\n"))
    #expect(tuning.stdout.contains("layer0           17,152  frozen\n"))
    #expect(tuning.stdout.contains("\npretrained: loss "))
    #expect(tuning.stdout.contains("\nwrote finetuned.h5\n"))
    #expect(tuning.stderr.isEmpty)

    let evaluation = try await succeeds(place, "evaluate", "finetuned.h5", "--data", "mine.csv", "--chart", "f.svg")
    #expect(evaluation.stdout.hasPrefix("finetuned.h5 on mine.csv: 59 sequences, mse 0."))
    try isXML(place, "f.svg")
    let forecast = try await succeeds(place, "predict", "finetuned.h5", "--data", "mine.csv")
    let rows = forecast.stdout.split(separator: "\n")
    #expect(rows.count == 25)
    #expect(rows.first == "date,ahead,temp")
    #expect(rows.last?.contains(",24,") == true)

    try await succeeds(place, "export", "finetuned.h5", "--to", "pytorch-h5", "-o", "back.h5")
    let (source, back) = (try place.checkpoint("weights.h5"), try place.checkpoint("back.h5"))
    #expect(Set(source.tensors.map(\.name)) == Set(back.tensors.map(\.name)))
    for tensor in source.tensors {
      let returned = try #require(back[tensor.name])
      #expect(returned.shape == tensor.shape)
      #expect(try (returned.bytes() == tensor.bytes()) == tensor.name.hasSuffix("_l0"), "\(tensor.name)")
    }
  }

  @Test func aBareLSTMGetsAHeadAndSaysSo() async throws {
    let place = try Workplace()
    try place.writeBareLSTM()
    try place.writeSeries()

    try await succeeds(place, "import", "weights.h5")
    let tuning = try await succeeds(
      place, "finetune", "--data", "mine.csv", "--target", "temp", "--window", "48", "--freeze", "layer0")
    #expect(
      tuning.stdout.contains(
        "note   head: the model has none; a new dense layer 6 -> 1 starts from random values\n"))
    let model = try place.checkpoint("finetuned.h5")
    #expect(model["head.0.weight"]?.shape == [1, 6])
    let source = try place.checkpoint("weights.h5")
    for name in ["lstm.weight_ih_l0", "lstm.weight_hh_l0", "lstm.bias_ih_l0", "lstm.bias_hh_l0"] {
      #expect(try #require(model[name]).bytes() == #require(source[name]).bytes())
    }
  }

  /// `torch.nn.LSTM(100, 1)` trained for five epochs: the loss of each of the fifty steps is PyTorch's.
  @Test func theSeedExampleIsOneCommand() async throws {
    let place = try Workplace()
    try place.copy("golden-training/seed_example_weights.h5", as: "weights.h5")
    try place.copy("golden-training/seed_example_data.h5", as: "data.h5")
    try await succeeds(place, "import", "weights.h5")
    try await succeeds(
      place, "finetune", "--data", "data.h5", "--no-shuffle", "--validation-split", "0", "--scaler", "none",
      "--patience", "0", "--clip-norm", "0", "--batch-size", "100", "--epochs", "5", "--run", "run")
    let losses = try log(place, "run").filter { $0.event == "step" }.compactMap(\.loss)
    let expected = try Golden("golden-training/seed_example_expected.h5").doubles("losses")
    #expect(losses.count == 50)
    #expect(zip(losses, expected).allSatisfy { abs($0 - $1) <= 1e-6 * abs($1) })
  }

  @Test(arguments: fixtureNames(in: "golden-models").filter { !$0.hasSuffix(".reference") })
  func predictsWhatPyTorchDoes(_ name: String) async throws {
    let place = try Workplace()
    try place.copy("golden-models/\(name).h5", as: "weights.h5")
    let golden = try Golden("golden-models/\(name).reference.h5")
    let reference = try Checkpoint(path: fixtures.appendingPathComponent("golden-models/\(name).reference.h5").path)
    let x = try #require(reference["x"] ?? reference["tokens"])
    try place.write(
      "x.npy", Data(try NPY.encode(bytes: x.bytes(), dataType: x.dataType, shape: x.shape)))

    var arguments = ["import", "weights.h5", "--readout", try golden.text("readout")]
    if try golden.text("activations").contains("relu") { arguments += ["--activation", "relu"] }
    for glob in ["/optimizer*", "/step", "/bn.*"] where try golden.text("unexpected").contains(glob.dropLast()) {
      arguments += ["--allow", "unexpected=" + glob.dropFirst()]
    }
    let imported = try await place.run(arguments)
    #expect(imported.code == 0, "\(imported.stderr)")
    try await succeeds(place, "predict", "--data", "x.npy", "-o", "y.npy")
    let y = try golden.tensor("y")
    let found = try NPY.read(contentsOf: place.path("y.npy"))
    #expect(found.shape == y.shape)
    #expect(try largestDifference(found.floats(), y.values) <= 1e-6)
  }

  @Test func predictionsAreTheSameInEveryFormat() async throws {
    let place = try Workplace()
    try place.copy("golden-models/bare.h5", as: "model.h5")
    try place.copy("golden-models/bare.reference.h5", as: "x.h5")
    for name in ["y.npy", "y.csv", "y.h5"] {
      let outcome = try await succeeds(place, "predict", "--data", "x.h5", "-o", name)
      #expect(outcome.stdout == "wrote \(name): y (4, 9, 12)\n")
    }
    let shown = try await succeeds(place, "predict", "--data", "x.h5")
    #expect(try shown.stdout == place.read("y.csv"))
    let y = try NPY.read(contentsOf: place.path("y.npy"))
    #expect(try place.checkpoint("y.h5")["y"]?.bytes() == y.bytes())
    let rows = shown.stdout.split(separator: "\n")
    #expect(rows.first?.hasPrefix("sequence,step,y0,y1,") == true)
    #expect(rows.count == 1 + 4 * 9)
    let cells = rows.dropFirst().flatMap { $0.split(separator: ",").dropFirst(2).compactMap { Float($0) } }
    #expect(try cells == y.floats())
  }

  @Test(arguments: fixtureNames(in: "golden-dtypes").filter { $0 != "expected" })
  func everyTypeComesBackByteForByte(_ name: String) async throws {
    let place = try Workplace()
    try place.copy("golden-dtypes/\(name).h5", as: "weights.h5")
    try await succeeds(place, "import", "weights.h5")
    try await succeeds(place, "export", "model.h5", "--to", "pytorch-h5", "-o", "back.h5")
    let (source, back) = (try place.checkpoint("weights.h5"), try place.checkpoint("back.h5"))
    #expect(Set(source.tensors.map(\.name)) == Set(back.tensors.map(\.name)))
    for tensor in source.tensors {
      let returned = try #require(back[tensor.name])
      #expect(returned.dataType == tensor.dataType)
      #expect(try returned.bytes() == tensor.bytes())
    }
  }

  // MARK: - The run's folder

  @Test func leavesEverythingBehind() async throws {
    let place = try Workplace()
    try place.copy("golden-training/freeze_layer0_weights.h5", as: "weights.h5")
    try place.copy("golden-training/freeze_layer0_data.h5", as: "data.h5")
    try await succeeds(place, "import", "weights.h5")
    try await succeeds(place, "finetune", "--data", "data.h5", "--epochs", "3", "--run", "run", "--freeze", "layer0")
    let names = try FileManager.default.contentsOfDirectory(atPath: place.path("run")).sorted()
    #expect(
      names == [
        "best.h5", "config.json", "gradients.svg", "last.h5", "log.jsonl", "loss.svg", "report.html", "times.jsonl",
      ])

    let record = try RunRecord(contentsOf: place.path("run/config.json"))
    #expect(record.epochs == 3 && record.loss == "mse" && record.settings?.training.batchSize == 32)
    #expect(record.settings?.freezing == ["layer0"])
    #expect(
      record.frozen
        == ["lstm.weight_ih_l0", "lstm.weight_hh_l0", "lstm.bias_ih_l0", "lstm.bias_hh_l0"])

    let lines = try log(place, "run")
    #expect(lines.prefix(2).map(\.event) == ["cache", "start"])
    let steps = lines.filter { $0.event == "step" }
    // 77 of 96 sequences in batches of 32.
    #expect(steps.count == 3 * 3)
    #expect(steps.allSatisfy { $0.loss != nil && $0.learningRate == 0.001 && ($0.gradientNorm ?? 0) > 0 })
    let epochs = lines.filter { $0.event == "epoch" }
    #expect(epochs.map(\.epoch) == [1, 2, 3])
    #expect(epochs.allSatisfy { $0.trainingLoss != nil && $0.validation?.loss != nil })
    try isXML(place, "run/loss.svg")
    for name in ["best.h5", "last.h5"] {
      try await succeeds(place, "import", "run/" + name, "-o", "again-" + name)
      try await succeeds(place, "evaluate", "again-" + name, "--data", "data.h5")
    }
  }

  @Test func theSameSeedGivesTheSameBytes() async throws {
    let place = try Workplace()
    try place.copy("golden-training/freeze_layer0_weights.h5", as: "weights.h5")
    try place.copy("golden-training/freeze_layer0_data.h5", as: "data.h5")
    try await succeeds(place, "import", "weights.h5")
    for (run, seed) in [("a", "3"), ("b", "3"), ("c", "4")] {
      try await succeeds(
        place, "finetune", "--data", "data.h5", "--epochs", "2", "--seed", seed, "--run", run, "-o", run + ".h5")
    }
    let bytes = try ["a", "b", "c"].map { run in
      try place.checkpoint("\(run)/best.h5").tensors.flatMap { try $0.bytes() }
    }
    #expect(bytes[0] == bytes[1])
    #expect(bytes[0] != bytes[2])
  }

  @Test func fromScratchForgetsTheWeights() async throws {
    let place = try Workplace()
    try place.copy("golden-training/freeze_layer0_weights.h5", as: "weights.h5")
    try place.copy("golden-training/freeze_layer0_data.h5", as: "data.h5")
    try await succeeds(place, "import", "weights.h5")
    let outcome = try await succeeds(
      place, "finetune", "--data", "data.h5", "--from-scratch", "--epochs", "1", "--lr", "1e-9")
    #expect(outcome.stdout.contains("note   all weights start from random initial values, as requested\n"))
    #expect(outcome.stdout.contains("\nuntrained: loss "))
    #expect(!outcome.stdout.contains("pretrained"))
    let (source, fresh) = (try place.checkpoint("weights.h5"), try place.checkpoint("finetuned.h5"))
    for tensor in source.tensors where tensor.name.hasPrefix("lstm.") {
      #expect(try #require(fresh[tensor.name]).bytes() != tensor.bytes())
    }
  }

  @Test func learningThatMakesItWorseKeepsTheStart() async throws {
    let place = try Workplace()
    try place.copy("demo/seattle.h5", as: "weights.h5")
    try place.writeSeries()
    let outcome = try await succeeds(
      place, "finetune", "weights.h5", "--data", "mine.csv", "--target", "temp", "--window", "48", "--lr", "0.02",
      "--patience", "2", "--run", "run")
    #expect(
      outcome.stdout.contains(
        "\nstopped after 2 of 10 epochs: no better validation loss since the pretrained model (--patience 2)\n"))
    #expect(outcome.stdout.contains("\nno epoch was better than the pretrained model, which is kept: validation loss "))
    #expect(outcome.stdout.contains("\ntry a --learning-rate below 0.02, or freeze more\n"))
    let wild = try await succeeds(
      place, "finetune", "weights.h5", "--data", "mine.csv", "--target", "temp", "--window", "48", "--lr", "0.5",
      "--patience", "20", "--run", "wild", "-o", "wild.h5")
    #expect(wild.stdout.contains("\nstopped: the loss rose to ") && wild.stdout.contains(", or lstm-ft lr-find\n"))
    #expect(
      try place.checkpoint("wild.h5").tensors.map { try $0.bytes() }
        == place.checkpoint("finetuned.h5").tensors.map { try $0.bytes() })
    let source = try place.checkpoint("weights.h5")
    let kept = try place.checkpoint("finetuned.h5")
    #expect(try #require(kept["head.0.weight"]).bytes() == #require(source["fc.weight"]).bytes())
  }

  // MARK: -

  private struct Line: Decodable {
    struct Metrics: Decodable { let loss: Double }
    let event: String
    let epoch: Int?
    let loss: Double?
    let learningRate: Double?
    let gradientNorm: Double?
    let trainingLoss: Double?
    let validation: Metrics?
  }

  private func log(_ place: Workplace, _ run: String) throws -> [Line] {
    try place.read(run + "/log.jsonl").split(separator: "\n").map {
      try JSONDecoder().decode(Line.self, from: Data($0.utf8))
    }
  }
}

/// Runs a command that has to go well.
@discardableResult
func succeeds(_ place: Workplace, _ arguments: String...) async throws -> Outcome {
  let outcome = try await place.run(arguments)
  #expect(outcome.code == 0, "\(arguments.joined(separator: " ")): \(outcome.stderr)")
  return outcome
}

@discardableResult
func succeeds(_ place: Workplace, _ arguments: [String]) async throws -> Outcome {
  let outcome = try await place.run(arguments)
  #expect(outcome.code == 0, "\(arguments.joined(separator: " ")): \(outcome.stderr)")
  return outcome
}
