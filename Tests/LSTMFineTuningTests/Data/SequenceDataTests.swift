import LSTMCheckpoints
import LSTMLayers
import Testing
import TrainingSupport

@testable import LSTMFineTuning

@Suite struct SequenceDataTests {
  static let four = SequenceData.Inputs.features((0..<24).map(Float.init), steps: 3, size: 2)

  // MARK: - What it holds

  @Test func featuresComeInTheOrderAskedFor() throws {
    let data = try SequenceData(
      inputs: Self.four, targets: .values([10, 11, 12, 13], size: 1, perStep: false), lengths: [3, 1, 2, 3])
    #expect(data.count == 4 && data.steps == 3 && data.featureCount == 2 && data.stepCount == 9)
    let batch = try data.batch([2, 0])
    #expect(batch.count == 2 && batch.steps == 3 && batch.lengths == [2, 3])
    guard case .features(let values, let size) = batch.input else { return #expect(Bool(false), "features") }
    #expect(size == 2 && values == [12, 13, 14, 15, 16, 17, 0, 1, 2, 3, 4, 5])
    guard case .values(let targets, 1, false) = data.targetBatch([2, 0]) else { return #expect(Bool(false), "values") }
    #expect(targets == [12, 10])
    #expect(data.lengthBatch([2, 0]) == [2, 3])
  }

  @Test func windowsAreCutFromTheRows() throws {
    let data = try SequenceData(
      inputs: .windows(rows: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], size: 2, starts: [0, 3, 1], steps: 2), targets: .none)
    #expect(data.count == 3 && data.steps == 2 && data.featureCount == 2 && data.stepCount == 6)
    guard case .features(let values, 2) = try data.batch(1...2).input else { return #expect(Bool(false), "features") }
    #expect(values == [6, 7, 8, 9, 2, 3, 4, 5])
    guard case .none = data.targetBatch([0]) else { return #expect(Bool(false), "none") }
  }

  @Test func tokensWithClassesForEachStep() throws {
    let data = try SequenceData(
      inputs: .tokens([1, 2, 3, 4, 5, 6], steps: 2), targets: .classes([0, 1, 2, 3, 4, 5], perStep: true))
    #expect(data.count == 3 && data.featureCount == nil && data.stepCount == 6)
    guard case .tokens(let tokens) = try data.batch([2]).input else { return #expect(Bool(false), "tokens") }
    #expect(tokens == [5, 6])
    guard case .classes(let classes, true) = data.targetBatch([2, 1]) else { return #expect(Bool(false), "classes") }
    #expect(classes == [4, 5, 2, 3])
  }

  @Test func aSelectionOfASelectionKeepsItsPlaces() throws {
    let data = try SequenceData(
      inputs: Self.four, targets: .values([10, 11, 12, 13], size: 1, perStep: false), lengths: [3, 1, 2, 3])
    let chosen = data.selecting([3, 2, 1]).selecting([2, 0])
    #expect(chosen.places == [1, 3] && chosen.count == 2 && chosen.stepCount == 4)
    guard case .values(let targets, _, _) = chosen.targetBatch(0..<2) else { return #expect(Bool(false), "values") }
    #expect(targets == [11, 13])
    #expect(chosen.lengthBatch([1, 0]) == [3, 1])
  }

  // MARK: - What it refuses

  static let refusals: [(String, SequenceData.Inputs, SequenceData.Targets, [Int]?)] = [
    (
      "inputs: expected (N, 3, 2), found 23 values", .features([Float](repeating: 0, count: 23), steps: 3, size: 2),
      .none, nil
    ),
    ("inputs: expected (N, 0, 2), found 0 values", .features([], steps: 0, size: 2), .none, nil),
    (
      "inputs: expected (N, \(Int.max), 2), found 8 values",
      .features([Float](repeating: 0, count: 8), steps: .max, size: 2),
      .none, nil
    ),
    ("inputs: expected (N, 2), found 3 values", .tokens([1, 2, 3], steps: 2), .none, nil),
    ("rows: expected (N, 2), found 3 values", .windows(rows: [1, 2, 3], size: 2, starts: [0], steps: 1), .none, nil),
    (
      "windows: expected 2 rows each, out of 3, found one that starts at row 2",
      .windows(rows: [1, 2, 3], size: 1, starts: [0, 2], steps: 2), .none, nil
    ),
    (
      "windows: expected 2 rows each, out of 3, found one that starts at row -1",
      .windows(rows: [1, 2, 3], size: 1, starts: [-1], steps: 2), .none, nil
    ),
    (
      "windows: expected 4 rows each, out of 3, found one that starts at row 0",
      .windows(rows: [1, 2, 3], size: 1, starts: [0], steps: 4), .none, nil
    ),
    ("windows: expected at least one step, found 0", .windows(rows: [1], size: 1, starts: [0], steps: 0), .none, nil),
    (
      "targets: expected 4 examples, as many as inputs, found 3", four, .values([1, 2, 3], size: 1, perStep: false), nil
    ),
    ("targets: expected (N, 1, 2), found 5 values", four, .values([1, 2, 3, 4, 5], size: 2, perStep: false), nil),
    ("targets: expected (N, 3), found 4 values", four, .classes([1, 2, 3, 4], perStep: true), nil),
    ("lengths: expected 4 numbers from 1 to 3, found 2: [1, 2]", four, .none, [1, 2]),
    ("lengths: expected 4 numbers from 1 to 3, found 4: [1, 2, 3, 4]", four, .none, [1, 2, 3, 4]),
    ("lengths: expected 4 numbers from 1 to 3, found 4: [0, 2, 3, 3]", four, .none, [0, 2, 3, 3]),
  ]

  @Test(arguments: refusals.indices) func countsThatDoNotAgree(_ index: Int) {
    let (expected, inputs, targets, lengths) = Self.refusals[index]
    let found = message { _ = try SequenceData(inputs: inputs, targets: targets, lengths: lengths) }
    #expect(found == expected)
  }

  // MARK: - Scaling

  @Test func theScalerSeesEachRowOfOverlappingWindowsOnceAndOnlyTheirs() throws {
    let rows: [Float] = [100, 1, 2, 3, 4, 5, 100, 100]
    let data = try SequenceData(
      inputs: .windows(rows: rows, size: 1, starts: [0, 3, 1, 2, 4], steps: 3), targets: .none)
    let scaler = try #require(data.selecting([2, 1, 3]).fitInputScaler())
    #expect(scaler == Scaler(mean: [3], deviation: [Float(2.0.squareRoot())]))
    // Windows with a hole between them: rows 1...3 and 5...7.
    let apart = try SequenceData(inputs: .windows(rows: rows, size: 1, starts: [1, 5], steps: 3), targets: .none)
    #expect(apart.fitInputScaler()?.mean == [Float((1.0 + 2 + 3 + 5 + 100 + 100) / 6)])
  }

  @Test func theScalerDoesNotSeePaddingNorOtherExamples() throws {
    let nan = Float.nan
    let data = try SequenceData(
      inputs: .features([1, 10, 3, 30, nan, nan, 5, 50, nan, nan, nan, nan, 7, 70, 7, 70, 7, 70], steps: 3, size: 2),
      targets: .values([1, 3, nan, 5, nan, nan, 7, 7, 7], size: 1, perStep: true), lengths: [2, 1, 3])
    let selection = data.selecting([0, 1])
    let deviation = Float((8.0 / 3).squareRoot())
    #expect(
      selection.fitInputScaler() == Scaler(mean: [3, 30], deviation: [deviation, Float((800.0 / 3).squareRoot())]))
    #expect(selection.fitTargetScaler() == Scaler(mean: [3], deviation: [deviation]))
  }

  @Test func tokensAndClassesHaveNoScaler() throws {
    let data = try SequenceData(inputs: .tokens([1, 2], steps: 1), targets: .classes([0, 1], perStep: false))
    #expect(data.fitInputScaler() == nil && data.fitTargetScaler() == nil)
    let scaled = data.scaled(inputs: Scaler(mean: [1], deviation: [2]), targets: Scaler(mean: [1], deviation: [2]))
    guard case .tokens([1, 2], 1) = scaled.inputs, case .classes([0, 1], false) = scaled.targets else {
      return #expect(Bool(false), "unchanged")
    }
  }

  @Test func scaledDataHasNoMeanAndUnitDeviation() throws {
    let data = try SequenceData(
      inputs: .features(noise(60, seed: 5).map { $0 * 30 + 7 }, steps: 5, size: 2),
      targets: .values(noise(6, seed: 6).map { $0 + 100 }, size: 1, perStep: false))
    let scaled = data.scaled(inputs: data.fitInputScaler(), targets: data.fitTargetScaler())
    for scaler in [scaled.fitInputScaler(), scaled.fitTargetScaler()] {
      for mean in try #require(scaler).mean { #expect(abs(mean) < 1e-5) }
      for deviation in try #require(scaler).deviation { #expect(abs(deviation - 1) < 1e-5) }
    }
  }

  @Test func aHorizonRepeatsTheTargetScaler() throws {
    let data = try SequenceData(
      inputs: .tokens([0], steps: 1), targets: .values([11, 102, 13, 104], size: 4, perStep: false))
    let scaled = data.scaled(inputs: nil, targets: Scaler(mean: [10, 100], deviation: [1, 2]))
    guard case .values([1, 1, 3, 2], 4, false) = scaled.targets else { return #expect(Bool(false), "scaled") }
  }
}
