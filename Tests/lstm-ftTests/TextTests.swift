import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing

/// Texts and labeled tables, as a person types it.
@Suite(.serialized) struct TextTests {
  static let text = String(repeating: "the cat sat on the mat.\n", count: 40)

  /// `weights.h5`, a model of characters, and `v.json`, textgenrnn's way.
  private func workplace(_ readout: PlainStack.Readout = .all, outputs: Int? = nil) throws -> Workplace {
    let place = try Workplace()
    let letters = Array("thecasonm. \n").map { String($0) }
    let configuration = ModelConfiguration(
      input: .tokens(vocabulary: 14, size: 8), layers: [.init(hiddenSize: 16)], readout: readout,
      head: [.init(size: outputs ?? 14, activation: outputs == nil ? .softmax : .none)])
    try LSTMModel(configuration, seed: 1).write(path: place.path("weights.h5"), as: .native)
    let pairs = (letters + ["<s>"]).enumerated().map { [$1: $0 + 1] }
    let object = pairs.reduce(into: [String: Int]()) { $0.merge($1) { a, _ in a } }
    try place.write("v.json", JSONEncoder().encode(object))
    try place.write("t.txt", Self.text)
    return place
  }

  private struct Evaluation: Decodable {
    struct Metrics: Decodable {
      let bitsPerToken: Double?
      let perplexity: Double?
      let accuracy: Double?
      let macroF1: Double?
      let r2: Double?
      let mase: Double?
    }
    let metrics: Metrics
    let tokens: Int?
    let unknownTokens: Int?
    let confusion: [[Int]]?
    let classes: [String]?
    let naiveError: Double?
  }

  private func json<Value: Decodable>(_ outcome: Outcome, as type: Value.Type = Value.self) throws -> Value {
    try JSONDecoder().decode(type, from: Data(outcome.stdout.utf8))
  }

  // MARK: - Configurations

  @Test func aConfigurationIsTrainedFromFreshValues() async throws {
    let place = try Workplace()
    try place.write("t.txt", Self.text)
    try place.write(
      "network.json",
      #"{"input": {"vocabulary": 20, "embedding": 8}, "layers": [{"hidden": 16}], "readout": "all", "head": [{"size": 20}]}"#
    )
    let bare = try await place.run("finetune", "network.json", "--text", "t.txt")
    #expect(bare.code == 65)
    #expect(
      bare.stderr.hasPrefix(
        "error: network.json: it describes a network, but holds no weights\n"
          + "  to train it from scratch: lstm-ft finetune network.json --from-scratch --data FILE\n"))
    let arguments = ["finetune", "network.json", "--from-scratch", "--text", "t.txt", "--window", "24", "--run", "run"]
    let tuning = try await succeeds(place, arguments + ["--lr", "0.03", "--epochs", "4"])
    #expect(tuning.stdout.contains("\nuntrained -> trained: bits per character "))
    try await succeeds(place, "generate", "finetuned.h5", "--prompt", "the", "--length", "5")
    // The same seed, the same run.
    let again = try await succeeds(
      place, arguments.dropLast() + ["again", "--lr", "0.03", "--epochs", "4", "-o", "again.h5"])
    #expect(try await place.run("diff", "finetuned.h5", "again.h5").code == 0 && again.code == 0)
    try place.write("network.json", #"{"input": {"features": 1000000}, "layers": [{"hidden": 1000000}]}"#)
    let huge = try await place.run("finetune", "network.json", "--from-scratch", "--data", "t.txt")
    #expect(huge.code == 64 && huge.stderr.contains("more memory than this machine has"))
    try place.write("network.json", "{")
    let broken = try await place.run("finetune", "network.json", "--from-scratch", "--data", "t.txt")
    #expect(broken.code == 65 && broken.stderr.hasPrefix("error: network.json: "))
  }

  // MARK: - Streams

