/// The usual model, a plain stack of LSTM layers, without its weights. It is what every layout of tensors can hold.
///
///     input (features or tokens) -> [embedding] -> LSTM stack -> readout -> head
///
/// ``ModelConfiguration`` is any graph of layers; `ModelConfiguration(stack)` and `configuration.stack` go to and fro.
/// Legend: N batch, T time steps, I input size, H hidden size, P projection size, L layers, D directions (1 or 2).
/// Its JSON form is that of the first edition's native files; see `PlainStack+Codable.swift` for the keys.
public struct PlainStack: Hashable, Sendable {
  /// The largest size that anything may have, and the most layers: products of three sizes and sums over all layers
  /// then fit an `Int`.
  package static let sizeLimit = ModelConfiguration.sizeLimit
  static let depthLimit = 1000

  /// What a model reads.
  public enum Input: Hashable, Sendable {
    /// Real-valued features, (N, T, size).
    case features(size: Int)
    /// Token numbers (N, T), looked up in an embedding (vocabulary, size).
    case tokens(vocabulary: Int, size: Int)

    /// Width of what the first LSTM layer reads.
    public var size: Int {
      switch self {
      case .features(let size): size
      case .tokens(_, let size): size
      }
    }
  }

  /// The bias vectors of a recurrent layer.
  public typealias Bias = LSTMCheckpoints.Layer.Bias

  /// The activation function of the gates i, f and o.
  public enum GateActivation: String, Hashable, Sendable, Codable, CaseIterable {
    /// 1 / (1 + exp(-x)).
    case sigmoid
    /// clip(0.2 x + 0.5, 0, 1): Keras 1 and 2, ONNX.
    case hardSigmoid = "hard_sigmoid"
    /// clip(x / 6 + 0.5, 0, 1): Keras 3.
    case hardSigmoidKeras3 = "hard_sigmoid_keras3"
  }

  /// One layer of the LSTM stack.
  public struct Layer: Hashable, Sendable {
    /// H
    public var hiddenSize: Int
    /// Whether it has a second direction, which reads from the end; outputs are concatenated, forward first.
    public var isBidirectional: Bool
    /// P, or nil without a projection.
    public var projectionSize: Int?
    /// Its bias vectors.
    public var bias: Bias
    /// The activation function of its gates i, f and o.
    public var gateActivation: GateActivation
    /// Whether gates see the cell's state: i and f the one before, o the new one.
    public var hasPeepholes: Bool
    /// What the source adds to the forget gate beside its stored bias: 1 in Haiku, forget_bias in TensorFlow 1.
    public var forgetOffset: Float

    /// PyTorch's LSTM of H hidden values, by default.
    public init(
      hiddenSize: Int, isBidirectional: Bool = false, projectionSize: Int? = nil, bias: Bias = .dual,
      gateActivation: GateActivation = .sigmoid, hasPeepholes: Bool = false, forgetOffset: Float = 0
    ) {
      self.hiddenSize = hiddenSize
      self.isBidirectional = isBidirectional
      self.projectionSize = projectionSize
      self.bias = bias
      self.gateActivation = gateActivation
      self.hasPeepholes = hasPeepholes
      self.forgetOffset = forgetOffset
    }

    /// D
    public var directions: Int { isBidirectional ? 2 : 1 }
    /// P or H: width of h.
    public var stateSize: Int { projectionSize ?? hiddenSize }
    /// D * (P or H): width of what the layer gives to the next.
    public var outputSize: Int { directions * stateSize }
  }

  /// How the stack's outputs over time are reduced to what the head reads.
  public enum Readout: String, Hashable, Sendable, Codable, CaseIterable {
    /// Every step, (N, T, S).
    case all
    /// The output at the last valid step.
    case last
    /// Each direction's own final h: PyTorch's h_n of the last layer, Keras' bidirectional output.
    case final
    /// The mean over the valid steps.
    case mean
    /// The largest value of each feature over the valid steps.
    case max
    /// The average over time, weighted by the softmax of `attention.weight` times each step's output.
    case attention
  }

  /// The activation function of a dense layer.
  public enum Activation: String, Hashable, Sendable, Codable, CaseIterable {
    /// By their names in PyTorch and Keras; `none` is the identity.
    case none, relu, tanh, sigmoid, softmax

    /// The elementwise activations, which may stand between the readout and the head.
    public static let elementwise: [Activation] = [.none, .relu, .tanh, .sigmoid]
  }

  /// A dense layer: y = activation(W x + b).
  public struct Dense: Hashable, Sendable {
    /// O
    public var size: Int
    /// Whether it has b, a vector of O.
    public var hasBias: Bool
    /// The activation applied to Wx + b; softmax is over O.
    public var activation: Activation

    /// A layer of O outputs; with a bias and no activation, by default.
    public init(size: Int, hasBias: Bool = true, activation: Activation = .none) {
      self.size = size
      self.hasBias = hasBias
      self.activation = activation
    }
  }

