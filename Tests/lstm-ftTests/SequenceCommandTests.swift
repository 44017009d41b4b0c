import Foundation
import TestSupport
import Testing

/// Tags and labels in order, as a person types it: crf and ctc from data to answers.
@Suite(.serialized) struct SequenceCommandTests {
  struct Evaluation: Decodable {
    struct Metrics: Decodable {
      let loss: Double
      let accuracy: Double?
      let sequenceAccuracy: Double?
      let errorRate: Double?
    }
    let metrics: Metrics
  }

  @discardableResult
  private func succeeds(_ place: Workplace, _ arguments: [String]) async throws -> Outcome {
    let outcome = try await place.run(arguments)
    #expect(outcome.code == 0, "\(arguments): \(outcome.stderr)")
    return outcome
  }

  @discardableResult
  private func succeeds(_ place: Workplace, _ arguments: String...) async throws -> Outcome {
    try await succeeds(place, arguments)
  }

  private func json<Value: Decodable>(_ outcome: Outcome, as type: Value.Type = Value.self) throws -> Value {
    try JSONDecoder().decode(type, from: Data(outcome.stdout.utf8))
  }

  private static func number(_ value: Double) -> String { String(format: "%.3f", value) }

  private static func network(_ place: Workplace) throws {
    try place.write(
      "network.json",
      #"{"input": {"features": 2}, "layers": [{"hidden": 12, "bidirectional": true}], "readout": "all"}"#)
  }

  /// A tag B, I or O a row, where I only follows B and I, which look alike.
  private static func tags() -> String {
    var random = SplitMix(state: 1)
    var text = "sentence,x1,x2,tag\n"
    for sequence in 0..<60 {
      var tag = "O"
      for _ in 0..<Int.random(in: 3...9, using: &random) {
        let choices = tag == "O" ? ["O", "O", "B"] : tag == "B" ? ["I", "I", "O"] : ["I", "O"]
        tag = choices.randomElement(using: &random) ?? tag
        let x = (tag == "O" ? 0 : 1) + Double.random(in: -0.6...0.6, using: &random)
        text += "s\(sequence),\(number(x)),\(number(.random(in: -1...1, using: &random))),\(tag)\n"
      }
    }
    return text
  }

  /// Words of the letters a, b and c, of each three rows, the word on the first of them.
  private static func words() -> String {
    let codes = ["a": (1.0, 0.0), "b": (0.0, 1.0), "c": (1.0, 1.0)]
    var random = SplitMix(state: 2)
    var text = "id,x1,x2,said\n"
    for sequence in 0..<80 {
      let letters = (0..<Int.random(in: 1...4, using: &random)).map { _ in
        ["a", "b", "c"].randomElement(using: &random) ?? "a"
      }
      var said = letters.joined()
      for letter in letters {
        for step in 0..<3 {
          let code = step < 2 ? codes[letter] ?? (0, 0) : (0, 0)
          let x = [code.0, code.1].map { number($0 + .random(in: -0.2...0.2, using: &random)) }
          text += "w\(sequence),\(x[0]),\(x[1]),\(said)\n"
          said = ""
        }
      }
    }
    return text
  }

  @Test func aTaggerIsTrainedMeasuredAndAsked() async throws {
    let place = try Workplace()
    try Self.network(place)
    try place.write("tags.csv", Self.tags())
    let columns = ["--data", "tags.csv", "--sequence-id", "sentence", "--label-column", "tag"]
    let tuning = try await succeeds(
      place,
      ["finetune", "network.json", "--from-scratch", "--loss", "crf", "--epochs", "20", "--lr", "0.03"]
        + ["--batch-size", "8", "--patience", "0"] + columns)
    #expect(
      tuning.stdout.contains("note   crf: a CRF over the model's 3 tags, whose transitions start from random values\n"))
    #expect(tuning.stdout.contains("crf                  15  trainable"))
    let found: Evaluation = try await json(
      succeeds(place, "evaluate", "finetuned.h5", "--data", "tags.csv", "--json"))
    #expect(try #require(found.metrics.accuracy) > 0.85)
    #expect(try #require(found.metrics.sequenceAccuracy) > 0.5)
    // The model knows its loss; another does not see the transitions.
    let other = try await place.run("evaluate", "finetuned.h5", "--data", "tags.csv", "--loss", "cross-entropy")
    #expect(other.code == 64)
    #expect(other.stderr.contains("--loss cross-entropy: the model ends in a CRF, which only crf sees and trains"))
    let answers = try await succeeds(place, "predict", "finetuned.h5", "--data", "tags.csv")
    let rows = answers.stdout.split(separator: "\n").map { $0.split(separator: ",").map(String.init) }
    #expect(rows[0] == ["sequence", "step", "label", "B", "I", "O"])
    #expect(rows.count == Self.tags().split(separator: "\n").count)
    #expect(!zip(rows.dropFirst(), rows.dropFirst(2)).contains { $0[0] == $1[0] && $0[2] == "O" && $1[2] == "I" })
    for row in rows.dropFirst() {
      #expect(abs(row.dropFirst(3).compactMap { Double($0) }.reduce(0, +) - 1) < 1e-4)
    }
    // Again, with the transitions frozen.
    let frozen = try await succeeds(
      place,
      ["finetune", "finetuned.h5", "--freeze", "crf", "--epochs", "1", "-o", "again.h5", "--reduction", "token-mean"]
        + ["--loss", "crf", "--validation-split", "0"] + columns)
    #expect(frozen.stdout.contains("crf                  15  frozen"))
    let (before, after) = (try place.checkpoint("finetuned.h5"), try place.checkpoint("again.h5"))
    for (name, isSame) in [("crf.transitions", true), ("crf.end_transitions", true), ("head.0.weight", false)] {
      #expect(try (before[name]?.bytes() == after[name]?.bytes()) == isSame, "\(name)")
    }
  }

