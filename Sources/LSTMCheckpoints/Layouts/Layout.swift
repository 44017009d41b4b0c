/// How a framework names, orders and shapes the tensors of an LSTM, whatever file they are in: a file beside this one,
/// and a line in `LayoutRegistry.standard`.
public struct Layout: Sendable, Hashable {
  /// What it is called at the command line and in a model's provenance.
  public let rawValue: String

  init(_ identifier: String) { rawValue = identifier }
}
