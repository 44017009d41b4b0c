import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Several series in one table or several, and cells that held nothing.
@Suite struct SeriesPartsTests {
  /// Twelve stores, day by day; sales tell the store and the day.
  static func stores(_ count: Int = 12, days: Int = 40) -> String {
    var text = "date,store,sales\n"
    for day in 0..<days {
      for store in 1...count {
        text += "\(CivilDate(days: 19_700 + day).text),s\(store),\(store * 1000 + day)\n"
      }
    }
    return text
  }

  static func series(
    _ text: String, window: Int = 5, horizon: Int = 2, missing: MissingValuePolicy = .error,
    id: [String]? = ["store"], column: String = "sales", needsHorizon: Bool = true
  ) throws -> SeriesData {
    let table = try CSVTable(bytes: Array(text.utf8), name: "mine.csv")
    let ordered = try OrderedTable(table, .init(id: id.map { .named($0) } ?? .detect, reserved: [column]))
    return try SeriesData(
      [ordered], features: [column], targets: [column], window: window, horizon: horizon, missing: missing,
      needsHorizon: needsHorizon)
  }

  /// The values that each window reads and says.
  static func windows(_ data: SequenceData) -> [[Float]] {
    guard case .windows(let rows, 1, let starts, let steps) = data.inputs,
      case .values(let y, let size, false) = data.targets
    else { return [] }
    return data.places.map { place in
      Array(rows[starts[place]..<starts[place] + steps]) + y[place * size..<(place + 1) * size]
    }
  }

  static func inputs(_ batch: SequenceBatch) -> [Float] {
    if case .features(let values, _) = batch.input { values } else { [] }
  }

  @Test func noWindowReachesOverTwoStores() throws {
    let series = try Self.series(Self.stores())
    #expect(series.parts.count == 12 && series.idColumns == ["store"])
    let windows = Self.windows(try series.examples())
    #expect(windows.count == 12 * (40 - 5 - 2 + 1))
    #expect(windows.count { Set($0.map { Int($0) / 1000 }).count > 1 } == 0)
    // Each runs on from day to day.
    #expect(windows.allSatisfy { window in zip(window, window.dropFirst()).allSatisfy { $1 == $0 + 1 } })
  }