  /// What the model reads.
  public var input: Input
  /// The LSTM stack, from the input up.
  public var layers: [Layer]
  /// Concatenates the embedding (or the features) and every layer's output before the readout.
  public var skip: Bool
  /// nil while undecided: tensors alone do not tell it. A model without a head then gives every step.
  public var readout: Readout?
  /// The activation between the readout and the head: none, relu, tanh or sigmoid.
  public var readoutActivation: Activation
  /// The dense layers above the readout, from below.
  public var head: [Dense]
  /// Divides the output by its L2 norm.
  public var normalizesOutput: Bool
  /// The embedding's row that stands for padding, which looking it up never moves: PyTorch's `padding_idx`.
  public var paddingToken: Int?
  /// Names of parameters that are one, in groups; see `PlainStack+Ties.swift`.
  public var ties: [[String]]
  /// Steps that are passed over, wherever they lie; nil when every step is read.
  public var mask: Mask?

  /// Features or tokens, a stack and, where given, what stands above it.
  public init(
    input: Input, layers: [Layer], skip: Bool = false, readout: Readout? = nil, head: [Dense] = [],
    normalizesOutput: Bool = false, readoutActivation: Activation = .none, paddingToken: Int? = nil,
    ties: [[String]] = [], mask: Mask? = nil
  ) {
    self.input = input
    self.layers = layers
    self.skip = skip
    self.readout = readout
    self.readoutActivation = readoutActivation
    self.head = head
    self.normalizesOutput = normalizesOutput
    self.paddingToken = paddingToken
    self.ties = ties
    self.mask = mask
  }

  /// Width of what layer `index` reads.
  public func inputSize(ofLayer index: Int) -> Int {
    index == 0 ? input.size : layers[index - 1].outputSize
  }

  /// S: width of what the readout gives to the head.
  public var readoutSize: Int {
    let top = layers.last?.outputSize ?? input.size
    return skip ? input.size + layers.reduce(0) { $0 + $1.outputSize } : top
  }

  /// Width of the model's output.
  public var outputSize: Int { head.last?.size ?? readoutSize }
}

extension PlainStack {
  /// Every parameter with its shape, in PyTorch's flat order: embedding, then for each layer and direction
  /// weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, then attention and head. What is tied is there once, at its first
  /// place.
  public var parameters: [ParameterSpecification] { ties.isEmpty ? places : tiedParameters }

  /// The same with every place that a parameter stands in: what a file has that knows no ties.
  public var places: [ParameterSpecification] { ModelConfiguration(self).places }

  /// One line for people: `1 feature -> LSTM 64 -> LSTM 64 -> last step -> dense 1`.
  public var summary: String {
    var parts: [String] = []
    switch input {
    case .features(let size): parts.append("\(size) feature\(size == 1 ? "" : "s")")
    case .tokens(let vocabulary, let size):
      let padding = paddingToken.map { " (\($0) is padding)" } ?? ""
      parts.append("\(vocabulary) tokens\(padding) -> embedding \(size)")
    }
    if let mask { parts.append("\(mask.summary) masked") }
    for layer in layers {
      var text = (layer.isBidirectional ? "bidirectional " : "") + "LSTM \(layer.hiddenSize)"
      if let projection = layer.projectionSize { text += " projected to \(projection)" }
      if layer.bias == .none { text += " without bias" }
      if layer.hasPeepholes { text += " with peepholes" }
      if layer.forgetOffset != 0 { text += " (forget gate + \(layer.forgetOffset.formatted))" }
      if layer.gateActivation != .sigmoid { text += " (\(layer.gateActivation.rawValue))" }
      parts.append(text)
    }
    if skip { parts.append("concatenation of all") }
    switch readout {
    case .all: parts.append("all steps")
    case .last: parts.append("last step")
    case .final: parts.append("final state")
    case .mean: parts.append("mean over time")
    case .max: parts.append("maximum over time")
    case .attention: parts.append("attention over time")
    case nil: parts.append(head.isEmpty ? "all steps" : "(readout undecided)")
    }
    if readoutActivation != .none { parts.append(readoutActivation.rawValue) }
    for (index, dense) in head.enumerated() {
      let tie = isTiedToEmbedding(head: index) ? " tied to the embedding" : ""
      parts.append("dense \(dense.size)" + tie + (dense.activation == .none ? "" : " \(dense.activation.rawValue)"))
    }
    if normalizesOutput { parts.append("L2 normalization") }
    return ([parts.joined(separator: " -> ")] + otherTies).joined(separator: "; ")
  }
}

extension Float {
  /// Without a needless fraction: `1`, `0.5`.
  fileprivate var formatted: String { self == rounded() && magnitude < 1e6 ? String(Int(self)) : String(self) }
}
