import Foundation
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

@Suite struct EvaluationTests {
  /// A model whose output is always `constant`: its head has no weights but a bias.
  static func constant(_ constant: [Float], readout: PlainStack.Readout = .last) throws -> LSTMModel {
    var model = featureModel(1, layers: [.init(hiddenSize: 2)], readout: readout, outputs: constant.count)
    try model.set("head.0.weight", to: Tensor(zeros: [constant.count, 2]))
    try model.set("head.0.bias", to: Tensor(shape: [constant.count], values: constant))
    return model
  }

  static func data(_ count: Int, _ targets: SequenceData.Targets, steps: Int = 1, lengths: [Int]? = nil) throws
    -> SequenceData
  {
    try SequenceData(
      inputs: .features(noise(count * steps, seed: 1), steps: steps, size: 1), targets: targets, lengths: lengths)
  }

  static func close(_ a: Double?, _ b: Double) -> Bool { a.map { abs($0 - b) <= 1e-6 * max(1, abs(b)) } ?? false }

  // MARK: - Metrics

  @Test(arguments: [1, 2, 3, 64]) func errorsAreInTheDatasOwnUnits(_ batchSize: Int) throws {
    // The model says 1 and 2; targets differ by 0, 1, -2 and 3, 0, 0.
    let data = try Self.data(3, .values([1, -1, 0, 2, 3, 2], size: 2, perStep: false))
    let scaler = Scaler(mean: [5, 6], deviation: [10, 100])
    let metrics = try Evaluator(
      Network(Self.constant([1, 2])), loss: .meanSquaredError, targetScaler: scaler, batchSize: batchSize
    ).evaluate(data)
    #expect(Self.close(metrics.loss, (9 + 1 + 4) / 6.0))
    #expect(Self.close(metrics.mae, (300 + 10 + 20) / 6.0))
    #expect(Self.close(metrics.rmse, ((90000 + 100 + 400) / 6.0).squareRoot()))
    #expect(metrics.accuracy == nil && metrics.examples == 3)
  }

  @Test func oneScaleServesEveryRowOfAHorizon() throws {
    let data = try Self.data(1, .values([0, 0, 1, 1], size: 4, perStep: false))
    let metrics = try Evaluator(
      Network(Self.constant([1, 1, 1, 3])), loss: .meanAbsoluteError,
      targetScaler: Scaler(mean: [0, 0], deviation: [2, 5])
    ).evaluate(data)
    #expect(Self.close(metrics.loss, 1) && Self.close(metrics.mae, (2 + 5 + 0 + 10) / 4.0))
  }

  @Test(arguments: [1, 2, 64]) func paddingIsNotMeasured(_ batchSize: Int) throws {
    let data = try Self.data(
      2, .values([1, 2, 99, 3, 99, 99], size: 1, perStep: true), steps: 3, lengths: [2, 1])
    let metrics = try Evaluator(
      Network(Self.constant([1], readout: .all)), loss: .meanSquaredError, batchSize: batchSize
    ).evaluate(data)
    #expect(Self.close(metrics.loss, 5 / 3.0) && Self.close(metrics.mae, 1))
  }

  @Test func accuracyOfClassesWithoutTheIgnored() throws {
    let data = try Self.data(5, .classes([2, 0, SequenceData.ignored, 2, 1], perStep: false))
    let metrics = try Evaluator(Network(Self.constant([0, 1, 2])), loss: .crossEntropy, batchSize: 2).evaluate(data)
    let total = log(1 + exp(1.0) + exp(2.0))
    #expect(metrics.accuracy == 0.5 && metrics.mae == nil)
    #expect(Self.close(metrics.loss, (4 * total - 2 - 0 - 2 - 1) / 4))
  }

  @Test(arguments: [-0.5, 0.5] as [Float]) func accuracyOfOneLogit(_ logit: Float) throws {
    let network = Network(try Self.constant([logit]))
    let right = logit > 0 ? 0.75 : 0.25
    let classes = try Self.data(4, .classes([1, 1, 0, 1], perStep: false))
    let values = try Self.data(4, .values([1, 1, 0, 1], size: 1, perStep: false))
    for data in [classes, values] {
      let metrics = try Evaluator(network, loss: .binaryCrossEntropy).evaluate(data)
      #expect(metrics.accuracy == right && metrics.mae == nil && metrics.rmse == nil)
    }
  }

  /// Two columns, of scikit-learn's `r2_score(y, p)`: 1 - 29 / 26 and 1 - 6 / (2 / 3), and their mean.
  @Test(arguments: [1, 2, 64]) func determinationIsTheMeanOverColumns(_ batchSize: Int) throws {
    // The model says 1 and 2 of each.
    let data = try Self.data(3, .values([1, 3, 6, 4, -1, 3], size: 2, perStep: false))
    let metrics = try Evaluator(
      Network(Self.constant([1, 2])), loss: .meanSquaredError,
      targetScaler: Scaler(mean: [5, 6], deviation: [10, 0.1]), batchSize: batchSize
    ).evaluate(data)
    let (first, second) = (1 - 29 / 26.0, 1 - 6 / (2 / 3.0))
    #expect(Self.close(metrics.r2, (first + second) / 2))
    #expect(metrics.mase == nil && metrics.macroF1 == nil && metrics.perplexity == nil)
  }