  @Test func aReaderIsTrainedMeasuredAndAsked() async throws {
    let place = try Workplace()
    try Self.network(place)
    try place.write("words.csv", Self.words())
    let columns = ["--data", "words.csv", "--sequence-id", "id", "--label-column", "said"]
    try await succeeds(
      place,
      [
        "finetune", "network.json", "--from-scratch", "--loss", "ctc", "--blank", "-1", "--epochs", "30", "--lr",
        "0.03",
        "--patience", "0",
      ] + columns)
    // The blank, the columns and the classes are the model's.
    let found: Evaluation = try await json(
      succeeds(place, "evaluate", "finetuned.h5", "--data", "words.csv", "--json"))
    #expect(try #require(found.metrics.errorRate) < 0.05)
    #expect(try #require(found.metrics.sequenceAccuracy) > 0.9)
    let text = try await succeeds(place, "evaluate", "finetuned.h5", "--data", "words.csv")
    #expect(text.stdout.contains(", character error rate "))
    let answers = try await succeeds(place, "predict", "finetuned.h5", "--data", "words.csv")
    let rows = answers.stdout.split(separator: "\n").map { $0.split(separator: ",").map(String.init) }
    let words = Self.words().split(separator: "\n").dropFirst().map {
      $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }.filter { !$0[3].isEmpty }
    #expect(rows[0] == ["sequence", "labels"] && rows.count == words.count + 1)
    let right = zip(rows.dropFirst(), words).count { $0 == [$1[0], $1[3]] }
    #expect(Double(right) > 0.9 * Double(words.count))
    let searched = try await succeeds(place, "predict", "finetuned.h5", "--data", "words.csv", "--beam", "8")
    #expect(searched.stdout.hasPrefix("sequence,labels,probability\nw0,\(words[0][3]),0.9"))
    let refused = try await place.run("predict", "finetuned.h5", "--data", "words.csv", "--beam", "0")
    #expect(refused.code == 64 && refused.stderr.contains("--beam 0: expected at least 1"))
  }

  @Test func optionsThatDoNotApply() async throws {
    let place = try Workplace()
    try Self.network(place)
    try place.write("words.csv", Self.words())
    for (options, text) in [
      (["--loss", "mse", "--blank", "0"], "--blank needs --loss ctc"),
      (["--loss", "crf", "--zero-infinity"], "--zero-infinity needs --loss ctc"),
      (["--reduction", "mean"], "--reduction needs --loss crf or ctc"),
      (["--label-unit", "words", "--sequence-id", "id", "--label-column", "said"], "--label-unit needs --loss ctc"),
    ] {
      let outcome = try await place.run(
        ["finetune", "network.json", "--from-scratch", "--data", "words.csv"] + options)
      #expect(outcome.code == 64 && outcome.stderr.contains(text), "\(outcome.stderr)")
    }
  }
}
