import Foundation
import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import LSTMReports
import TestSupport
import Testing

/// Tables with times and ids, as a person types it.
@Suite(.serialized) struct TimeTests {
  /// A model of one feature that was fine-tuned on a table.
  private static func tuned(
    _ place: Workplace, _ options: String..., data: String = "mine.csv", horizon: Int = 3
  ) async throws -> Outcome {
    let configuration = ModelConfiguration(
      input: .features(size: 1), layers: [.init(hiddenSize: 4)], readout: .last, head: [.init(size: horizon)])
    try LSTMModel(configuration, seed: 7).write(path: place.path("model.h5"), as: .native)
    if FileManager.default.fileExists(atPath: place.path("run")) {
      try FileManager.default.removeItem(atPath: place.path("run"))
    }
    return try await place.run(
      ["finetune", "--data", data, "--window", "6", "--epochs", "1", "--run", "run", "--no-samples"] + options)
  }

  private static func fixture(_ place: Workplace, _ name: String) throws {
    try place.copy("wild/csv/\(name).csv", as: "mine.csv")
  }

  static func stores(_ count: Int = 12, days: Int = 30) -> String {
    var text = "date,store,sales\n"
    for day in 1...days {
      for store in 1...count { text += "2024-06-\(day < 10 ? "0" : "")\(day),s\(store),\(store * 100 + day % 7)\n" }
    }
    return text
  }

  // MARK: - Bars

  /// Bit for bit: newest first, in no order, and sorted.
  @Test func aForecastDoesNotDependOnTheFilesOrder() async throws {
    let place = try Workplace()
    try Self.fixture(place, "newest")
    let tuning = try await Self.tuned(place, horizon: 24)
    #expect(tuning.code == 0, "\(tuning.stderr)")
    #expect(
      tuning.stdout.contains("the file runs from the newest row to the oldest; the rows were put in ascending order\n"))
    var lines = try place.read("mine.csv").split(separator: "\n").map { String($0) }
    let header = lines.removeFirst()
    lines.reverse()
    try place.write("sorted.csv", ([header] + lines).joined(separator: "\n") + "\n")
    // A walk through all rows by a step that has no common factor with their number.
    let shuffled = lines.indices.map { lines[$0 * 7919 % lines.count] }
    try place.write("shuffled.csv", ([header] + shuffled).joined(separator: "\n") + "\n")
    let sorted = try await place.run("predict", "finetuned.h5", "--data", "sorted.csv")
    #expect(sorted.code == 0)
    let rows = sorted.stdout.split(separator: "\n")
    #expect(rows.count == 25 && rows[0] == "date,ahead,temp")
    #expect(rows[1].hasPrefix("2010/03/25 09:00:00,1,") && rows[24].hasPrefix("2010/03/26 08:00:00,24,"))
    for name in ["mine.csv", "shuffled.csv"] {
      let other = try await place.run("predict", "finetuned.h5", "--data", name)
      #expect(other.stdout == sorted.stdout)
      #expect(other.stderr.contains("put in ascending order"))
    }
    // And what training makes of it.
    let again = try await place.run(
      "finetune", "--data", "shuffled.csv", "--window", "6", "--epochs", "1", "--run", "run2", "--no-samples", "-o",
      "other.h5")
    #expect(again.code == 0)
    let (first, second) = (try place.checkpoint("finetuned.h5"), try place.checkpoint("other.h5"))
    for tensor in first.tensors { #expect(try second[tensor.name]?.bytes() == tensor.bytes()) }
  }

