/// Regularization against overfitting: the dropout of PyTorch's `nn.LSTM`, and the dropouts and the two penalties of
/// AWD-LSTM (Merity, Keskar and Socher 2018, "Regularizing and Optimizing LSTM Language Models").
///
/// Each probability p is that of dropping a value, from 0 (off) to below 1; kept values are multiplied by 1 / (1 - p).
/// Regularization is not part of a model and acts in training passes only.
///
/// A value is dropped once, at its layer's output, for everything that reads it: the next layer, the readout and a skip
/// concatenation. A layer's own recurrence reads its undropped state, and final states are undropped.
///
/// No dropout is applied below the first trainable layer: the outputs of these frozen layers are the same in every epoch
/// and can be cached. The first trainable layer's input is dropped. If only the head is trainable, `outputDropout` applies
/// to the head's input.
public struct Regularization: Sendable, Hashable, Codable {
  /// Drops values of every layer's output except the last layer's: `nn.LSTM`'s dropout.
  public var dropout: Float
  /// Drops features of layer 0's input, which are features of the data or embeddings. As with the next two, each sequence
  /// has one mask for all steps: variational or locked dropout (Gal and Ghahramani 2016; AWD-LSTM's `dropouti`).
  public var inputDropout: Float
  /// Locked dropout of every layer's output except the last layer's: AWD-LSTM's `dropouth`.
  public var hiddenDropout: Float
  /// Locked dropout of the last layer's output: AWD-LSTM's `dropout`.
  public var outputDropout: Float
  /// Drops whole rows of the embedding, the same rows for all sequences of a batch: AWD-LSTM's `dropoute`.
  public var embeddingDropout: Float
  /// Drops elements of a copy of every weight_hh, the same elements for all steps of a batch: DropConnect (Wan et al.
  /// 2013), AWD-LSTM's `wdrop`. A frozen weight_hh of a layer that gradients flow through is dropped, too.
  public var weightDrop: Float
  /// alpha: adds alpha times the mean square of the last layer's output after dropout to the loss (AR). Padded steps do not
  /// count.
  public var activationRegularization: Float
  /// beta: adds beta times the mean of (h[t] - h[t-1])^2 to the loss, over the last layer's output before dropout (TAR),
  /// where both steps are valid.
  public var temporalActivationRegularization: Float

  /// Everything is off unless given.
  public init(
    dropout: Float = 0, inputDropout: Float = 0, hiddenDropout: Float = 0, outputDropout: Float = 0,
    embeddingDropout: Float = 0, weightDrop: Float = 0, activationRegularization: Float = 0,
    temporalActivationRegularization: Float = 0
  ) {
    self.dropout = dropout
    self.inputDropout = inputDropout
    self.hiddenDropout = hiddenDropout
    self.outputDropout = outputDropout
    self.embeddingDropout = embeddingDropout
    self.weightDrop = weightDrop
    self.activationRegularization = activationRegularization
    self.temporalActivationRegularization = temporalActivationRegularization
  }

  /// The kinds of regularization.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    /// The probabilities and factors of the same names.
    case dropout, inputDropout, hiddenDropout, outputDropout, embeddingDropout, weightDrop, activationRegularization
    /// The factor of the same name.
    case temporalActivationRegularization

    /// The name in words: `hidden dropout`.
    public var name: String {
      switch self {
      case .dropout: "dropout"
      case .inputDropout: "input dropout"
      case .hiddenDropout: "hidden dropout"
      case .outputDropout: "output dropout"
      case .embeddingDropout: "embedding dropout"
      case .weightDrop: "weight drop"
      case .activationRegularization: "activation regularization"
      case .temporalActivationRegularization: "temporal activation regularization"
      }
    }

    var isPenalty: Bool { self == .activationRegularization || self == .temporalActivationRegularization }
  }

  /// The probability or factor of a kind.
  public subscript(kind: Kind) -> Float {
    switch kind {
    case .dropout: dropout
    case .inputDropout: inputDropout
    case .hiddenDropout: hiddenDropout
    case .outputDropout: outputDropout
    case .embeddingDropout: embeddingDropout
    case .weightDrop: weightDrop
    case .activationRegularization: activationRegularization
    case .temporalActivationRegularization: temporalActivationRegularization
    }
  }

  /// Whether every kind is 0.
  public var isOff: Bool { Self.kinds.allSatisfy { self[$0] == 0 } }

  /// Checks that all values are in range.
  /// - Throws: `ShapeError` naming the first value that is out of range.
  public func validate() throws(ShapeError) {
    for kind in Self.kinds {
      let value = self[kind]
      guard kind.isPenalty ? value >= 0 && value.isFinite : 0..<1 ~= value else {
        throw ShapeError(
          what: kind.name, expected: kind.isPenalty ? "a number of at least 0" : "a number from 0 to below 1",
          found: "\(value)")
      }
    }
  }

  /// Stored, because `allCases` would allocate an array in every step.
  static let kinds = Kind.allCases

  /// The penalties that a training pass adds to the loss, factors included.
  public struct Penalty: Sendable, Equatable {
    /// alpha mean(h[t]^2) after dropout, AR.
    public internal(set) var activation = 0.0
    /// beta mean((h[t] - h[t-1])^2), TAR.
    public internal(set) var temporalActivation = 0.0
    /// The sum of both.
    public var sum: Double { activation + temporalActivation }
  }
}
