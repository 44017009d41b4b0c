import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import TestSupport
import Testing

/// The programs that people copy from `Examples`: pretrained in Keras or PyTorch, frozen in part, fine-tuned, used, and
/// written for the framework again. `scripts/interop-examples.py` loads what they write there.
@Suite(.serialized) struct ExampleProgramTests {
  private static let folder = fixtures.appendingPathComponent("examples").path

  /// Runs a program.
  /// - Returns: what it prints, and the two numbers of `what: before -> after`.
  private func run(
    _ name: String, _ place: Workplace, reporting what: String
  ) async throws -> (text: String, before: Double, after: Double) {
    let outcome = try await place.runExample(name)
    #expect(outcome.code == 0 && outcome.stderr.isEmpty, "\(name): \(outcome.stderr)")
    let line = try #require(outcome.stdout.split(separator: "\n").first { $0.hasPrefix(what + ": ") })
    let numbers = line.dropFirst(what.count + 2).components(separatedBy: " -> ").compactMap { Double($0) }
    try #require(numbers.count == 2, "\(line)")
    return (outcome.stdout, numbers[0], numbers[1])
  }

  /// Every tensor of the source is in the export; those that are frozen with every bit, others changed.
  private func checkTensors(_ source: String, _ export: String, _ place: Workplace, frozen: [String]) throws {
    let (before, after) = (try Checkpoint(path: Self.folder + "/" + source), try place.checkpoint(export))
    var changed = 0
    // A counter, which evaluation does not read, begins again; Keras' Normalization is written as settings.
    let others = ["optimizer", "num_batches_tracked", "layers/normalization/"]
    for tensor in before.tensors where !others.contains(where: tensor.name.contains) {
      let other = try #require(after[tensor.name], "\(export) has no \(tensor.name)")
      #expect(other.shape == tensor.shape)
      let same = try other.bytes() == tensor.bytes()
      if frozen.contains(where: tensor.name.contains) {
        #expect(same, "\(tensor.name) is frozen")
      } else if !same {
        changed += 1
      }
    }
    #expect(changed >= 4)
  }

