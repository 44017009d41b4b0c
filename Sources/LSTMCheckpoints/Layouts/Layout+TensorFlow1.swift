import FileIO

extension Layout {
  /// TensorFlow 1 cells: kernel (I + H, 4H), bias; gates i, c, f, o; forget_bias is added at run time.
  public static let tf1 = Layout("tf1")
}

extension LayoutNames {
  static let tf1 = LayoutNames(
    layout: .tf1, recurrent: .init(gates: [.input, .cell, .forget, .output], matrices: .fused, biases: .one),
    title: "TensorFlow 1's LSTMCell",
    evidence: "lstm_cell/kernel without recurrent_kernel: TensorFlow 1's names",
    leaves: [
      Leaf("kernel", .input), Leaf("bias", .inputBias), Leaf("weights", .input), Leaf("biases", .inputBias),
      Leaf("w_i_diag", .peephole, .input), Leaf("w_f_diag", .peephole, .forget), Leaf("w_o_diag", .peephole, .output),
      Leaf("projection.kernel", .projection),
    ],
    module: .ending(["lstm_cell", "lstm_block_cell", "lstm_fused_cell"]),
    dense: Dense(weight: "kernel", bias: "bias", isTransposed: true, embedding: "embeddings"),
    usual: Usual(
      single: "rnn.lstm_cell", stacked: "rnn.multi_rnn_cell.cell_#.lstm_cell",
      among: "stack_bidirectional_rnn.cell_#.rnn.lstm_cell",
      forward: "stack_bidirectional_rnn.cell_#.bidirectional_rnn.fw.lstm_cell",
      backward: "stack_bidirectional_rnn.cell_#.bidirectional_rnn.bw.lstm_cell", embedding: "embedding",
      dense: "dense_#", separator: "/"),
    biases: [.single], hasPeepholes: true, hasProjection: true, foreignLeaf: "recurrent_kernel",
    forgetBiasQuestion: Question(
      detail: "TensorFlow 1 adds forget_bias to the forget gate each time it runs; the file does not say it",
      advice: "say it with \(.forgetBias, "VALUE"); the cells' own default is 1, \(.forgetBias, "1")"),
    fused: FusedWeight(owner: "TensorFlow 1", adds: "its forget_bias", choice: "\(.layout, "tf1") \(.forgetBias, "1")"))
}
