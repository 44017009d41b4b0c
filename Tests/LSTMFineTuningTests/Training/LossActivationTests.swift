import LSTMCheckpoints
import LSTMLayers
import TestSupport
import Testing
import TrainingSupport

@testable import LSTMFineTuning

/// A loss that includes the model's last activation never applies it twice, whatever stands above the activation.
@Suite struct LossActivationTests {
  private static func loss(_ line: String) throws -> Double {
    let model = LSTMModel(try ModelConfiguration(line: line), seed: 3)
    let data = try SequenceData(
      inputs: .features(noise(4 * 3 * 2, seed: 1), steps: 3, size: 2),
      targets: .values((0..<12).map { Float($0 % 2) }, size: 3, perStep: false))
    return try Evaluator(Network(model), loss: .binaryCrossEntropy).evaluate(data).loss
  }

  @Test func dropoutAboveASigmoidIsPassedOver() throws {
    let plain = try Self.loss("2 features -> LSTM 4 -> last -> dense 3 sigmoid")
    #expect(try Self.loss("2 features -> LSTM 4 -> last -> dense 3 sigmoid -> dropout 0.5") == plain)
    #expect(try Self.loss("2 features -> LSTM 4 -> last -> dense 3 -> sigmoid -> dropout 0.5") == plain)
  }

  @Test(arguments: [
    "2 features of 3 steps -> LSTM 4 -> dense 1 sigmoid -> flatten",
    "2 features -> LSTM 4 -> last -> dense 4 sigmoid -> slice 3",
  ])
  func otherLayersAboveItAreRefused(_ line: String) throws {
    let error = #expect(throws: ShapeError.self) { _ = try Self.loss(line) }
    #expect(error?.expected.contains("head.0, whose activation the loss bce includes") == true)
  }

  /// The activation of one output is none of another's.
  @Test func theActivationIsThatOfTheOutputItself() throws {
    let configuration = try ModelConfiguration(
      line: "5 features -> LSTM 8 -> value: dense 1 -> class: dense 3 from layer0 -> end: softmax; outputs value, end")
    #expect(configuration.finalDense?.activation == Activation.none && configuration.finalDense?.size == 1)
    #expect(!configuration.normalizesOutput)
  }
}