  @Test(arguments: [
    SeriesSplit.fraction(0.25), .dated(trainUntil: "2024-01-08", validateFrom: nil),
    .dated(trainUntil: nil, validateFrom: "2024-01-09"),
  ])
  func everyStoreIsSplitInTime(_ split: SeriesSplit) throws {
    let series = try Self.series(Self.stores())
    let parts = try series.split(split)
    let (training, validation) = (Self.windows(parts.training), Self.windows(try #require(parts.validation)))
    // Day 19700 is 9 December 2023; ten days of forty are held back.
    #expect(training.allSatisfy { $0.allSatisfy { Int($0) % 1000 < 31 } })
    let said: [Int] = validation.flatMap { window in window.suffix(2).map { Int($0) % 1000 } }
    #expect(said.min() == (split == .fraction(0.25) ? 30 : 31))
    #expect(
      Set(training.map { Int($0[0]) / 1000 }).count == 12 && Set(validation.map { Int($0[0]) / 1000 }).count == 12)
    #expect((training + validation).count { Set($0.map { Int($0) / 1000 }).count > 1 } == 0)
  }

  @Test func betweenTwoDatesNothingIsLearned() throws {
    let series = try Self.series(Self.stores())
    let parts = try series.split(.dated(trainUntil: "2023-12-31", validateFrom: "2024-01-11"))
    #expect(Self.windows(parts.training).allSatisfy { $0.allSatisfy { Int($0) % 1000 <= 22 } })
    #expect(
      Self.windows(try #require(parts.validation)).allSatisfy { $0.suffix(2).allSatisfy { Int($0) % 1000 >= 33 } })
    let months = try series.split(.dated(trainUntil: "2023-12", validateFrom: nil))
    #expect(months.trainingRows == (try series.split(.dated(trainUntil: "2023-12-31", validateFrom: nil))).trainingRows)
  }

  @Test(arguments: [
    ("2024-13-01", "2024-13-01: there is no such day"),
    ("soon", "soon: expected a date such as 2024-03-25 or \"2024-03-25 14:00\""),
    (
      "2023-12-10",
      "mine.csv: training until 2023-12-10 leaves 2 rows to train on, fewer than a window of 5 and a horizon of 2"
    ),
    ("2030-01-01", "mine.csv: training until 2030-01-01 leaves no window to validate on"),
  ])
  func datesThatCannotBe(_ date: String, _ expected: String) throws {
    let series = try Self.series(Self.stores())
    #expect(message { _ = try series.split(.dated(trainUntil: date, validateFrom: nil)) } == expected)
  }

  @Test func eachStoreHasItsForecastAndItsDates() throws {
    let series = try Self.series(Self.stores(), needsHorizon: false)
    let origins = try series.lastWindows()
    #expect(origins.count == 12 && origins.warnings.isEmpty)
    #expect(series.forecastColumns(numbersRows: false) == ["store", "date"])
    let labels: [[String]] = (0..<12).map { series.labels(origins, $0, ahead: 1, numbersRows: false) }
    let names: [[String]] = (1...12).map { ["s\($0)", "2024-01-19"] }
    #expect(labels == names)
    let rolling = try series.rollingWindows()
    #expect(rolling.count == 12 * (40 - 5 + 1))
    #expect(series.labels(rolling, 0, ahead: 0, numbersRows: true) == ["s1", "2023-12-14"])
  }

  // MARK: - Scalers of each

  @Test func eachStoresOwnScaler() throws {
    let series = try Self.series(Self.stores(3))
    let scalers = series.ownScalers(series.parts.map(\.rows))
    #expect(Set(scalers.keys) == ["s1", "s2", "s3"])
    let examples = try series.examples()
    let (scaled, unknown) = series.scaled(examples, by: scalers)
    #expect(unknown.isEmpty)
    // The same day of every store is now the same number, nearly.
    let windows = Self.windows(scaled)
    #expect(largestDifference(windows[0], windows[34]) < 1e-4 && largestDifference(windows[0], windows[68]) < 1e-4)
    // A model that says 0 says each store's mean, and errors are in the data's own units.
    let model = try EvaluationTests.constant([0, 0])
    let evaluator = Evaluator(Network(model), loss: .meanSquaredError)
    let said = try evaluator.predict(scaled)
    #expect(said.values[0] == 1019.5 && said.values[68] == 2019.5 && said.values[136] == 3019.5)
    let metrics = try evaluator.evaluate(scaled)
    func error(_ value: Float) -> Double { abs(Double(value) - Double(Int(value) / 1000 * 1000) - 19.5) }
    let errors: [Double] = Self.windows(examples).flatMap { $0.suffix(2).map(error) }
    #expect(EvaluationTests.close(metrics.mae, errors.reduce(0, +) / Double(errors.count)))
    let (_, new) = series.scaled(examples, by: ["s1": try #require(scalers["s1"])])
    #expect(new == ["s2", "s3"])
  }

  // MARK: - Files

  @Test func filesAreSeriesOfTheirOwn() throws {
    func table(_ name: String, _ first: Int) throws -> OrderedTable {
      let text = "date,a\n" + (0..<9).map { "2024-01-0\($0 + 1),\(first + $0)\n" }.joined()
      return try OrderedTable(CSVTable(bytes: Array(text.utf8), name: name))
    }
    let series = try SeriesData(
      [try table("data/north.csv", 100), try table("data/south.csv", 200)], features: ["a"], targets: ["a"], window: 3,
      horizon: 1)
    #expect(series.parts.map(\.id) == [["north"], ["south"]] && series.idColumns == ["file"])
    let windows = Self.windows(try series.examples())
    #expect(windows.count == 12 && windows.allSatisfy { Set($0.map { Int($0) / 100 }).count == 1 })
  }

  // MARK: - What was filled in

  static let gappy =
    "date,a\n" + (0..<20).map { "\(CivilDate(days: $0).text),\((8...9).contains($0) ? "" : "\($0)")\n" }.joined()

  @Test func targetsThatWereFilledInAreNotScored() throws {
    let series = try Self.series(Self.gappy, window: 3, horizon: 2, missing: .interpolate, id: nil, column: "a")
    #expect(series.filled == [.init(column: "a", count: 2)])
    let windows = Self.windows(try series.examples())
    #expect(series.unscoredWindows == 3 && windows.count == 20 - 5 + 1 - 3)
    #expect(windows.allSatisfy { !$0.suffix(2).contains(8) && !$0.suffix(2).contains(9) })
    // The naive forecast is measured at the same rows, and not against them.
    #expect(series.seasonalScale([0..<20]) == [1])
    let split = try series.split(.fraction(0.5))
    #expect(split.training.count + (split.validation?.count ?? 0) < 16)
    #expect(
      message { _ = try series.streams(chunkSteps: 4) }.contains("2 rows have targets that were filled in"))
  }

  @Test func theForecastBeginsAfterTheLastRealRow() throws {
    let text = "date,a\n" + (0..<20).map { "\(CivilDate(days: $0).text),\($0 > 15 ? "" : "\($0)")\n" }.joined()
    let series = try Self.series(
      text, window: 3, horizon: 2, missing: .forwardFill, id: nil, column: "a", needsHorizon: false)
    let origins = try series.lastWindows()
    #expect(series.labels(origins, 0, ahead: 0, numbersRows: false) == ["1970-01-17"])
    #expect(
      origins.warnings.count == 1 && origins.warnings[0].hasPrefix("the last 4 rows, from line 18 on, lack numbers"))
    #expect(try Self.inputs(origins.windows.batch([0])) == [13, 14, 15])
    #expect(try series.rollingWindows().count == 14)
  }

  @Test func gapsAreFilledInOrderOfTime() throws {
    let text = "date,a\n2024-01-03,30\n2024-01-02,\n2024-01-01,10\n"
    let series = try Self.series(text, window: 1, horizon: 1, missing: .forwardFill, id: nil, column: "a")
    #expect(series.targetRows == [10, 10, 30])
  }

  // MARK: - A column of times changes nothing else

  @Test func anyOrderOfTheFileIsTheSame() throws {
    var lines = Self.stores(3, days: 12).split(separator: "\n").map { String($0) }
    let header = lines.removeFirst()
    var random = SplitMix(state: 3)
    let orders = [lines, lines.reversed(), lines.shuffled(using: &random)]
    let found = try orders.map { try Self.series(header + "\n" + $0.joined(separator: "\n") + "\n").featureRows }
    #expect(found[0] == found[1] && found[0] == found[2] && found[0].count == 36)
  }
}

extension CivilDate {
  /// 2024-03-25
  fileprivate var text: String {
    TimeFormat(.digits(8)).text(microseconds).enumerated().map {
      [4, 6].contains($0.offset) ? "-\($0.element)" : "\($0.element)"
    }.joined()
  }
}
