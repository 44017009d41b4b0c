import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import TestSupport
import Testing

/// Files of Python objects, from import to forecast, as a person types it.
@Suite(.serialized) struct PickleCommandTests {
  @discardableResult
  private func succeeds(_ place: Workplace, _ arguments: String...) async throws -> Outcome {
    let outcome = try await place.run(arguments + (arguments.contains("-o") ? ["--overwrite"] : []))
    #expect(outcome.code == 0, "\(arguments): \(outcome.stderr)")
    return outcome
  }

  private func array(_ path: String, _ name: String?) throws -> StoredTensor {
    let file = try Checkpoint(path: fixtures.appendingPathComponent(path).path)
    return try #require(name == nil ? file.tensors.first : file.tensors.first { $0.name == name })
  }

  private func write(_ tensor: StoredTensor, to place: Workplace, as name: String) throws {
    try place.write(name, Data(NPY.encode(floats: tensor.floats(), shape: tensor.shape)))
  }

  struct Forecast: Sendable, CustomTestStringConvertible {
    let file: String
    let x: String
    let y: String
    var testDescription: String { file }
  }

  static let forecasts: [Forecast] = {
    let beside = ["counter", "namespace", "numpy_scalar", "sklearn"].map { name in
      Forecast(file: "pickle-objects/\(name).pt", x: "pickle-objects/x.npz", y: "pickle-objects/expected.npy")
    }
    let alone: [(folder: String, file: String)] = [
      ("pt-scaler-beside", "model.pt"), ("pt-whole-module", "model.pt"), ("mlx-null-metadata", "model.safetensors"),
    ]
    return beside
      + alone.map { item in
        let expected = item.folder + "/expected.npz"
        return Forecast(file: item.folder + "/" + item.file, x: expected, y: expected)
      }
  }()

