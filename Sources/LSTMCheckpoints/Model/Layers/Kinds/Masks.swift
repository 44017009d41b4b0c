extension Layer {
  /// Gives every step of the first input a row, those that the model's mask hides, too, for a layer that reads them:
  /// (N, visible T, S) -> (N, T, S).
  public struct Unmask: LayerKind {
    /// What stands at a hidden step.
    public enum Fill: String, LayerChoice, Codable {
      /// The row of the visible step before it, or zeros before the first; after it, in the columns of a layer that runs
      /// from the end. What Keras' recurrent layers give.
      case held
      /// Zeros: what they give with `zero_output_for_mask`, as `Bidirectional` has it for every step's output.
      case zero
      /// The embedding's row of the token that is masked.
      case token
    }

    /// What stands at a hidden step.
    public var fill = Fill.held

    /// Rows for every step.
    public init(_ fill: Fill = .held) { self.fill = fill }
    public var kind: String { "unmask" }
    public var example: String { "8 features masked 0 -> LSTM 16 -> unmask -> max" }
    public var stem: String { "unmask" }

    public mutating func describe<Description: LayerDescription>(_ d: inout Description) throws(LayerError) {
      try d.choice("fill", &fill, usual: .held)
    }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      var value = inputs[0]
      guard value.isPerStep, value.clock == 0 else {
        throw LayerError(nil, "it reads the steps of the first input, which alone are masked")
      }
      value.clock = LayerValue.everyStep
      return value
    }
  }

  /// Leaves out the steps that the model's mask hides, after `unmask`: (N, T, S) -> (N, visible T, S).
  public struct Remask: LayerKind {
    /// Rows for the visible steps.
    public init() {}
    public var kind: String { "remask" }
    public var example: String { "8 features masked 0 -> LSTM 8 -> unmask -> remask -> LSTM 4" }
    public var stem: String { "remask" }

    public func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue {
      var value = inputs[0]
      guard value.isPerStep, value.clock == LayerValue.everyStep else {
        throw LayerError(nil, "it reads steps of which unmask gave every one")
      }
      value.clock = 0
      return value
    }
  }
}

extension LayerValue {
  /// The clock of the first input's steps, those that a mask hides included.
  public static let everyStep = -1
}
