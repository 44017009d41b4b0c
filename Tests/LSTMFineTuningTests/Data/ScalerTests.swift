import Foundation
import LSTMCheckpoints
import Testing
import TrainingSupport

@testable import LSTMFineTuning

@Suite struct ScalerTests {
  /// Mean and population deviation in double precision, by the textbook.
  static func exact(_ values: [Float]) -> (mean: Double, deviation: Double) {
    let mean = values.reduce(0) { $0 + Double($1) } / Double(values.count)
    let square = values.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
    return (mean, (square / Double(values.count)).squareRoot())
  }

  @Test(arguments: [0, 1, -273.15, 1e4, 1e7, -1e8] as [Float])
  func fitsWhatTheFormulaSaysAtAnyOffset(_ offset: Float) {
    let column = noise(1000, seed: 9).map { $0 * 50 + offset }
    let (mean, deviation) = Self.exact(column)
    let scaler = Scaler(fitting: column, columns: 1, rows: 0..<1000)
    #expect(scaler.mean == [Float(mean)])
    #expect(abs(Double(scaler.deviation[0]) - deviation) <= 1e-6 * deviation)
  }

  @Test func everyColumnHasItsOwn() {
    let table: [Float] = [1, 10, 5, 2, 20, 5, 3, 30, 5]
    let scaler = Scaler(fitting: table, columns: 3, rows: [0, 1, 2])
    let deviation = (2.0 / 3).squareRoot()
    #expect(scaler.mean == [2, 20, 5] && scaler.columns == 3)
    #expect(scaler.deviation == [Float(deviation), Float(10 * deviation), 1])
    #expect(Scaler(fitting: table, columns: 3, rows: [1]).mean == [2, 20, 5])
  }

  @Test(arguments: [0, 0.1, -7e8, .leastNonzeroMagnitude] as [Float])
  func aConstantColumnKeepsItsUnit(_ value: Float) {
    let scaler = Scaler(fitting: [Float](repeating: value, count: 1001), columns: 1, rows: 0..<1001)
    #expect(scaler == Scaler(mean: [value], deviation: [1]))
    var values = [value, value + 1]
    scaler.apply(&values)
    #expect(values[0] == 0)
  }

  @Test func theSmallestDifferenceAtALargeOffsetIsNotConstant() {
    let one: Float = 1e8
    let scaler = Scaler(fitting: [one, one.nextUp, one, one.nextUp], columns: 1, rows: 0..<4)
    #expect(scaler.deviation == [4])
  }

  @Test func adeviationTooSmallToDivideByIsConstant() {
    let scaler = Scaler(fitting: [0, .leastNonzeroMagnitude], columns: 1, rows: 0..<2)
    #expect(scaler.deviation == [1])
  }

  @Test func nothingToFitLeavesNumbersAlone() {
    #expect(Scaler(fitting: [], columns: 2, rows: 0..<0) == Scaler(mean: [0, 0], deviation: [1, 1]))
  }

  @Test func undoneIsWhatItWas() {
    let original = noise(400, seed: 3).enumerated().map { $1 * 10 + Float($0 % 2) * 1000 }
    let scaler = Scaler(fitting: original, columns: 2, rows: 0..<200)
    var values = original
    scaler.apply(&values)
    #expect(values.allSatisfy { abs($0) < 3 })
    scaler.undo(&values)
    for (found, expected) in zip(values, original) { #expect(abs(found - expected) <= 1e-6 * max(abs(expected), 10)) }
  }

  @Test func survivesTheFile() throws {
    let scaler = Scaler(mean: [0.1, -3e30], deviation: [1e-20, 7])
    let record = Preprocessing(features: ["a", "b"], targets: ["b"], window: 48, horizon: 2, inputScaler: scaler)
    #expect(try JSONDecoder().decode(Preprocessing.self, from: JSONEncoder().encode(record)) == record)
  }

  @Test(arguments: [
    (#"{"mean":[1],"deviation":[1,2]}"#, "expected 1 numbers, as many as mean has, found 2"),
    (#"{"mean":[1],"deviation":[0]}"#, "expected finite means and deviations above 0"),
    (#"{"mean":[1],"deviation":[-1]}"#, "expected finite means and deviations above 0"),
    (#"{"mean":[1]}"#, "\"deviation\" is missing"),
  ])
  func aFilesScalerThatMakesNoSense(_ json: String, _ expected: String) {
    do {
      _ = try JSONDecoder().decode(Scaler.self, from: Data(json.utf8))
      Issue.record("nothing was thrown")
    } catch {
      #expect(describe(error).hasSuffix(expected))
    }
  }
}
