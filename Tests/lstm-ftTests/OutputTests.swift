import Foundation
import TestSupport
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// What goes to standard output, what to standard error, and what a signal leaves behind.
@Suite(.serialized) struct OutputTests {
  static let commands = [
    "import weights.h5 -o again.h5", "inspect model.h5 --stats", "inspect mine.csv.npy",
    "finetune --data mine.csv --target temp --window 48 --epochs 1 -o tuned.h5",
    "evaluate tuned.h5 --data mine.csv", "predict tuned.h5 --data mine.csv",
    "predict tuned.h5 --data mine.csv -o y.npy", "export model.h5 --to pytorch-h5 -o back.h5",
    "diff model.h5 model.h5",
  ]

  private func workplace() async throws -> Workplace {
    let place = try Workplace()
    try place.copy("demo/seattle.h5", as: "weights.h5")
    try place.writeSeries()
    try place.copy("formats/le-f4.npy", as: "mine.csv.npy")
    try await succeeds(place, "import", "weights.h5")
    try await succeeds(
      place, "finetune", "--data", "mine.csv", "--target", "temp", "--window", "48", "--epochs", "1", "-o", "tuned.h5")
    return place
  }

  @Test func namesOfASingleLetter() async throws {
    let place = try await workplace()
    let data = ["--data", "mine.csv", "--target", "temp", "--window", "48"]
    for arguments in [
      ["inspect", "tuned.h5", "--graph", "g"],
      ["import", "weights.h5", "-o", "m"],
      ["finetune", "m", "--epochs", "1", "--run", "r", "-o", "t"] + data,
      ["evaluate", "t", "--data", "mine.csv", "--chart", "c"],
      ["export", "t", "--to", "pytorch-h5", "-o", "e"],
      ["report", "r", "-o", "p"],
    ] {
      let outcome = try await place.run(arguments)
      #expect(outcome.code == 0, "\(arguments): \(outcome.stderr)")
    }
  }

  @Test(arguments: commands)
  func jsonIsOneObjectAndNothingElse(_ command: String) async throws {
    let place = try await workplace()
    let outcome = try await place.run(command.split(separator: " ").map(String.init) + ["--json"])
    #expect(outcome.code == 0, "\(outcome.stderr)")
    #expect(outcome.stdout.filter { $0 == "\n" }.count == 1)
    let object = try JSONSerialization.jsonObject(with: Data(outcome.stdout.utf8))
    #expect(object is [String: Any])
    #expect(!outcome.stderr.contains("error"))
  }

  @Test(arguments: commands)
  func quietSaysNothingButAnswers(_ command: String) async throws {
    let place = try await workplace()
    let outcome = try await place.run(command.split(separator: " ").map(String.init) + ["--quiet"])
    #expect(outcome.code == 0)
    #expect(outcome.stderr.isEmpty)
    let isAsked =
      ["inspect", "evaluate"].contains { command.hasPrefix($0) } || command == "predict tuned.h5 --data mine.csv"
    #expect(outcome.stdout.isEmpty != isAsked)
  }

  @Test(arguments: commands)
  func awayFromATerminalThereAreNoControlCharacters(_ command: String) async throws {
    let place = try await workplace()
    let outcome = try await place.run(command.split(separator: " ").map(String.init))
    let text = outcome.stdout + outcome.stderr
    #expect(!text.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
  }

  @Test func predictionsWithoutAFileAreInTheJSON() async throws {
    struct Answer: Decodable {
      let shape: [Int]
      let y: [[Float]]
    }
    let place = try await workplace()
    let outcome = try await place.run("predict", "tuned.h5", "--data", "mine.csv", "--json")
    let answer = try JSONDecoder().decode(Answer.self, from: Data(outcome.stdout.utf8))
    #expect(answer.shape == [1, 24])
    #expect(answer.y.map(\.count) == [24])
  }

  @Test func aModelWithoutAScalerWarnsBesideTheForecast() async throws {
    let place = try await workplace()
    let outcome = try await place.run(
      "predict", "model.h5", "--data", "mine.csv", "--window", "48", "--readout", "last")
    #expect(outcome.stderr == "warning: model.h5 has no scaler: its inputs and outputs are not scaled\n")
    #expect(outcome.stdout.hasPrefix("date,ahead,temp\n20"))
  }

  @Test(.timeLimit(.minutes(2)), arguments: [(SIGINT, Int32(130)), (SIGTERM, Int32(143))])
  func aSignalSavesAndSaysWhere(_ number: Int32, _ code: Int32) async throws {
    let place = try await workplace()
    let outcome = try await place.run(
      [
        "finetune", "--data", "mine.csv", "--target", "temp", "--window", "48", "--epochs", "100000", "--patience", "0",
        "--run", "run", "-o", "never.h5",
      ], interrupt: (number, "\n1/100000 "))
    #expect(outcome.code == code)
    #expect(
      outcome.stdout.hasSuffix(
        """
        stopped by a signal after a finished step; everything is saved in run
        to go on as if nothing had happened: lstm-ft finetune --resume run

        """) || outcome.stdout.contains("\nthe best epoch so far is in run/best.h5\n"))
    try await succeeds(place, "import", "run/last.h5", "-o", "last.h5")
    #expect(!FileManager.default.fileExists(atPath: place.path("never.h5")))
  }
}

/// Expects a well-formed picture.
func isXML(_ place: Workplace, _ name: String) throws {
  let parser = XMLParser(data: Data(try place.read(name).utf8))
  #expect(parser.parse(), "\(name): \(parser.parserError.map { "\($0)" } ?? "")")
}
