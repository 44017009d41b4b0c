import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

/// Models with several inputs and outputs, and decoders that are fed their targets, as a person types it.
@Suite(.serialized) struct SeveralCommandTests {
  @discardableResult
  private func succeeds(_ place: Workplace, _ arguments: String...) async throws -> Outcome {
    let outcome = try await place.run(arguments)
    #expect(outcome.code == 0, "\(arguments): \(outcome.stderr)")
    return outcome
  }

  private static let network = """
    {"inputs": [{"name": "series", "features": 2}, {"name": "site", "features": 3, "per_sequence": true}],
     "layers": [{"name": "layer0", "kind": "lstm", "size": 6}, {"name": "readout", "kind": "readout", "take": "last"},
      {"name": "both", "kind": "concatenate", "from": ["readout", "site"]},
      {"name": "price", "kind": "dense", "size": 1}, {"name": "kind", "kind": "dense", "size": 3, "from": "both"}],
     "outputs": ["price", "kind"]}
    """

  private static let translator = """
    {"inputs": [{"name": "source", "tokens": 5}, {"name": "target", "tokens": 5}],
     "layers": [{"name": "read", "kind": "embedding", "size": 6}, {"name": "layer0", "kind": "lstm", "size": 16},
      {"name": "write", "kind": "embedding", "size": 6, "from": "target"},
      {"name": "layer1", "kind": "lstm", "size": 16, "initial_from": "layer0"},
      {"name": "words", "kind": "dense", "size": 5}]}
    """

  private func write(_ place: Workplace, _ name: String, _ tensors: [StoredTensor]) throws {
    try StoredTensor.write(tensors, path: place.path(name), as: .pytorchHDF5)
  }

  private static func integers(_ name: String, _ shape: [Int], _ values: [Int64]) -> StoredTensor {
    StoredTensor(name: name, shape: shape, dataType: .int64) {
      values.flatMap { value in withUnsafeBytes(of: value.littleEndian) { [UInt8]($0) } }
    }
  }

  /// A price that is the sum of the site's numbers, and a kind that is the sign of the series' last step.
  private static func data(_ count: Int) -> [StoredTensor] {
    var random = SplitMix(state: 5)
    let series = (0..<count * 8).map { _ in Float.random(in: -1...1, using: &random) }
    let sites = (0..<count * 3).map { _ in Float.random(in: -1...1, using: &random) }
    return [
      StoredTensor(name: "series", shape: [count, 4, 2], values: series),
      StoredTensor(name: "site", shape: [count, 3], values: sites),
      StoredTensor(
        name: "y_price", shape: [count, 1],
        values: (0..<count).map { sites[$0 * 3] + sites[$0 * 3 + 1] + sites[$0 * 3 + 2] }),
      integers("kind", [count], (0..<count).map { series[$0 * 8 + 6] > 0 ? 2 : 0 }),
    ]
  }

