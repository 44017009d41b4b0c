/// How a model's inputs and targets are standardized.
public struct ScalerChoice: Sendable, Codable, Equatable {
  /// Where the scalers come from.
  public enum Mode: String, Sendable, Codable, CaseIterable {
    /// The model's; where it has none, those of a table's columns are fitted, and other numbers stay as they are.
    case auto
    /// The model's.
    case keep
    /// New ones, fitted to the training part alone.
    case refit
    /// None.
    case none
  }

  public var mode: Mode
  /// Whether each series of several has scalers of its own, fitted to its own training rows.
  public var perID: Bool

  public init(_ mode: Mode = .auto, perID: Bool = false) {
    self.mode = mode
    self.perID = perID
  }
}
