import LSTMCheckpoints

/// The layers that stand around the LSTM: what is timed, alone and against PyTorch. How is in `AroundMeasuring.swift`.
struct AroundCase: Sendable {
  /// How PyTorch wants the values (N, T, C x F) of a batch.
  enum Layout: String, Encodable, Sendable {
    /// (N, T, F)
    case rows
    /// (N, C, T)
    case channels
    /// (N, C, T, F)
    case grid
    /// (N, T) tokens
    case tokens
  }

  let name: String
  let layers: [Layer]
  /// The same as an expression of PyTorch.
  let torch: String
  let layout: Layout
  let batch: Int
  let steps: Int
  let features: Int
  /// C of a grid.
  let channels: Int?
  /// V of tokens, which are read instead of features.
  let vocabulary: Int?

  init(
    _ name: String, _ torch: String, _ layout: Layout = .rows, batch: Int = 32, steps: Int = 64, features: Int,
    channels: Int? = nil, vocabulary: Int? = nil, copies: Int = 1, from: [String] = [], _ kind: any LayerKind
  ) {
    (self.name, self.layout, self.batch, self.steps) = (name, layout, batch, steps)
    (self.features, self.channels, self.vocabulary) = (features, channels, vocabulary)
    layers = (0..<copies).map { Layer("layer\($0 + 1)", kind, from: from) }
    self.torch = copies == 1 ? torch : "nn.Sequential(*[\(torch) for _ in range(\(copies))])"
  }

  var configuration: ModelConfiguration {
    get throws {
      let input: ModelConfiguration.Input =
        if let vocabulary { .init(.tokens(vocabulary: vocabulary)) } else {
          .init(.features(size: features), channels: channels)
        }
      return try ModelConfiguration(inputs: [input], layers: layers)
    }
  }

  static let all: [AroundCase] = activations + norms + convolutions + grids + others + attention + readouts

  // MARK: Cases

  /// Four in a row, so that what surrounds them matters little.
  private static let activations = [
    (Activation.relu, "ReLU()"), (.leakyReLU, "LeakyReLU(0.01)"), (.elu, "ELU()"), (.selu, "SELU()"),
    (.gelu, "GELU()"), (.geluTanh, "GELU(approximate='tanh')"), (.swish, "SiLU()"), (.mish, "Mish()"),
    (.softplus, "Softplus()"), (.sigmoid, "Sigmoid()"), (.tanh, "Tanh()"), (.hardSwish, "Hardswish()"),
  ].map { activation, torch in
    AroundCase(
      "4 x \(activation.rawValue), 128", "nn." + torch, features: 128, copies: 4, Layer.ActivationLayer(activation))
  }

  private static let norms = [
    AroundCase("4 x layer norm, 128", "nn.LayerNorm(128)", features: 128, copies: 4, Layer.LayerNorm()),
    AroundCase("layer norm, 512", "nn.LayerNorm(512)", features: 512, Layer.LayerNorm()),
    AroundCase("batch norm, 128", "nn.BatchNorm1d(128)", .channels, features: 128, Layer.BatchNorm()),
    AroundCase(
      "batch norm, 32 x 20", "nn.BatchNorm2d(32)", .grid, features: 640, channels: 32, Layer.BatchNorm()),
    AroundCase("4 x softmax, 100", "nn.Softmax(-1)", features: 100, copies: 4, Layer.ActivationLayer(.softmax)),
  ]

  private static let convolutions = [
    (1, 32, 3), (1, 64, 7), (3, 32, 5), (9, 64, 3), (9, 32, 7), (40, 64, 3), (40, 64, 5), (64, 64, 3), (64, 64, 7),
  ].map { inputs, size, kernel in
    AroundCase(
      "convolution \(inputs) -> \(size), kernel \(kernel)",
      "nn.Conv1d(\(inputs), \(size), \(kernel), padding=\(kernel / 2))", .channels, steps: 128, features: inputs,
      convolution(size, [kernel]))
  }

  private static let grids = [
    AroundCase(
      "convolution 1 x 32 -> 64, kernel 3 x 3", "nn.Conv2d(1, 64, 3, padding=1)", .grid, batch: 8, steps: 100,
      features: 32, channels: 1, convolution(64, [3, 3])),
    AroundCase(
      "convolution 64 x 16 -> 128, kernel 3 x 3", "nn.Conv2d(64, 128, 3, padding=1)", .grid, batch: 8, steps: 50,
      features: 1024, channels: 64, convolution(128, [3, 3])),
    AroundCase(
      "max pooling 64 x 32, 2 x 2", "nn.MaxPool2d(2)", .grid, batch: 8, steps: 100, features: 2048, channels: 64,
      Layer.Pooling(.max, window: [2, 2])),
  ]

  private static let others = [
    AroundCase("max pooling 64, 2", "nn.MaxPool1d(2)", .channels, steps: 128, features: 64, Layer.Pooling(.max)),
    AroundCase(
      "average pooling 64, 2", "nn.AvgPool1d(2)", .channels, steps: 128, features: 64, Layer.Pooling(.average)),
    AroundCase(
      "self-attention 128, 4 heads", "Attention(128, 4)", features: 128, Layer.SelfAttention(heads: 4)),
    AroundCase("dense 128 -> 128, gelu", "nn.Sequential(nn.Linear(128, 128), nn.GELU())", features: 128, dense()),
    AroundCase(
      "embedding 10000 x 128", "nn.Embedding(10000, 128)", .tokens, features: 1, vocabulary: 10000,
      Layer.Embedding(size: 128)),
  ]

  private static let attention = [
    AroundCase(
      "attention by a vector, 128", "VectorAttention(128)", features: 128, Layer.Attention(.vector)),
    AroundCase(
      "attention by tanh, 128 -> 64", "TanhAttention(128, 64)", features: 128, tanhAttention()),
    AroundCase(
      "dot attention, 128", "DotAttention()", features: 128, from: ["input", "input"], dotAttention()),
  ]

  private static let readouts = [(Layer.Readout.Take.last, "Last()"), (.mean, "Mean()"), (.max, "Max()")].map {
    AroundCase("readout \($0.0.rawValue), 128", $0.1, features: 128, Layer.Readout($0.0))
  }

  private static func dotAttention() -> Layer.DotAttention {
    var kind = Layer.DotAttention()
    kind.isScaled = true
    return kind
  }

  private static func tanhAttention() -> Layer.Attention {
    var kind = Layer.Attention(.tanh, size: 64)
    kind.hasBias = true
    return kind
  }

  private static func convolution(_ size: Int, _ kernel: [Int]) -> Layer.Convolution {
    var kind = Layer.Convolution(size: size, kernel: kernel)
    kind.padding = .same
    return kind
  }

  private static func dense() -> Layer.Dense {
    var kind = Layer.Dense(size: 128)
    kind.activation = .gelu
    return kind
  }
}
