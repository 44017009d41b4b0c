/// One direction of one LSTM layer in the form that all layouts are read into and written from: PyTorch's.
///
/// Legend: I input, H hidden, S state (P or H). Gates in the order i, f, g, o.
public struct RecurrentCell: Sendable {
  /// (4H, I)
  public var inputWeight: StoredTensor
  /// (4H, S)
  public var recurrentWeight: StoredTensor
  /// (4H), and alone where the source has one bias.
  public var inputBias: StoredTensor?
  /// (4H)
  public var recurrentBias: StoredTensor?
  /// (P, H)
  public var projection: StoredTensor?
  /// (3H): i, f, o.
  public var peephole: StoredTensor?
  public var gateActivation = ModelConfiguration.GateActivation.sigmoid
  /// What the source adds to the forget gate each time it runs, beside the stored bias.
  public var forgetOffset: Float = 0

  public init(
    inputWeight: StoredTensor, recurrentWeight: StoredTensor, inputBias: StoredTensor? = nil,
    recurrentBias: StoredTensor? = nil, projection: StoredTensor? = nil, peephole: StoredTensor? = nil,
    gateActivation: ModelConfiguration.GateActivation = .sigmoid, forgetOffset: Float = 0
  ) {
    self.inputWeight = inputWeight
    self.recurrentWeight = recurrentWeight
    self.inputBias = inputBias
    self.recurrentBias = recurrentBias
    self.projection = projection
    self.peephole = peephole
    self.gateActivation = gateActivation
    self.forgetOffset = forgetOffset
  }

  /// H
  public var hiddenSize: Int { inputWeight.shape[0] / 4 }
  /// I
  public var inputSize: Int { inputWeight.shape[1] }
  public var bias: ModelConfiguration.Bias { inputBias == nil ? .none : recurrentBias == nil ? .single : .dual }
}
