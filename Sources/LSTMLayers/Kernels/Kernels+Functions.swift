extension Kernels {
  /// The gates' activation functions, for tools that check them over all floats.
  package enum Activation: CaseIterable, Sendable {
    case sigmoid, tanh
  }

  /// Applies a function to `count` values in place, on this thread.
  package func evaluate(_ activation: Activation, _ x: UnsafeMutablePointer<Float>, count: Int) {
    switch activation {
    case .sigmoid: apply(.sigmoid, x, count: count)
    case .tanh: apply(.tanh, x, count: count)
    }
  }
}
