import LSTMCheckpoints
import LSTMFineTuning

extension BenchCase {
  /// Every case: twelve models from practice, then stacks of equal layers, of GRU and plain recurrent layers, stacks with a
  /// frozen layer, and models with very small numbers.
  static let all: [BenchCase] = models + plainStacks + gatedStacks + frozenStacks + vanishing

  // MARK: Models

  private static let models = [
    // 1. A voice activity detector's cell.
    BenchCase("vad", stack(128, 128), batch: 1, steps: 1, [.step]),
    // 2. An audio effect: one sample in, one out, in blocks.
    BenchCase("effect", stack(1, 40, head: 1), batch: 1, steps: 512, [.inference]),
    // 3. Streaming recognition.
    BenchCase("stream", stack(80, 512, 512), batch: 1, steps: 1, [.step]),
    // 4. Speaker embeddings.
    BenchCase("speaker-1", speakerEncoder, batch: 1, steps: 160, [.inference]),
    BenchCase("speaker-32", speakerEncoder, batch: 32, steps: 160, [.inference]),
    // 5. The same network as a classifier of a hundred speakers.
    BenchCase(
      "speaker-64", stack(40, 256, 256, 256, readout: .last, head: 100), batch: 64, steps: 160, loss: .crossEntropy,
      [
        .training, .training("top", freezing: ["layer0", "layer1"]), .training("head", freezing: ["lstm"]),
      ]),
    // 6. and 7. Character models.
    BenchCase(
      "char-128", characters(100, 128, 128), batch: 64, steps: 50, loss: .crossEntropy, [.training]),
    BenchCase(
      "char-512", characters(100, 512, 512), batch: 64, steps: 128, loss: .crossEntropy, [.training]),
    // 8. AWD-LSTM without its embedding and decoder, which are the same matrix product in every framework.
    BenchCase("awd-80", stack(400, 1150, 1150, 400), batch: 80, steps: 70, [.training]),
    BenchCase("awd-1", stack(400, 1150, 1150, 400), batch: 1, steps: 1, [.step]),
    // 9. and 10. Forecasts of time series.
    BenchCase("series-32", stack(8, 64, readout: .last, head: 1), batch: 32, steps: 96, [.training]),
    BenchCase("series-256", stack(8, 64, readout: .last, head: 1), batch: 256, steps: 96, [.inference]),
    BenchCase("series-200", stack(16, 128, 128, readout: .last, head: 24), batch: 128, steps: 200, [.training]),
    // 11. A tagger that reads word vectors.
    BenchCase(
      "tagger",
      PlainStack(
        input: .features(size: 300),
        layers: [.init(hiddenSize: 256, isBidirectional: true), .init(hiddenSize: 256, isBidirectional: true)],
        readout: .all, head: [.init(size: 20)]),
      batch: 32, steps: 100, shortest: 10, loss: .crossEntropy, [.inference, .training]),
    // 12. The seed example.
    BenchCase("seed", stack(100, 1), batch: 100, steps: 1, [.inference, .training]),
  ]

  // MARK: Plain stacks

  private static let plainStacks = [
    plain("series-64", 8, 64, 1, 32, 48),
    plain("series-128", 32, 128, 2, 64, 96),
    plain("char", 100, 128, 2, 128, 40),
    plain("speaker", 40, 256, 3, 16, 160),
    plain("512", 512, 512, 2, 32, 64),
    plain("awd", 400, 1150, 3, 32, 70),
    plain("512-single", 512, 512, 2, 1, 64),
    BenchCase("step-256", stack(256, 256), batch: 1, steps: 1, [.step, .training]),
    BenchCase("step-128", stack(128, 128), batch: 1, steps: 1, [.step, .training]),
  ]

  // MARK: GRU and plain recurrent layers

  private static let gatedStacks = [
    plain("gru-128", 32, 128, 2, 64, 96).with(.gru),
    plain("gru-512", 512, 512, 2, 32, 64).with(.gru),
    plain("gru-64", 8, 64, 1, 32, 48).with(.gru),
    plain("gru-256", 40, 256, 3, 16, 160).with(.gru),
    BenchCase("gru-step", stack(128, 128), batch: 1, steps: 1, [.step]).with(.gru),
    BenchCase("gru-stream", stack(80, 512, 512), batch: 1, steps: 1, [.step]).with(.gru),
    plain("rnn-128", 32, 128, 2, 64, 96).with(.rnn),
    plain("rnn-512", 512, 512, 2, 32, 64).with(.rnn),
    BenchCase("rnn-step", stack(128, 128), batch: 1, steps: 1, [.step]).with(.rnn),
  ]

  // MARK: Frozen lower layers

  private static let frozenStacks = [
    BenchCase(
      "frozen-128", stack(128, 128, 128), batch: 64, steps: 96, [.training("frozen", freezing: ["layer0"])]),
    BenchCase(
      "frozen-512", stack(512, 512, 512), batch: 32, steps: 64, [.training("frozen", freezing: ["layer0"])]),
  ]

  // MARK: Vanishing numbers

  private static let vanishing = [
    series("vanishing", steps: 200, [.training]).with(.vanishing),
    series("dead-units", steps: 100, [.inference, .training]).with(.deadUnits),
    series("faded-input", steps: 100, [.inference, .training]).with(.fadedInput),
    series("zero-input", steps: 100, [.inference, .training]).with(.zeroInput),
  ]

  private static func series(_ name: String, steps: Int, _ figures: [Figure]) -> BenchCase {
    BenchCase(name, stack(16, 128, 128, readout: .last, head: 24), batch: 64, steps: steps, figures)
  }

  // MARK: Builders

  private static func stack(
    _ input: Int, _ hidden: Int..., readout: PlainStack.Readout = .all, head: Int? = nil
  ) -> PlainStack {
    PlainStack(
      input: .features(size: input), layers: hidden.map { .init(hiddenSize: $0) }, readout: readout,
      head: head.map { [.init(size: $0)] } ?? [])
  }

  private static func characters(_ vocabulary: Int, _ hidden: Int...) -> PlainStack {
    PlainStack(
      input: .tokens(vocabulary: vocabulary, size: 100), layers: hidden.map { .init(hiddenSize: $0) }, readout: .all,
      head: [.init(size: vocabulary)])
  }

  private static let speakerEncoder: PlainStack = {
    var model = stack(40, 256, 256, 256, readout: .last)
    model.head = [.init(size: 256, activation: .relu)]
    model.normalizesOutput = true
    return model
  }()

  /// (I, H, L, B, T) with an output at every step and the mean squared error.
  private static func plain(
    _ name: String, _ input: Int, _ hidden: Int, _ layers: Int, _ batch: Int, _ steps: Int
  ) -> BenchCase {
    BenchCase(
      name,
      PlainStack(
        input: .features(size: input), layers: .init(repeating: .init(hiddenSize: hidden), count: layers),
        readout: .all),
      batch: batch, steps: steps, [.inference, .training])
  }
}
