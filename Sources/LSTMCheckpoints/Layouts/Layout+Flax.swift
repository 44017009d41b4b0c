import FileIO

extension Layout {
  /// Flax linen and NNX `LSTMCell`: ii, if, ig, io and hi, hf, hg, ho.
  public static let flax = Layout("flax")
}

extension LayoutNames {
  static let flax = LayoutNames(
    layout: .flax, recurrent: .init(gates: [.input, .forget, .cell, .output], matrices: .perGate, biases: .one),
    title: "Flax' LSTMCell", evidence: "ii, if, ig, io and hi, hf, hg, ho: Flax' names",
    leaves: Gate.of(.lstm).flatMap { gate in
      [
        Leaf("i\(gate.letter).kernel", .input, gate), Leaf("h\(gate.letter).kernel", .recurrent, gate),
        Leaf("h\(gate.letter).bias", .inputBias, gate),
      ]
    } + [Leaf("if_.kernel", .input, .forget)],
    dense: Dense(weight: "kernel", bias: "bias", isTransposed: true, embedding: "embedding"),
    usual: Usual(
      single: "LSTMCell_0", stacked: "LSTMCell_#", among: "layers_#.cell", forward: "layers_#.forward_rnn.cell",
      backward: "layers_#.backward_rnn.cell", embedding: "Embed_0", dense: "Dense_#", separator: "/"),
    biases: [.single])
}
