import LSTMCheckpoints
import LSTMLayers
import Testing
import TrainingSupport

@testable import LSTMFineTuning

@Suite struct SeriesDataTests {
  /// Rows 0, 1, 2, ...: a = row, b = 100 + row, c = 1000 + row.
  static func table(rows: Int) throws -> CSVTable {
    let text = "a,b,c\n" + (0..<rows).map { "\($0),\(100 + $0),\(1000 + $0)\n" }.joined()
    return try CSVTable(bytes: Array(text.utf8), name: "mine.csv")
  }

  static func series(
    rows: Int, features: [String] = ["a"], targets: [String] = ["a"], window: Int = 3, horizon: Int = 1
  ) throws -> SeriesData {
    try SeriesData(table(rows: rows), features: features, targets: targets, window: window, horizon: horizon)
  }

  /// Inputs and targets of each example.
  static func lines(_ data: SequenceData) throws -> [(x: [Float], y: [Float])] {
    try (0..<data.count).map { example in
      guard case .features(let x, _) = try data.batch([example]).input else { return ([], []) }
      guard case .values(let y, _, _) = data.targetBatch([example]) else { return (x, []) }
      return (x, y)
    }
  }

  @Test func aHorizonOfSeveralTargetsIsLaidOutRowByRow() throws {
    let series = try Self.series(rows: 7, features: ["c", "a"], targets: ["b", "a"], window: 2, horizon: 3)
    let data = try series.examples()
    let lines = try Self.lines(data)
    #expect(data.count == 3 && data.featureCount == 2 && data.steps == 2)
    #expect(lines[0].x == [1000, 0, 1001, 1])
    #expect(lines[0].y == [102, 2, 103, 3, 104, 4])
    #expect(lines[2].x == [1002, 2, 1003, 3])
    #expect(lines[2].y == [104, 4, 105, 5, 106, 6])
    guard case .values(_, 6, false) = data.targets else { return #expect(Bool(false), "six values a window") }
  }

  @Test func theLastWindowEndsWithTheData() throws {
    let lines = try Self.lines(try Self.series(rows: 9, window: 4, horizon: 2).lastWindow())
    #expect(lines.count == 1 && lines[0].x == [5, 6, 7, 8] && lines[0].y.isEmpty)
  }

  @Test func oneWindowAndItsHorizonAreEnough() throws {
    #expect(try Self.series(rows: 4, window: 3, horizon: 1).examples().count == 1)
    let found = message { _ = try Self.series(rows: 3, window: 3, horizon: 1) }
    #expect(found == "mine.csv: 3 rows are too few for a window of 3 and a horizon of 1")
  }

  @Test func aWindowAsLargeAsNumbersGetIsTooLarge() {
    let found = message { _ = try Self.series(rows: 5, window: .max, horizon: .max) }
    #expect(found == "mine.csv: 5 rows are too few for a window of \(Int.max) and a horizon of \(Int.max)")
  }

  @Test(arguments: [
    (0, 1, ["a"], ["a"], "window 0: expected at least 1"),
    (-4, 1, ["a"], ["a"], "window -4: expected at least 1"),
    (3, 0, ["a"], ["a"], "horizon 0: expected at least 1"),
    (3, 1, [], ["a"], "features: expected at least one column"),
    (3, 1, ["a"], [], "targets: expected at least one column"),
    (3, 1, ["d"], ["a"], "mine.csv column \"d\": no such column"),
  ])
  func optionsThatMakeNoSense(
    _ window: Int, _ horizon: Int, _ features: [String], _ targets: [String], _ expected: String
  ) {
    let found = message {
      _ = try Self.series(rows: 9, features: features, targets: targets, window: window, horizon: horizon)
    }
    #expect(found == expected)
  }

  // MARK: - Splits

  @Test(arguments: [(20, 3, 1, 0.25), (30, 5, 4, 0.2), (17, 1, 1, 0.5), (40, 6, 3, 0.01), (12, 4, 4, 0.34)])
  func aSplitInTimeLeaksNothing(_ rows: Int, _ window: Int, _ horizon: Int, _ fraction: Double) throws {
    let series = try Self.series(rows: rows, window: window, horizon: horizon)
    let split = try series.split(.fraction(fraction))
    let (training, validation, cut) = (split.training, split.validation, split.firstRows[0])
    // The values are the row numbers.
    let (train, valid) = (try Self.lines(training), try Self.lines(try #require(validation)))
    #expect(train.allSatisfy { line in (line.x + line.y).allSatisfy { Int($0) < cut } })
    #expect(valid.allSatisfy { line in line.y.allSatisfy { Int($0) >= cut } })
    // Every row from the cut on is predicted, and the last training window ends right before it.
    #expect(train.last?.y.last == Float(cut - 1))
    #expect(valid.first?.y.first == Float(cut) && valid.last?.y.last == Float(rows - 1))
    #expect(valid.first?.x == (cut - window..<cut).map(Float.init))
    #expect(training.count == cut - window - horizon + 1 && valid.count == rows - cut - horizon + 1)
    #expect(rows - cut >= horizon)
    // The scalers see the rows before the cut.
    let scalers = series.scalers(split.trainingRows)
    #expect(scalers.inputs.mean == [Float(Double(cut - 1) / 2)] && scalers.targets.mean == scalers.inputs.mean)
  }

  @Test func withoutASplitEverythingTrains() throws {
    let split = try Self.series(rows: 10).split(.fraction(0))
    #expect(split.training.count == 7 && split.validation == nil && split.firstRows == [10])
  }

  @Test(arguments: [
    (
      8, 0.5,
      "mine.csv: 8 rows with validationSplit 0.5 leave 4 to train on, fewer than a window of 3 and a horizon of 2"
    ),
    (
      6, 0.9,
      "mine.csv: 6 rows with validationSplit 0.9 leave 1 to train on, fewer than a window of 3 and a horizon of 2"
    ),
    (9, 1, "validationSplit 1.0: expected a number from 0 to below 1"),
    (9, -0.1, "validationSplit -0.1: expected a number from 0 to below 1"),
    (9, .nan, "validationSplit nan: expected a number from 0 to below 1"),
  ])
  func splitsThatCannotBe(_ rows: Int, _ fraction: Double, _ expected: String) throws {
    let series = try Self.series(rows: rows, horizon: 2)
    #expect(message { _ = try series.split(.fraction(fraction)) } == expected)
  }

  // MARK: - Missing values

  @Test(arguments: [
    (MissingValuePolicy.interpolate, [1, 2, 3, 4, 5] as [Float]), (.forwardFill, [1, 2, 2, 2, 5]),
    (.zero, [1, 2, 0, 0, 5]),
  ])
  func missingValues(_ policy: MissingValuePolicy, _ expected: [Float]) throws {
    let table = try CSVTable(bytes: Array("t,a\n0,1\n1,2\n2,\n3,NA\n4,5\n".utf8), name: "mine.csv")
    let series = try SeriesData(table, features: ["t", "a"], targets: ["a"], window: 2, horizon: 1, missing: policy)
    #expect(series.targetRows == expected)
    #expect(series.featureRows == zip(0..., expected).flatMap { [Float($0), $1] })
  }

  // MARK: - The naive forecast

  static func seasonal(_ season: Int, horizon: Int = 2) throws -> SeriesData {
    let text = "a,b\n1,10\n4,10\n2,10\n5,20\n9,20\n5,20\n"
    return try SeriesData(
      CSVTable(bytes: Array(text.utf8), name: "mine.csv"), features: ["a"], targets: ["a", "b"], window: 2,
      horizon: horizon, season: season)
  }

  /// |y_t - y_(t - m)| of the rows before the cut, by hand.
  @Test func theScaleIsTheNaiveErrorOneRowAhead() throws {
    #expect(try Self.seasonal(1).seasonalScale([0..<6]) == [16 / 5.0, 2])
    let thirds = [8 / 3.0, 10 / 3.0]
    #expect(try Self.seasonal(1).seasonalScale([0..<4]) == thirds)
    #expect(try Self.seasonal(2).seasonalScale([0..<6]) == [9 / 4.0, 5])
    #expect(try Self.seasonal(6).seasonalScale([0..<6]) == nil)
    #expect(message { _ = try Self.seasonal(0) } == "season 0: expected at least 1")
    let parts = try Self.seasonal(1).split(.fraction(0.3))
    #expect(parts.training.seasonalScale == thirds)
    #expect(parts.validation?.seasonalScale == thirds)
  }

  @Test func theNaiveForecastOfTheSameRows() throws {
    // The horizons begin at rows 2, 3 and 4; the last value stands for both of their rows.
    let a: [Double] = [2, 1, 3, 7, 4, 0]
    let b: [Double] = [0, 10, 10, 10, 0, 0]
    #expect(try Self.seasonal(1).naiveError() == (a + b).reduce(0, +) / 12)
    // The first row ahead of row 1 has none three rows before it.
    let c: [Double] = [4, 4, 5, 5, 3]
    #expect(try Self.seasonal(3).naiveError() == (c.reduce(0, +) + 50) / 10)
    #expect(try Self.seasonal(.max).naiveError() == nil)
  }

  @Test func scaledErrorsAreOfEachTarget() throws {
    let data = try #require(try Self.seasonal(1).split(.fraction(0.3)).validation)
    let model = try EvaluationTests.constant([0, 0, 0, 0])
    let metrics = try Evaluator(Network(model), loss: .meanSquaredError).evaluate(data)
    // The two rows after row 3: 9, 20, 5, 20, each by its target's scale.
    let errors: [Double] = [9 * 3 / 8, 20 * 3 / 10, 5 * 3 / 8, 20 * 3 / 10]
    #expect(EvaluationTests.close(metrics.mase, errors.reduce(0, +) / 4))
  }

  @Test func aMissingValueIsAnErrorThatNamesItsLine() throws {
    let table = try CSVTable(bytes: Array("t,a\n0,1\n1,2\n2,\n3,NA\n4,5\n".utf8), name: "mine.csv")
    let found = message {
      _ = try SeriesData(table, features: ["t"], targets: ["a"], window: 2, horizon: 1)
    }
    #expect(found == "mine.csv line 4, column \"a\": expected a number, found an empty cell")
  }

  // MARK: - Size

  /// A million hourly rows, a day ahead.
  @Test func aMillionRowsAreNoTrouble() throws {
    #if DEBUG
      let rows = 20_000
    #else
      let rows = 1_000_000
    #endif
    var bytes = Array("a\n".utf8)
    for row in 0..<rows { bytes += "\(row % 977)\n".utf8 }
    let table = try CSVTable(bytes: bytes, name: "mine.csv")
    let series = try SeriesData(table, features: ["a"], targets: ["a"], window: 48, horizon: 24)
    let clock = ContinuousClock()
    let began = clock.now
    let split = try series.split(.fraction(0.2))
    let (training, validation) = (split.training, split.validation)
    let scalers = series.scalers(split.trainingRows)
    let scaled = training.scaled(inputs: scalers.inputs, targets: scalers.targets)
    let seconds = (clock.now - began) / .seconds(1)
    #expect(training.count + (validation?.count ?? 0) == rows - 2 * 23 - 48)
    guard case .values(let values, 24, false) = scaled.targets else { return #expect(Bool(false), "values") }
    #expect(values.count == 24 * training.count)
    // Far above what it takes, far below what anything quadratic would.
    #expect(seconds < 10, "\(seconds) s")
  }
}
