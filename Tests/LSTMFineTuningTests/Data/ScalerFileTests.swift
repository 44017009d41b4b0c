import Foundation
import LSTMCheckpoints
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Scalers of minima and maxima, and those that a JSON file describes.
@Suite struct ScalerFileTests {
  static func read(_ json: String, features: Int = 2, outputs: Int = 1) throws -> ScalerFile {
    try ScalerFile(json: Data(json.utf8), file: "s.json", features: features, outputs: outputs)
  }

  /// What a scaler makes of a row.
  static func applied(_ scaler: Scaler?, to row: [Float]) -> [Float] {
    var row = row
    scaler?.apply(&row)
    return row
  }

  @Test(arguments: [
    #"{"mean": [1, 10], "scale": [2, 5]}"#, #"{"inputs": {"mean_": [1, 10], "var_": [4, 25], "scale_": [2, 5]}}"#,
    #"{"mean": [[1, 10]], "variance": [[4, 25]]}"#, #"{"center_": [1, 10], "scale_": [2, 5]}"#,
    #"{"data_min_": [1, 10], "data_max_": [3, 15], "feature_range": [0, 1]}"#,
    #"{"min": [-1, 5], "max": [3, 15], "range": [-1, 1]}"#,
    #"{"scale_": [0.5, 0.2], "min_": [-0.5, -2]}"#,
    #"{"columns": ["a", "b"], "b": {"mean": 10, "std": 5}, "a": {"mean": 1, "std": 2}}"#,
    #"{"feature_names_in_": ["a", "b"], "mean": {"b": 10, "a": 1}, "scale": {"a": 2, "b": 5}}"#,
  ])
  func theSameInEveryWriting(_ json: String) throws {
    let scaler = try Self.read(json).inputs
    let found = Self.applied(scaler, to: [5, 0, 1, 10])
    #expect(largestDifference(found, [2, -2, 0, 0]) < 1e-6, "\(found)")
  }

  @Test func targetsAreOfTheirOwnOrNamed() throws {
    let own = try Self.read(#"{"inputs": {"mean": 0, "scale": 3}, "targets": {"min": 10, "max": 20}}"#, outputs: 4)
    #expect(own.inputs == Scaler(mean: [0, 0], deviation: [3, 3]))
    #expect(own.targets == Scaler(minimum: [10], maximum: [20]))
    let named = try Self.read(
      #"{"inputs": {"columns": ["a", "b"], "min": [0, 5], "max": [1, 9]}, "targets": "b"}"#)
    #expect(named.targets == Scaler(minimum: [5], maximum: [9]))
    #expect(named.features == ["a", "b"] && named.targetNames == ["b"])
    #expect(try Self.read(#"{"mean": [1, 2], "scale": [1, 1]}"#).targets == nil)
  }

  @Test(arguments: [
    ("[1]", "s.json: expected an object { ... }"),
    (#"{"mean": [1], "scale": [1]}"#, "s.json: inputs: the model reads 2 features, found numbers for 1"),
    (#"{"mean": [1, 2], "scale": [1]}"#, "s.json: inputs: 2 numbers beside 1"),
    (#"{"mean": [1, 2], "scale": [1, 0]}"#, "s.json: inputs: expected deviations above 0"),
    (#"{"min": [1, 2]}"#, "s.json: inputs: minima without maxima"),
    (#"{"min": [1, 2], "max": [0, 3]}"#, "s.json: inputs: a maximum is below its minimum"),
    (#"{"min": [1, 2], "max": [3, 3], "range": [1, 1]}"#, "s.json: inputs: feature_range: expected two rising numbers"),
    (#"{"offset": [1, 2]}"#, "s.json: inputs: expected mean and scale, or min and max; found offset"),
    (
      #"{"mean": {"a": 1, "b": 2}, "scale": 1}"#,
      "s.json: inputs.mean: say with \"columns\": [...] in which order the model reads a, b"
    ),
    (#"{"mean": ["x", 2], "scale": 1}"#, "s.json: inputs.mean: expected numbers"),
    (
      #"{"inputs": {"mean": [1, 2], "scale": [1, 1]}, "targets": "a"}"#,
      "s.json: targets names columns, but those of the inputs have no names: give \"columns\": [...]"
    ),
    (
      #"{"inputs": {"mean": [1, 2], "scale": [1, 1]}, "targets": {"mean": [1, 2], "scale": [1, 2]}}"#,
      "s.json: targets: 2 columns do not go into the model's 1 outputs"
    ),
  ])
  func whatMakesNoSense(_ json: String, _ expected: String) {
    #expect(message { _ = try Self.read(json) } == expected)
  }

  @Test func cutShortItIsNoJSON() {
    #expect(message { _ = try Self.read("{\"mean\": [1, ") }.hasPrefix("s.json: it is no JSON: "))
  }

  // MARK: - Minima and maxima

  @Test func minimaAndMaximaGoToTheEndsOfTheRange() {
    let scaler = Scaler(minimum: [10, -4, 5], maximum: [20, 4, 5], range: -1...1)
    #expect(Self.applied(scaler, to: [10, -4, 5, 20, 4, 6]) == [-1, -1, -1, 1, 1, 1])
    var back = Self.applied(scaler, to: [12, 1, 5])
    scaler.undo(&back)
    #expect(largestDifference(back, [12, 1, 5]) < 1e-6)
    #expect(scaler.picking([1]) == Scaler(minimum: [-4], maximum: [4], range: -1...1))
  }

  @Test func theModelFileKeepsThem() throws {
    let scaler = Scaler(minimum: [0.1, -3e30], maximum: [0.2, 7], range: 0...2)
    let json = try JSONEncoder().encode(scaler)
    #expect(try JSONDecoder().decode(Scaler.self, from: json) == scaler)
    // As an older reader would take it.
    let old = try #require(JSONSerialization.jsonObject(with: json) as? [String: Any])
    #expect(Set(old.keys) == ["mean", "deviation", "minimum", "maximum", "range"])
    var record = Preprocessing(inputScaler: scaler)
    record.entityScalers = ["A": ScalerPair(inputs: scaler, targets: scaler)]
    (record.timeColumns, record.idColumns, record.dateOrder) = (["date"], ["store"], "dmy")
    #expect(try JSONDecoder().decode(Preprocessing.self, from: JSONEncoder().encode(record)) == record)
  }

  @Test(arguments: [
    (#"{"minimum":[1],"maximum":[0]}"#, "expected finite maxima that are not below the minima"),
    (#"{"minimum":[1],"maximum":[2,3]}"#, "expected 1 numbers, as many as minimum has, found 2"),
    (#"{"minimum":[1],"maximum":[2],"range":[1,0]}"#, "expected two rising numbers"),
  ])
  func aModelFilesLimitsThatMakeNoSense(_ json: String, _ expected: String) {
    do {
      _ = try JSONDecoder().decode(Scaler.self, from: Data(json.utf8))
      Issue.record("nothing was thrown")
    } catch {
      #expect(describe(error).hasSuffix(expected))
    }
  }
}
