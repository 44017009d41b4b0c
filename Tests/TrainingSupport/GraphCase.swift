import LSTMCheckpoints
import LSTMFineTuning
import LSTMLayers
import Testing

/// A graph of layers with data that fits it, small enough to train in every test.
package struct GraphCase: Sendable, CustomTestStringConvertible {
  package enum Target: Sendable { case values, classes, labels }

  package let name: String
  /// The model as one line.
  package let line: String
  /// T
  package let steps: Int
  /// Whether there is a target for each step.
  package let isPerStep: Bool
  package let target: Target
  /// Whether sequences have different numbers of steps.
  package let isRagged: Bool
  package let loss: Loss

  package init(
    name: String, line: String, steps: Int = 8, isPerStep: Bool = false, target: Target = .values,
    isRagged: Bool = false, loss: Loss = .meanSquaredError
  ) {
    (self.name, self.line, self.steps, self.isPerStep) = (name, line, steps, isPerStep)
    (self.target, self.isRagged, self.loss) = (target, isRagged, loss)
  }

  package var testDescription: String { name }

  package func configuration() throws -> ModelConfiguration { try ModelConfiguration(line: line) }

  package func model(seed: UInt64 = 1) throws -> LSTMModel { LSTMModel(try configuration(), seed: seed) }

  /// N sequences of noise, with noise to learn.
  package func data(_ count: Int = 9, seed: UInt64 = 3) throws -> SequenceData {
    let configuration = try configuration()
    let input = configuration.inputs[0]
    var random = RandomNumbers(seed: seed)
    let steps = input.isPerSequence ? 1 : steps
    let inputs: SequenceData.Inputs =
      if let vocabulary = input.vocabulary {
        .tokens((0..<count * steps).map { _ in Int32.random(in: 1..<Int32(vocabulary), using: &random) }, steps: steps)
      } else {
        .features(noise(count * steps * input.width, seed: seed), steps: steps, size: input.width)
      }
    let size = configuration.outputSize
    let rows = count * (isPerStep ? steps : 1)
    let targets: SequenceData.Targets =
      switch target {
      case .values: .values(noise(rows * size, seed: seed + 1), size: size, perStep: isPerStep)
      case .classes:
        .classes((0..<rows).map { _ in Int32.random(in: 0..<Int32(size), using: &random) }, perStep: isPerStep)
      case .labels: .labels((0..<count * 2).map { _ in Int32.random(in: 1..<Int32(size), using: &random) }, width: 2)
      }
    let lengths = isRagged ? (0..<count).map { _ in Int.random(in: steps - 3...steps, using: &random) } : nil
    return try SequenceData(inputs: inputs, targets: targets, lengths: lengths)
  }

  /// One of each sort of network that stands around LSTMs.
  package static let all: [GraphCase] = [
    .init(
      name: "convolutions over time",
      line:
        "3 features -> conv 5 kernel 3 same relu -> batch norm -> max pool 2 -> LSTM 6 -> last -> dense 4 relu -> dense 2"
    ),
    .init(
      name: "convolution over a grid",
      line:
        "12 features in 2 channels -> conv 4 kernel 3x3 same relu -> batch norm -> max pool 2x2 -> LSTM 5 -> last -> dense 2"
    ),
    .init(
      name: "GRU and RNN", line: "3 features -> biGRU 5 -> RNN 6 relu -> dropout 0.3 -> mean -> dense 2",
      isRagged: true),
    .init(
      name: "encoder and decoder",
      line: "3 features -> encoder: LSTM 6 -> decoder: LSTM 6 from input initial from encoder -> all -> dense 2",
      isPerStep: true),
    .init(
      name: "decoder of both directions",
      line: "3 features -> encoder: biLSTM 3 -> decoder: LSTM 6 from input initial from encoder -> all -> dense 2",
      isPerStep: true),
    .init(
      name: "branches",
      line:
        "3 features -> LSTM 5 -> last -> conv 4 kernel 3 causal tanh from input -> GRU 5 -> last -> concatenate from readout1, readout2 -> dense 4 tanh -> dense 2"
    ),
    .init(
      name: "attention by a vector", line: "9 tokens -> embedding 4 -> biLSTM 5 -> attention vector -> dense 3",
      target: .classes, isRagged: true, loss: .crossEntropy),
    .init(
      name: "attention by tanh",
      line: "3 features -> LSTM 5 -> attention tanh size 4 score bias bias -> dense 3 softmax", target: .classes,
      loss: .crossEntropy),
    .init(name: "attention by feature", line: "3 features -> biLSTM 4 -> attention feature bias -> dense 2"),
    .init(
      name: "dot attention",
      line:
        "3 features -> encoder: LSTM 6 -> decoder: LSTM 6 from input -> dot attention scale from decoder, encoder -> concatenate from attention, decoder -> dense 2",
      isPerStep: true),
    .init(
      name: "self attention", line: "3 features -> LSTM 6 -> self attention heads 2 -> layer norm -> mean -> dense 2"),
    .init(
      name: "CRF", line: "9 tokens -> embedding 4 -> biLSTM 5 -> dropout 0.2 -> dense 4 -> CRF", isPerStep: true,
      target: .classes, isRagged: true, loss: .crf()),
    .init(
      name: "CTC",
      line:
        "12 features in 1 channel -> conv 3 kernel 3x3 same relu -> batch norm -> max pool 1x2 -> biLSTM 5 -> dense 5 log softmax",
      target: .labels, loss: .ctc(blank: 0)),
    .init(name: "flatten", line: "3 features of 8 steps -> LSTM 4 -> flatten -> dense 5 relu -> dense 2"),
    .init(
      name: "autoencoder", line: "3 features of 8 steps -> LSTM 5 -> last -> repeat 8 -> LSTM 5 -> all -> dense 3",
      isPerStep: true),
    .init(
      name: "residuals",
      line:
        "4 features -> LSTM 4 -> add from layer0, input -> layer norm -> LSTM 4 -> add from layer1, norm1 -> batch norm -> last -> dense 2",
      isRagged: true),
    .init(
      name: "tied language model",
      line: "9 tokens -> embedding 5 -> LSTM 5 -> dropout 0.2 -> all -> dense 9; embedding.weight is head.0.weight",
      isPerStep: true, target: .classes, loss: .crossEntropy),
    .init(
      name: "masked tokens", line: "9 tokens masked 0 -> embedding 4 -> LSTM 5 bias single -> last -> dense 1 sigmoid",
      isRagged: true),
    .init(
      name: "normalized everywhere",
      line:
        "3 features -> rescale -> batch norm -> LSTM 5 projection 3 peepholes -> batch norm -> LSTM 4 -> last -> batch norm -> dense 4 relu -> batch norm -> dense 2"
    ),
    .init(
      name: "causal stack",
      line:
        "3 features -> conv 4 kernel 2 causal relu -> layer norm -> conv 4 kernel 2 dilation 2 causal -> LSTM 5 -> GRU 4 initial learned -> all -> dense 2",
      isPerStep: true),
    .init(
      name: "cell activations",
      line:
        "3 features -> LSTM 5 relu gates hard sigmoid -> GRU 4 without reset after -> RNN 3 -> last -> leaky relu -> dense 2"
    ),
    .init(name: "no recurrent layer", line: "3 features -> conv 4 kernel 3 relu -> mean -> dense 4 relu -> dense 2"),
  ]
}
