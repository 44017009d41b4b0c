extension ModelConfiguration {
  /// One line for people: `1 feature -> LSTM 64 -> LSTM 64 -> last step -> dense 1`.
  public var summary: String {
    if let stack { return stack.summary }
    return layers.map(\.name).joined(separator: " -> ")
  }
}
