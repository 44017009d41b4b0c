extension Kernels {
  /// Functions of one number that the gates are made of, for tools that check them over all floats.
  package enum Activation: CaseIterable, Sendable {
    case sigmoid, tanh
  }

  /// Replaces `count` values by what the function gives, on this thread.
  package func evaluate(_ activation: Activation, _ x: UnsafeMutablePointer<Float>, count: Int) {
    switch activation {
    case .sigmoid: apply(.sigmoid, x, count: count)
    case .tanh: apply(.tanh, x, count: count)
    }
  }
}
