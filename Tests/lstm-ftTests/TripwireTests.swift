import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import TestSupport
import Testing

/// What people trip over in fine-tuning elsewhere, as far as the command line is concerned: 1, 6, 7 and 10. What is about
/// the loop (2 to 5, 8 and 9) is tested in the library.
@Suite(.serialized) struct TripwireTests {
  /// A series and the network for it.
  private func workplace(_ importing: String...) async throws -> Workplace {
    let place = try Workplace()
    try place.copy("demo/seattle.h5", as: "weights.h5")
    try place.writeSeries()
    try await succeeds(place, ["import", "weights.h5"] + importing)
    return place
  }

  private static let finetune = [
    "finetune", "--data", "mine.csv", "--target", "temp", "--window", "48", "--epochs", "1",
  ]

  private func bytes(_ place: Workplace, _ file: String) throws -> [String: [UInt8]] {
    try Dictionary(uniqueKeysWithValues: place.checkpoint(file).tensors.map { ($0.name, try $0.bytes()) })
  }

  // MARK: - 1

  @Test("1. Freezing has an effect, the plan is printed first, and a pattern that matches nothing is refused")
  func freezingHasAnEffect() async throws {
    let place = try await workplace()
    for option in ["--freeze", "--unfreeze"] {
      for (typo, near) in [("layr0", "layer0"), ("lstm.wieght_hh_l0", "lstm.weight_hh_l0"), ("haed", "head")] {
        let before = try place.contents()
        let refused = try await place.run(Self.finetune + [option, typo])
        #expect(refused.code == 64)
        let lines = refused.stderr.split(separator: "\n")
        #expect(lines.first == "error: \"\(typo)\" matches no part of this model")
        #expect(lines.count == 3 && lines[1].hasPrefix("  did you mean \(near)"), "\(refused.stderr)")
        #expect(try place.contents() == before)
      }
    }

    func plan(_ outcome: Outcome) throws -> [String] {
      let lines = outcome.stdout.split(separator: "\n").map(String.init)
      let first = try #require(lines.firstIndex(of: "plan"))
      let step = try #require(lines.firstIndex { $0.hasPrefix("pretrained: ") })
      #expect(first < step, "the plan comes before anything runs")
      return lines[first + 1..<first + 4].map {
        $0.split(separator: " ", omittingEmptySubsequences: true).joined(separator: " ")
      }
    }
    let below = try await succeeds(
      place, Self.finetune + ["--freeze", "layer0", "--lr-for", "layer1=1e-4", "-o", "a.h5"])
    #expect(
      try plan(below) == [
        "layer0 17,152 frozen", "layer1 33,280 trainable, rate 0.0001", "head.0 1,560 trainable, rate 0.001",
      ])
    #expect(below.stdout.contains("\ncache  outputs of layer0: "))
    let above = try await succeeds(place, Self.finetune + ["--freeze", "layer1", "-o", "b.h5"])
    #expect(
      try plan(above) == [
        "layer0 17,152 trainable, rate 0.001", "layer1 33,280 frozen, gradient passes through",
        "head.0 1,560 trainable, rate 0.001",
      ])
    #expect(!above.stdout.contains("cache"))
    // And so it was.
    let source = try bytes(place, "model.h5")
    for (file, frozen) in [("a.h5", "_l0"), ("b.h5", "_l1")] {
      let found = try bytes(place, file)
      for (name, values) in source { #expect((found[name] == values) == name.hasSuffix(frozen), "\(file): \(name)") }
    }
  }

  // MARK: - 6

  private func preprocessing(_ place: Workplace, _ file: String) throws -> Preprocessing {
    try place.checkpoint(file).preprocessing
  }

  @Test("6. A scaler is kept in the file, shown old against new, and refitted only when asked")
  func scalersAreKept() async throws {
    let place = try await workplace("--scaler", "54.0378,9.5609")
    let old = Scaler(mean: [54.0378], deviation: [9.5609])
    #expect(try preprocessing(place, "model.h5").inputScaler == old)
    // The first rows, of which the last fifth is for validation.
    let table = try CSVTable(contentsOf: place.path("mine.csv"))
    let new = try SeriesData(table, features: ["temp"], targets: ["temp"], window: 48, horizon: 24).scalers([0..<104])
    func said(_ scaler: Scaler) -> String {
      String(format: "mean %.4g, deviation %.4g", scaler.mean[0], scaler.deviation[0])
    }
    for option in [[], ["--scaler", "keep"]] {
      let kept = try await succeeds(place, Self.finetune + ["-o", "kept.h5"] + option)
      #expect(
        kept.stdout.contains(
          "note   scaler: the model's is kept (\(said(old))); the training data's own: \(said(new.inputs))\n"))
      let record = try preprocessing(place, "kept.h5")
      #expect(record.inputScaler == old && record.targetScaler == old)
    }
    let refitted = try await succeeds(place, Self.finetune + ["-o", "refitted.h5", "--scaler", "refit"])
    #expect(
      refitted.stdout.contains(
        "note   scaler: fitted on the training part (\(said(new.inputs))); the model's was \(said(old))\n"))
    let record = try preprocessing(place, "refitted.h5")
    #expect(record.inputScaler == new.inputs && record.targetScaler == new.targets && new.inputs != old)
    // What is in the file is what a forecast goes by: degrees, not deviations.
    let forecast = try await succeeds(place, "predict", "kept.h5", "--data", "mine.csv")
    let degrees = forecast.stdout.split(separator: "\n").dropFirst().compactMap { Float($0.split(separator: ",")[2]) }
    #expect(degrees.count == 24 && degrees.allSatisfy { 30..<80 ~= $0 }, "\(degrees)")
  }

  @Test("6. A vocabulary is kept in the file, its unknown rate is said, and it grows by mean rows only when asked")
  func vocabulariesAreKept() async throws {
    let place = try Workplace()
    let letters = ["a", "b", "c", " "]
    let configuration = ModelConfiguration(
      input: .tokens(vocabulary: 5, size: 3), layers: [.init(hiddenSize: 4)], readout: .all,
      head: [.init(size: 5, activation: .softmax)])
    try LSTMModel(configuration, seed: 1).write(path: place.path("weights.h5"), as: .native)
    let numbers = Dictionary(uniqueKeysWithValues: letters.enumerated().map { ($1, $0 + 1) })
    try place.write("v.json", JSONEncoder().encode(numbers))
    try await succeeds(place, "import", "weights.h5", "--vocabulary", "v.json")
    // A quarter of it is unknown.
    try place.write("t.txt", String(repeating: "ab zc ay", count: 30))
    let arguments = ["finetune", "--text", "t.txt", "--window", "8", "--epochs", "1", "--freeze", "lstm"]
    let kept = try await succeeds(place, arguments + ["-o", "kept.h5"])
    #expect(kept.stdout.contains("t.txt: 240 characters (25.0 % not in the vocabulary)\n"), "\(kept.stdout)")
    #expect(try preprocessing(place, "kept.h5").vocabulary == preprocessing(place, "model.h5").vocabulary)
    // At no rate at all the new rows are what they began with.
    let grown = try await succeeds(
      place, arguments + ["-o", "grown.h5", "--extend-vocabulary", "--lr", "1e-30", "--optimizer", "sgd"])
    #expect(
      grown.stdout.contains("note   vocabulary: 2 characters added, with the mean of the others' weights: y z\n"),
      "\(grown.stdout)")
    #expect(grown.stdout.contains("t.txt: 240 characters\n"))
    let (old, new) = (try place.checkpoint("model.h5"), try place.checkpoint("grown.h5"))
    for (name, width) in [("embedding.weight", 3), ("head.0.weight", 4), ("head.0.bias", 1)] {
      let (before, after) = (try #require(old[name]).floats(), try #require(new[name]).floats())
      #expect(Array(after.prefix(before.count)) == before && after.count == before.count + 2 * width)
      for column in 0..<width {
        let mean = (0..<5).reduce(0.0) { $0 + Double(before[$1 * width + column]) } / 5
        for row in 5..<7 { #expect(abs(Double(after[row * width + column]) - mean) <= 1e-6, "\(name)") }
      }
    }
    try await succeeds(place, "generate", "grown.h5", "--prompt", "zy", "--length", "3")
  }

  // MARK: - 7

  @Test("7. A series is split in time: what is validated comes after all that was learned from")
  func seriesAreSplitInTime() async throws {
    let place = try await workplace("--scaler", "54.0378,9.5609", "--readout", "last")
    let tuning = try await succeeds(place, Self.finetune + ["--run", "run", "--seed", "3"])
    #expect(tuning.stdout.contains("130 rows; "))
    // 104 rows to learn from hold 33 windows of 48 and 24 rows; the last 26 rows hold 3 of 24.
    #expect(tuning.stdout.contains("33 windows to train on, 3 for validation (the last rows)\n"), "\(tuning.stdout)")
    // The loss before the first step is that of the last rows and the window before them, and of no others.
    let rows = try place.read("mine.csv").split(separator: "\n")
    try place.write("end.csv", ([rows[0]] + rows.suffix(26 + 48)).joined(separator: "\n") + "\n")
    struct Evaluation: Decodable {
      struct Metrics: Decodable { let loss: Double }
      let metrics: Metrics
    }
    let evaluated = try await succeeds(
      place, "evaluate", "--data", "end.csv", "--target", "temp", "--window", "48", "--horizon", "24", "--json")
    let expected = try JSONDecoder().decode(Evaluation.self, from: Data(evaluated.stdout.utf8)).metrics.loss
    struct Start: Decodable {
      struct Metrics: Decodable { let loss: Double }
      let event: String
      let metrics: Metrics?
      let validation: Metrics?
    }
    let start = try #require(
      try place.read("run/log.jsonl").split(separator: "\n").map {
        try JSONDecoder().decode(Start.self, from: Data($0.utf8))
      }.first { $0.event == "start" })
    let found = try #require(start.metrics ?? start.validation).loss
    #expect(abs(found - expected) <= 1e-9 * expected)
    // Nothing that training looks at lies in the last rows: with those spoilt it takes the same steps.
    let spoilt = rows.dropLast(26) + rows.suffix(26).map { $0.replacing(/^[0-9.]+/, with: "99.9") }
    try place.write("mine.csv", spoilt.joined(separator: "\n") + "\n")
    try await succeeds(place, Self.finetune + ["--run", "spoilt", "--seed", "3", "-o", "other.h5"])
    func steps(_ run: String) throws -> [Substring] {
      try place.read(run + "/log.jsonl").split(separator: "\n").filter { $0.contains("\"step\"") }
    }
    let taken = try steps("run")
    #expect(try taken == steps("spoilt") && !taken.isEmpty)
    #expect(try place.read("run/log.jsonl") != place.read("spoilt/log.jsonl"))
  }

  // MARK: - 10

  @Test("10. A head of another size is asked for by name, replaced by --head new:9, and nothing else is")
  func headsAreReplaced() async throws {
    let place = try Workplace()
    let configuration = ModelConfiguration(
      input: .features(size: 1), layers: [.init(hiddenSize: 6), .init(hiddenSize: 6)], readout: .all,
      head: [.init(size: 5, activation: .relu), .init(size: 4)])
    try LSTMModel(configuration, seed: 7).write(path: place.path("model.h5"), as: .native)
    var rows = "walk,speed,gait\n"
    for walk in 0..<30 {
      for step in 0..<4 { rows += "w\(walk),\((walk * 4 + step) % 9),g\((walk * 4 + step) % 9)\n" }
    }
    try place.write("d.csv", rows)
    let arguments = [
      "finetune", "--data", "d.csv", "--sequence-id", "walk", "--label-column", "gait", "--freeze", "lstm", "--freeze",
      "head.0", "--epochs", "1",
    ]
    let refused = try await place.run(arguments)
    #expect(refused.code == 65 && refused.stderr.contains("--head new:9"), "\(refused.stderr)")
    let tuning = try await succeeds(place, arguments + ["--head", "new:9"])
    #expect(
      tuning.stdout.contains(
        "note   head: a new dense layer 5 -> 9 with random values replaces head.1, which gave 4\n"), "\(tuning.stdout)")
    let (old, new) = (try bytes(place, "model.h5"), try bytes(place, "finetuned.h5"))
    #expect(old.keys == new.keys)
    for (name, values) in old { #expect((new[name] == values) == !name.hasPrefix("head.1"), "\(name)") }
    #expect(try place.checkpoint("finetuned.h5")["head.1.weight"]?.shape == [9, 5])
    #expect(try place.checkpoint("finetuned.h5")["head.1.bias"]?.shape == [9])
  }
}
