import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// A character model of PyTorch's on a text: see scripts/make-golden-text.py.
@Suite struct GoldenTextTests {
  private struct Case {
    let name: String
    let isPerStep: Bool
    let window: Int
    let model: LSTMModel
    let vocabulary: Vocabulary
    let expected: Golden

    init(isPerStep: Bool) throws {
      name = isPerStep ? "steps" : "window"
      self.isPerStep = isPerStep
      window = isPerStep ? 16 : 8
      model = try LSTMModel(
        Checkpoint(path: Self.path("\(name).h5")), options: LoadOptions(readout: isPerStep ? .all : .last))
      vocabulary = try Vocabulary(contentsOf: Self.path("vocabulary.json"))
      expected = try Golden("golden-text/expected.h5")
    }

    static func path(_ name: String) -> String { fixtures.appendingPathComponent("golden-text/\(name)").path }
  }

  @Test(arguments: [true, false]) func measuresWhatPyTorchMeasures(_ isPerStep: Bool) throws {
    let golden = try Case(isPerStep: isPerStep)
    let text = try TextData(
      contentsOf: Case.path("text.txt"), vocabulary: golden.vocabulary, window: golden.window, isPerStep: isPerStep)
    #expect(text.unknownCount == 1)
    let metrics = try Evaluator(Network(golden.model), loss: .crossEntropy).evaluate(text.examples())
    let loss = try golden.expected.double(golden.name + "_loss")
    #expect(abs(metrics.loss - loss) <= 1e-6 * loss, "\(metrics.loss), expected \(loss)")
    let accuracy = try golden.expected.double(golden.name + "_accuracy")
    #expect(abs(try #require(metrics.accuracy) - accuracy) < 1e-12)
  }

  @Test(arguments: [true, false]) func goesOnAsPyTorchDoes(_ isPerStep: Bool) throws {
    let golden = try Case(isPerStep: isPerStep)
    let made = try TextGenerator(golden.model, vocabulary: golden.vocabulary, window: golden.window).generate(
      after: golden.expected.text("prompt"), .init(length: 60, temperature: 0))
    #expect(try made.text == golden.expected.text(golden.name + "_greedy"))
  }
}
