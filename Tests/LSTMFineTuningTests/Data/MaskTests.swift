import LSTMCheckpoints
import LSTMLayers
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// Steps that a model's mask hides are no steps, wherever they lie.
@Suite struct MaskTests {
  private static let tokens = ModelConfiguration(
    input: .tokens(vocabulary: 9, size: 3),
    layers: [.init(hiddenSize: 4), .init(hiddenSize: 3, isBidirectional: true)],
    readout: .final, head: [.init(size: 2)], mask: .token(0))

  private func data(_ tokens: [Int32], steps: Int, lengths: [Int]? = nil) throws -> SequenceData {
    try SequenceData(
      inputs: .tokens(tokens, steps: steps),
      targets: .classes(.init(repeating: 1, count: tokens.count / steps), perStep: false),
      lengths: lengths)
  }

  @Test func hiddenStepsAreMovedOut() throws {
    let hidden = try data([0, 0, 5, 6, 7, 0, 8, 0, 1, 2, 3, 4], steps: 4).hiding(.token(0), for: Self.tokens)
    #expect(hidden.lengths == [2, 2, 4])
    #expect(hidden.hiddenCount == 4)
    #expect(try hidden.batch([0, 1, 2]).input.tokens == [5, 6, 0, 0, 7, 8, 0, 0, 1, 2, 3, 4])
    // A second time nothing is looked for: a scaler may have made other values of it.
    #expect(try hidden.hiding(.token(5), for: Self.tokens).hiddenCount == 4)
  }

  @Test func lengthsAndMasksGoTogether() throws {
    let hidden = try data([0, 5, 0, 0, 7, 8, 9, 9], steps: 4, lengths: [3, 2]).hiding(.token(0), for: Self.tokens)
    #expect(hidden.lengths == [1, 2])
  }

