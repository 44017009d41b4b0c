import FileIO

extension Layout {
  /// Keras 2 and 3 `LSTM`: kernel (I, 4H), recurrent_kernel (H, 4H), bias (4H).
  public static let keras = Layout("keras")
}

extension RecurrentLayout {
  public static let keras = RecurrentLayout(gates: [.input, .forget, .cell, .output], matrices: .columns, biases: .one)
}

extension LayoutNames {
  static let kerasLeaves = [
    Leaf("kernel", .input), Leaf("recurrent_kernel", .recurrent), Leaf("bias", .inputBias),
  ]
  static let kerasDense = Dense(weight: "kernel", bias: "bias", isTransposed: true, embedding: "embeddings")

  static let keras = LayoutNames(
    layout: .keras, recurrent: .keras, title: "Keras' LSTM", evidence: "kernel and recurrent_kernel: Keras' names",
    leaves: kerasLeaves, dense: kerasDense,
    usual: Usual(
      single: "lstm.lstm_cell", stacked: "lstm_#.lstm_cell", skipsZero: true, among: "rnn_#.lstm_cell",
      forward: "rnn_#.forward_lstm.lstm_cell", backward: "rnn_#.backward_lstm.lstm_cell", embedding: "embedding",
      dense: "dense_#", separator: "/"),
    biases: [.none, .single])
}
