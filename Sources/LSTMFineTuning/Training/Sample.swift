import LSTMCheckpoints
import LSTMLayers

/// What a model does, for people to look at beside its numbers: made before the first step and after every epoch.
public enum Sample: Sendable, Equatable {
  /// What a language model goes on with.
  case text(prompt: String, continuation: String)
  /// What a model says of a series, beside what it was.
  case forecast(Forecast)

  public struct Forecast: Sendable, Equatable {
    public var column: String
    /// In the data's own units.
    public var truth: [Float]
    public var forecast: [Float]

    public init(column: String, truth: [Float], forecast: [Float]) {
      self.column = column
      self.truth = truth
      self.forecast = forecast
    }
  }
}
