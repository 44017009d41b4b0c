import FileIO

extension Layout {
  /// Flax' `OptimizedLSTMCell` in NNX: dense_i and dense_h.
  public static let flaxOptimized = Layout("flax-optimized")
}

extension LayoutNames {
  static let flaxOptimized = LayoutNames(
    layout: .flaxOptimized,
    recurrent: .init(gates: [.input, .forget, .cell, .output], matrices: .columns, biases: .one),
    title: "Flax' OptimizedLSTMCell", evidence: "dense_i and dense_h: Flax' names",
    leaves: [
      Leaf("dense_i.kernel", .input), Leaf("dense_h.kernel", .recurrent), Leaf("dense_h.bias", .inputBias),
    ],
    dense: Dense(weight: "kernel", bias: "bias", isTransposed: true, embedding: "embedding"),
    usual: Usual(
      single: "layers.0.cell", stacked: "layers.#.cell", among: "layers.#.cell", forward: "layers.#.forward_rnn.cell",
      backward: "layers.#.backward_rnn.cell", embedding: "embedding", dense: "head.#", separator: "/"),
    biases: [.single])
}