  @Test func twelveStoresInOneFile() async throws {
    let place = try Workplace()
    try place.write("mine.csv", Self.stores())
    let asked = try await Self.tuned(place)
    #expect(asked.code == 64)
    #expect(
      asked.stderr == """
        error: mine.csv: the same times stand under "store" again and again, 2024-06-01 12 times: these seem to be several series
          separate them with --id store
          or treat them as one series with --id none

        """)
    let none = try await Self.tuned(place, "--id", "none")
    #expect(none.code == 0, "\(none.stderr)")
    let tuning = try await Self.tuned(place, "--id", "store", "--scaler-per-id")
    #expect(tuning.code == 0, "\(tuning.stderr)")
    #expect(tuning.stdout.contains("store: 12 series, s1; s2; s3; s4; ...; no window crosses from one to another\n"))
    #expect(tuning.stdout.contains("scaler: fitted on the training rows of each of 12 ids\n"))
    let forecast = try await place.run("predict", "finetuned.h5", "--data", "mine.csv", "-o", "f.csv")
    #expect(forecast.code == 0, "\(forecast.stderr)")
    let table = try CSVTable(contentsOf: place.path("f.csv"))
    #expect(table.columnNames == ["store", "date", "ahead", "sales"] && table.rowCount == 36)
    let names: [String] = (1...12).flatMap { Array(repeating: "s\($0)", count: 3) }
    #expect(try table.strings(column: "store") == names)
    #expect(try table.strings(column: "date").prefix(3) == ["2024-07-01", "2024-07-02", "2024-07-03"])
    // Each is near its own store's numbers.
    for (row, value) in try table.floats(column: "sales").enumerated() {
      let level = Float((row / 3 + 1) * 100 + 3)
      #expect(abs(value - level) < 20)
    }
    let rolling = try await place.run("predict", "finetuned.h5", "--data", "mine.csv", "--rolling")
    let lineCount = rolling.stdout.split(separator: "\n").count
    #expect(lineCount == 901)
    let evaluation = try await place.run("evaluate", "finetuned.h5", "--data", "mine.csv")
    #expect(evaluation.code == 0 && evaluation.stdout.contains(": 264 sequences, "))
    // One that the model has no scaler of.
    try place.write("new.csv", Self.stores(1).replacingOccurrences(of: ",s1,", with: ",new,"))
    let new = try await place.run("predict", "finetuned.h5", "--data", "new.csv")
    #expect(new.code == 0 && new.stderr.contains("the model has no scaler of new: it is standardized by its own rows"))
    let without = try await place.run("predict", "finetuned.h5", "--data", "plain.csv")
    #expect(without.code == 66)
    try place.write("plain.csv", "sales\n" + (0..<9).map { "\($0)\n" }.joined())
    let plain = try await place.run("predict", "finetuned.h5", "--data", "plain.csv")
    #expect(plain.code == 64 && plain.stderr.contains("plain.csv has no column \"store\""))
    #expect(try await place.run("predict", "finetuned.h5", "--data", "plain.csv", "--id", "none").code == 0)
  }

  @Test func forecastsOfAScalerFileAreThoseOfPyTorch() async throws {
    let place = try Workplace()
    for name in ["mm.pt", "mm.csv", "scaler.json"] { try place.copy("wild/scaler-minmax/\(name)", as: name) }
    let imported = try await place.run(
      "import", "mm.pt", "--readout", "last", "--scaler-file", "scaler.json", "--window", "24")
    #expect(imported.code == 0, "\(imported.stderr)")
    let forecast = try await place.run("predict", "--data", "mm.csv", "--rolling", "-o", "f.csv")
    #expect(forecast.code == 0, "\(forecast.stderr)")
    let said = try CSVTable(contentsOf: place.path("f.csv")).floats(column: "temp")
    let json = try Data(contentsOf: fixtures.appendingPathComponent("wild/scaler-minmax/expected.json"))
    let expected = try JSONDecoder().decode([Float].self, from: json)
    #expect(said.count == 577 && expected.count == 20)
    #expect(largestDifference(Array(said.suffix(20)), expected) <= 2.8e-4)
    let exported = try await place.run("export", "model.h5", "--to", "safetensors", "-o", "back.safetensors", "--json")
    #expect(
      exported.stderr.contains("the model reads standardized inputs: temp: 11.457757 to 28.75638 becomes 0.0 to 1.0;"))
    #expect(exported.stdout.contains("\"inputScaler\":{") && exported.stdout.contains("\"minimum\":[11.457757"))
    // Fine-tuning keeps it.
    let tuning = try await place.run("finetune", "--data", "mm.csv", "--epochs", "1", "--run", "run")
    #expect(tuning.stdout.contains("scaler: the model's is kept (11.46...28.76 to 0...1;"), "\(tuning.stdout)")
  }

  // MARK: - What was filled in

  @Test func whatWasFilledInIsNeitherScoredNorForecastFrom() async throws {
    let place = try Workplace()
    try Self.fixture(place, "tail_missing")
    let refused = try await Self.tuned(place)
    #expect(
      refused.code == 65 && refused.stderr.contains("line 378, column \"temp\": expected a number, found an empty cell")
    )
    let tuning = try await Self.tuned(place, "--missing", "interpolate")
    #expect(
      tuning.stdout.contains(
        "temp: 24 of 400 cells held no number and were filled in (on the line between their neighbors)\n"))
    #expect(tuning.stdout.contains("24 windows left out, because a target in them was filled in\n"))
    let forecast = try await place.run("predict", "finetuned.h5", "--data", "mine.csv", "--missing", "interpolate")
    #expect(forecast.stdout.contains("\n2024-04-09 16:00:00,1,"))
    #expect(forecast.stderr.contains("warning: the last 24 rows, from line 378 on, lack numbers that the model reads"))
    // The same without them.
    let lines = try place.read("mine.csv").split(separator: "\n").dropLast(24)
    try place.write("short.csv", lines.joined(separator: "\n") + "\n")
    #expect(try await place.run("predict", "finetuned.h5", "--data", "short.csv").stdout == forecast.stdout)
    let measured = try await place.run(
      "evaluate", "finetuned.h5", "--data", "mine.csv", "--missing", "interpolate", "--json")
    let without = try await place.run("evaluate", "finetuned.h5", "--data", "short.csv", "--json")
    #expect(try Self.metrics(measured) == (try Self.metrics(without)))
  }

  private struct Measured: Decodable { let metrics: Metrics }

  private static func metrics(_ outcome: Outcome) throws -> Metrics {
    try JSONDecoder().decode(Measured.self, from: Data(outcome.stdout.utf8)).metrics
  }

  // MARK: - Splits and files

  @Test func aSplitByDates() async throws {
    let place = try Workplace()
    try Self.fixture(place, "dst")
    let until = try await Self.tuned(place, "--train-until", "2024-04-05")
    #expect(
      until.stdout.contains("279 windows to train on, 111 for validation (the last rows)\n"),
      "\(until.stdout)\(until.stderr)")
    let from = try await Self.tuned(place, "--validate-from", "2024-04-06 00:00")
    #expect(from.stdout.contains("279 windows to train on, 111 for validation (the last rows)\n"))
    let wrong = try await Self.tuned(place, "--train-until", "tomorrow")
    #expect(wrong.code == 64 && wrong.stderr.hasPrefix("error: tomorrow: expected a date such as 2024-03-25"))
  }

  @Test func aFolderOfFilesAndOneForValidation() async throws {
    let place = try Workplace()
    try place.makeFolder("all")
    for (name, first) in [("north", 10), ("south", 500)] {
      let rows = (1...28).map { "2024-02-\($0 < 10 ? "0" : "")\($0),\(first + $0 % 5)\n" }.joined()
      try place.write("all/\(name).csv", "date,a\n" + rows)
    }
    try place.write("held.csv", "date,a\n" + (1...9).map { "2024-03-0\($0),\(10 + $0 % 5)\n" }.joined())
    let tuning = try await Self.tuned(place, "--validation-data", "held.csv", data: "all")
    #expect(tuning.code == 0, "\(tuning.stderr)")
    #expect(tuning.stdout.contains("all/north.csv and 1 file more: 56 rows; a -> a"))
    #expect(tuning.stdout.contains("40 windows to train on, 1 for validation from held.csv\n"))
    let forecast = try await place.run("predict", "finetuned.h5", "--data", "all/north.csv", "--data", "all/south.csv")
    let rows = forecast.stdout.split(separator: "\n")
    #expect(rows.count == 7 && rows[0] == "file,date,ahead,a")
    #expect(rows[1].hasPrefix("north,2024-02-29,1,") && rows[4].hasPrefix("south,2024-02-29,1,"))
    // Its input files must not have changed.
    try place.write("held.csv", "date,a\n2024-03-01,1\n")
    let resumed = try await place.run("finetune", "--resume", "run")
    #expect(resumed.code == 65 && resumed.stderr.contains("held.csv: it has changed since the run was started"))
  }

  @Test func withoutTimesRollingNumbersTheRows() async throws {
    let place = try Workplace()
    try place.write("mine.csv", "a\n" + (1...20).map { "\($0)\n" }.joined())
    let tuning = try await Self.tuned(place)
    #expect(!tuning.stdout.contains("note   time"))
    let forecast = try await place.run("predict", "finetuned.h5", "--data", "mine.csv")
    #expect(forecast.stdout.hasPrefix("ahead,a\n1,") && forecast.stderr.isEmpty)
    let rolling = try await place.run("predict", "finetuned.h5", "--data", "mine.csv", "--rolling")
    let rows = rolling.stdout.split(separator: "\n")
    #expect(rows.count == 46 && rows[0] == "row,ahead,a" && rows[1].hasPrefix("7,1,"))
    #expect(rows[45].hasPrefix("23,3,"))
  }

  @Test func openDatesAreAskedFor() async throws {
    let place = try Workplace()
    try place.write("mine.csv", "date,a\n" + (1...12).map { "\($0 < 10 ? "0" : "")\($0)/01/2020,\($0)\n" }.joined())
    let asked = try await Self.tuned(place)
    #expect(asked.code == 64 && asked.stderr.hasSuffix("  choose --date-order dmy or --date-order mdy\n"))
    let tuning = try await Self.tuned(place, "--date-order", "mdy")
    #expect(tuning.code == 0 && tuning.stdout.contains("01/01/2020 to 12/01/2020, every month\n"))
    // The model knows it from then on.
    let forecast = try await place.run("predict", "finetuned.h5", "--data", "mine.csv")
    #expect(forecast.stdout.contains("\n01/01/2021,1,"))
  }
}
