import Foundation
import Testing

/// The help as committed under `Snapshots`, read and approved by a person. After a change, run the tests with
/// LSTM_FT_REFRESH_SNAPSHOTS=1 and read what git shows.
@Suite(.serialized) struct HelpTests {
  static let commands = [
    "", "import", "inspect", "finetune", "lr-find", "evaluate", "predict", "generate", "export", "verify", "diff",
    "report", "layers",
  ]

  @Test(arguments: commands)
  func isAsApproved(_ command: String) async throws {
    let place = try Workplace()
    let outcome = try await place.run(
      [command, "--help"].filter { !$0.isEmpty }, environment: ["COLUMNS": "80"])
    #expect(outcome.code == 0)
    #expect(outcome.stderr.isEmpty)

    let name = command.isEmpty ? "lstm-ft" : command
    let snapshot = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Snapshots/\(name).txt")
    if ProcessInfo.processInfo.environment["LSTM_FT_REFRESH_SNAPSHOTS"] != nil {
      try FileManager.default.createDirectory(
        at: snapshot.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(outcome.stdout.utf8).write(to: snapshot)
    }
    #expect(try outcome.stdout == String(contentsOf: snapshot, encoding: .utf8))
    for line in outcome.stdout.split(separator: "\n") { #expect(line.count <= 80) }
  }

  @Test func isWhatTheBareCommandSays() async throws {
    let place = try Workplace()
    let bare = try await place.run([])
    let help = try await place.run("--help")
    #expect(bare.code == 0)
    #expect(bare.stdout == help.stdout)
  }

  @Test func tellsTheVersion() async throws {
    let outcome = try await Workplace().run("--version")
    #expect(outcome.code == 0)
    #expect(outcome.stdout.split(separator: ".").count == 3)
  }

  @Test(arguments: ["bash", "zsh", "fish"])
  func completes(_ shell: String) async throws {
    let outcome = try await Workplace().run("--generate-completion-script", shell)
    #expect(outcome.code == 0)
    #expect(outcome.stdout.contains("finetune"))
  }
}
