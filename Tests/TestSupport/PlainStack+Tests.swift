import LSTMCheckpoints

extension ModelConfiguration {
  /// The plain stack that most tests' models are.
  public var plain: PlainStack {
    get {
      guard let stack else { fatalError("not a plain stack: \(summary)") }
      return stack
    }
    set { self = ModelConfiguration(newValue) }
  }
}
