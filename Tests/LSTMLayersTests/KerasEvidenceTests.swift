import FileIO
import Foundation
import LSTMCheckpoints
import TestSupport
import Testing

@testable import LSTMLayers

/// Keras files that do not say all: what is assumed is said, what is asked has the right answer among its proposals.
@Suite struct KerasEvidenceTests {
  private static func plan(_ file: String, _ options: LoadOptions = LoadOptions()) throws -> LoadPlan {
    let plan = try LoadPlan(Checkpoint(path: fixtures.appendingPathComponent(file).path), options: options)
    try plan.validate()
    return plan
  }

  private static func difference(_ plan: LoadPlan, _ stem: String) throws -> Float {
    let golden = try Checkpoint(path: fixtures.appendingPathComponent(stem + ".npz").path)
    let (x, wanted) = (try #require(golden["x0"]), try #require(golden["y0"]))
    let found = try LSTMModel(plan)(SequenceBatch(Tensor(shape: x.shape, values: x.floats()))).output
    #expect(found.shape == wanted.shape)
    return found.shape == wanted.shape ? relativeDifference(found.values, try wanted.floats()) : .infinity
  }

  private static func proposals(_ file: String, _ words: String) throws -> [String] {
    let error = #expect(throws: CheckpointError.self) { try plan(file) }
    #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
    return (error?.advice ?? []).flatMap(\.parts).compactMap { part in
      if case .setting(.model, let line) = part { line } else { nil }
    }
  }

  /// Every proposal can be followed; the one that is the model gives its outputs.
  private static func follow(_ file: String, _ stem: String, _ lines: [String], right: Int) throws {
    #expect(1...3 ~= lines.count)
    for (place, line) in lines.enumerated() {
      let plan = try plan(file, LoadOptions(configuration: try ModelConfiguration(line: line)))
      if place == right { #expect(try difference(plan, stem) <= 2e-6, "\(line)") }
    }
  }

  private static func assumes(_ plan: LoadPlan, _ words: String) -> Bool {
    plan.report.assumed.contains { $0.what.contains(words) }
  }

  // MARK: - Layers of somebody's own

  @Test(arguments: [2, 3]) func aLambdaWhoseCodeShowsASum(_ major: Int) throws {
    let stem = "keras-own/k\(major)_sum_of_products"
    let plan = try Self.plan(stem + ".keras")
    #expect(Self.assumes(plan, "layer lambda (Lambda) is the sum over the steps"))
    #expect(try Self.difference(plan, stem) <= 2e-6)
  }

  @Test(arguments: [2, 3]) func anyOtherLambdaIsAsked(_ major: Int) throws {
    let stem = "keras-own/k\(major)_last_of_lambda"
    let lines = try Self.proposals(stem + ".keras", "layer lambda (Lambda) runs a function of Python's")
    try Self.follow(stem + ".keras", stem, lines, right: 0)
  }

  @Test(arguments: [2, 3]) func attentionOfTutorials(_ major: Int) throws {
    let stem = "keras-own/k\(major)_own_attention"
    let plan = try Self.plan(stem + ".keras")
    #expect(Self.assumes(plan, "(AttentionWeightedAverage), a class of somebody's own"))
    #expect(Self.assumes(plan, "(AttentionWithContext), a class of somebody's own"))
    #expect(try Self.difference(plan, stem) <= 2e-6)
  }

  // MARK: - Weights alone

  private static func file(_ major: Int, _ name: String) -> (file: String, stem: String) {
    let stem = "keras-weights/k\(major)_weights_\(name)"
    return (stem + (major == 3 ? ".weights.h5" : ".h5"), stem)
  }

  @Test(arguments: [2, 3]) func recurrentLayersAndAPooling(_ major: Int) throws {
    let (file, stem) = Self.file(major, "gru")
    let plan = try Self.plan(file)
    for words in ["sigmoid in the gates", "merge_mode concat", "make one line", "no activation after dense"] {
      #expect(Self.assumes(plan, words), "\(words)")
    }
    #expect(try Self.difference(plan, stem) <= 2e-6)
    let error = #expect(throws: CheckpointError.self) { try Self.plan(file, LoadOptions(readout: .max)) }
    #expect(error?.message.contains("global_average_pooling1d") == true, "\(error?.message ?? "")")
  }

  @Test(arguments: [2, 3]) func aReadoutIsLeftOpenOrSaid(_ major: Int) throws {
    let (file, stem) = Self.file(major, "rnn")
    let open = try Self.plan(file)
    #expect(Self.assumes(open, "left open"))
    #expect(open.configuration.line.contains("undecided"))
    let others = open.report.assumed.first { $0.what.contains("other networks") }?.change?.parts.compactMap { part in
      if case .setting(.model, let line) = part { line } else { nil }
    }
    #expect(others?.count == 2 && others?[0].hasSuffix("last -> dense 2 softmax") == true, "\(others ?? [])")
    #expect(others?.last?.contains("relu") == true)
    #expect(try Self.difference(Self.plan(file, LoadOptions(readout: .last)), stem) <= 2e-6)
  }

  @Test(arguments: [2, 3]) func convolutionsAreAsked(_ major: Int) throws {
    let (file, stem) = Self.file(major, "conv")
    let lines = try Self.proposals(file, "neither their padding and stride nor their activation")
    // What has two outputs is more often a classifier.
    #expect(lines.count == 2 && lines.allSatisfy { $0.hasSuffix("softmax") })
    try Self.follow(file, stem, lines.map { String($0.dropLast(" softmax".count)) }, right: 1)
  }

  @Test(arguments: [2, 3]) func flattenedStepsAreCounted(_ major: Int) throws {
    let (file, stem) = Self.file(major, "flat")
    let lines = try Self.proposals(file, "which activation is after dense")
    #expect(lines.count == 2 && lines[0].hasSuffix("softmax") && lines.allSatisfy { $0.contains("of 6 steps") })
    try Self.follow(file, stem, lines, right: 1)
    let plan = try Self.plan(file, LoadOptions(activation: .relu))
    #expect(try Self.difference(plan, stem) <= 2e-6)
  }

  /// No number is proposed that nobody knows.
  @Test func howOftenIsAsked() throws {
    let (file, stem) = Self.file(2, "repeat")
    let lines = try Self.proposals(file, "how often repeat_vector (RepeatVector) repeats (N stands for the number)")
    #expect(lines.count == 2 && lines.allSatisfy { $0.contains("repeat N ") }, "\(lines)")
    for line in lines { #expect(throws: ModelLineError.self) { try ModelConfiguration(line: line) } }
    try Self.follow(file, stem, lines.map { $0.replacing("repeat N", with: "repeat 5") }, right: 0)
  }

  @Test func statisticsAreWeightsToo() throws {
    let (file, stem) = Self.file(2, "norm")
    let plan = try Self.plan(file, LoadOptions(readout: .last))
    #expect(Self.assumes(plan, "layer_normalization add 0.001 to variances"))
    #expect(try Self.difference(plan, stem) <= 2e-6)
    let line = plan.configuration.line
    let given = try Self.plan(file, LoadOptions(configuration: try ModelConfiguration(line: line)))
    #expect(try Self.difference(given, stem) <= 2e-6)
  }
}
