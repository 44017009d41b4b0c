import LSTMCheckpoints

/// Regularization against overfitting: the dropouts of PyTorch's `nn.LSTM` and of AWD-LSTM
/// (Merity, Keskar and Socher 2018, "Regularizing and Optimizing LSTM Language Models"), and its two penalties.
///
/// Probabilities are of dropping, from 0 to below 1; kept values are multiplied by 1 / (1 - p). 0 is off. Regularization
/// is not part of a model and acts in training passes only.
///
/// A value is dropped once, where it leaves its layer, for all its readers: the next layer, the readout and a skip
/// concatenation. A layer's own recurrence reads its undropped state, and final states are undropped.
///
/// Frozen layers below the first trainable one (`GradientPlan.entry`) are not dropped: their outputs are the same in every
/// epoch and can be cached. The first trainable layer's input is dropped. Where only the head trains, `outputDropout`
/// applies to the head's input. `reach(in:_:)` lists where each kind acts.
public struct Regularization: Sendable, Hashable, Codable {
  /// Every value of every layer's output but the last layer's: `nn.LSTM`'s dropout.
  public var dropout: Float
  /// The input of layer 0, features or embeddings. As with the next two, one mask for each sequence and feature, the same at
  /// every step: variational or locked dropout (Gal and Ghahramani 2016; AWD-LSTM's `dropouti`).
  public var inputDropout: Float
  /// Every layer's output but the last layer's, locked: AWD-LSTM's `dropouth`.
  public var hiddenDropout: Float
  /// The last layer's output, locked: AWD-LSTM's `dropout`.
  public var outputDropout: Float
  /// Whole rows of the embedding, the same ones for all sequences of a batch: AWD-LSTM's `dropoute`.
  public var embeddingDropout: Float
  /// Elements of every layer's and direction's weight_hh, the same ones for all steps of a batch, on a copy: DropConnect,
  /// AWD-LSTM's `wdrop`. A frozen weight_hh of a layer that gradients go through is dropped, too.
  public var weightDrop: Float
  /// alpha: the loss gets alpha times the mean square of the last layer's dropped output (AR). Padded steps do not count.
  public var activationRegularization: Float
  /// beta: the loss gets beta times the mean of (h[t] - h[t-1])^2 over the last layer's undropped output (TAR), where both
  /// steps are valid.
  public var temporalActivationRegularization: Float

  /// All off unless given.
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

  /// One of the probabilities and factors.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    case dropout, inputDropout, hiddenDropout, outputDropout, embeddingDropout, weightDrop, activationRegularization
    case temporalActivationRegularization

    /// In words: `hidden dropout`.
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

  /// The probability or the factor of a kind.
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
  public var isOff: Bool {
    dropout == 0 && inputDropout == 0 && hiddenDropout == 0 && outputDropout == 0 && embeddingDropout == 0
      && weightDrop == 0 && activationRegularization == 0 && temporalActivationRegularization == 0
  }

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

  /// Stored, as `allCases` would allocate an array in every step.
  static let kinds = Kind.allCases

  /// The penalties that a training pass adds to the loss, multiplied by their factors.
  public struct Penalty: Sendable, Equatable {
    /// alpha mean(dropped output^2), AR
    public internal(set) var activation = 0.0
    /// beta mean((h[t] - h[t-1])^2), TAR
    public internal(set) var temporalActivation = 0.0
    /// Both.
    public var sum: Double { activation + temporalActivation }
  }
}