  @Test func twoInputsAndTwoOutputs() async throws {
    let place = try Workplace()
    try place.write("network.json", Self.network)
    let tensors = Self.data(40)
    try write(place, "data.h5", tensors)
    let trained = try await succeeds(
      place, "finetune", "network.json", "--from-scratch", "--data", "data.h5", "--epochs", "30", "--lr", "0.02",
      "--loss", "kind=cross-entropy", "--loss-weight", "kind=0.5", "--run", "run")
    #expect(trained.stdout.contains("price mse, kind 0.5 cross-entropy"), "\(trained.stdout)")
    let evaluated = try await succeeds(place, "evaluate", "finetuned.h5", "--data", "data.h5")
    #expect(evaluated.stdout.contains("\n  kind: loss ") && evaluated.stdout.contains("\n  price: loss "))
    struct Answer: Decodable {
      struct Metrics: Decodable {
        let loss: Double
        let accuracy: Double?
        let mae: Double?
        let outputs: [String: Metrics]?
      }
      let metrics: Metrics
    }
    let measured = try JSONDecoder().decode(
      Answer.self,
      from: Data(try await succeeds(place, "evaluate", "finetuned.h5", "--data", "data.h5", "--json").stdout.utf8))
    let outputs = try #require(measured.metrics.outputs)
    #expect(try #require(outputs["kind"]?.accuracy) > 0.8)
    #expect(try #require(outputs["price"]?.mae) < 0.4)
    let said = try await succeeds(place, "predict", "finetuned.h5", "--data", "data.h5")
    let lines = said.stdout.split(separator: "\n")
    #expect(lines.first == "price,kind_0,kind_1,kind_2" && lines.count == 41)
    try await succeeds(place, "predict", "finetuned.h5", "--data", "data.h5", "-o", "said.h5")
    // What predict writes is what verify finds.
    let answers = try place.checkpoint("said.h5")
    try write(
      place, "reference.h5",
      tensors.prefix(2) + [try #require(answers["y_price"]), try #require(answers["y_kind"])])
    try await succeeds(place, "verify", "finetuned.h5", "reference.h5")
    try await succeeds(
      place, "lr-find", "network.json", "--from-scratch", "--data", "data.h5", "--steps", "12", "-o", "rates.svg")

    try write(place, "less.h5", tensors.filter { $0.name != "site" })
    let missing = try await place.run("finetune", "finetuned.h5", "--data", "less.h5")
    #expect(missing.code == 65 && missing.stderr.contains("no dataset \"site\", which the model's input site reads"))
    try write(place, "short.h5", tensors.filter { $0.name != "site" } + [Self.data(39)[1]])
    let short = try await place.run("finetune", "finetuned.h5", "--data", "short.h5")
    #expect(short.code == 65 && short.stderr.contains("site: expected 40 examples, as many as series has, found 39"))
    let wrong = try await place.run(
      "finetune", "finetuned.h5", "--data", "data.h5", "--loss-weight", "sort=2")
    #expect(wrong.code == 64 && wrong.stderr.contains("expected an output of the model: price, kind"))
    try write(place, "price.h5", tensors.filter { $0.name != "kind" })
    let one = try await succeeds(
      place, "finetune", "finetuned.h5", "--data", "price.h5", "--epochs", "1", "-o", "one.h5", "--run", "one")
    #expect(one.stdout.contains("no targets for kind: what only it needs stays as it is"))
  }

  /// A sentence that is read is to be said again.
  @Test func aDecoderIsFedItsTargetsAndThenItself() async throws {
    let place = try Workplace()
    try place.write("network.json", Self.translator)
    var random = SplitMix(state: 6)
    let words = (0..<120 * 3).map { _ in Int64.random(in: 2...4, using: &random) }
    try write(
      place, "data.h5", [Self.integers("source", [120, 3], words), Self.integers("y", [120, 3], words)])
    let training = [
      "finetune", "network.json", "--from-scratch", "--data", "data.h5", "--epochs", "60", "--lr", "0.02", "--patience",
      "0",
    ]
    let asked = try await place.run(training)
    #expect(asked.code == 64 && asked.stderr.contains("--decoder-start"), "\(asked.stderr)")
    let trained = try await place.run(training + ["--decoder-start", "1"])
    #expect(trained.code == 0, "\(trained.stderr)")
    let said = try await succeeds(place, "predict", "finetuned.h5", "--data", "data.h5")
    let lines = said.stdout.split(separator: "\n").map(String.init)
    #expect(lines.first == "sequence,step,words" && lines.count == 361)
    let right = zip(lines.dropFirst(), words).filter { $0.hasSuffix(",\($1)") }.count
    #expect(right > 300, "\(right) of 360")
    let evaluated = try await succeeds(place, "evaluate", "finetuned.h5", "--data", "data.h5")
    #expect(evaluated.stdout.contains("accuracy"))
    let longer = try await succeeds(place, "predict", "finetuned.h5", "--data", "data.h5", "--steps", "5")
    #expect(longer.stdout.split(separator: "\n").count == 601)
  }
}
