import Foundation
import TestSupport
import Testing

/// Something that a newcomer gets wrong: what lies in the folder, what is typed, and what must be said.
struct Mistake: Sendable, CustomTestStringConvertible {
  let what: String
  let typed: [String]
  let code: Int32
  /// The whole of standard error.
  let says: [String]
  /// What a run that began may leave behind.
  var leaves: Set<String> = []
  var prepare: @Sendable (Workplace) throws -> Void = { _ in }

  init(
    _ what: String, _ typed: String, _ code: Int32, _ says: String..., leaves: Set<String> = [],
    prepare: @escaping @Sendable (Workplace) throws -> Void = { _ in }
  ) {
    self.what = what
    self.typed = typed.split(separator: " ").map(String.init)
    self.code = code
    self.says = says
    self.leaves = leaves
    self.prepare = prepare
  }

  var testDescription: String { what }
}

@Suite(.serialized) struct MistakeTests {
  /// Each begins with `weights.h5`, `model.h5` imported from it, and `mine.csv`.
  @Test(arguments: arguments + data + texts + imports + files + numbers + parsing)
  func isExplained(_ mistake: Mistake) async throws {
    let place = try Workplace()
    try place.copy("demo/seattle.h5", as: "weights.h5")
    try await place.run("import", "weights.h5", "--quiet")
    try place.writeSeries()
    try mistake.prepare(place)
    let before = try place.contents()

    let outcome = try await place.run(mistake.typed)

    #expect(outcome.code == mistake.code)
    let expected = "error: " + mistake.says.joined(separator: "\n  ") + "\n"
    #expect(outcome.stderr == expected)
    #expect(mistake.says.count <= 3)
    var after = try place.contents()
    for name in mistake.leaves {
      #expect(after[name] != nil)
      after[name] = nil
    }
    #expect(after.keys.sorted() == before.keys.sorted())
    #expect(after == before)
  }

  /// Foundation says where in its own words, which differ between platforms.
  @Test func brokenJSONIsExplained() async throws {
    let place = try Workplace()
    try place.copy("demo/seattle.h5", as: "weights.h5")
    try place.write("bad.json", #"{"input":{"features":1},"layers":"#)
    let outcome = try await place.run("import", "weights.h5", "--config", "bad.json")
    #expect(outcome.code == 65)
    #expect(outcome.stderr.hasPrefix("error: bad.json: not a model configuration: not valid JSON"))
    #expect(outcome.stderr.filter { $0 == "\n" }.count == 1)
    #expect(try place.contents().keys.sorted() == ["bad.json", "weights.h5"])
  }

  @Test func thereAreTwentyFiveAtLeast() {
    let all = Self.arguments + Self.data + Self.texts + Self.imports + Self.files + Self.numbers + Self.parsing
    #expect(all.count >= 25)
    #expect(Set(all.map(\.what)).count == all.count)
  }

  static let finetune = "finetune --data mine.csv --target temp --window 48 "
}