  @Test func aTextIsReadInStreams() async throws {
    let place = try workplace()
    try await succeeds(place, "import", "weights.h5", "--vocabulary", "v.json")
    let tuning = try await succeeds(
      place, "finetune", "--text", "t.txt", "--chunk", "8", "--streams", "4", "--lr", "0.02", "--epochs", "6")
    #expect(
      tuning.stdout.contains(
        "\n       4 streams of 192 steps in 24 chunks of 8 to train on, with the state carried\n"
          + "       4 streams of 48 steps in 6 chunks of 8 for validation\n"))
    #expect(tuning.stdout.contains("\npretrained -> fine-tuned: bits per character 3."))
    // Whatever the chunks are, one stream is one long pass.
    var found: [Double] = []
    for chunk in ["7", "100", "2000"] {
      let evaluation: Evaluation = try await json(
        succeeds(place, "evaluate", "finetuned.h5", "--text", "t.txt", "--chunk", chunk, "--json"))
      found.append(try #require(evaluation.metrics.bitsPerToken))
    }
    let whole: Evaluation = try await json(
      succeeds(place, "evaluate", "finetuned.h5", "--text", "t.txt", "--window", "960", "--json"))
    let bits = try #require(whole.metrics.bitsPerToken)
    #expect(found.allSatisfy { abs($0 - bits) < 1e-6 * bits } && bits < 2)
    let chart = try await succeeds(
      place, "lr-find", "--text", "t.txt", "--chunk", "8", "--streams", "4", "--steps", "30")
    #expect(chart.stdout.contains("wrote lr-find.svg"))
  }

  @Test(arguments: [
    (["evaluate", "--text", "t.txt", "--streams", "4"], "--streams needs --chunk"),
    (["evaluate", "--text", "t.txt", "--chunk", "0"], "--chunk 0: expected a number from 1 to 65536"),
    (
      ["evaluate", "--text", "t.txt", "--chunk", "4", "--window", "4"],
      "--chunk 4 cannot be combined with --window or --stride, which are for sequences that start from a zero state"
    ),
    (["predict", "--text", "t.txt", "--chunk", "4"], "--chunk does not apply here: each sequence is read as a whole"),
    (
      ["finetune", "--text", "t.txt", "--chunk", "4", "--streams", "1000"],
      "t.txt: 768 tokens to say are too few for 1000 streams"
    ),
  ])
  func whatIsNoStream(_ arguments: [String], _ expected: String) async throws {
    let place = try workplace()
    try await succeeds(place, "import", "weights.h5", "--vocabulary", "v.json")
    let outcome = try await place.run(arguments)
    #expect(outcome.stderr.hasPrefix("error: \(expected)\n"), "\(outcome.stderr)")
    #expect(outcome.code == (expected.hasPrefix("t.txt") ? 65 : 64))
  }

  @Test func theSeparatorIsRemembered() async throws {
    let place = try workplace()
    try await succeeds(place, "import", "weights.h5", "--vocabulary", "v.json")
    try place.write("d.txt", String(repeating: "the cat\n-\nsat on the mat.\n-\n", count: 10))
    try await succeeds(place, "finetune", "--text", "d.txt", "--window", "8", "--separator", "-", "--epochs", "1")
    let known = try await succeeds(place, "evaluate", "finetuned.h5", "--text", "d.txt")
    #expect(known.stdout.contains(", 20 documents, "))
    let said = try await succeeds(place, "evaluate", "finetuned.h5", "--text", "d.txt", "--separator", "-")
    #expect(said.stdout == known.stdout)
  }

  @Test func aSeriesIsReadOnAndOn() async throws {
    let place = try Workplace()
    try place.writeSeries(rows: 200)
    let configuration = ModelConfiguration(
      input: .features(size: 1), layers: [.init(hiddenSize: 8)], readout: .all, head: [.init(size: 3)])
    try LSTMModel(configuration, seed: 1).write(path: place.path("model.h5"), as: .native)
    let tuning = try await succeeds(
      place, "finetune", "--data", "mine.csv", "--target", "temp", "--chunk", "20", "--epochs", "3", "--lr", "0.02")
    #expect(tuning.stdout.contains("mine.csv: 200 rows; temp -> temp, the next 3 out at each\n"))
    #expect(tuning.stdout.contains("1 stream of 157 steps in 8 chunks of 20 to train on, with the state carried\n"))
    #expect(tuning.stdout.contains("1 stream of 38 steps in 2 chunks of 20 for validation\n"))
    // It knows how it is read.
    let known = try await succeeds(place, "evaluate", "finetuned.h5", "--data", "mine.csv")
    let said = try await succeeds(place, "evaluate", "finetuned.h5", "--data", "mine.csv", "--chunk", "33")
    #expect(known.stdout == said.stdout && known.stdout.contains(", MASE ") && known.stdout.contains(", naive MAE "))
    let forecast = try await succeeds(place, "predict", "finetuned.h5", "--data", "mine.csv")
    #expect(forecast.stdout.hasPrefix("date,ahead,temp\n20") && forecast.stdout.split(separator: "\n").count == 4)
    let other = try await place.run("evaluate", "finetuned.h5", "--data", "mine.csv", "--window", "24")
    #expect(other.code == 65 && other.stderr.contains("the model gives an output for each step"))
  }

