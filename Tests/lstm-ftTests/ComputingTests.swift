import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

/// Threads and caches change how long things take, and nothing else.
@Suite(.serialized) struct ComputingTests {
  static func place() async throws -> Workplace {
    let place = try Workplace()
    try place.copy("golden-training/freeze_layer0_weights.h5", as: "weights.h5")
    try place.copy("golden-training/freeze_layer0_data.h5", as: "data.h5")
    try await succeeds(place, "import", "weights.h5")
    return place
  }

  @Test func aRunIsTheSameHoweverItIsComputed() async throws {
    let place = try await Self.place()
    func run(_ name: String, _ options: [String] = []) async throws -> (
      weights: [[UInt8]], steps: [String], said: String
    ) {
      let outcome = try await place.run(
        ["finetune", "--data", "data.h5", "--epochs", "3", "--freeze", "layer0", "--run", name, "-o", name + ".h5"]
          + options)
      #expect(outcome.code == 0, "\(outcome.stderr)")
      let steps = try place.read(name + "/log.jsonl").split(separator: "\n").filter { $0.contains("\"step\"") }
      return (try place.checkpoint(name + ".h5").tensors.map { try $0.bytes() }, steps.map(String.init), outcome.stdout)
    }
    let plain = try await run("plain")
    #expect(plain.steps.count == 9)
    // 96 sequences of 6 steps, twice 16 in a row.
    let size = try #require(plain.said.split(separator: "\n").first { $0.hasPrefix("cache") })
    #expect(size.hasPrefix("cache  outputs of layer0: ") && size.hasSuffix(" in memory"))
    for (name, options) in [
      ("one", ["--threads", "1"]), ("three", ["--threads", "3"]), ("none", ["--no-cache", "--threads", "2"]),
      ("file", ["--cache-memory", "0", "--threads", "5"]),
    ] {
      let other = try await run(name, options)
      #expect(other.weights == plain.weights && other.steps == plain.steps, "\(name)")
      switch name {
      case "none": #expect(!other.said.contains("cache"))
      case "file":
        #expect(
          other.said.contains(size.replacing(" in memory", with: " in a temporary file in file") + "\n"),
          "\(other.said)")
        let names = try FileManager.default.contentsOfDirectory(atPath: place.path(name)).sorted()
        #expect(
          names == [
            "best.h5", "config.json", "gradients.svg", "last.h5", "log.jsonl", "loss.svg", "report.html", "times.jsonl",
          ])
      default: #expect(other.said.contains(size + "\n"))
      }
    }
    #expect(try place.read("one/config.json").contains("\"threads\" : 1"))
    #expect(try place.read("none/config.json").contains("\"isOn\" : false"))
    #expect(try place.read("file/log.jsonl").hasPrefix(#"{"bytes":"#))
  }

  @Test func evaluationsAndPredictionsDoNotDependOnThreads() async throws {
    let place = try await Self.place()
    for command in ["evaluate", "predict"] {
      var answers: Set<String> = []
      for threads in ["1", "2", "5"] {
        answers.insert(
          try await succeeds(place, command, "--data", "data.h5", "--readout", "last", "--threads", threads).stdout)
      }
      #expect(answers.count == 1 && answers.first?.isEmpty == false)
    }
  }

  @Test(arguments: ["finetune", "evaluate", "predict"], ["0", "-2", "256"])
  func threadsThatMakeNoSense(_ command: String, _ threads: String) async throws {
    let place = try await Self.place()
    let outcome = try await place.run(command, "--data", "data.h5", "--threads", threads)
    #expect(outcome.code == 64)
    #expect(outcome.stderr == "error: --threads \(threads): expected a number from 1 to 255\n")
  }
}
