import FileIO
import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import Testing

@testable import lstm_ft

/// The libraries name settings; only the tool spells them.
@Suite struct SpellingTests {
  private static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  private static let modules = ["FileIO", "HDF5", "LSTMCheckpoints", "LSTMLayers", "LSTMFineTuning", "LSTMReports"]

  private static func swiftFiles(_ folder: String) -> [(name: String, text: String)] {
    let path = root.appendingPathComponent(folder).path
    let names = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
    return names.filter { $0.hasSuffix(".swift") }.compactMap { name in
      (try? String(contentsOfFile: path + "/" + name, encoding: .utf8)).map { (folder + "/" + name, $0) }
    }
  }

  @Test(arguments: modules)
  func noLibraryAndNoneOfItsTestsSpeaksCommandLine(_ module: String) throws {
    let files = Self.swiftFiles("Sources/" + module) + Self.swiftFiles("Tests/\(module)Tests")
    try #require(!files.isEmpty)
    let commands = LSTMFT.configuration.subcommands.map { $0._commandName }
    // A style sheet's own variables begin with two dashes; what another program takes is typed as that program has it.
    for file in files where !file.name.hasSuffix("+Style.swift") {
      for (index, line) in file.text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
      where !line.contains("tensorflowjs_converter") {
        #expect(line.firstMatch(of: /(^|[\s"'`(])--[a-z]/) == nil, "\(file.name):\(index + 1): \(line)")
        let isComment = line.drop { $0 == " " }.hasPrefix("//")
        let command = isComment ? nil : commands.first { line.contains("lstm-ft " + $0) }
        #expect(command == nil, "\(file.name):\(index + 1): \(line)")
      }
    }
  }

  /// Every setting that a library names is an option of some command, by the spelling that the tool gives it.
  @Test func everySettingIsAnOption() throws {
    let known = Set(
      LSTMFT.configuration.subcommands.flatMap { CommandOptions($0).options.flatMap(\.names) })
    var count = 0
    for file in Self.modules.flatMap({ Self.swiftFiles("Sources/" + $0) }) {
      for found in file.text.matches(of: /Setting\(rawValue: "(\w+)"\)/) {
        let spelled = Spelling.text(Setting(rawValue: String(found.1)), nil)
        if spelled == "lstm-ft lr-find" { continue }
        let option = spelled.split(separator: " ").first.map(String.init) ?? ""
        #expect(known.contains(option), "\(found.1) is spelled \(spelled)")
        count += 1
      }
    }
    #expect(count > 40)
  }

  @Test func values() {
    #expect(("choose \(.readout, "last") or \(.targets)" as Message).spelled == "choose --readout last or --target")
    #expect(("\(.allowedUnexpected, "head.*")" as Message).spelled == "--allow unexpected='head.*'")
    #expect(("\(.rules, "REGEX=REPLACEMENT")" as Message).spelled == "--map REGEX=REPLACEMENT")
    #expect(("choose \(.readout, "last")" as Message).description == "choose readout last")
  }

  /// What is pasted into a shell arrives as it is.
  @Test func valuesAreQuotedForTheShell() {
    #expect(("\(.prefix, "my encoder")" as Message).spelled == "--prefix 'my encoder'")
    #expect(("\(.allowedMissing, "it's.*")" as Message).spelled == #"--allow missing='it'\''s.*'"#)
    #expect(("\(.stack, "rnn 1,rnn 2")" as Message).spelled == "--stack 'rnn 1,rnn 2'")
    #expect(("\(.rules, "^rnn_(.*)=lstm.$1")" as Message).spelled == "--map '^rnn_(.*)=lstm.$1'")
  }
}
