import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import TestSupport
import Testing

/// Every piece of advice and every line of what to type next works when it is typed as it stands.
@Suite(.serialized) struct AdviceTests {
  static let network = ModelConfiguration(
    input: .features(size: 1),
    layers: [.init(hiddenSize: 4, bias: .single), .init(hiddenSize: 4, bias: .single)], readout: .last,
    head: [.init(size: 1)])

  /// A folder with a model in a format, imported, in names that a shell would take apart.
  static func place(_ format: Checkpoint.Format = .pytorchHDF5) async throws -> (Workplace, model: String) {
    let place = try Workplace()
    try LSTMModel(network, seed: 7).write(path: place.path("the weights"), as: format)
    try place.writeSeries(as: "my data.csv")
    let done = try await place.run("import", "the weights", "--readout", "last", "-o", "my model.h5")
    #expect(done.code == 0, "\(done.stderr)")
    return (place, "my model.h5")
  }

  static let finetune = [
    "--data", "my data.csv", "--target", "temp", "--window", "12", "--epochs", "1", "-o", "it's tuned.h5",
  ]

  /// Types each line; all must end well.
  @discardableResult
  static func type(_ lines: [String], _ place: Workplace, in folder: String? = nil) async throws -> [Outcome] {
    var outcomes: [Outcome] = []
    for line in lines {
      let outcome = try await place.type(line, in: folder)
      #expect(outcome.code == 0, "\(line): \(outcome.stderr)")
      outcomes.append(outcome)
    }
    return outcomes
  }

  // MARK: - What to type next

  @Test(arguments: [
    (Checkpoint.Format.pytorchHDF5, "back.h5"), (.pt, "back.pt"), (.safetensors, "back.safetensors"),
    (.npz, "back.npz"),
    (.kerasH5, "back.h5"), (.kerasWeights, "back.weights.h5"), (.kerasArchive, "back.keras"), (.onnx, "back.onnx"),
    (.mlx, "back.safetensors"),
  ])
  func afterARunTheModelGoesBackInTheFormatItCameIn(_ format: Checkpoint.Format, _ name: String) async throws {
    let (place, model) = try await Self.place(format)
    let done = try await place.run(["finetune", model] + Self.finetune)
    #expect(done.code == 0, "\(done.stderr)")
    let next = Advice(done).next
    #expect(next.count == 2)
    try await Self.type(next, place)
    let source = try place.checkpoint(model).provenance?.format
    #expect(try #require(next.last).contains("--to \(try #require(source)) -o \(name)"), "\(next)")
    let same = try await place.run("diff", "it's tuned.h5", name)
    #expect(same.stdout.contains("the same") || format != .pytorchHDF5, "\(same.stdout)")
    // Nothing that is there is proposed to be replaced, and what was proposed works again.
    let again = try await place.run(["finetune", model] + Self.finetune)
    #expect(again.stdout.contains("replaced it's tuned.h5 (was the model of the weights, fine-tuned on"))
    let others = Advice(again).next
    #expect(others.last?.contains(" -o back-2.") == true, "\(others)")
    try await Self.type(others, place)
  }

  @Test func whatPredictHasToBeToldAgainIsInTheLine() async throws {
    let (place, model) = try await Self.place()
    let text = try place.read("my data.csv").split(separator: "\n")
    // No header, and a hole.
    var rows = text.dropFirst().map(String.init)
    rows[20] = String(rows[20].drop { $0 != "," })
    try place.write("bare.csv", rows.joined(separator: "\n") + "\n")
    let done = try await place.run(
      "finetune", model, "--data", "bare.csv", "--no-header", "--missing", "interpolate", "--target", "column1",
      "--window",
      "12", "--epochs", "1")
    #expect(done.code == 0, "\(done.stderr)")
    let next = Advice(done).next
    #expect(next.first?.contains("--no-header") == true && next.first?.contains("--missing interpolate") == true)
    try await Self.type(next, place)
  }