  @Test func aSequenceOfNothingIsNamed() throws {
    let error = #expect(throws: ShapeError.self) {
      try data([1, 2, 0, 0], steps: 2).hiding(.token(0), for: Self.tokens)
    }
    #expect(error?.what == "sequence 1")
  }

  /// The same numbers as of the sequences without the hidden steps.
  @Test func outputsAndTrainingAreThoseOfWhatIsLeft() throws {
    let model = LSTMModel(Self.tokens, seed: 3)
    let padded = try data([0, 0, 5, 6, 7, 0, 8, 0, 1, 2, 3, 4], steps: 4)
    let short = try data([5, 6, 0, 0, 7, 8, 0, 0, 1, 2, 3, 4], steps: 4, lengths: [2, 2, 4])
    let evaluator = Evaluator(Network(model), loss: .crossEntropy)
    #expect(try evaluator.predict(padded).values == evaluator.predict(short).values)
    #expect(try evaluator.evaluate(padded).loss == evaluator.evaluate(short).loss)
    let batch = try SequenceBatch(tokens: [0, 0, 5, 6, 7, 0, 8, 0, 1, 2, 3, 4], count: 3, steps: 4)
    #expect(try model(batch).output.values == evaluator.predict(short).values)
    var options = FineTuner.Options()
    (options.epochs, options.batchSize) = (3, 2)
    let tuner = FineTuner(
      try FreezePlan(model), optimizer: .adam(learningRate: 0.01), loss: .crossEntropy, options: options)
    let one = try tuner.fit(model, padded).best
    let other = try tuner.fit(model, short).best
    for slot in one.parameters.slots { #expect(one[slot.name]?.values == other[slot.name]?.values, "\(slot.name)") }
  }

  /// Windows over rows, and of a text that is padded before it.
  @Test func windowsAreMovedToo() throws {
    var configuration = ModelConfiguration(
      input: .features(size: 2), layers: [.init(hiddenSize: 3)], readout: .last, head: [.init(size: 1)])
    configuration.mask = .value(-1)
    let rows: [Float] = [1, 2, -1, -1, 3, 4, 5, -1]
    let windows = try SequenceData(
      inputs: .windows(rows: rows, size: 2, starts: [0, 1], steps: 3),
      targets: .values([0, 0], size: 1, perStep: false))
    let hidden = try windows.hiding(configuration.mask, for: configuration)
    // One value that is the mask's hides nothing.
    #expect(hidden.lengths == [2, 2])
    #expect(try hidden.batch([1]).input.features == [3, 4, 5, -1, 0, 0])
    let text = try SequenceData(
      inputs: .tokenWindows(tokens: [0, 0, 5, 6, 7, 0, 0, 0], starts: [0, 1, 2], steps: 3), targets: .none)
    let moved = try text.hiding(.token(0), for: Self.tokens)
    #expect(moved.lengths == [1, 2, 3])
    guard case .tokenWindows(_, let starts, _) = moved.inputs else {
      Issue.record("no windows any more")
      return
    }
    #expect(starts == [2, 2, 2])
  }

  /// Keras repeats the output of the step before, which is zero before the first; a maximum over time says what it reads.
  @Test func outputsOfHiddenSteps() throws {
    var configuration = Self.tokens
    (configuration.plain.readout, configuration.plain.layers[1].isBidirectional) = (.all, false)
    let model = LSTMModel(configuration, seed: 5)
    let y = try model(SequenceBatch(tokens: [5, 0, 6, 0], count: 1, steps: 4)).output.values
    let short = try model(SequenceBatch(tokens: [5, 6], count: 1, steps: 2)).output.values
    #expect(y == Array(short[0..<2] + short[0..<2] + short[2..<4] + short[2..<4]))
    let late = try model(SequenceBatch(tokens: [0, 5], count: 1, steps: 2)).output.values
    #expect(late[0..<2] == model["head.0.bias"]?.values[0..<2])
    #expect(Array(late[2...]) == Array(short[0..<2]))
    configuration.plain.readout = .max
    #expect(throws: ShapeError.self) {
      _ = try LSTMModel(configuration, seed: 5)(SequenceBatch(tokens: [0, 5], count: 1, steps: 2))
    }
  }

  @Test func streamsWithHiddenStepsAreRefused() throws {
    var configuration = Self.tokens
    (configuration.plain.readout, configuration.plain.layers[1].isBidirectional) = (.all, false)
    let stream = try StreamData(
      SequenceData(inputs: .tokens([1, 0, 2, 3], steps: 4), targets: .classes([1, 1, 1, 1], perStep: true)),
      chunkSteps: 2)
    #expect(throws: ShapeError.self) {
      _ = try Evaluator(Network(LSTMModel(configuration)), loss: .crossEntropy).evaluate(stream)
    }
    #expect(throws: ShapeError.self) { try stream.examples.hiding(configuration) }
  }

  /// Scaled values that happen to be the mask's are no hidden steps.
  @Test func streamsAreLookedAtBeforeTheyAreScaled() throws {
    var configuration = ModelConfiguration(
      input: .features(size: 1), layers: [.init(hiddenSize: 3)], readout: .all, head: [.init(size: 1)])
    configuration.mask = .value(0)
    func stream(_ values: [Float]) throws -> StreamData {
      try StreamData(
        SequenceData(
          inputs: .features(values, steps: 4, size: 1), targets: .values([1, 1, 1, 1], size: 1, perStep: true)),
        chunkSteps: 2)
    }
    let scaler = Scaler(mean: [2], deviation: [1])
    let evaluator = Evaluator(Network(LSTMModel(configuration)), loss: .meanSquaredError)
    let seen = try stream([1, 2, 3, 4]).examples.hiding(configuration).scaled(inputs: scaler, targets: nil)
    #expect(try evaluator.evaluate(seen).loss.isFinite)
    #expect(throws: ShapeError.self) { try stream([1, 0, 3, 4]).examples.hiding(configuration) }
  }
}

extension SequenceBatch.Input {
  fileprivate var tokens: [Int32] { if case .tokens(let values) = self { values } else { [] } }
  fileprivate var features: [Float] { if case .features(let values, _) = self { values } else { [] } }
}