  @Test func determinationOfColumnsThatNeverVary() throws {
    let data = try Self.data(2, .values([1, 5, 1, 5], size: 2, perStep: false))
    let network = Network(try Self.constant([1, 2]))
    // scikit-learn's: met exactly 1, else 0.
    #expect(try Evaluator(network, loss: .meanSquaredError).evaluate(data).r2 == 0.5)
    #expect(try Evaluator(network, loss: .meanSquaredError).evaluate(data.selecting([0])).r2 == nil)
  }

  @Test func paddingIsNoneOfTheMetrics() throws {
    func metrics(_ filler: Float) throws -> Metrics {
      let data = try Self.data(
        2, .values([1, 2, filler, 3, filler, filler], size: 1, perStep: true), steps: 3, lengths: [2, 1])
      return try Evaluator(Network(Self.constant([1], readout: .all)), loss: .meanSquaredError).evaluate(data)
    }
    #expect(try metrics(99) == metrics(-7))
    #expect(Self.close(try metrics(99).r2, 1 - 5 / 2.0))
  }

  /// Of scikit-learn's `f1_score(y, p, average="macro")`, over the classes that occur: (0 + 0 + 6 / 8) / 3.
  @Test(arguments: [1, 2, 64]) func macroF1AndConfusion(_ batchSize: Int) throws {
    let data = try Self.data(6, .classes([2, 0, SequenceData.ignored, 2, 1, 2], perStep: false))
    let evaluator = Evaluator(Network(try Self.constant([0, 1, 2, -9])), loss: .crossEntropy, batchSize: batchSize)
    let (metrics, confusion) = try evaluator.report(data)
    // All are said to be 2: of class 3 there is nothing.
    #expect(Self.close(metrics.macroF1, 2 * 3 / 8.0 / 3))
    let matrix = try #require(confusion)
    #expect(matrix.counts == [[0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 3, 0], [0, 0, 0, 0]])
    #expect(matrix.recall(2) == 1 && matrix.recall(0) == 0 && matrix.recall(3) == nil)
    #expect(matrix.precision(2) == 0.6 && matrix.precision(0) == nil)
    #expect(try evaluator.evaluate(data) == metrics)
  }

  @Test func confusionOfOneLogit() throws {
    let data = try Self.data(4, .classes([1, 1, 0, 1], perStep: false))
    let (metrics, confusion) = try Evaluator(Network(Self.constant([0.5])), loss: .binaryCrossEntropy).report(data)
    #expect(confusion?.counts == [[0, 1], [0, 3]])
    #expect(Self.close(metrics.macroF1, (0 + 6 / 7.0) / 2))
  }

  @Test func oldMetricsAreStillRead() throws {
    let old = #"{"loss":0.5,"mae":1,"examples":3}"#
    let metrics = try JSONDecoder().decode(Metrics.self, from: Data(old.utf8))
    #expect(metrics == Metrics(loss: 0.5, mae: 1, examples: 3))
  }

  @Test func oneClassIsAlwaysRight() throws {
    let metrics = try Evaluator(Network(Self.constant([7])), loss: .crossEntropy).evaluate(
      Self.data(2, .classes([0, 0], perStep: false)))
    #expect(metrics.accuracy == 1 && metrics.loss == 0)
  }

  @Test func nothingToMeasure() throws {
    let evaluator = Evaluator(Network(try Self.constant([0, 1])), loss: .crossEntropy)
    let nothing = "targets: expected at least one that counts, found none"
    let ignored = try Self.data(2, .classes([-100, -100], perStep: false))
    #expect(message { _ = try evaluator.evaluate(ignored) } == nothing)
    #expect(message { _ = try evaluator.evaluate(ignored.selecting([])) } == nothing)
  }

  // MARK: - Predictions

  @Test(arguments: [1, 2, 64]) func predictionsAreInTheDatasOwnUnits(_ batchSize: Int) throws {
    let y = try Evaluator(
      Network(Self.constant([1, 2, 3, 4])), loss: .meanSquaredError,
      targetScaler: Scaler(mean: [10, 20], deviation: [1, 2]),
      batchSize: batchSize
    ).predict(Self.data(3, .none))
    #expect(y.shape == [3, 4])
    #expect(y.values == [11, 24, 13, 28, 11, 24, 13, 28, 11, 24, 13, 28])
  }

  @Test func paddedStepsOfAPredictionAreZero() throws {
    let y = try Evaluator(
      Network(Self.constant([1], readout: .all)), loss: .meanSquaredError,
      targetScaler: Scaler(mean: [10], deviation: [2]), batchSize: 1
    ).predict(Self.data(2, .none, steps: 3, lengths: [1, 3]))
    #expect(y == Tensor(shape: [2, 3, 1], values: [12, 0, 0, 12, 12, 12]))
  }

  @Test func aPredictionIsActivated() throws {
    var configuration = try Self.constant([0]).configuration
    configuration.plain.head[0].activation = .sigmoid
    var model = LSTMModel(configuration)
    try model.set("head.0.weight", to: Tensor(zeros: [1, 2]))
    try model.set("head.0.bias", to: Tensor(shape: [1], values: [0]))
    let y = try Evaluator(Network(model), loss: .binaryCrossEntropy).predict(Self.data(1, .none))
    #expect(y.values == [0.5])
  }
}
