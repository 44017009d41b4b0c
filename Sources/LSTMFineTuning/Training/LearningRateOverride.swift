/// A part of the model with a learning rate of its own.
public struct LearningRateOverride: Sendable, Equatable, Codable {
  /// A freeze plan's selector of layers or tensors; gates of a layer share one rate.
  public let selector: String
  /// Above 0, before schedule and recipe.
  public let learningRate: Double

  /// A rate of its own for what a selector names.
  public init(_ selector: String, _ learningRate: Double) {
    self.selector = selector
    self.learningRate = learningRate
  }
}
