import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
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

  /// A CSV file has one input and one output.
  @Test func whatImportProposesIsOfArrays() async throws {
    let place = try Workplace()
    let file = fixtures.appendingPathComponent("keras-graph/k3_inputs_and_outputs.keras").path
    let imported = try await succeeds(place, "import", file)
    #expect(
      imported.stdout.contains("\nnext: lstm-ft finetune --data mine.npz --freeze layer0\n"), "\(imported.stdout)")
    let model = try LSTMModel(Checkpoint(path: place.path("model.h5")))
    let sizes = model.configuration.values.map(\.width)
    let outputs = model.configuration.outputPlaces
    let arrays = [
      StoredTensor(name: "series", shape: [20, 6, sizes[0]], values: (0..<20 * 6 * sizes[0]).map { sin(Float($0)) }),
      StoredTensor(name: "static", shape: [20, sizes[1]], values: (0..<20 * sizes[1]).map { cos(Float($0)) }),
    ]
    let targets = zip(model.configuration.outputNames, outputs).map { name, place in
      StoredTensor(
        name: "y_\(name)", shape: [20, sizes[place]], values: (0..<20 * sizes[place]).map { abs(sin(Float($0))) })
    }
    try StoredTensor.write(arrays + targets, path: place.path("mine.npz"), as: .npz)
    try await succeeds(place, "finetune", "--data", "mine.npz", "--freeze", "layer0", "--epochs", "2")
  }

  @Test func twoInputsAndTwoOutputs() async throws {
    let place = try Workplace()
    try place.write("network.json", Self.network)
    let tensors = Self.data(40)
    try write(place, "data.h5", tensors)
    let trained = try await succeeds(
      place, "finetune", "network.json", "--from-scratch", "--data", "data.h5", "--epochs", "40", "--lr", "0.02",
      "--batch-size", "4", "--loss", "kind=cross-entropy", "--loss-weight", "kind=0.5", "--run", "run")
    #expect(trained.stdout.contains("price mse, kind 0.5 cross-entropy"), "\(trained.stdout)")
    // Each epoch says how good each output is, in the width of a terminal.
    let printed = trained.stdout.split(separator: "\n")
    let each = printed.filter { $0.hasPrefix("  price MAE ") && $0.contains(", kind accuracy ") }
    #expect(each.count == 40 && each.allSatisfy { $0.count < 80 })
    #expect(printed.contains { $0.hasPrefix("epoch ") && !$0.contains("MAE") })
    let reported = try await succeeds(place, "report", "run")
    #expect(reported.stdout.contains("\n  kind accuracy "), "\(reported.stdout)")
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
    let missing = try await place.run("finetune", "finetuned.h5", "--data", "less.h5", "-o", "other.h5")
    #expect(missing.code == 65 && missing.stderr.contains("no dataset \"site\", which the model's input site reads"))
    try write(place, "short.h5", tensors.filter { $0.name != "site" } + [Self.data(39)[1]])
    let short = try await place.run("finetune", "finetuned.h5", "--data", "short.h5", "-o", "other.h5")
    #expect(short.code == 65 && short.stderr.contains("site: expected 40 examples, as many as series has, found 39"))
    let wrong = try await place.run(
      "finetune", "finetuned.h5", "--data", "data.h5", "--loss-weight", "sort=2", "-o", "other.h5")
    #expect(wrong.code == 64 && wrong.stderr.contains("expected an output of the model: price, kind"))
    let other = try await place.run(
      "finetune", "finetuned.h5", "--data", "data.h5", "--loss", "kind=mse", "-o", "other.h5")
    #expect(other.code == 65 && other.stderr.contains("output kind: mse needs real values"))
    #expect(other.stderr.contains("--loss kind=cross-entropy"))
    let steps = try await place.run("predict", "finetuned.h5", "--data", "data.h5", "--steps", "3")
    #expect(steps.code == 64 && steps.stderr.contains("--steps is for a decoder"))
    let array = try await place.run("predict", "finetuned.h5", "--data", "data.h5", "-o", "said.npy")
    #expect(array.code == 64 && array.stderr.contains("choose a name that ends in .h5 or .csv"))
    #expect(trained.stdout.contains("lstm-ft predict finetuned.h5 --data data.h5 -o predictions.h5"))
    // A program reads and measures the same.
    let model = try LSTMModel(place.checkpoint("finetuned.h5"))
    let read = try ArraySequences(contentsOf: place.path("data.h5"), for: model)
    let metrics = try model.evaluate(read)
    #expect(abs(metrics.loss - measured.metrics.loss) < 1e-6)
    #expect(metrics.outputs?["kind"]?.accuracy == outputs["kind"]?.accuracy)
    #expect(try model.predict(read).values == answers["y_price"]?.floats())
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
    #expect(evaluated.stdout.contains("note: target: the decoder reads its targets, one step later"))
    // Tokens are integers, in a file and for a program.
    try await succeeds(place, "predict", "finetuned.h5", "--data", "data.h5", "-o", "said.h5")
    let written = try #require(place.checkpoint("said.h5")["y"])
    #expect(written.dataType == .int32 && written.shape == [120, 3])
    let integers = try written.integers()
    #expect(zip(integers, words).filter { $0 == Int($1) }.count == right)
    let model = try LSTMModel(place.checkpoint("finetuned.h5"))
    let read = try ArraySequences(contentsOf: place.path("data.h5"), for: model, hasTargets: false)
    #expect(try model.predict(read).values == integers.map { Float($0) })
    for (option, value, words) in [
      ("--decoder-start", "9", "expected a token of target, from 0 to 4"),
      ("--decoder-start", "zero", "the decoder reads tokens"), ("--decoder-end", "9", "expected a token from 0 to 4"),
    ] {
      let wrong = try await place.run("predict", "finetuned.h5", "--data", "data.h5", option, value)
      #expect(wrong.code == 64 && wrong.stderr.contains("\(option) \(value): \(words)"), "\(wrong.stderr)")
    }
    let ended = try await succeeds(
      place, "predict", "finetuned.h5", "--data", "data.h5", "--decoder-end", "3", "--steps", "4")
    let rows = ended.stdout.split(separator: "\n").dropFirst().map { $0.split(separator: ",").last ?? "" }
    for sequence in 0..<120 {
      let said = rows[sequence * 4..<sequence * 4 + 4]
      guard let end = said.firstIndex(of: "3") else { continue }
      #expect(said[(end + 1)...].allSatisfy { $0 == "-100" })
    }
    let longer = try await succeeds(place, "predict", "finetuned.h5", "--data", "data.h5", "--steps", "5")
    #expect(longer.stdout.split(separator: "\n").count == 601)
  }

  /// A whole number is a value where values are read.
  @Test(arguments: ["zero", "last", "10", "0.5"])
  func aDecoderOfValuesStartsAtAnyNumber(_ start: String) async throws {
    let place = try Workplace()
    try place.write(
      "network.json",
      """
      {"inputs": [{"name": "past", "features": 1}, {"name": "future", "features": 1}],
       "layers": [{"name": "layer0", "kind": "lstm", "size": 8},
        {"name": "layer1", "kind": "lstm", "size": 8, "from": "future", "initial_from": "layer0"},
        {"name": "out", "kind": "dense", "size": 1}]}
      """)
    var random = SplitMix(state: 7)
    let waves = (0..<60).map { _ in
      let phase = Float.random(in: 0...6, using: &random)
      return (0..<14).map { 10 + 3 * Foundation.sin(Float($0) * 0.5 + phase) }
    }
    let future = waves.flatMap { $0[10...] }
    try write(
      place, "data.h5",
      [
        StoredTensor(name: "past", shape: [60, 10, 1], values: waves.flatMap { $0[..<10] }),
        StoredTensor(name: "y", shape: [60, 4, 1], values: future),
      ])
    try await succeeds(
      place, "finetune", "network.json", "--from-scratch", "--data", "data.h5", "--scaler", "refit", "--epochs", "30",
      "--lr", "0.02", "--decoder-start", start)
    try await succeeds(place, "predict", "finetuned.h5", "--data", "data.h5", "-o", "said.h5")
    let said = try #require(place.checkpoint("said.h5")["y"]).floats()
    let error = zip(said, future).map { abs($0 - $1) }.reduce(0, +) / Float(said.count)
    #expect(said.count == 240 && error < 0.5, "\(error)")
  }
}