  @Test func arraysAndStreamsToo() async throws {
    let (place, model) = try await Self.place()
    let x = (0..<240).map { Float($0 % 17) / 17 }
    try StoredTensor.write(
      [
        StoredTensor(name: "x", shape: [20, 12, 1], values: x),
        StoredTensor(name: "y", shape: [20, 1], values: Array(x[..<20])),
      ], path: place.path("some arrays.h5"), as: .pytorchHDF5)
    let arrays = try await place.run("finetune", model, "--data", "some arrays.h5", "--epochs", "1")
    #expect(arrays.code == 0, "\(arrays.stderr)")
    try await Self.type(Advice(arrays).next, place)
    #expect(try place.contents()["predictions.npy"] != nil)

    try StoredTensor.write(
      [
        StoredTensor(name: "x", shape: [2, 120, 1], values: x), StoredTensor(name: "y", shape: [2, 120, 1], values: x),
        StoredTensor(name: "reset", shape: [2, 120], values: x[..<240].map { $0 == 0 ? 1 : 0 }),
      ], path: place.path("streams.npz"), as: .npz)
    let streams = try await place.run(
      "finetune", model, "--data", "streams.npz", "--chunk", "30", "--readout", "all", "--epochs", "1", "-o", "s.h5",
      "--validation-split", "0")
    #expect(streams.code == 0, "\(streams.stderr)")
    try await Self.type(Advice(streams).next, place)
  }

  @Test func theSuggestedRateIsTrainedWith() async throws {
    let (place, model) = try await Self.place()
    let found = try await place.run(
      ["lr-find", model] + Self.finetune.dropLast(2) + ["--steps", "60", "-o", "the chart.svg"])
    #expect(found.code == 0, "\(found.stderr)")
    let next = Advice(found).next
    #expect(next.count == 1 && next[0].hasPrefix("lstm-ft finetune 'my model.h5' --data 'my data.csv'"), "\(next)")
    #expect(!next[0].contains("chart") && !next[0].contains("--steps"))
    try await Self.type(next, place)
  }

  @Test func reportsLinesWorkFromAnywhere() async throws {
    let (place, model) = try await Self.place(.pt)
    let done = try await place.run(["finetune", model] + Self.finetune + ["--run", "the run"])
    #expect(done.code == 0)
    try await Self.type(Advice(try await place.run("report", "the run")).next, place)
    let elsewhere = try TemporaryFolder()
    let far = try await place.type("lstm-ft report '\(place.path("the run"))'", in: elsewhere.url.path)
    let next = Advice(far).next
    #expect(next.count == 2 && next.allSatisfy { $0.hasPrefix("cd ") }, "\(next)")
    try await Self.type(next, place, in: elsewhere.url.path)
  }

  @Test func aStoppedRunGoesOn() async throws {
    let (place, model) = try await Self.place()
    let stopped = try await place.run(
      ["finetune", model] + Self.finetune.filter { $0 != "1" }.flatMap { $0 == "--epochs" ? [$0, "4000"] : [$0] }
        + ["--patience", "0", "--run", "a run"], interrupt: (signal: SIGINT, after: "3/4000"))
    #expect(stopped.code == 130, "\(stopped.stderr)")
    #expect(stopped.stdout.contains("lstm-ft finetune --resume 'a run'"))
    // It would go on for minutes: what is told of it does, too.
    let told = Advice(try await place.run("report", "a run")).next
    #expect(told.first == "lstm-ft finetune --resume 'a run'")
    try await Self.type(Array(told.dropFirst()), place)
    let line = try #require(Advice(stopped).commands.first { $0.contains("--resume") })
    // As a shell takes it apart.
    let words = try await place.type("printf '%s\\n' " + line).stdout.split(separator: "\n").map(String.init)
    let resumed = try await place.run(Array(words.dropFirst()), interrupt: (signal: SIGINT, after: "resuming in epoch"))
    #expect(resumed.code == 130 && resumed.stdout.contains("resuming in epoch"), "\(resumed.stderr)")
  }

  // MARK: - Advice

  @Test func columnsWithBlanksAreQuoted() async throws {
    let (place, _) = try await Self.place()
    let rows = (1...60).map { "\($0),\($0 % 7)\n" }.joined()
    try place.write("wind.csv", "wind speed,air temp\n" + rows)
    let imported = try await place.run("import", "the weights", "--readout", "last", "-o", "a model.h5")
    #expect(imported.stdout.contains("next: lstm-ft finetune 'a model.h5' --data mine.csv --target COLUMN"))
    let asked = try await place.run("finetune", "a model.h5", "--data", "wind.csv", "--window", "12")
    #expect(asked.code == 64 && asked.stderr.hasSuffix("for example --target 'wind speed'\n"), "\(asked.stderr)")
    let done = try await place.type(
      "lstm-ft finetune 'a model.h5' --data wind.csv --target 'wind speed' --window 12 --epochs 1")
    #expect(done.code == 0, "\(done.stderr)")
    try await Self.type(Advice(done).next, place)
  }

