import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

/// A run shown again, and what a run shows while it goes.
@Suite(.serialized) struct ReportTests {
  private static let finetune = [
    "finetune", "--data", "mine.csv", "--target", "temp", "--window", "48", "--epochs", "4", "--patience", "0",
    "--run", "run",
  ]

  private func workplace(_ more: [String] = []) async throws -> (Workplace, Outcome) {
    let place = try Workplace()
    try place.copy("demo/seattle.h5", as: "model.h5")
    try place.writeSeries()
    return (place, try await succeeds(place, Self.finetune + more))
  }

  /// The table of epochs, and the curve below it.
  private func table(_ text: String) -> [Substring] {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    return Array(lines.drop { !$0.hasPrefix("epoch ") }.prefix { !$0.isEmpty })
  }

  @Test func showsTheRunAgain() async throws {
    let (place, tuning) = try await workplace()
    let rows = table(tuning.stdout)
    // The header, four epochs, the curve, and the forecast of the best.
    #expect(rows.count == 7 && rows[6].hasPrefix("  truth "))
    let curve = rows[5]
    #expect(curve.hasPrefix("validation loss  ") && curve.count == 17 + 4, "\(curve)")
    let before = try place.contents()

    let report = try await succeeds(place, "report", "run/")
    #expect(table(report.stdout) == rows)
    #expect(report.stdout.hasPrefix("run: model.h5 on mine.csv, "))
    #expect(report.stdout.contains("\npretrained: loss ") && report.stdout.contains("\nfinished: 4 of 4 epochs done\n"))
    let result = try #require(tuning.stdout.split(separator: "\n").first { $0.hasPrefix("pretrained -> fine-tuned: ") })
    let again = try #require(report.stdout.split(separator: "\n").first { $0.hasPrefix("pretrained -> fine-tuned: ") })
    // What it took is that of the epochs alone.
    #expect(result.split(separator: "(").first == again.split(separator: "(").first)
    #expect(report.stdout.contains("\nwrote run/report.html, run/loss.svg, run/gradients.svg\n"))
    #expect(report.stdout.contains("\nnext  lstm-ft predict finetuned.h5 --data mine.csv\n"))
    var after = try place.contents()
    #expect(
      after["run/loss.svg"] == before["run/loss.svg"] && after["run/gradients.svg"] == before["run/gradients.svg"])
    after["run/report.html"] = before["run/report.html"]
    #expect(after == before, "and nothing else is touched")
    try isXML(place, "run/report.html")
  }

  @Test func aPageElsewhereLeavesTheFolderAlone() async throws {
    let (place, _) = try await workplace()
    let before = try place.contents()
    let report = try await succeeds(place, "report", "run", "-o", "page.html", "--quiet")
    #expect(report.stdout.isEmpty && report.stderr.isEmpty)
    var after = try place.contents()
    #expect(after.removeValue(forKey: "page.html") != nil && after == before)
    try isXML(place, "page.html")
    for name in ["log.jsonl", "best.h5", "config.json"] {
      let outcome = try await place.run("report", "run", "-o", "run/" + name)
      #expect(outcome.code == 64 && outcome.stderr.contains("the output would overwrite one of the inputs"))
    }
    #expect(try place.contents()["run/log.jsonl"] == before["run/log.jsonl"])
  }

  @Test func jsonIsOneObject() async throws {
    struct Answer: Decodable {
      struct Epoch: Decodable {
        let epoch: Int
        let trainingLoss: Double
        let seconds: Double
      }
      let run: String
      let ending: String?
      let state: String
      let steps: Int
      let epochCount: Int
      let epochs: [Epoch]
      let files: [String]
    }
    let (place, _) = try await workplace()
    let outcome = try await succeeds(place, "report", "run", "--json")
    #expect(outcome.stdout.filter { $0 == "\n" }.count == 1)
    let answer = try JSONDecoder().decode(Answer.self, from: Data(outcome.stdout.utf8))
    #expect(answer.run == "run" && answer.ending == "finished" && answer.epochs.map(\.epoch) == [1, 2, 3, 4])
    #expect(answer.epochCount == 4 && answer.steps > 4 && answer.files.contains("run/report.html"))
    // A run that was killed has no ending.
    let log = try place.read("run/log.jsonl").split(separator: "\n")
    try place.write("run/log.jsonl", log.dropLast(3).joined(separator: "\n") + "\n{\"half")
    let killed = try await succeeds(place, "report", "run", "--json")
    let other = try JSONDecoder().decode(Answer.self, from: Data(killed.stdout.utf8))
    #expect(other.ending == nil && other.epochCount == 3)
    #expect(other.state == "unfinished: still running, or killed; 3 of 4 epochs done")
    #expect(killed.stderr.contains("\nnote: the log ends in an incomplete line, which is ignored\n"))
    #expect(killed.stderr.contains("next  lstm-ft finetune --resume run\n"))
  }

  @Test func whatIsNoRunIsExplained() async throws {
    let place = try Workplace()
    try place.makeFolder("empty")
    try place.makeFolder("bad")
    try place.write("bad/log.jsonl", "{\"event\":\"start\",\"validation\":{\"loss\":1,\"examples\":1}}\nwhat\n")
    try place.write("file", "x")
    for (path, code, text) in [
      ("nowhere", Int32(66), "nowhere: no such file"), ("empty", 66, "empty/log.jsonl: no such file"),
      ("file", 66, "file/log.jsonl: no such file"),
      ("bad", 65, "bad/log.jsonl: line 2 is not a line of a run's log: it is not JSON"),
    ] {
      let outcome = try await place.run("report", path)
      #expect(outcome.code == code && outcome.stderr == "error: \(text)\n", "\(outcome.stderr)")
      #expect(outcome.stdout.isEmpty)
    }
    #expect(!FileManager.default.fileExists(atPath: place.path("bad/report.html")))
    try place.write("bad/log.jsonl", "")
    let output = try await place.run("report", "bad", "-o", "none/page.html")
    #expect(output.code == 73, "\(output.stderr)")
  }

  /// Names and texts of a folder from elsewhere do nothing to the terminal.
  @Test func hostileTextStaysText() async throws {
    let place = try Workplace()
    try place.makeFolder("run")
    let word = #""\u001b[2J\u009b31m\u202e\u0007""#
    try place.write(
      "run/log.jsonl",
      """
      {"event":"start","validation":{"loss":1,"examples":1}}
      {"event":"sample","epoch":0,"prompt":\(word),"text":\(word)}
      {"event":"sample","epoch":0,"column":\(word),"truth":[1,2],"forecast":[2,1]}
      {"event":"end","ending":"failed","reason":\(word)}

      """)
    try place.write(
      "run/config.json", #"{"model":\#(word),"data":\#(word),"output":\#(word),"start":\#(word),"epochs":-5}"#)
    for flag in ["--quiet", "--json", "-o=page.html"] {
      let outcome = try await place.run("report", "run", flag == "-o=page.html" ? "--output=page.html" : flag)
      #expect(outcome.code == 0, "\(outcome.stderr)")
      let text = (outcome.stdout + outcome.stderr).unicodeScalars
      #expect(!text.contains { ($0.value < 0x20 && $0 != "\n") || $0 == "\u{9b}" || $0 == "\u{202e}" })
    }
    try isXML(place, "run/report.html")
  }

  @Test func aLossThatIsNoNumberIsOnThePage() async throws {
    let place = try Workplace()
    try place.copy("demo/seattle.h5", as: "model.h5")
    try place.writeSeries()
    let tuning = try await place.run(Self.finetune + ["--lr", "1e30", "--clip-norm", "0"])
    #expect(tuning.code == 65)
    let reason = try #require(tuning.stderr.split(separator: "\n").first?.dropFirst("error: ".count))
    #expect(try place.read("run/report.html").contains(reason))
    let report = try await succeeds(place, "report", "run")
    #expect(report.stdout.contains("\n\(reason)\n"))
    #expect(report.stdout.contains("\ntry a --learning-rate below 1e+30, a smaller --clip-norm, or lstm-ft lr-find\n"))
  }

  @Test func anInterruptedRunSaysSoAndGoesOn() async throws {
    let place = try Workplace()
    try place.copy("demo/seattle.h5", as: "model.h5")
    try place.writeSeries()
    let stopped = try await place.run(Self.finetune.map { $0 == "4" ? "2000" : $0 }, interrupt: (SIGINT, "\n2/2000 "))
    #expect(stopped.code == 130)
    #expect(stopped.stdout.contains("\nvalidation loss  "))
    let page = try place.read("run/report.html")
    #expect(
      page.contains("stopped by a signal after a finished step") && page.contains("lstm-ft finetune --resume run"))
    let report = try await succeeds(place, "report", "run")
    #expect(report.stdout.contains("\nstopped by a signal after a finished step; "))
    #expect(report.stdout.contains("\nnext  lstm-ft finetune --resume run\n"))
  }
}