  @Test func aModelThatReadsBackwardsHasNoStreams() async throws {
    let place = try Workplace()
    try place.writeSeries(rows: 100)
    let configuration = ModelConfiguration(
      input: .features(size: 1), layers: [.init(hiddenSize: 4, isBidirectional: true)], readout: .all,
      head: [.init(size: 1)])
    try LSTMModel(configuration, seed: 1).write(path: place.path("model.h5"), as: .native)
    let outcome = try await place.run(
      "finetune", "--data", "mine.csv", "--target", "temp", "--chunk", "20", "--run", "run")
    #expect(outcome.code == 64 && outcome.stderr.contains("layer0 is bidirectional"))
    #expect(try !place.contents().keys.contains { $0.hasPrefix("run") })
  }

  @Test func aModelOfOneOutputHasNoStreams() async throws {
    let place = try workplace(.last)
    try await succeeds(place, "import", "weights.h5", "--vocabulary", "v.json", "--window", "12")
    let outcome = try await place.run("finetune", "--text", "t.txt", "--chunk", "8")
    #expect(outcome.code == 64)
    #expect(outcome.stderr.contains("--chunk needs a model that gives an output for each step"))
  }

  @Test func arraysAreStreamsWithMarks() async throws {
    let place = try Workplace()
    let configuration = ModelConfiguration(
      input: .features(size: 2), layers: [.init(hiddenSize: 6)], readout: .all, head: [.init(size: 1)])
    try LSTMModel(configuration, seed: 1).write(path: place.path("model.h5"), as: .native)
    let values = (0..<400).map { (place: Int) -> Float in Float((place * 37) % 11) / 11 }
    let marks = (0..<200).map { (place: Int) -> Float in place % 9 == 4 ? 1 : 0 }
    func write(_ marks: [Float]) throws {
      try StoredTensor.write(
        [
          StoredTensor(name: "x", shape: [5, 40, 2], values: values),
          StoredTensor(name: "y", shape: [5, 40, 1], values: Array(values[..<200])),
          StoredTensor(name: "reset", shape: [5, 40], values: marks),
        ], path: place.path("d.h5"), as: .pytorchHDF5)
    }
    try write(marks)
    let tuning = try await succeeds(
      place, "finetune", "--data", "d.h5", "--chunk", "16", "--epochs", "2", "--freeze", "layer0.forget")
    #expect(tuning.stdout.contains("d.h5: 5 streams of 40 steps\n"))
    #expect(tuning.stdout.contains("4 streams of 40 steps in 3 chunks of 16 to train on, with the state carried\n"))
    #expect(tuning.stdout.contains(" partly frozen (180 train), rate 0.001\n"))
    let streamed = try await succeeds(place, "evaluate", "finetuned.h5", "--data", "d.h5", "--chunk", "16")
    let other = try await succeeds(place, "evaluate", "finetuned.h5", "--data", "d.h5", "--chunk", "3")
    #expect(streamed.stdout == other.stdout)
    // Marks are never ignored.
    for command in ["evaluate", "predict", "finetune"] {
      let unread = try await place.run(command, "model.h5", "--data", "d.h5")
      #expect(unread.code == 65 && unread.stderr.hasPrefix("error: d.h5: its reset marks would be ignored"))
    }
    try write(marks.map { $0 * 0.5 })
    let wrong = try await place.run("evaluate", "--data", "d.h5", "--chunk", "3")
    #expect(wrong.code == 65 && wrong.stderr.hasPrefix("error: d.h5: reset: expected "))
  }

  // MARK: - Learning and writing

