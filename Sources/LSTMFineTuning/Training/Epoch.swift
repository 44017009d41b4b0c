/// The result of an epoch of training. Losses are means, norms are global and before clipping.
public struct Epoch: Sendable, Codable, Equatable {
  /// From 1.
  public var number: Int
  /// The mean over the epoch, taken as it went: with regularization, and before each step.
  public var trainingLoss: Double
  /// nil without validation data.
  public var validation: Metrics?
  /// That of the last step, the highest of the parts'.
  public var learningRate: Double
  /// The mean over the epoch's steps.
  public var gradientNorm: Double
  /// For each part of the model that trained in this epoch, the root of its mean squared gradient norm over the steps.
  public var gradientNorms: [String: Double]?
  /// For each layer that the gradient went through in the epoch's last step, the norms of its gates' gradients by time
  /// step: whether gradients vanish or explode on their way back through time.
  public var gateGradientNorms: [String: [Double]]?
  /// With validation.
  public var seconds: Double
  /// Without it.
  public var sequencesPerSecond: Double
  /// Whether the validation loss is the lowest so far, the pretrained model's included.
  public var isBest: Bool

  /// As they are in files that exist.
  private enum CodingKeys: String, CodingKey {
    case number = "epoch"
    case trainingLoss, validation, learningRate, gradientNorm, gradientNorms, gateGradientNorms, seconds
    case sequencesPerSecond, isBest
  }
}
