import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

/// A model as one line, from import to inspect and its picture.
@Suite struct ModelLineCommandTests {
  private static let line = "1 feature -> LSTM 64 -> dropout 0.1 -> LSTM 64 -> last -> relu -> fc: dense 24"

  private func place() throws -> Workplace {
    let place = try Workplace()
    try place.copy("demo/seattle.h5", as: "seattle.h5")
    return place
  }

  @Test func aCheckpointIsReadWithALine() async throws {
    let place = try place()
    let outcome = try await place.run(["import", "seattle.h5", "--model", Self.line])
    #expect(outcome.code == 0, "\(outcome.stderr)")
    let model = try place.checkpoint("model.h5")
    #expect(model.configuration?.line == Self.line)
    #expect(model.tensors.contains { $0.name == "fc.weight" })
  }

  @Test func inspectPrintsTheLineAndItsLayers() async throws {
    let place = try place()
    let outcome = try await place.run(["inspect", "seattle.h5", "--model", Self.line])
    #expect(outcome.code == 0)
    #expect(outcome.stdout.contains("  model: \(Self.line)\n"))
    #expect(
      outcome.stdout.contains(
        """
          layer               kind         reads               output  parameters
          input               1 feature                        T x 1
          layer0              LSTM 64      input               T x 64      17,152
          dropout1            dropout 0.1  layer0              T x 64
          layer1              LSTM 64      dropout1            T x 64      33,280
          readout             last         layer1              64
          readout_activation  relu         readout             64
          fc                  dense 24     readout_activation  24           1,560

        """), "\(outcome.stdout)")
  }

  /// What inspect prints of a file can be given for it.
  @Test(arguments: [
    "demo/seattle.h5", "wild/keras-repeatvector/model.keras", "golden-models/embedding_fc.h5",
    "golden-models/bidirectional_final.h5",
  ])
  func theLineCanBeGivenBack(_ file: String) async throws {
    let place = try Workplace()
    let name = URL(fileURLWithPath: file).lastPathComponent
    try place.copy(file, as: name)
    let first = try await place.run(["inspect", name, "--json"])
    let answer = try #require(try JSONSerialization.jsonObject(with: Data(first.stdout.utf8)) as? [String: Any])
    let line = try #require(answer["line"] as? String, "\(first.stdout)")
    #expect((answer["graph"] as? [[String: Any]])?.count == (try ModelConfiguration(line: line).layers.count + 1))
    let second = try await place.run(["inspect", name, "--json", "--model", line])
    let again = try JSONSerialization.jsonObject(with: Data(second.stdout.utf8)) as? [String: Any]
    #expect(again?["line"] as? String == line)
    #expect(again?["problem"] == nil || again?["problem"] is NSNull)
  }

  @Test func theGraphIsDrawn() async throws {
    let place = try place()
    let first = try await place.run(["inspect", "seattle.h5", "--graph", "model.svg"])
    #expect(first.code == 0)
    #expect(first.stdout.contains("wrote model.svg"))
    let svg = try String(contentsOfFile: place.path("model.svg"), encoding: .utf8)
    #expect(svg.hasPrefix("<svg "))
    #expect(svg.contains(">LSTM 64</text>"))
    // Its own pictures are replaced, nothing else.
    #expect(try await place.run(["inspect", "seattle.h5", "--graph", "model.svg"]).code == 0)
    try place.write("notes.svg", Data("mine".utf8))
    #expect(try await place.run(["inspect", "seattle.h5", "--graph", "notes.svg"]).code == 73)
    #expect(try await place.run(["inspect", "seattle.h5", "--graph", "seattle.h5"]).code == 64)
    let other = try await place.run(["inspect", "seattle.h5", "--map", "^fc=other", "--graph", "other.svg"])
    #expect(other.code == 0 || !FileManager.default.fileExists(atPath: place.path("other.svg")))
  }

  static let mistakes: [(arguments: [String], message: String)] = [
    (
      ["--model", "1 feature -> cnov 8 -> LSTM 64"],
      """
      error: --model: "cnov 8": there is no layer "cnov"; did you mean conv?
        for example --model '8 features -> biLSTM 64 -> last -> dense 3 softmax'

      """
    ),
    (
      ["--model", "1 feature -> LSTM 64", "--config", "none.json"],
      "error: --model: it says what --config says; give one of them\n"
    ),
  ]

  @Test(arguments: mistakes) func mistakesAreUsage(_ arguments: [String], _ message: String) async throws {
    for command in ["import", "inspect"] {
      let outcome = try await place().run([command, "seattle.h5"] + arguments)
      #expect(outcome.code == 64)
      #expect(outcome.stderr == message)
    }
  }
}
