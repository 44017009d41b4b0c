import FileIO
import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Classes that were stored as real values are found, said, and trained with the loss that is for them.
@Suite struct TargetKindTests {
  static func data(_ y: [Float], size: Int, steps: Int = 3, perStep: Bool = false, lengths: [Int]? = nil) throws
    -> SequenceData
  {
    let count = y.count / size / (perStep ? steps : 1)
    return try SequenceData(
      inputs: .features(noise(count * steps * 2, seed: 1), steps: steps, size: 2),
      targets: .values(y, size: size, perStep: perStep), lengths: lengths)
  }

  static func model(_ outputs: Int?, _ activation: PlainStack.Activation = .none) -> LSTMModel {
    var configuration = featureModel(outputs: outputs).configuration
    if outputs != nil { configuration.plain.head[0].activation = activation }
    return LSTMModel(configuration, seed: 3)
  }

  static func fit(
    _ model: LSTMModel, _ data: SequenceData, loss: Loss? = nil, head: HeadChoice = .keep, evaluating: Bool = false
  ) throws -> TaskFit {
    try TaskFit(model, data, file: "d.h5", loss: loss, head: head, mayChangeModel: !evaluating)
  }

  // MARK: - What they are

  @Test(
    arguments: [
      ([0, 1, 0, 1], 1, TargetKind.binary), ([0, 0, 0, 0], 1, .numbers), ([1, 1], 1, .numbers),
      ([0, 1, 2, 1], 1, .classNumbers(largest: 2)), ([0, 1, 2.5], 1, .numbers), ([0, -1], 1, .numbers),
      ([0, .nan], 1, .numbers), ([1, 0, 0, 1], 2, .oneHot), ([1, 0, 1, 0], 2, .binary), ([1, 1, 0, 1], 2, .binary),
      ([0, 0, 0, 1], 2, .binary), ([1, 0, 0, 2], 2, .numbers), ([0.5, 0.5, 1, 0], 2, .numbers),
      ([0, 2e9], 1, .numbers),
    ] as [([Float], Int, TargetKind)])
  func areTold(_ y: [Float], _ size: Int, _ kind: TargetKind) throws {
    #expect(try TargetKind(Self.data(y, size: size)) == kind)
  }

  @Test func paddingIsNoTarget() throws {
    // Two sequences of three steps, of which the second has one; what lies behind it is zero, or anything.
    let y: [Float] = [1, 0, 0, 1, 1, 0, 0, 1, 0, 0, 7, 7]
    let data = try Self.data(y, size: 2, perStep: true, lengths: [3, 1])
    #expect(TargetKind(data) == .oneHot)
    guard case .classes(let classes, true) = data.withClassTargets().targets else {
      Issue.record("no classes")
      return
    }
    #expect(classes == [0, 1, 0, 1, -100, -100])
    #expect(data.withClassTargets().classCount == 2)
    #expect(data.selecting([1]).withClassTargets().count == 1)
  }

  // MARK: - What becomes of them