  @Test(arguments: [PlainStack.Readout.all, .last])
  func aTextIsLearnedAndWritten(_ readout: PlainStack.Readout) async throws {
    let place = try workplace(readout)
    let imported = try await succeeds(place, "import", "weights.h5", "--vocabulary", "v.json", "--window", "12")
    #expect(imported.stdout.contains("note: vocabulary: 13 characters, 0 is padding\n"))
    let tuning = try await succeeds(
      place, "finetune", "--text", "t.txt", "--lr", "0.02", "--epochs", "10", "--stride", readout == .all ? "12" : "5",
      "--batch-size", "16")
    #expect(tuning.stdout.contains("t.txt: 960 characters\n"))
    #expect(tuning.stdout.contains(" for validation (the last part)\n"))
    #expect(tuning.stdout.contains("\npretrained -> fine-tuned: bits per character 3."))
    #expect(tuning.stdout.contains("\nnext  lstm-ft generate finetuned.h5 --prompt TEXT\n"))

    let evaluation: Evaluation = try await json(
      succeeds(place, "evaluate", "finetuned.h5", "--text", "t.txt", "--json"))
    #expect(try #require(evaluation.metrics.bitsPerToken) < 2)
    #expect(evaluation.tokens == 960 && evaluation.unknownTokens == 0 && evaluation.confusion == nil)
    let said = try await succeeds(place, "evaluate", "finetuned.h5", "--text", "t.txt")
    #expect(said.stdout.hasPrefix("finetuned.h5 on t.txt: 960 characters, cross-entropy "))
    #expect(said.stdout.contains(" bits per character"))

    let made = try await succeeds(
      place, "generate", "finetuned.h5", "--prompt", "the cat", "--length", "30", "--temperature", "0")
    #expect(made.stdout.hasPrefix("the cat") && made.stdout.hasSuffix("\n"))
    #expect(made.stderr.isEmpty)
    let again = try await succeeds(
      place, "generate", "finetuned.h5", "--prompt", "the cat", "--length", "30", "--temperature", "0", "--threads", "1"
    )
    #expect(again.stdout == made.stdout)
    // The probabilities of what comes next.
    let next = try await succeeds(place, "predict", "finetuned.h5", "--text", "t.txt", "--readout", "last")
    #expect(next.stdout.split(separator: "\n").count == 2)
  }

  private struct Texts: Decodable {
    struct Text: Decodable, Equatable {
      let prompt: String
      let text: String
      let tokens: Int
      let ending: String
      let seed: Int
    }
    let texts: [Text]
  }

  @Test func generateSaysWhatItMade() async throws {
    let place = try workplace()
    try await succeeds(place, "import", "weights.h5", "--vocabulary", "v.json")
    let made: Texts = try await json(
      succeeds(place, "generate", "--prompt", "the", "--length", "20", "--count", "3", "--seed", "5", "--json"))
    #expect(made.texts.map(\.seed) == [5, 6, 7])
    let second: Texts = try await json(
      succeeds(place, "generate", "--prompt", "the", "--length", "20", "--seed", "6", "--json"))
    #expect(second.texts == [made.texts[1]])
    let plain = try await succeeds(
      place, "generate", "--prompt", "the", "--length", "20", "--count", "3", "--seed", "5")
    #expect(plain.stdout == made.texts.map { "the" + $0.text + "\n" }.joined(separator: "\n"))
    let unknown = try await succeeds(place, "generate", "--prompt", "tXXh", "--length", "1")
    #expect(unknown.stderr == "warning: 2 of the prompt's 4 characters are not in the vocabulary\n")
    // Nobody types: standard input is empty.
    let none: Texts = try await json(succeeds(place, "generate", "--interactive", "--json"))
    #expect(none.texts.isEmpty)
  }

