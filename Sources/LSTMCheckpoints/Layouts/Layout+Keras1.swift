extension Layout {
  /// Keras 1: W, U and b for each of the gates i, c, f, o.
  public static let keras1 = Layout("keras1")
}

extension RecurrentLayout {
  static let keras1 = RecurrentLayout(gates: [.input, .cell, .forget, .output], matrices: .perGate, biases: .one)
}
