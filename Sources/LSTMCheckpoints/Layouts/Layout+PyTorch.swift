extension Layout {
  /// `weight_ih_l0` (4H, I), `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`; also candle's and the native file's.
  public static let pytorch = Layout("pytorch")
}

extension RecurrentLayout {
  static let pytorch = RecurrentLayout(gates: [.input, .forget, .cell, .output], matrices: .rows, biases: .two)
}
