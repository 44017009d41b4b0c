/// One direction of one LSTM layer in the form that all layouts are read into and written from: PyTorch's.
///
/// Legend: I input, H hidden, S state (P or H). Gates in the order i, f, g, o.
struct RecurrentCell: Sendable {
  /// (4H, I)
  var inputWeight: StoredTensor
  /// (4H, S)
  var recurrentWeight: StoredTensor
  /// (4H), and alone where the source has one bias.
  var inputBias: StoredTensor?
  /// (4H)
  var recurrentBias: StoredTensor?
  /// (P, H)
  var projection: StoredTensor?
  /// (3H): i, f, o.
  var peephole: StoredTensor?
  var gateActivation = PlainStack.GateActivation.sigmoid
  /// What the source adds to the forget gate each time it runs, beside the stored bias.
  var forgetOffset: Float = 0

  /// The tensors that it has, in PyTorch's order.
  var parts: [(part: RecurrentPart, tensor: StoredTensor)] {
    let all: [(RecurrentPart, StoredTensor?)] = [
      (.inputWeight, inputWeight), (.recurrentWeight, recurrentWeight), (.inputBias, inputBias),
      (.recurrentBias, recurrentBias), (.projection, projection), (.peephole, peephole),
    ]
    return all.compactMap { part, tensor in tensor.map { (part, $0) } }
  }

  /// H
  var hiddenSize: Int { inputWeight.shape[0] / 4 }
  /// I
  var inputSize: Int { inputWeight.shape[1] }
  var bias: PlainStack.Bias { inputBias == nil ? .none : recurrentBias == nil ? .single : .dual }
}
