import Foundation
import TestSupport
import Testing

/// The commands of docs/models.md, typed as they stand there.
@Suite struct TutorialTests {
  /// A command and the lines that the page shows of its output.
  private struct Shown {
    let command: String
    var lines: [String] = []
  }

  private static func shown() throws -> [Shown] {
    let page = fixtures.deletingLastPathComponent().appendingPathComponent("docs/models.md")
    var shown: [Shown] = []
    for line in try String(contentsOf: page, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false) {
      guard line.hasPrefix("    ") else {
        if !shown.isEmpty, shown.last?.command.isEmpty == false { shown.append(Shown(command: "")) }
        continue
      }
      let text = line.dropFirst(4)
      if text.hasPrefix("$ ") {
        shown.append(Shown(command: String(text.dropFirst(2))))
      } else if !shown.isEmpty, text != "...", !text.isEmpty {
        shown[shown.count - 1].lines.append(String(text))
      }
    }
    return shown.filter { $0.command.hasPrefix("lstm-ft") }
  }

  @Test func thePageShowsWhatTheCommandsPrint() async throws {
    let place = try Workplace()
    try FileManager.default.createSymbolicLink(
      at: place.url.appendingPathComponent("fixtures"), withDestinationURL: fixtures)
    let shown = try Self.shown()
    #expect(shown.filter { $0.command.contains("fixtures/tutorials") && $0.command.contains(" import ") }.count == 5)
    for item in shown {
      let outcome = try await place.type(item.command)
      #expect(outcome.code == 0, "\(item.command): \(outcome.stderr)")
      let printed = outcome.stdout.split(separator: "\n").map(String.init)
      for line in item.lines { #expect(printed.contains(line), "\(item.command): \(line)") }
    }
  }

  /// In help, too, every kind of layer has its example.
  @Test func theExamplesOfLayersAreInHelp() async throws {
    let place = try Workplace()
    let help = try await place.run("layers", "--help")
    let listed = try await place.run("layers", "--json")
    struct Kind: Decodable { let kind: String, example: String }
    let kinds = try JSONDecoder().decode([Kind].self, from: Data(listed.stdout.utf8))
    #expect(kinds.count >= 30)
    for kind in kinds { #expect(help.stdout.contains(kind.example) && help.stdout.contains("  \(kind.kind) ")) }
  }
}
