import FileIO

extension Layout {
  /// Keras 2 and 3 `LSTM`: kernel (I, 4H), recurrent_kernel (H, 4H), bias (4H).
  public static let keras = Layout("keras")
}

extension RecurrentLayout {
  static let keras = RecurrentLayout(gates: [.input, .forget, .cell, .output], matrices: .columns, biases: .one)
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
    biases: [.none, .single], numbersCells: false,
    unstated:
      "Keras' recurrent_activation is not in the names: taken for sigmoid; \(.configuration) with \"gates\" says another",
    variant: cudnn, underPyTorchNames: columnsUnderPyTorchNames,
    twin: Namesake(
      layout: .haste, reason: "Keras has the gates in the order i, f, c, o, and haste's LSTM in the order i, c, f, o"))

  /// Every matrix but an embedding is (in, out).
  @Sendable private static func columnsUnderPyTorchNames(_ candidates: [Candidate]) -> Translation {
    var translation = Translation(
      .keras,
      candidates: candidates.map { candidate in
        let isMatrix = candidate.shape.count == 2
        let isDense = candidate.isLinearWeight && !TensorKinds.saysEmbedding(candidate.name)
        guard isMatrix, isDense || PyTorchName(candidate.name)?.isMatrix == true else { return candidate }
        return Candidate(name: candidate.name, tensor: candidate.tensor.transposed(), how: "transposed")
      }, evidence: ["\(.layout, "keras"): PyTorch's names, Keras' shapes"])
    for candidate in candidates where candidate.shape.count == 2 && candidate.shape[0] == candidate.shape[1] {
      guard TensorKinds.saysEmbedding(candidate.name) else { continue }
      translation.assumed.add(
        "\(candidate.tensor.name) \(shapeText(candidate.shape)) has a row for each token, as Keras keeps it",
        change: "\(.order, "column-major") in place of \(.layout, "keras")")
    }
    return translation
  }
}

extension Layout {
  /// Whether Keras has it, in any version.
  var isKeras: Bool { [.keras, .kerasCuDNN, .keras1].contains(self) }
}

extension PyTorchName {
  fileprivate var isMatrix: Bool { kind == .inputWeight || kind == .recurrentWeight || kind == .projection }
}
