import FileIO

extension Layout {
  /// Haiku `LSTM`: w (I + H, 4H), b; gates i, g, f, o; 1 is added to f at run time.
  public static let haiku = Layout("haiku")
}

extension LayoutNames {
  static let haiku = LayoutNames(
    layout: .haiku,
    recurrent: .init(gates: [.input, .cell, .forget, .output], matrices: .fused, biases: .one, forgetOffset: 1),
    title: "Haiku's LSTM", evidence: "lstm/linear/w: Haiku's names",
    leaves: [Leaf("linear.w", .input), Leaf("linear.b", .inputBias)], module: .containing("lstm"),
    dense: Dense(weight: "w", bias: "b", isTransposed: true, embedding: "embeddings"),
    usual: Usual(
      single: "lstm", stacked: "lstm_#", skipsZero: true, among: "lstm_#", forward: "lstm_#.forward",
      backward: "lstm_#.backward", embedding: "embed", dense: "linear_#", separator: "/"),
    biases: [.single], isBidirectional: false,
    fused: FusedWeight(owner: "Haiku", adds: "adds 1 to the forget gate when it runs", choice: "\(.layout, "haiku")"))
}
