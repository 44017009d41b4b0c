import FileIO

extension Layout {
  /// swift-apis (Swift for TensorFlow): fusedWeight (I + H, 4H), fusedBias; gates i, c, f, o.
  public static let s4tf = Layout("s4tf")
}

extension LayoutNames {
  static let s4tf = LayoutNames(
    layout: .s4tf, recurrent: .init(gates: [.input, .cell, .forget, .output], matrices: .fused, biases: .one),
    title: "swift-apis' LSTMCell", evidence: "fusedWeight: swift-apis' name",
    leaves: [Leaf("fusedWeight", .input), Leaf("fusedBias", .inputBias)],
    dense: Dense(weight: "weight", bias: "bias", isTransposed: true, embedding: "embeddings"),
    usual: Usual(
      single: "lstm.cell", stacked: "layers.#.cell", among: "layers.#.cell", forward: "layers.#.forward.cell",
      backward: "layers.#.backward.cell", embedding: "embedding", dense: "head.#", separator: "."),
    biases: [.single], fused: FusedWeight(owner: "swift-apis", adds: "nothing", choice: "\(.layout, "s4tf")"))
}
