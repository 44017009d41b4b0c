/// A part of the model with a learning rate of its own.
public struct LearningRateOverride: Sendable, Equatable {
  public let selector: String
  public let learningRate: Double

  public init(_ selector: String, _ learningRate: Double) {
    self.selector = selector
    self.learningRate = learningRate
  }
}