  /// The framework's own numbers.
  @Test(arguments: forecasts)
  func forecastsAreTheFrameworks(_ forecast: Forecast) async throws {
    let place = try Workplace()
    let name = String(forecast.file.split(separator: "/")[1])
    try place.copy("wild/" + forecast.file, as: name)
    try write(try array("wild/" + forecast.x, "x"), to: place, as: "x.npy")
    try await succeeds(place, "import", name, "--readout", "last")
    try await succeeds(place, "predict", "--data", "x.npy", "-o", "y.npy")
    let expected = try array("wild/" + forecast.y, forecast.y.hasSuffix(".npz") ? "y" : nil).floats()
    let y = try #require(try place.checkpoint("y.npy").tensors.first).floats()
    #expect(y.count == expected.count)
    let largest = expected.map(abs).max() ?? 0
    for (value, wanted) in zip(y, expected) { #expect(abs(value - wanted) <= 1e-5 * largest) }
  }

  @Test func aScalerIsOfferedAndTaken() async throws {
    let place = try Workplace()
    try place.copy("pickle/scaler-minmax.pt", as: "model.pt")
    let plain = try await succeeds(place, "import", "model.pt", "--readout", "last")
    #expect(
      plain.stdout.contains(
        "note: the file holds a scaler, scaler, a sklearn.preprocessing.MinMaxScaler of 3 columns, which is not applied: "
          + "--scaler-from scaler scales the features with it\n"))
    #expect(try place.checkpoint("model.h5").preprocessing.isEmpty)

    // The advice, as it stands.
    let taken = try await succeeds(place, "import", "model.pt", "--readout", "last", "--scaler-from", "scaler")
    #expect(
      taken.stdout.contains(
        "note: features are scaled with scaler, a sklearn.preprocessing.MinMaxScaler of 3 columns\n"))
    let advice = "--scaler-from scaler,scaler:1"
    #expect(
      taken.stdout.contains("note: outputs are not scaled back; if the targets are one of its columns: \(advice)"))
    try await succeeds(
      place, "import", "model.pt", "--readout", "last", "--scaler-from", "scaler,scaler:1", "-o", "both.h5")

    let found = try #require(try Checkpoint(path: place.path("model.pt")).foundScalers.first)
    let x: [Float] = [5, 1000, -3, 6, 990, -3.01, 4.5, 1010, -2.99]
    let scaled = x.enumerated().map { Float((Double($1) - found.mean[$0 % 3]) / found.deviation[$0 % 3]) }
    try place.write("x.npy", Data(try NPY.encode(floats: x, shape: [1, 3, 3])))
    try place.write("scaled.npy", Data(try NPY.encode(floats: scaled, shape: [1, 3, 3])))
    try await succeeds(place, "import", "model.pt", "--readout", "last", "-o", "plain.h5")
    func predict(_ model: String, _ data: String) async throws -> Float {
      try await succeeds(place, "predict", model, "--data", data, "-o", "y.npy")
      return try #require(try place.checkpoint("y.npy").tensors.first).floats()[0]
    }
    let own = try await predict("plain.h5", "scaled.npy")
    let inputsOnly = try await predict("model.h5", "x.npy")
    #expect(abs(inputsOnly - own) < 1e-5)
    let both = try await predict("both.h5", "x.npy")
    #expect(abs(Double(both) - (Double(own) * found.deviation[0] + found.mean[0])) < 1e-5)
  }

  @Test func scalersForFeaturesAndTargets() async throws {
    let place = try Workplace()
    try place.copy("pickle/scaler-two.pt", as: "model.pt")
    try await succeeds(place, "import", "model.pt", "--readout", "last", "--scaler-from", "scaler_x,scaler_y")
    let record = try place.checkpoint("model.h5").preprocessing
    let found = try place.checkpoint("model.pt").foundScalers
    #expect(record.inputScaler == Scaler(found[0]))
    #expect(record.targetScaler == Scaler(found[1]))
    // Three columns are no target's.
    let wrong = try await place.run("import", "model.pt", "--scaler-from", "scaler_y")
    #expect(wrong.code == 64)
    #expect(
      wrong.stderr == "error: --scaler-from scaler_y: it has 1 column, the model reads 3 features\n"
        + "  for the targets alone: --scaler-from none,scaler_y\n")
    try await succeeds(place, "import", "model.pt", "--readout", "last", "--scaler-from", "none,scaler_y")
    let second = try await place.run("import", "model.pt", "--scaler-from", "scaler_x,scaler_x")
    #expect(second.stderr.contains("it has 3 columns, the model 1 output"))
    #expect(second.stderr.contains("choose columns: --scaler-from scaler_x,scaler_x:1\n"))
    try await succeeds(place, "import", "model.pt", "--readout", "last", "--scaler-from", "scaler_x,scaler_x:1")
  }

  @Test func onePairForAll() async throws {
    let place = try Workplace()
    try place.copy("pickle/scaler-lone.pt", as: "model.pt")
    let outcome = try await succeeds(place, "import", "model.pt", "--readout", "last", "--scaler-from", "scaler")
    #expect(outcome.stdout.contains("outputs are scaled back with it, too; otherwise: --scaler-from scaler,none"))
    let record = try place.checkpoint("model.h5").preprocessing
    #expect(record.inputScaler == Scaler(mean: [2.5, 2.5, 2.5], deviation: [0.5, 0.5, 0.5]))
    #expect(record.targetScaler == Scaler(mean: [2.5], deviation: [0.5]))
    try await succeeds(place, "import", "model.pt", "--readout", "last", "--scaler-from", "scaler,none")
  }

  @Test(arguments: [
    ("nothing", "--scaler-from nothing: the file has no scaler with this key"),
    ("scaler:4", "--scaler-from scaler:4: it has 3 columns, counted from 1"),
    ("scaler:2-1", "--scaler-from scaler:2-1: it has 3 columns, counted from 1"),
    ("scaler:1-2", "--scaler-from scaler:1-2: it has 2 columns, the model reads 3 features"),
    ("a,b,c", "--scaler-from a,b,c: expected KEY, or KEY,KEY for features and targets"),
    ("scaler,", "--scaler-from scaler,: expected KEY, or KEY,KEY for features and targets"),
  ])
  func keysThatDoNotFit(_ key: String, _ message: String) async throws {
    let place = try Workplace()
    try place.copy("pickle/scaler-minmax.pt", as: "model.pt")
    let outcome = try await place.run("import", "model.pt", "--scaler-from", key)
    #expect(outcome.code == 64)
    #expect(outcome.stderr.hasPrefix("error: \(message)\n"))
    #expect(!FileManager.default.fileExists(atPath: place.path("model.h5")))
    let twice = try await place.run("import", "model.pt", "--scaler-from", "scaler", "--scaler", "1,2")
    #expect(twice.code == 64)
  }

  @Test func inspectShowsScalers() async throws {
    let place = try Workplace()
    try place.copy("pickle/scaler-two.pt", as: "model.pt")
    let outcome = try await succeeds(place, "inspect", "model.pt")
    #expect(outcome.stdout.contains("  scaler_x, a sklearn.preprocessing.MinMaxScaler of 3 columns\n"))
    #expect(outcome.stdout.contains("  scaler_y, a sklearn.preprocessing.StandardScaler of 1 column\n"))
    #expect(!outcome.stdout.contains("passed over"))
    let json = try await succeeds(place, "inspect", "model.pt", "--json")
    #expect(json.stdout.contains("\"scaler_y\""))
  }

  @Test func valuesThatAreNotFiniteAreSaid() async throws {
    let place = try Workplace()
    var model = LSTMModel(
      ModelConfiguration(
        input: .features(size: 2), layers: [.init(hiddenSize: 3)], readout: .last, head: [.init(size: 1)]), seed: 3
    ).stored
    model.tensors = model.tensors.map { tensor in
      guard tensor.name == "head.0.weight" else { return tensor }
      return StoredTensor(name: tensor.name, shape: tensor.shape, values: [1, .nan, .infinity])
    }
    try model.write(path: place.path("weights.safetensors"), as: .safetensors)
    let outcome = try await succeeds(place, "import", "weights.safetensors")
    let note =
      "head.0.weight has 1 NaN and 1 infinite values, the first at (0, 1) of (1, 3): what reads them computes NaN"
    #expect(outcome.stdout.contains("note: \(note)\n"))
    let json = try await succeeds(place, "import", "weights.safetensors", "--json", "-o", "other.h5")
    #expect(json.stdout.contains(note))

    #expect(try await succeeds(place, "inspect", "model.h5", "--verify").stdout.contains("  note: \(note)\n"))
    try place.write("mine.csv", "a,b\n" + (0..<40).map { "\($0),\($0 % 7)\n" }.joined())
    let data = ["--data", "mine.csv", "--features", "a,b", "--target", "a", "--window", "4", "--readout", "last"]
    for arguments in [
      ["predict", "model.h5"] + data,
      ["evaluate", "model.h5"] + data,
      ["export", "model.h5", "--to", "npz", "-o", "weights.npz"],
    ] {
      let outcome = try await place.run(arguments)
      #expect(outcome.code == 0 && outcome.stderr.contains("warning: model.h5: \(note)\n"), "\(outcome.stderr)")
    }
    let trained = try await place.run(["finetune", "model.h5", "--epochs", "1"] + data)
    #expect(trained.code == 65 && trained.stdout.contains("note   \(note)\n"), "\(trained.stdout)")
    #expect(trained.stderr.contains("\n  \(note)\n"), "\(trained.stderr)")
  }
}
