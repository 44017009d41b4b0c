import LSTMCheckpoints

extension Scaler {
  /// From what lies beside a checkpoint's tensors, rounded to single precision.
  /// - Parameter columns: which of its columns, in their order; nil for all.
  public init(_ found: FoundScaler, columns: Range<Int>? = nil) {
    let columns = columns ?? 0..<found.columns
    self.init(mean: found.mean[columns].map(Float.init), deviation: found.deviation[columns].map(Float.init))
  }
}
