import Foundation
import LSTMCheckpoints
import LSTMLayers
import Testing

/// Runs that are killed at any moment and resumed, however often, end with the bits of one that was left alone.
@Suite(.serialized) struct KillTests {
  static let arguments = [
    "finetune", "--data", "mine.csv", "--target", "temp", "--window", "48", "--epochs", "25", "--recipe", "ulmfit",
    "--batch-size", "8", "--save-every", "0.005",
  ]

  /// LSTM_FT_KILLS says how many kills.
  private static let wanted = ProcessInfo.processInfo.environment["LSTM_FT_KILLS"].flatMap { Int($0) } ?? 6

  private static func weights(_ place: Workplace, _ name: String) throws -> [String: [UInt8]] {
    try Dictionary(uniqueKeysWithValues: place.checkpoint(name).tensors.map { ($0.name, try $0.bytes()) })
  }

  @Test(.timeLimit(.minutes(Self.wanted > 50 ? 240 : 10))) func killedAndResumedIsAsIfLeftAlone() async throws {
    let place = try Workplace()
    try place.writeBareLSTM()
    try place.writeSeries()
    try await succeeds(place, "import", "weights.h5")
    let clock = ContinuousClock()
    let began = clock.now
    try await succeeds(place, Self.arguments + ["--run", "whole", "-o", "whole.h5"])
    let length = clock.now - began
    let (log, expected) = (try place.read("whole/log.jsonl"), try Self.weights(place, "whole.h5"))

    var (kills, runs) = (0, 0)
    while kills < Self.wanted {
      runs += 1
      let name = "run\(runs)"
      var outcome = try await place.run(
        Self.arguments + ["--run", name, "-o", name + ".h5"], killing: length * Double.random(in: 0...0.7))
      while outcome.code != 0 {
        #expect(outcome.code == 128 + SIGKILL, "\(outcome.stderr)")
        kills += 1
        // Killed before it had written down what it is: there is nothing to go on with.
        guard FileManager.default.fileExists(atPath: place.path(name + "/config.json")) else { break }
        outcome = try await place.run(
          ["finetune", "--resume", name], killing: length * Double.random(in: 0...0.7))
      }
      guard outcome.code == 0 else { continue }
      #expect(try place.read(name + "/log.jsonl") == log, "after \(kills) kills")
      #expect(try Self.weights(place, name + ".h5") == expected)
    }
  }

  @Test func aChangedModelOrOtherOptionsAreRefused() async throws {
    let place = try Workplace()
    try place.writeBareLSTM()
    try place.writeSeries()
    try await succeeds(place, "import", "weights.h5")
    try await succeeds(place, Self.arguments.map { $0 == "25" ? "2" : $0 } + ["--run", "run", "-o", "tuned.h5"])
    // What has ended is written again, and nothing else happens.
    let before = try Self.weights(place, "tuned.h5")
    try await succeeds(place, "finetune", "--resume", "run", "--threads", "1")
    #expect(try Self.weights(place, "tuned.h5") == before)

    let other = try await place.run("finetune", "--resume", "run", "--epochs", "3")
    #expect(other.code == 64)
    #expect(
      other.stderr.hasPrefix(
        "error: --epochs cannot be given with --resume: a resumed run keeps its settings\n"))
    let nothing = try await place.run("finetune", "--resume", "nowhere")
    #expect(nothing.code == 66 && nothing.stderr.contains("nowhere/config.json"))
    try await succeeds(place, "import", "weights.h5", "--readout", "mean")
    let changed = try await place.run("finetune", "--resume", "run")
    #expect(changed.code == 65)
    #expect(
      changed.stderr.hasPrefix("error: model.h5: it has changed since the run was started\n"),
      "\(changed.stderr)")
  }
}
