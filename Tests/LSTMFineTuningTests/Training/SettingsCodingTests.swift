import Foundation
import LSTMCheckpoints
import LSTMLayers
import Testing

@testable import LSTMFineTuning

/// The settings of a run are stored in its config.json as they are.
@Suite struct SettingsCodingTests {
  static func isKept<Value: Codable & Equatable>(_ value: Value) throws -> Bool {
    try JSONDecoder().decode([Value].self, from: JSONEncoder().encode([value])) == [value]
  }

  @Test func everySettingReadsBackAsItWas() throws {
    for rule: Optimizer in [
      .sgd(learningRate: 0.1, momentum: 0.9, isNesterov: true), .adam(), .adamW(weightDecay: 0.02, isAMSGrad: true),
    ] { #expect(try Self.isKept(rule)) }
    for shape: Schedule.Shape in [
      .constant, .linear(final: 0.1), .cosine(), .slantedTriangle(), .oneCycle(), .step(epochs: 2), .plateau(),
    ] { #expect(try Self.isKept(Schedule(shape, warmUp: 7))) }
    for loss: Loss in [
      .meanSquaredError, .meanAbsoluteError, .huber(delta: 2),
      .crossEntropy(labelSmoothing: 0.1, classWeights: [1, 2]),
      .crossEntropy, .binaryCrossEntropy,
    ] { #expect(try Self.isKept(loss)) }
    for head: HeadChoice in [.keep, .keepAll, .new(size: nil), .new(size: 9)] { #expect(try Self.isKept(head)) }
    for recipe in Recipe.allCases { #expect(try Self.isKept(recipe)) }
    #expect(try Self.isKept(LoRA(rank: 8, alpha: 16, targets: ["layer1", "head"])))
    #expect(try Self.isKept(LearningRateOverride("layer0", 1e-4)))
    #expect(try Self.isKept(CachePolicy(memoryLimit: 5, folder: "/tmp")) && Self.isKept(CachePolicy.off))
    #expect(
      try Self.isKept(SplitChoice(fraction: 0.1, trainUntil: "2024-03-25", shuffles: false, seed: .max)))
  }

  @Test func optionsOfARunAndOfATableReadBackAsTheyWere() throws {
    var options = FineTuner.Options(
      epochs: .max, clipNorm: nil, patience: 3, seed: .max, schedule: Schedule(.oneCycle()), saveInterval: 60,
      cache: .off, regularization: Regularization(dropout: 0.2))
    options.stopsOnFailure = false
    #expect(try Self.isKept(options) && Self.isKept(FineTuner.Options()))
    var table = CSVOptions(separator: .tab, header: false)
    (table.decimal, table.thousands, table.encoding) = (.comma, .apostrophe, .windows1252)
    (table.skippedLines, table.comment, table.missingValues, table.acceptsSentinelValues) = (2, "#", ["-1"], true)
    #expect(try Self.isKept(table) && Self.isKept(CSVOptions()))
    for policy in MissingValuePolicy.allCases { #expect(try Self.isKept(policy)) }
    for order in DateOrder.allCases { #expect(try Self.isKept(order)) }
    for unit in Vocabulary.Unit.allCases { #expect(try Self.isKept(unit)) }
    #expect(try Self.isKept(TextGenerator.Options(length: 5, topK: 3, topP: 0.5, stops: ["\n"])))
  }
}
