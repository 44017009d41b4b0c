import FileIO

extension Layout {
  /// MLX `nn.LSTM`: Wx (4H, I), Wh (4H, H), bias (4H).
  public static let mlx = Layout("mlx")
}

extension LayoutNames {
  static let mlx = LayoutNames(
    layout: .mlx, recurrent: .init(gates: [.input, .forget, .cell, .output], matrices: .rows, biases: .one),
    title: "MLX' LSTM", evidence: "Wx and Wh: MLX' names",
    leaves: [Leaf("Wx", .input), Leaf("Wh", .recurrent), Leaf("bias", .inputBias)],
    dense: Dense(weight: "weight", bias: "bias", isTransposed: false, embedding: "weight"),
    usual: Usual(
      single: "lstm", stacked: "layers.#", among: "layers.#", forward: "layers.#.forward",
      backward: "layers.#.backward", embedding: "embedding", dense: "head.#", separator: "."),
    biases: [.none, .single], isBidirectional: false)
}
