extension Layout {
  /// The operator `LSTM` of ONNX: W (D, 4H, I), R (D, 4H, H), B (D, 8H), gates i, o, f, c.
  public static let onnx = Layout("onnx")
}

extension RecurrentLayout {
  static let onnx = RecurrentLayout(gates: [.input, .output, .forget, .cell], matrices: .rows, biases: .joined)
}
