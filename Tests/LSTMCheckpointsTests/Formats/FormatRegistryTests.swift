import Foundation
import TestSupport
import Testing

@testable import LSTMCheckpoints

@Suite struct FormatRegistryTests {
  @Test func theTableOfTheDocumentIsTheRegistrys() throws {
    let document = fixtures.deletingLastPathComponent().appendingPathComponent("docs/formats.md")
    let found = try String(contentsOf: document, encoding: .utf8).split(separator: "\n").filter { $0.hasPrefix("| ") }
    for format in FormatRegistry.standard.formats where format.holds != nil {
      let row = try #require(format.documentation, "\(format.identifier.rawValue)")
      let line = "| \(row.title) | `\(format.identifier.rawValue)` | \(row.read) | \(row.write) |"
      #expect(found.contains { $0 == line }, "\(line)")
    }
  }

  @Test func eachIsThereOnceAndIsFoundByItsName() {
    let all = Checkpoint.Format.allCases
    #expect(Set(all).count == all.count)
    #expect(all.allSatisfy { Checkpoint.Format(rawValue: $0.rawValue) == $0 && $0.suffix.hasPrefix(".") })
    #expect(Checkpoint.Format(rawValue: "none") == nil)
    #expect(Checkpoint.Format.writable == all.filter { $0 != .npy })
  }
}