  @Test func aHorizonThatTheModelHasNot() async throws {
    let (place, model) = try await Self.place()
    #expect(try await place.run(["finetune", model] + Self.finetune).code == 0)
    let predict = ["predict", "it's tuned.h5", "--data", "my data.csv"]
    let refused = try await place.run(predict + ["--horizon", "3"])
    #expect(refused.code == 64 && refused.stdout.isEmpty)
    #expect(
      refused.stderr.hasPrefix(
        "error: --horizon 3: the model's head predicts 1 row of temp for each window\n"))
    // What it can do.
    #expect(try await place.run(predict).stdout.split(separator: "\n").count == 2)
    #expect(try await place.run(predict + ["--horizon", "1"]).code == 0)
    try await Self.type(Advice(refused).commands, place)
    #expect(
      try await place.run(["predict", "--data", "my data.csv", "finetuned.h5"]).stdout.split(separator: "\n").count == 4
    )
  }

  @Test func aModelWithoutAHeadHasNoHorizon() async throws {
    let place = try Workplace()
    try place.writeBareLSTM()
    try place.writeSeries()
    #expect(try await place.run("import", "weights.h5").code == 0)
    let refused = try await place.run(
      "predict", "--data", "mine.csv", "--target", "temp", "--window", "12", "--readout", "last", "--horizon", "2")
    #expect(refused.code == 64 && refused.stderr.hasPrefix("error: --horizon 2: the model has no head"))
    try await Self.type(Advice(refused).commands, place)
  }

  @Test func targetsOfZeroAndOneAreAskedAbout() async throws {
    let (place, model) = try await Self.place()
    let x = (0..<240).map { Float($0 % 17) / 17 }
    try StoredTensor.write(
      [
        StoredTensor(name: "x", shape: [20, 12, 1], values: x),
        StoredTensor(name: "y", shape: [20, 1], values: (0..<20).map { Float($0 % 2) }),
      ], path: place.path("yes.npz"), as: .npz)
    let finetune = ["finetune", model, "--data", "yes.npz", "--epochs", "1"]
    let asked = try await place.run(finetune)
    #expect(asked.code == 65)
    for choice in 0..<2 {
      let done = try await place.run(finetune + Advice(asked).option("--loss", choice))
      #expect(done.code == 0, "\(done.stderr)")
      // What it was trained with is what it is measured by.
      let name = try Advice(asked).option("--loss", choice)[1]
      let measured = try await place.run("evaluate", "finetuned.h5", "--data", "yes.npz")
      #expect(measured.code == 0 && measured.stdout.contains("sequences, \(name) "), "\(measured.stdout)")
    }
  }

  @Test func aHeadOfHundredsForTwoClasses() async throws {
    let place = try Workplace()
    var network = Self.network
    network.plain.head = [.init(size: 465, activation: .softmax)]
    try LSTMModel(network, seed: 7).write(path: place.path("model.h5"))
    let x = (0..<240).map { Float($0 % 17) / 17 }
    try StoredTensor.write(
      [
        StoredTensor(name: "x", shape: [20, 12, 1], values: x),
        StoredTensor(name: "y", shape: [20], dataType: .int64) {
          (0..<20).flatMap { withUnsafeBytes(of: Int64($0 % 2).littleEndian, Array.init) }
        },
      ], path: place.path("two.npz"), as: .npz)
    let finetune = ["finetune", "--data", "two.npz", "--epochs", "1"]
    let asked = try await place.run(finetune)
    #expect(asked.code == 65)
    #expect(asked.stderr.hasPrefix("error: two.npz: the model has 465 outputs, and y has class numbers from 0 to 1\n"))
    for choice in 0..<2 {
      let done = try await place.run(finetune + Advice(asked).option("--head", choice))
      #expect(done.code == 0, "\(done.stderr)")
      let width = try place.checkpoint("finetuned.h5").configuration?.plain.head.last?.size
      #expect(width == (choice == 0 ? 2 : 465))
    }
  }

  @Test func aLossThatNobodyChoseIsNotBlamedOnThem() async throws {
    let place = try Workplace()
    var network = Self.network
    network.plain.head = [.init(size: 3, activation: .sigmoid)]
    try LSTMModel(network, seed: 7).write(path: place.path("model.h5"))
    let x = (0..<240).map { Float($0 % 17) / 17 }
    try StoredTensor.write(
      [
        StoredTensor(name: "x", shape: [20, 12, 1], values: x),
        StoredTensor(name: "y", shape: [20], dataType: .int64) {
          (0..<20).flatMap { withUnsafeBytes(of: Int64($0 % 3).littleEndian, Array.init) }
        },
      ], path: place.path("three.npz"), as: .npz)
    let finetune = ["finetune", "--data", "three.npz", "--epochs", "1"]
    let asked = try await place.run(finetune)
    #expect(asked.code == 65)
    #expect(
      asked.stderr.hasPrefix(
        "error: three.npz: y has class numbers, which are for cross-entropy, and that does not go with a head that ends in sigmoid\n"
      ))
    #expect(try await place.run(finetune + Advice(asked).option("--head")).code == 0)
    let given = try await place.run(finetune + ["--loss", "ce"])
    #expect(given.code == 64)
    #expect(given.stderr.hasPrefix("error: --loss cross-entropy does not go with a head that ends in sigmoid\n"))
    #expect(try await place.run(finetune + ["--loss", "ce"] + Advice(given).option("--head")).code == 0)
  }

  @Test func aRunThatDivergesIsHelped() async throws {
    let (place, model) = try await Self.place()
    let failed = try await place.run(
      ["finetune", model] + Self.finetune + ["--optimizer", "sgd", "--lr", "1e30", "--clip-norm", "0", "--run", "r"])
    #expect(failed.code == 65)
    let advice = Advice(failed)
    // Its numbers: "below 1e+30" is no number yet.
    #expect(failed.stderr.contains("try a --learning-rate below 1e+30, or --clip-norm 1\n"))
    let again = try await place.run(
      ["finetune", model] + Self.finetune + ["--optimizer", "sgd", "--lr", "1e-3"] + advice.option("--clip-norm"))
    #expect(again.code == 0, "\(again.stderr)")
    #expect(failed.stderr.contains("the last good weights are in r/last.h5"))
    #expect(try await place.run("evaluate", "r/last.h5", "--data", "my data.csv").code == 0)
  }

  @Test func whatIsThereIsReplacedWhenToldTo() async throws {
    let (place, model) = try await Self.place()
    try place.write("theirs.csv", "a,b\n1,2\n")
    try place.copy("demo/seattle.h5", as: "theirs.h5")
    try place.write("theirs.svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"/>")
    let data = ["--data", "my data.csv", "--target", "temp", "--window", "12"]
    for (arguments, name) in [
      (["predict", model] + data + ["-o", "theirs.csv"], "theirs.csv"),
      (["export", model, "--to", "pytorch-h5", "-o", "theirs.h5"], "theirs.h5"),
      (["import", "the weights", "--readout", "last", "-o", "theirs.h5"], "theirs.h5"),
      (["finetune", model] + data + ["--epochs", "1", "-o", "theirs.h5"], "theirs.h5"),
      (["lr-find", model] + data + ["-o", "theirs.svg"], "theirs.svg"),
      (["evaluate", model] + data + ["--chart", "theirs.svg"], "theirs.svg"),
    ] {
      try FileManager.default.removeItem(atPath: place.path(name))
      if name == "theirs.h5" { try place.copy("demo/seattle.h5", as: name) } else { try place.write(name, "theirs\n") }
      let before = try place.contents()
      let refused = try await place.run(arguments)
      #expect(refused.code == 73, "\(arguments): \(refused.stderr)")
      #expect(
        refused.stderr
          == "error: \(name): it exists, and lstm-ft did not write it\n  choose another -o, or --overwrite to replace it\n"
      )
      #expect(try place.contents() == before)
      let done = try await place.run(arguments + ["--overwrite"])
      #expect(done.code == 0 && done.stdout.contains("replaced \(name)\n"), "\(arguments): \(done.stderr)")
      #expect(try place.contents()[name] != before[name])
    }
  }

  @Test func itsOwnFilesAreReplacedWithAWord() async throws {
    let (place, model) = try await Self.place()
    let again = try await place.run("import", "the weights", "--readout", "last", "-o", model)
    #expect(
      again.code == 0 && again.stdout.contains("replaced my model.h5 (was the model of the weights, imported on "))
    let find = ["lr-find", model] + Self.finetune.dropLast(2) + ["--steps", "20"]
    #expect(try await place.run(find).stdout.contains("replaced") == false)
    #expect(try await place.run(find).stdout.contains("replaced lr-find.svg (was a chart of lstm-ft's)\n"))
    try await place.run("export", model, "--to", "onnx", "-o", "m.onnx")
    let onnx = try await place.run("export", model, "--to", "onnx", "-o", "m.onnx")
    #expect(
      onnx.code == 0 && onnx.stdout.contains("replaced m.onnx (was an ONNX model of lstm-ft's)"), "\(onnx.stderr)")
    try place.write("empty.csv", "")
    let data = ["--data", "my data.csv", "--target", "temp", "--window", "12"]
    let predicted = try await place.run(["predict", model] + data + ["-o", "empty.csv"])
    #expect(predicted.code == 0 && !predicted.stdout.contains("replaced"))
  }
}
