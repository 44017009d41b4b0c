extension Layer {
  /// From every step to one row a sequence: (N, T, S) -> (N, S).
  public struct Readout: LayerKind {
    /// How.
    public enum Take: String, LayerChoice, Codable {
      /// Not known yet: tensors alone do not tell it.
      case undecided
      /// Every step, (N, T, S).
      case all
      /// The last valid step.
      case last
      /// Each direction's own final h: PyTorch's h_n of the last layer, Keras' bidirectional output.
      case final
      /// The first step.
      case first
      /// The mean over the valid steps.
      case mean
      /// The sum over the valid steps.
      case sum
      /// The largest value of each feature over the valid steps.
      case max
    }

    /// How.
    public var take: Take

    /// What is taken of the steps.
    public init(_ take: Take = .undecided) { self.take = take }

    public var kind: String { "readout" }
    public var example: String { "8 features -> biLSTM 64 -> final -> dense 3" }
    public var words: String { "" }
    public var stem: String { "readout" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.choice("take", &take, usual: .undecided)
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      try inputs[0].requireSteps()
      guard inputs[0].vocabulary == nil else { throw LayerError(nil, "a readout reads features, not tokens") }
      return take == .all || take == .undecided ? inputs[0] : inputs[0].perSequence(width: inputs[0].width)
    }
  }
}
