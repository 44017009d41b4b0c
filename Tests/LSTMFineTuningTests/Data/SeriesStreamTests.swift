import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// A series that is read on and on.
@Suite struct SeriesStreamTests {
  static func series(_ rows: Int, horizon: Int = 2) throws -> SeriesData {
    let folder = try TemporaryFolder()
    let csv = "a,b\n" + (0..<rows).map { "\($0),\(($0 * 7) % 13)\n" }.joined()
    try csv.write(toFile: folder.path("d.csv"), atomically: true, encoding: .utf8)
    return try SeriesData(
      CSVTable(contentsOf: folder.path("d.csv"), options: .init()), features: ["a", "b"], targets: ["a"], window: 1,
      horizon: horizon)
  }

  /// The first feature of each stream's steps, and the first target of each.
  static func describe(_ data: StreamData) -> [[Float]] {
    guard case .features(let x, let steps, 2) = data.sequences.inputs,
      case .values(let y, let size, true) = data.sequences.targets
    else { return [] }
    var rows: [[Float]] = []
    for stream in 0..<data.streamCount {
      let places = stream * steps..<(stream + 1) * steps
      rows.append(places.map { x[$0 * 2] })
      rows.append(places.map { y[($0 + 1) * size - 1] })
    }
    return rows
  }

  @Test func eachRowSaysTheNext() throws {
    let series = try Self.series(9)
    #expect(Self.describe(try series.streams(chunkSteps: 3)) == [[0, 1, 2, 3, 4, 5, 6], [2, 3, 4, 5, 6, 7, 8]])
    #expect(
      Self.describe(try series.streams(3, chunkSteps: 3)) == [[0, 1], [2, 3], [2, 3], [4, 5], [4, 5], [6, 7]])
    #expect(try series.streams(chunkSteps: 3).seasonalScale == [1])
    #expect(
      message { _ = try series.streams(8, chunkSteps: 3) }.hasSuffix(
        "d.csv: 9 rows are too few for 8 streams and a horizon of 2"))
  }

  /// Training says no row of the validation part, which says all of it.
  @Test func splitInTime() throws {
    let (training, held, rows) = try Self.series(12).splitStreams(2, chunkSteps: 2, .fraction(0.33))
    #expect(rows == [0..<8])
    #expect(Self.describe(training) == [[0, 1, 2], [2, 3, 4], [3, 4, 5], [5, 6, 7]])
    // Three steps in chunks of two: one stream. It says rows 8 to 11.
    #expect(Self.describe(try #require(held)) == [[7, 8, 9], [9, 10, 11]])
    #expect(try Self.series(12).splitStreams(chunkSteps: 2, .fraction(0)).validation == nil)
    #expect(
      message { _ = try Self.series(4).splitStreams(chunkSteps: 2, .fraction(0.5)) }.hasSuffix(
        "2 rows are too few for 1 stream and a horizon of 2"))
  }

  static let model = featureModel(2, readout: .all, outputs: 2)

  @Test func theForecastIsThatAfterAllRows() throws {
    let series = try Self.series(30)
    let scalers = series.scalers([0..<30])
    let (inputs, targets) = (scalers.inputs, scalers.targets)
    let found = try series.streamedForecasts(
      Self.model, inputScaler: inputs, targetScaler: targets, isRolling: false
    ).values
    let whole = try SequenceData(
      inputs: .features(series.featureRows, steps: 30, size: 2), targets: .none
    ).scaled(inputs: inputs, targets: nil)
    let said = try Evaluator(Network(Self.model), loss: .meanSquaredError, targetScaler: targets).predict(whole)
    #expect(largestDifference(found, Array(said.values.suffix(2))) < 1e-5)
  }

  @Test(arguments: [30, 400]) func aSampleEndsWithTheLastRow(_ rows: Int) throws {
    let series = try Self.series(rows)
    guard
      case .forecast(let sample) = try series.streamedSample(of: Self.model, inputScaler: nil, targetScaler: nil)
    else { return #expect(Bool(false)) }
    let count = rows == 30 ? 28 : 48
    #expect(sample.truth == (rows - count..<rows).map { Float($0) })
    // The last two are said after all rows before them.
    var rest = try SequenceData(
      inputs: .features(Array(series.featureRows.dropLast(4)), steps: rows - 2, size: 2), targets: .none)
    if rows > 300 {
      let first = rows - 48 - 256
      rest = try SequenceData(
        inputs: .features(Array(series.featureRows[first * 2..<(rows - 2) * 2]), steps: rows - 2 - first, size: 2),
        targets: .none)
    }
    let said = try Evaluator(Network(Self.model), loss: .meanSquaredError).predict(rest)
    #expect(Array(sample.forecast.suffix(2)) == Array(said.values.suffix(2)))
  }
}
