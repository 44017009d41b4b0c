/// What a target can hold. What it cannot is refused with the reason.
struct Capabilities {
  /// For messages: "Keras' LSTM".
  let target: String
  var biases: Set<PlainStack.Bias> = [.none, .single, .dual]
  var gates: Set<PlainStack.GateActivation> = [.sigmoid]
  var projection = false
  var peepholes = false
  var bidirectional = true
  /// Whether it adds the model's offset to the forget gate itself; otherwise the stored bias takes it in.
  var forgetOffset: Float = 0
}
