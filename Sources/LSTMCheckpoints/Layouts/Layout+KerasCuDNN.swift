import FileIO

extension Layout {
  /// Keras' `CuDNNLSTM`: the same shapes with blocks stored the other way round, bias (8H).
  public static let kerasCuDNN = Layout("keras-cudnn")
}

extension RecurrentLayout {
  static let cudnn = RecurrentLayout(gates: [.input, .forget, .cell, .output], matrices: .cudnn, biases: .joined)
}

extension LayoutNames {
  static let cudnn = LayoutNames(
    layout: .kerasCuDNN, recurrent: .cudnn, title: "Keras' CuDNNLSTM",
    evidence: "kernel and recurrent_kernel with a bias of 8 H: Keras' CuDNNLSTM", leaves: kerasLeaves,
    dense: kerasDense,
    usual: Usual(
      single: "cu_dnnlstm", stacked: "cu_dnnlstm_#", skipsZero: true, among: "rnn_#",
      forward: "rnn_#.forward_cu_dnnlstm", backward: "rnn_#.backward_cu_dnnlstm", embedding: "embedding",
      dense: "dense_#", separator: "/"),
    biases: [.dual], isNamed: false, numbersCells: false)

  /// Keras' names with a bias of 8H.
  @Sendable static func cudnn(_ cells: [NamedCells.Cell]) -> LayoutNames? {
    let hasJoinedBias = cells.contains { cell in
      guard let bias = cell.tensors[.init(kind: .inputBias)]?.shape, let kernel = cell.tensors[.init(kind: .recurrent)]
      else { return false }
      return bias.count == 1 && kernel.shape.count == 2 && bias[0] / 2 == kernel.shape[1] && bias[0] % 2 == 0
    }
    return hasJoinedBias ? cudnn : nil
  }
}