  @Test(arguments: [PlainStack.Activation.none, .softmax])
  func oneHotRowsAreClasses(_ activation: PlainStack.Activation) throws {
    let data = try Self.data([1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0], size: 3)
    let fit = try Self.fit(Self.model(3, activation), data)
    #expect(fit.loss == .crossEntropy)
    #expect(
      fit.notes == [
        "y: each row is one 1 and zeros, read as class numbers from 0 to 2",
        "loss: cross-entropy, because y has classes; loss mse takes the rows as numbers",
      ])
    guard case .classes(let classes, false) = fit.prepared(data).sequences.targets else {
      Issue.record("no classes")
      return
    }
    #expect(classes == [0, 1, 2, 1])
    // The same run as with class numbers.
    let numbers = try TaskFitTests.classes([0, 1, 2, 1], steps: 3)
    let twin = try Self.fit(Self.model(3, activation), numbers)
    let runs = try [(fit, fit.prepared(data)), (twin, twin.prepared(numbers))].map { fit, data in
      try FineTuner(FreezePlan(fit.model), loss: fit.loss, options: .init(epochs: 2)).fit(fit.model, data).last
    }
    #expect(allValues(runs[0]) == allValues(runs[1]))
  }

  @Test func oneHotRowsWithoutAHeadGetOne() throws {
    let data = try Self.data([1, 0, 0, 1, 1, 0], size: 2)
    let fit = try Self.fit(Self.model(nil), data)
    #expect(fit.loss == .crossEntropy && fit.model.configuration.plain.head == [.init(size: 2)])
  }

  @Test func askedForMeanSquaresRowsStayNumbers() throws {
    let data = try Self.data([1, 0, 0, 1], size: 2)
    let fit = try Self.fit(Self.model(2, .softmax), data, loss: .meanSquaredError)
    #expect(fit.loss == .meanSquaredError && fit.notes.isEmpty)
    guard case .values = fit.prepared(data).sequences.targets else {
      Issue.record("no values")
      return
    }
  }

  @Test(arguments: [[1, 0, 0, 1, 1, 0], [1, 1, 0, 1, 0, 0]] as [[Float]])
  func aSigmoidForEachOutputMeansBinaryCrossEntropy(_ y: [Float]) throws {
    let fit = try Self.fit(Self.model(2, .sigmoid), Self.data(y, size: 2))
    #expect(fit.loss == .binaryCrossEntropy)
    #expect(fit.notes == ["loss: bce, because the targets are 0 and 1 and the head ends in sigmoid"])
  }

  @Test func zeroAndOneWithASigmoid() throws {
    #expect(try Self.fit(Self.model(1, .sigmoid), Self.data([0, 1, 1], size: 1)).loss == .binaryCrossEntropy)
    // Its own choice is kept.
    let asked = try Self.fit(Self.model(1, .sigmoid), Self.data([0, 1, 1], size: 1), loss: .meanSquaredError)
    #expect(asked.loss == .meanSquaredError)
    // Temperatures between 0 and 1 are none.
    #expect(try Self.fit(Self.model(1, .sigmoid), Self.data([0, 1, 0.5], size: 1)).loss == .meanSquaredError)
  }

  @Test func zeroAndOneWithPlainOutputsAreAskedAbout() throws {
    let asked =
      "d.h5: every target is 0 or 1: they may be classes or numbers, and the model gives plain numbers"
    let data = try Self.data([0, 1, 1], size: 1)
    #expect(message { _ = try Self.fit(Self.model(1), data) } == asked)
    #expect(message { _ = try Self.fit(Self.model(nil), data) } == asked)
    #expect(message { _ = try Self.fit(Self.model(3, .sigmoid), data, head: .new(size: nil)) } == asked)
    #expect(message { _ = try Self.fit(Self.model(2), Self.data([1, 1, 0, 0], size: 2)) } == asked)
    for loss in [Loss.binaryCrossEntropy, .meanSquaredError] {
      #expect(try Self.fit(Self.model(1), data, loss: loss).loss == loss)
    }
    // Two outputs for one column of them can only be two classes.
    #expect(try Self.fit(Self.model(2, .softmax), data).loss == .crossEntropy)
  }

  @Test func aFineTunedModelIsMeasuredByItsOwnLoss() throws {
    var model = Self.model(1)
    model.provenance = Provenance(
      source: "w", sha256: "", layout: "pytorch", mapping: [:],
      history: [.init(date: "", action: "finetune", details: ["loss": "bce"])])
    let fit = try Self.fit(model, Self.data([0, 1, 1], size: 1), evaluating: true)
    #expect(fit.loss == .binaryCrossEntropy)
    #expect(fit.notes == ["loss: bce, with which the model was fine-tuned; the targets are 0 and 1"])
  }

  @Test func classNumbersStoredAsRealValues() throws {
    let data = try Self.data([0, 2, 1, 2], size: 1)
    let fit = try Self.fit(Self.model(3), data)
    #expect(fit.loss == .crossEntropy)
    #expect(fit.notes == ["y: whole numbers stored as real values, read as class numbers from 0 to 2"])
    // One output gives one number.
    #expect(try Self.fit(Self.model(1), data).loss == .meanSquaredError)
    #expect(
      try Self.fit(Self.model(1), data, loss: .crossEntropy, head: .new(size: nil)).model.configuration.outputSize == 3)
  }

  // MARK: - Heads

  @Test func farMoreOutputsThanClassesAreAskedAbout() throws {
    let data = try TaskFitTests.classes([0, 1, 1], steps: 3)
    for activation in [PlainStack.Activation.none, .softmax] {
      #expect(
        message { _ = try Self.fit(Self.model(465, activation), data) }
          == "d.h5: the model has 465 outputs, and y has class numbers from 0 to 1")
    }
    let kept = try Self.fit(Self.model(465), data, head: .keepAll)
    #expect(kept.model.configuration.outputSize == 465)
    #expect(kept.notes == ["the model tells 465 classes apart, y has class numbers from 0 to 1"])
    #expect(try Self.fit(Self.model(465), data, head: .new(size: nil)).model.configuration.outputSize == 2)
    // Measuring changes nothing, and says it.
    #expect(try Self.fit(Self.model(465), data, evaluating: true).notes.count == 1)
    // A few more than there are may well be right.
    #expect(
      try Self.fit(Self.model(5), data).notes == ["the model tells 5 classes apart, y has class numbers from 0 to 1"])
  }

  @Test func aLanguageModelsVocabularyIsNoHeadTooLarge() throws {
    let model = LSTMModel(
      ModelConfiguration(
        input: .tokens(vocabulary: 90, size: 4), layers: [.init(hiddenSize: 4)], readout: .all, head: [.init(size: 90)])
    )
    let data = try SequenceData(
      inputs: .tokens([1, 2, 3, 4, 5, 6], steps: 3), targets: .classes([2, 3, 4, 5, 6, 7], perStep: true))
    #expect(try Self.fit(model, data).loss == .crossEntropy)
  }

  @Test func aSoftmaxOverOneValueLearnsNothing() throws {
    #expect(
      message { _ = try Self.fit(Self.model(1, .softmax), Self.data([0.5, 3], size: 1)) }
        == "d.h5: the model ends in a softmax over one value, which is always 1: it can learn nothing")
  }
}