  @Test func activitiesOnAWrist() async throws {
    let place = try Workplace()
    let found = try await run("ActivityExample", place, reporting: "accuracy on the wrist")
    #expect(found.before < 0.6 && found.after > 0.85)
    #expect(found.text.contains("computed once: [\"normalization\", \"conv1\", \"norm1\", \"conv2\"]\n"))
    #expect(found.text.contains("\nrecording 49 is sitting\n"))
    try checkTensors(
      "activity.keras", "activity-wrist.keras", place, frozen: ["conv1d", "batch_normalization"])
    let again = try LSTMModel(place.checkpoint("activity-wrist.keras"))
    let source = try LSTMModel(Checkpoint(path: Self.folder + "/activity.keras"))
    for name in ["normalization.scale", "normalization.offset"] { #expect(again[name] == source[name], "\(name)") }
    let test = try LabeledData(
      sequences: CSVTable(contentsOf: Self.folder + "/activity-wrist-test.csv"), id: "recording",
      features: ["x", "y", "z"], labels: "activity", classes: ["running", "sitting", "stairs", "walking"])
    var named = again
    named.preprocessing.classes = test.table.classes
    #expect(try named.evaluate(test).accuracy == found.after)
  }

  @Test func digitsOfAMeter() async throws {
    let place = try Workplace()
    let found = try await run("MeterExample", place, reporting: "character error rate")
    #expect(found.before > 0.5 && found.after < 0.15)
    #expect(found.text.contains("\nread: [\""))
    try checkTensors("crnn.pt", "crnn-meter.pt", place, frozen: ["cnn."])
    let line =
      "12 features in 1 channel -> conv 8 kernel 3x3 same relu -> max pool 1x2 -> conv 16 kernel 3x3 same -> batch norm"
      + " -> relu -> max pool 1x2 -> reshape -> biLSTM 20 -> dense 11"
    var again = try LSTMModel(
      place.checkpoint("crnn-meter.pt"), options: LoadOptions(configuration: ModelConfiguration(line: line)))
    again.preprocessing.inputScaler = Scaler(
      mean: [Float](repeating: 0, count: 12), deviation: [Float](repeating: 255, count: 12))
    again.preprocessing.blank = 0
    let test = try ArraySequences(contentsOf: Self.folder + "/meter-test.npz", for: again, labels: true)
    #expect(try again.evaluate(test).errorRate == found.after)
    // Without names of classes their numbers are given: 1 for the digit 0.
    let labels = try again.predictLabels(test).texts
    #expect(labels.count == 60 && labels.allSatisfy { $0.split(separator: " ").allSatisfy { Int($0) != nil } })
  }

  @Test func ingredientsOfABook() async throws {
    let place = try Workplace()
    let found = try await run("TaggerExample", place, reporting: "lines without a mistake")
    #expect(found.before < 0.5 && found.after > 0.9)
    #expect(found.text.contains("\nline 61 [\"FOOD\", \"O\", \"PREP\", \"QTY\", \"UNIT\"]\n"))
    try checkTensors("tagger.pt", "tagger-book.pt", place, frozen: ["word_embeds"])
    let again = try LSTMModel(place.checkpoint("tagger-book.pt"))
    let test = try LabeledData(
      sequences: CSVTable(contentsOf: Self.folder + "/ingredients-test.csv"), id: "line", words: "word",
      vocabulary: Vocabulary(contentsOf: Self.folder + "/tagger-words.json"), labels: "tag",
      classes: ["FOOD", "O", "PREP", "QTY", "UNIT"])
    #expect(try again.evaluate(test).sequenceAccuracy == found.after)
  }

  @Test func faultsOfAPump() async throws {
    let place = try Workplace()
    let found = try await run("AnomalyExample", place, reporting: "validation loss")
    #expect(found.before > 0.5 && found.after < 0.1)
    try checkTensors("autoencoder.keras", "autoencoder-second.keras", place, frozen: ["layers/lstm/"])
    // The faults that were put into the file, at rows 130, 220 and 310 of 400, and nothing else.
    let kept = try LSTMModel(place.checkpoint("pump.h5"))
    let later = try SeriesData(
      CSVTable(contentsOf: Self.folder + "/pump-later.csv"), readAs: kept.preprocessing)
    #expect(later.reconstructs && later.window == 24)
    let anomalies = try kept.anomalies(in: later)
    #expect(anomalies.spans.count == 3)
    for (span, fault) in zip(anomalies.spans, [130..<142, 220..<226, 310..<322]) {
      #expect(span.rows.clamped(to: fault) == span.rows, "\(span)")
      #expect(found.text.contains("from \(span.first) to \(span.last) error up to \(span.error)\n"))
    }
    // The same weights in both files.
    let again = try LSTMModel(place.checkpoint("autoencoder-second.keras"))
    for name in kept.configuration.parameters.map(\.name) { #expect(again[name] == kept[name], "\(name)") }
  }

  @Test func theLoadOfAnOffice() async throws {
    let place = try Workplace()
    let found = try await run("ForecastExample", place, reporting: "mean absolute error in kW")
    #expect(found.before > 50 && found.after < 25)
    #expect(found.text.contains("\nin 6 hours: "))
    try checkTensors("forecaster.pt", "forecaster-office.pt", place, frozen: ["encoder."])
    let network = try ModelConfiguration(
      line: "1 feature -> encoder: LSTM 24 -> last -> repeat 24 -> decoder: LSTM 24 initial from encoder -> dense 1")
    func load(_ name: String) throws -> SeriesData {
      try SeriesData(
        CSVTable(contentsOf: "\(Self.folder)/\(name).csv"), features: ["kW"], targets: ["kW"], window: 48, horizon: 24)
    }
    var again = try LSTMModel(
      place.checkpoint("forecaster-office.pt"), options: LoadOptions(configuration: network))
    again.preprocessing = try Preparation(again, load("office")).preprocessing
    #expect(try again.evaluate(load("office-later")).mae == found.after)
  }

  /// The same from the command line: trained to give back what it reads, and asked for anomalies.
  @Test func anAutoencoderAsTyped() async throws {
    let place = try Workplace()
    for name in ["autoencoder.keras", "pump.csv", "pump-later.csv"] { try place.copy("examples/" + name, as: name) }
    func succeeds(_ arguments: String...) async throws -> Outcome {
      let outcome = try await place.run(arguments)
      #expect(outcome.code == 0, "\(arguments): \(outcome.stderr)")
      return outcome
    }
    _ = try await succeeds("import", "autoencoder.keras", "-o", "first.h5")
    let asked = try await place.run("finetune", "first.h5", "--data", "pump.csv")
    #expect(asked.code == 64 && asked.stderr.contains("is trained with --reconstruct"), "\(asked.stderr)")
    let wrong = try await place.run("finetune", "first.h5", "--data", "pump.csv", "--reconstruct", "--window", "48")
    #expect(wrong.code == 64 && wrong.stderr.hasPrefix("error: --window 48: the model gives back 24 rows\n"))
    let other = try await place.run("finetune", "first.h5", "--data", "pump.csv", "--reconstruct", "--target", "flow")
    #expect(other.code == 64 && other.stderr.contains("--reconstruct cannot be combined with --target"))
    let tuned = try await succeeds(
      "finetune", "first.h5", "--data", "pump.csv", "--reconstruct", "--freeze", "layer0", "--epochs", "12", "--lr",
      "1e-2", "--schedule", "one-cycle", "--anomaly-quantile", "0.995")
    #expect(tuned.stdout.contains("24 rows in and the same out"))
    #expect(tuned.stdout.contains("\nanomalies: errors above 0."))
    #expect(tuned.stdout.contains(", which 99.5 % of the training data lie below\n"))
    let found = try await succeeds("predict", "finetuned.h5", "--data", "pump-later.csv")
    let rows = found.stdout.split(separator: "\n").map { $0.split(separator: ",").map(String.init) }
    #expect(rows.count == 401 && rows[0] == ["time", "error", "anomaly"])
    let flagged = rows.indices.dropFirst().filter { rows[$0][2] == "1" }.map { $0 - 1 }
    #expect(flagged.contains { 130..<142 ~= $0 } && flagged.contains { 220..<226 ~= $0 })
    #expect(flagged.allSatisfy { row in [124..<148, 214..<232, 304..<328].contains { $0.contains(row) } })
    #expect(found.stderr.contains("note: \(flagged.count) rows of 400 are anomalies: threshold 0."))
    // Another threshold; and what it gives back.
    let none = try await succeeds("predict", "finetuned.h5", "--data", "pump-later.csv", "--anomaly-threshold", "9")
    #expect(none.stderr.contains("no row is an anomaly: threshold 9"))
    _ = try await succeeds("predict", "finetuned.h5", "--data", "pump-later.csv", "-o", "y.npy")
    #expect(try NPY.read(contentsOf: place.path("y.npy")).shape == [377, 24, 3])
    let measured = try await succeeds("evaluate", "finetuned.h5", "--data", "pump-later.csv")
    #expect(measured.stdout.hasPrefix("finetuned.h5 on pump-later.csv: 377 sequences, mse 0."))
  }
}
