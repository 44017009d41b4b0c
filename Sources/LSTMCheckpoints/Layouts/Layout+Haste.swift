import FileIO

extension Layout {
  /// haste's `LSTM` for PyTorch: kernel (I, 4H), recurrent_kernel (H, 4H), bias (4H); gates i, g, f, o.
  public static let haste = Layout("haste")
}

extension LayoutNames {
  static let haste = LayoutNames(
    layout: .haste,
    recurrent: .init(gates: [.input, .cell, .forget, .output], matrices: .columns, biases: .one),
    title: "haste's LSTM", evidence: "kernel and recurrent_kernel: haste's names", leaves: kerasLeaves,
    dense: Dense(weight: "weight", bias: "bias", isTransposed: false, embedding: "weight"),
    usual: Usual(
      single: "lstm", stacked: "lstm#", among: "lstm#", forward: "lstm#.forward", backward: "lstm#.backward",
      embedding: "embedding", dense: "head.#", separator: "."),
    biases: [.single], isBidirectional: false, isNamed: false)
}
