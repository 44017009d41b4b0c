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
    var batches: [SequenceBatch] = []
    for (place, input) in plan.configuration.inputs.enumerated() {
      let x = try #require(golden["x\(place)"])
      // What comes once a sequence is one step.
      let shape = x.shape.count == 2 ? [x.shape[0], 1, x.shape[1]] : x.shape
      batches.append(
        input.vocabulary == nil
          ? try SequenceBatch(Tensor(shape: shape, values: x.floats()))
          : try SequenceBatch(tokens: x.integers().map { Int32($0) }, count: x.shape[0], steps: x.shape[1]))
    }
    let outputs = try LSTMModel(plan)(batches[0], others: Array(batches.dropFirst())).outputs
    return try outputs.enumerated().map { place, found in
      let wanted = try #require(golden["y\(place)"])
      return found.shape == wanted.shape ? relativeDifference(found.values, try wanted.floats()) : .infinity
    }.max() ?? .infinity
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
    #expect(1...6 ~= lines.count)
    let right = try places(file, stem, lines).contains(right)
    #expect(right, "\(lines)")
  }

  /// Which of the proposals give the model's outputs.
  private static func places(_ file: String, _ stem: String, _ lines: [String]) throws -> [Int] {
    try lines.indices.filter { place in
      let plan = try plan(file, LoadOptions(configuration: try ModelConfiguration(line: lines[place])))
      // Of another number of steps it does not even read the input.
      guard let found = try? difference(plan, stem) else { return false }
      return found <= 2e-6
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
    #expect(others?.first?.hasSuffix("last -> dense 2 softmax") == true, "\(others ?? [])")
    #expect(others?.contains { $0.contains("relu") && $0.hasSuffix("dense 2") } == true, "\(others ?? [])")
    #expect(try Self.difference(Self.plan(file, LoadOptions(readout: .last)), stem) <= 2e-6)
  }

  @Test(arguments: [2, 3]) func convolutionsAreAsked(_ major: Int) throws {
    let (file, stem) = Self.file(major, "conv")
    let lines = try Self.proposals(file, "neither their padding and stride nor their activation")
    // What has two outputs is more often a classifier.
    #expect(lines.count == 6 && lines[0].hasSuffix("softmax") && lines[1].hasSuffix("softmax"), "\(lines)")
    #expect(try Self.places(file, stem, lines).count == 1, "\(lines)")
  }

  @Test(arguments: [2, 3]) func flattenedStepsAreCounted(_ major: Int) throws {
    let (file, stem) = Self.file(major, "flat")
    let lines = try Self.proposals(file, "which activation is after dense")
    #expect(lines[0].hasSuffix("softmax") && lines.allSatisfy { $0.contains("of 6 steps") })
    try Self.follow(file, stem, lines, right: 1)
    let plan = try Self.plan(file, LoadOptions(activation: .relu))
    #expect(try Self.difference(plan, stem) <= 2e-6)
  }

  /// No number is proposed that nobody knows.
  @Test func howOftenIsAsked() throws {
    let (file, stem) = Self.file(2, "repeat")
    let lines = try Self.proposals(file, "how often repeat_vector (RepeatVector) repeats (N stands for the number)")
    #expect(lines.count > 1 && lines.allSatisfy { $0.contains("repeat N ") }, "\(lines)")
    for line in lines { #expect(throws: ModelLineError.self) { try ModelConfiguration(line: line) } }
    try Self.follow(file, stem, lines.map { $0.replacing("repeat N", with: "repeat 5") }, right: 0)
  }

  /// Layers without weights are put where they mostly stand, and the model is among the proposals.
  @Test(
    arguments: [
      ("functions", "convolve over the steps"), ("pools", "puts side by side"), ("attention", "(Attention) reads"),
      ("conv_flat", "convolve over the steps"), ("conv_behind", "convolve over the steps"),
      ("steps_first", "which activation is"), ("relu", ""), ("words", ""),
    ], [2, 3])
  func usualNetworks(_ test: (name: String, words: String), _ major: Int) throws {
    let (file, stem) = Self.file(major, test.name)
    let asked = test.words.isEmpty ? try Self.lines(file) : try Self.proposals(file, test.words)
    if test.name == "relu", major == 2 {
      // Its order is known, and only the readout is left open.
      #expect(try Self.difference(Self.plan(file, LoadOptions(readout: .last)), stem) <= 2e-6)
    } else {
      #expect(!(try Self.places(file, stem, asked)).isEmpty, "\(asked)")
    }
  }

  /// Layers that make no line: what the names, order and shapes allow is proposed, and the model is among it.
  @Test(
    arguments: [
      ("residual", "what add (Add) reads"), ("two_inputs", "what concatenate (Concatenate) reads"),
      ("tagger", "what concatenate (Concatenate) reads"), ("siamese", "what concatenate (Concatenate) reads"),
      ("two_outputs", "they are not one straight line"), ("written_attention", "what multiply (Multiply) reads"),
      ("branches", "what concatenate (Concatenate) reads"), ("slopes", "how many groups group_normalization has"),
      ("merged", "half as wide as its two directions"),
    ], [2, 3])
  func joinedNetworks(_ test: (name: String, words: String), _ major: Int) throws {
    let (file, stem) = Self.file(major, test.name)
    let asked = try Self.proposals(file, test.words).map { line in
      line.replacing("groups N", with: "groups 4").replacing("N steps", with: "6 steps").replacing(
        "steps N", with: "steps 6")
    }
    #expect(!(try Self.places(file, stem, asked)).isEmpty, "\(asked)")
  }

  /// Proposed in an error, or beside what is assumed, which is one of the models.
  private static func lines(_ file: String) throws -> [String] {
    func models(_ message: Message) -> [String] {
      message.parts.compactMap { if case .setting(.model, let line) = $0, line != "LINE" { line } else { nil } }
    }
    do {
      return try plan(file).report.assumed.compactMap(\.change).flatMap(models)
    } catch let error as CheckpointError {
      return error.advice.flatMap(models)
    }
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
