import Foundation
import LSTMLayers
import Testing
import TrainingSupport

@testable import LSTMFineTuning

@Suite struct LossTests {
  static func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-6 * max(1, abs(b)) }

  // MARK: - What counts

  @Test(arguments: [Loss.meanSquaredError, .meanAbsoluteError, .huber(delta: 1)])
  func paddedStepsDoNotCount(_ loss: Loss) throws {
    let nan = Float.nan
    let padded = try loss.evaluate(
      Tensor(shape: [2, 3, 1], values: [1, 2, 3, 4, nan, nan]),
      .values([0, 0, 0, 1, nan, nan], size: 1, perStep: true),
      lengths: [3, 1])
    let plain = try loss.evaluate(
      Tensor(shape: [4, 1], values: [1, 2, 3, 4]), .values([0, 0, 0, 1], size: 1, perStep: false), lengths: nil)
    #expect(padded.sum == plain.sum && padded.count == 4 && plain.count == 4)
    #expect(padded.gradient.values == plain.gradient.values + [0, 0])
  }

  @Test(arguments: [Loss.crossEntropy, .binaryCrossEntropy]) func ignoredAndPaddedClassesDoNotCount(_ loss: Loss) throws
  {
    let width = loss == .crossEntropy ? 2 : 1
    let logits = noise(6 * width, seed: 4)
    let kept = [0, 2, 3]
    let value = try loss.evaluate(
      Tensor(shape: [2, 3, width], values: logits),
      .classes([1, SequenceData.ignored, 0, 1, 99, SequenceData.ignored], perStep: true), lengths: [3, 1])
    let plain = try loss.evaluate(
      Tensor(shape: [3, width], values: kept.flatMap { logits[$0 * width..<($0 + 1) * width] }),
      .classes([1, 0, 1], perStep: false), lengths: nil)
    #expect(value.sum == plain.sum && value.count == 3)
    for (place, row) in kept.enumerated() {
      let range = row * width..<(row + 1) * width
      #expect(value.gradient.values[range] == plain.gradient.values[place * width..<(place + 1) * width])
    }
    for row in [1, 4, 5] { #expect(value.gradient.values[row * width..<(row + 1) * width].allSatisfy { $0 == 0 }) }
  }

  @Test func whenEveryLabelIsIgnoredNothingCounts() throws {
    let value = try Loss.crossEntropy.evaluate(
      Tensor(shape: [2, 3], values: noise(6, seed: 1)), .classes([-100, -100], perStep: false), lengths: nil)
    #expect(value.count == 0 && value.mean == 0 && value.gradient.values.allSatisfy { $0 == 0 })
  }

  // MARK: - Smoothing and weights

  @Test func withoutSmoothingAndWithEqualWeightsNothingChanges() throws {
    let (prediction, targets) = (
      Tensor(shape: [4, 3], values: noise(12, seed: 5)), SequenceData.Targets.classes([2, -100, 0, 1], perStep: false)
    )
    let plain = try Loss.crossEntropy.evaluate(prediction, targets, lengths: nil)
    #expect(Loss.crossEntropy == .crossEntropy() && plain.weight == 3)
    for loss in [Loss.crossEntropy(classWeights: [1, 1, 1]), .crossEntropy(classWeights: [4, 4, 4])] {
      let value = try loss.evaluate(prediction, targets, lengths: nil)
      #expect(Self.close(value.mean, plain.mean) && value.count == 3)
      #expect(zip(value.gradient.values, plain.gradient.values).allSatisfy { abs($0 - $1) <= 1e-7 })
    }
  }

  @Test func paddedStepsDoNotWeigh() throws {
    let loss = Loss.crossEntropy(labelSmoothing: 0.2, classWeights: [1, 5])
    let logits = noise(12, seed: 6)
    let padded = try loss.evaluate(
      Tensor(shape: [2, 3, 2], values: logits), .classes([1, 0, 1, 0, 99, 99], perStep: true), lengths: [3, 1])
    let plain = try loss.evaluate(
      Tensor(shape: [4, 2], values: Array(logits.prefix(8))), .classes([1, 0, 1, 0], perStep: false), lengths: nil)
    #expect(padded.mean == plain.mean && padded.weight == 12 && padded.count == 4)
    #expect(padded.gradient.values == plain.gradient.values + [0, 0, 0, 0])
  }

  /// A class of no weight is as one that is ignored.
  @Test func whenNothingWeighsNothingMoves() throws {
    let value = try Loss.crossEntropy(classWeights: [0, 1]).evaluate(
      Tensor(shape: [2, 2], values: noise(4, seed: 1)), .classes([0, 0], perStep: false), lengths: nil)
    #expect(value.weight == 0 && value.mean == 0 && value.gradient.values.allSatisfy { $0 == 0 })
  }

  @Test func evaluationKeepsWeightsAndLeavesSmoothing() {
    #expect(Loss.crossEntropy(labelSmoothing: 0.1).forEvaluation == .crossEntropy)
    #expect(
      Loss.crossEntropy(labelSmoothing: 0.1, classWeights: [1, 2]).forEvaluation == .crossEntropy(classWeights: [1, 2]))
    #expect(Loss.huber(delta: 2).forEvaluation == .huber(delta: 2))
    #expect(
      Evaluator(Network(featureModel(outputs: 2)), loss: .crossEntropy(labelSmoothing: 0.3)).loss == .crossEntropy)
  }

  // MARK: - Values

  @Test func binaryCrossEntropyOfClassesIsThatOfRealTargets() throws {
    let prediction = Tensor(shape: [4, 1], values: [0.3, -2, 40, -40])
    let classes = try Loss.binaryCrossEntropy.evaluate(
      prediction, .classes([1, 0, 1, 0], perStep: false), lengths: nil)
    let values = try Loss.binaryCrossEntropy.evaluate(
      prediction, .values([1, 0, 1, 0], size: 1, perStep: false), lengths: nil)
    #expect(classes.sum == values.sum && classes.gradient == values.gradient)
    let expected = [(0.3, 1.0), (-2, 0), (40, 1), (-40, 0)].reduce(0) { sum, pair in
      let s = 1 / (1 + exp(-pair.0))
      return sum - (pair.1 == 1 ? log(s) : log(1 - s))
    }
    #expect(Self.close(classes.sum, expected))
  }

  @Test func logitsOfAnySizeDoNotOverflow() throws {
    let cross = try Loss.crossEntropy.evaluate(
      Tensor(shape: [2, 2], values: [3e38, -3e38, 1000, 1001]), .classes([0, 0], perStep: false), lengths: nil)
    #expect(Self.close(cross.sum, log(1 + exp(1.0))))
    let binary = try Loss.binaryCrossEntropy.evaluate(
      Tensor(shape: [2, 1], values: [3e38, -1000]), .classes([1, 1], perStep: false), lengths: nil)
    #expect(binary.sum == 1000)
  }

  @Test(arguments: [Loss.meanSquaredError, .meanAbsoluteError, .huber(delta: 1), .binaryCrossEntropy])
  func nanIsSeen(_ loss: Loss) throws {
    let value = try loss.evaluate(
      Tensor(shape: [2, 1], values: [0, .nan]), .values([0, 0], size: 1, perStep: false), lengths: nil)
    #expect(value.mean.isNaN)
  }

  @Test(arguments: [[0, .nan], [.nan, 0], [.infinity, 0], [0, .infinity], [-.infinity, -.infinity]] as [[Float]])
  func logitsThatAreNotNumbersAreSeen(_ logits: [Float]) throws {
    for loss in [Loss.crossEntropy, .crossEntropy(labelSmoothing: 0.1, classWeights: [1, 2])] {
      let value = try loss.evaluate(
        Tensor(shape: [2, 2], values: [1, 2] + logits), .classes([0, 0], perStep: false), lengths: nil)
      #expect(!value.mean.isFinite)
    }
  }

  // MARK: - What does not fit

  static let misfits: [(Loss, [Int], SequenceData.Targets, String)] = [
    (
      .meanSquaredError, [2, 3], .values([1, 2], size: 1, perStep: false),
      "targets: expected (2, 3), as the model gives, found 2 values, 1 each"
    ),
    (
      .meanSquaredError, [2, 3, 1], .values([1, 2], size: 1, perStep: false),
      "targets: expected (2, 3, 1), as the model gives, found 2 values, 1 each"
    ),
    (.crossEntropy, [2, 3], .classes([0, 3], perStep: false), "targets: expected classes from 0 to 2, found 3"),
    (.crossEntropy, [2, 3], .classes([0, -1], perStep: false), "targets: expected classes from 0 to 2, found -1"),
    (
      .crossEntropy, [2, 4, 3], .classes([0, 1], perStep: false),
      "targets: expected class numbers for an output (2, 4, 3), found 2"
    ),
    (.binaryCrossEntropy, [2, 1], .classes([0, 2], perStep: false), "targets: expected classes from 0 to 1, found 2"),
    (
      .binaryCrossEntropy, [2, 2], .classes([0, 1], perStep: false),
      "targets: expected one class number for one output, found 2 outputs"
    ),
    (
      .crossEntropy, [2, 1], .values([0, 1], size: 1, perStep: false),
      "targets: expected class numbers for cross-entropy, found real values"
    ),
    (
      .meanAbsoluteError, [2, 1], .classes([0, 1], perStep: false),
      "targets: expected real values for mae, found class numbers"
    ),
    (.meanSquaredError, [2, 1], .none, "targets: expected something to compare with, found none"),
    (
      .crossEntropy(labelSmoothing: 1.5), [2, 3], .classes([0, 1], perStep: false),
      "label smoothing: expected a number from 0 to 1, found 1.5"
    ),
    (
      .crossEntropy(labelSmoothing: .nan), [2, 3], .classes([0, 1], perStep: false),
      "label smoothing: expected a number from 0 to 1, found nan"
    ),
    (
      .crossEntropy(classWeights: [1, 2]), [2, 3], .classes([0, 1], perStep: false),
      "class weights: expected 3, one for each class, found 2"
    ),
    (
      .crossEntropy(classWeights: [1, -2, 1]), [2, 3], .classes([0, 1], perStep: false),
      "class weights: expected numbers of at least 0, found -2.0"
    ),
  ]

  @Test(arguments: misfits.indices) func targetsThatDoNotFit(_ index: Int) {
    let (loss, shape, targets, expected) = Self.misfits[index]
    #expect(message { _ = try loss.evaluate(Tensor(zeros: shape), targets, lengths: nil) } == expected)
  }
}