  @Test func aVocabularyGrows() async throws {
    let place = try workplace()
    try await succeeds(place, "import", "weights.h5", "--vocabulary", "v.json")
    try place.write("more.txt", String(repeating: "The dog sat.\n", count: 30))
    let tuning = try await succeeds(
      place, "finetune", "--text", "more.txt", "--extend-vocabulary", "--freeze", "lstm", "--window", "13", "--epochs",
      "1")
    #expect(
      tuning.stdout.contains("note   vocabulary: 3 characters added, with the mean of the others' weights: T d g\n"))
    let (old, new) = (try place.checkpoint("model.h5"), try place.checkpoint("finetuned.h5"))
    #expect(new["embedding.weight"]?.shape == [17, 8] && new["head.0.bias"]?.shape == [17])
    for tensor in old.tensors where tensor.name.hasPrefix("lstm.") {
      #expect(try #require(new[tensor.name]).bytes() == tensor.bytes())
    }
    let evaluation: Evaluation = try await json(
      succeeds(place, "evaluate", "finetuned.h5", "--text", "more.txt", "--json"))
    #expect(evaluation.unknownTokens == 0)
    let before: Evaluation = try await json(
      succeeds(place, "evaluate", "--text", "more.txt", "--window", "13", "--json"))
    #expect(before.unknownTokens == 90)
  }

  @Test func aNewModelTakesItsVocabularyFromTheText() async throws {
    let place = try workplace()
    let tuning = try await succeeds(
      place, "finetune", "weights.h5", "--text", "t.txt", "--from-scratch", "--epochs", "1", "--window", "24")
    #expect(tuning.stdout.contains("note   vocabulary: made from t.txt, 12 tokens: characters\n"))
    try await succeeds(place, "generate", "finetuned.h5", "--prompt", "t", "--length", "5")
  }

  // MARK: - Classification

  @Test func textsAreClassified() async throws {
    let place = try workplace(.mean, outputs: 2)
    try await succeeds(place, "import", "weights.h5", "--vocabulary", "v.json")
    var rows = "body,kind\n"
    for number in 0..<40 {
      let piece = String(repeating: number % 2 == 0 ? "cat " : "moon ", count: 1 + number % 3)
      rows += "\(piece),\(number % 2 == 0 ? "animal" : "thing")\n"
    }
    try place.write("d.csv", rows)
    let tuning = try await succeeds(
      place, "finetune", "--data", "d.csv", "--text-column", "body", "--label-column", "kind", "--head", "new", "--lr",
      "0.03", "--epochs", "12")
    #expect(tuning.stdout.contains("       classes: 0 = animal, 1 = thing\n"))
    let evaluation: Evaluation = try await json(
      succeeds(place, "evaluate", "finetuned.h5", "--data", "d.csv", "--json"))
    #expect(evaluation.classes == ["animal", "thing"] && evaluation.confusion == [[20, 0], [0, 20]])
    #expect(evaluation.metrics.macroF1 == 1 && evaluation.metrics.perplexity == nil)
    let said = try await succeeds(place, "evaluate", "finetuned.h5", "--data", "d.csv")
    #expect(said.stdout.contains("accuracy 100.0 %, macro-F1 1.000\n"))
    #expect(said.stdout.contains("  animal                  20      0    100.0 %  100.0 %\n"))
    // Nobody needs labels to predict.
    try place.write("x.csv", "body\ncat\nmoon moon\n")
    let predicted = try await succeeds(place, "predict", "finetuned.h5", "--data", "x.csv")
    let lines = predicted.stdout.split(separator: "\n")
    #expect(lines.first == "label,animal,thing" && lines.count == 3)
    #expect(lines[1].hasPrefix("animal,0.9") && lines[2].hasPrefix("thing,0.0"))
  }

  @Test func sequencesAreTagged() async throws {
    let place = try Workplace()
    try place.writeBareLSTM()
    var rows = "walk,speed,gait\n"
    for walk in 0..<30 {
      for step in 0...(2 + walk % 4) {
        let speed = Double((walk * 7 + step * 13) % 20) - 10
        rows += "w\(walk),\(speed),\(speed > 0 ? "run" : "rest")\n"
      }
    }
    try place.write("d.csv", rows)
    try await succeeds(
      place, "finetune", "weights.h5", "--data", "d.csv", "--sequence-id", "walk", "--label-column", "gait", "--lr",
      "0.03", "--epochs", "20", "--patience", "0")
    let evaluation: Evaluation = try await json(
      succeeds(place, "evaluate", "finetuned.h5", "--data", "d.csv", "--json"))
    #expect(evaluation.classes == ["rest", "run"] && evaluation.confusion?.joined().reduce(0, +) == 133)
    #expect(try #require(evaluation.metrics.accuracy) > 0.9)
    let predicted = try await succeeds(place, "predict", "finetuned.h5", "--data", "d.csv")
    let lines = predicted.stdout.split(separator: "\n")
    #expect(lines.first == "sequence,step,label,rest,run" && lines.count == 134)
    #expect(lines[1].hasPrefix("w0,0,"))
    let labels: Labels = try await json(succeeds(place, "predict", "finetuned.h5", "--data", "d.csv", "--json"))
    #expect(labels.labels.map(\.count).reduce(0, +) == 133)
  }

  private struct Labels: Decodable { let labels: [[String]] }

  @Test func aSeriesIsComparedWithTheNaiveForecast() async throws {
    let place = try Workplace()
    try place.copy("demo/seattle.h5", as: "weights.h5")
    try place.writeSeries(rows: 200)
    let evaluation: Evaluation = try await json(
      succeeds(place, "evaluate", "weights.h5", "--data", "mine.csv", "--window", "48", "--season", "24", "--json"))
    #expect(evaluation.naiveError != nil && evaluation.metrics.r2 != nil && evaluation.metrics.mase != nil)
    let said = try await succeeds(place, "evaluate", "weights.h5", "--data", "mine.csv", "--window", "48")
    #expect(said.stdout.contains(", MASE ") && said.stdout.contains(", naive MAE "))
  }
}
