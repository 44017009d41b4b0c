import FileIO
import Foundation
import TestSupport
import Testing

/// Tables of other people, read by the tool: what is asked, what is said, and that the advice works when it is typed.
@Suite(.serialized) struct CSVReadingTests {
  private static let evaluate = ["evaluate", "--target", "v", "--window", "4", "--horizon", "24", "--data"]

  private func place() async throws -> Workplace {
    let place = try Workplace()
    try place.copy("demo/seattle.h5", as: "weights.h5")
    try await place.run("import", "weights.h5", "--quiet")
    return place
  }

  /// Two hundred rows; `cell` writes a value from 950 to 1348.
  private func series(_ separator: String, _ cell: (Int) -> String) -> String {
    "t\(separator)v\n" + (0..<200).map { "\($0)\(separator)\(cell(950 + 2 * $0))" }.joined(separator: "\n") + "\n"
  }

  private func german(_ value: Int) -> String {
    value < 1000 ? "\(value)" : "1.\(String(format: "%03d", value - 1000))"
  }

  @Test func aQuestionAndItsAnswers() async throws {
    let place = try await place()
    try place.write("plain.csv", series(",") { "\($0)" })
    try place.write("german.csv", series(";", german))
    let asked = try await place.run(Self.evaluate + ["german.csv"])
    #expect(asked.code == 65)
    #expect(
      asked.stderr == """
        error: german.csv line 27, column "v": "1.000" can be read as 1.000 or as 1000
          use --decimal . for 1.000, or --thousands . for 1000

        """)
    let right = try await place.run(Self.evaluate + ["plain.csv", "--json"])
    for answer in [["--thousands", "."], ["--decimal", ","]] {
      let outcome = try await place.run(Self.evaluate + ["german.csv", "--json"] + answer)
      #expect(outcome.code == 0, "\(outcome.stderr)")
      #expect(try metrics(outcome) == metrics(right))
      #expect(try notes(outcome).contains { $0.contains("\"1.000\" is read as 1000") })
    }
    let other = try await place.run(Self.evaluate + ["german.csv", "--json", "--decimal", "."])
    #expect(other.code == 0)
    #expect(try metrics(other) != metrics(right))
  }

  @Test func marksOfMissingValuesAndTheirAnswers() async throws {
    let place = try await place()
    try place.write("marked.csv", series(",") { $0 < 1069 && $0 % 20 == 4 ? "-9999" : "\($0)" })
    try place.write("empty.csv", series(",") { $0 < 1069 && $0 % 20 == 4 ? "" : "\($0)" })
    let asked = try await place.run(Self.evaluate + ["marked.csv"])
    #expect(asked.code == 65)
    #expect(
      asked.stderr == """
        error: marked.csv line 9, column "v": -9999 (6 times) lies far outside the other values, 950 to 1348: does it mark missing values?
          --missing-value=-9999 --missing interpolate treats it as missing (or forwardFill, zero)
          --missing-value none treats it as a number

        """)
    let right = try await place.run(Self.evaluate + ["empty.csv", "--missing", "interpolate", "--json"])
    let marked = try await place.run(
      Self.evaluate + ["marked.csv", "--missing-value=-9999", "--missing", "interpolate", "--json"])
    #expect(marked.code == 0, "\(marked.stderr)")
    #expect(try metrics(marked) == metrics(right))
    #expect(try notes(marked) == ["marked.csv column \"v\": 6 cells with -9999 read as missing"])
    let apart = try await place.run(
      Self.evaluate + ["marked.csv", "--missing-value", "-9999", "--missing", "interpolate", "--json"])
    #expect(apart.stdout == marked.stdout)
    let numbers = try await place.run(Self.evaluate + ["marked.csv", "--missing-value", "none", "--json"])
    #expect(numbers.code == 0)
    #expect(try metrics(numbers) != metrics(right))
  }

  /// What was said to one command is typed by the next for the same file.
  @Test func theNextCommandReadsTheSame() async throws {
    let place = try await place()
    try place.write("g.csv", series(";") { $0 < 1069 && $0 % 20 == 4 ? "-9999" : german($0) })
    let tuned = try await place.run(
      "finetune", "--data", "g.csv", "--target", "v", "--window", "4", "--epochs", "1", "--thousands", ".",
      "--missing-value=-9999", "--missing", "forwardFill")
    #expect(tuned.code == 0, "\(tuned.stderr)")
    #expect(tuned.stdout.contains("note   g.csv line 27, column \"v\": \"1.000\" is read as 1000"))
    let line = try #require(tuned.stdout.split(separator: "\n").last { $0.contains("lstm-ft predict") })
    let words = try #require(line.range(of: "lstm-ft ")).upperBound
    let next = try await place.run(line[words...].split(separator: " ").map(String.init))
    #expect(next.code == 0, "\(next.stderr)")
    #expect(next.stdout.hasPrefix("ahead,v\n1,"))
    #expect(next.stderr.contains("note: g.csv line 27"))
  }

  @Test func whatWasPassedOverIsSaid() async throws {
    let place = try await place()
    try place.write("a.csv", "sep=,\nStation 12\n" + series(",") { "\($0)" } + "Total,9\n")
    let outcome = try await place.run(Self.evaluate + ["a.csv"])
    #expect(outcome.code == 0, "\(outcome.stderr)")
    for note in [
      "note: a.csv line 1: it says what separates the cells",
      "note: a.csv line 2: a line above the table, passed over: \"Station 12\"",
      "note: a.csv line 204: a line below the table, passed over: \"Total 9\"",
    ] {
      #expect(outcome.stdout.contains(note))
    }
    try place.write("plain.csv", series(",") { "\($0)" })
    try place.write("odd.csv", "1,2,3\n\n" + series(",") { "\($0)" })
    let skipped = try await place.run(Self.evaluate + ["odd.csv", "--skip-lines", "2", "--json"])
    #expect(try metrics(skipped) == metrics(await place.run(Self.evaluate + ["plain.csv", "--json"])))
  }

  @Test(arguments: [
    (["--decimal", ".", "--thousands", "."], 64, "--decimal . and --thousands . cannot be combined"),
    (["--skip-lines", "-1"], 64, "--skip-lines -1: expected at least 0"),
  ])
  func mistakes(_ typed: [String], _ code: Int32, _ says: String) async throws {
    let place = try await place()
    try place.write("a.csv", series(",") { "\($0)" })
    let outcome = try await place.run(Self.evaluate + ["a.csv"] + typed)
    #expect(outcome.code == code)
    #expect(outcome.stderr == "error: \(says)\n")
  }

  @Test func optionsForTablesAreForTables() async throws {
    let place = try await place()
    try place.write("a.txt", "hello")
    let outcome = try await place.run("evaluate", "--text", "a.txt", "--decimal", ".")
    #expect(outcome.code == 64)
    #expect(outcome.stderr == "error: --decimal is for CSV files; --text predicts the next token\n")
  }

  private func metrics(_ outcome: Outcome) throws -> [String: Double] {
    let metrics = try object(outcome)["metrics"] as? [String: Any]
    return try #require(metrics).compactMapValues { $0 as? Double }
  }

  private func notes(_ outcome: Outcome) throws -> [String] {
    try #require(object(outcome)["notes"] as? [String]).filter { $0.contains(".csv") }
  }

  private func object(_ outcome: Outcome) throws -> [String: Any] {
    try #require(JSONSerialization.jsonObject(with: Data(outcome.stdout.utf8)) as? [String: Any])
  }
}
