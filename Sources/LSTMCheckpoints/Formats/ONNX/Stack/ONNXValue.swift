/// What a value of an ONNX graph is in a model's terms.
enum ONNXValue {
  /// Weights, or a view of them.
  case constant(ONNXConstant)
  /// Sizes and indices, of rank 0 or 1.
  case numbers([ONNXSize?], isScalar: Bool)
  /// All zeros, of any shape.
  case zeros
  case flow(ONNXFlow)
  /// The L2 norm of a flow's features, kept as an axis of 1.
  case norm(ONNXFlow)
  /// Taken from an input of the graph alone, without a change to its numbers, in a way that is not followed.
  case fromInput(String)
  /// What a node that is not understood gives.
  case unknown
}

/// Activations on their way through the graph: features of some sources, over axes of the input.
struct ONNXFlow: Equatable {
  /// An axis. `sequence` and `one` hold what batch and time are called until an LSTM tells which is which.
  enum Axis: Equatable {
    /// Axes of the input side by side, by number.
    case sequence([Int])
    /// One place for each part.
    case stack
    /// The parts side by side, or, beside `stack`, one part.
    case features
    case one
  }

  enum Source: Equatable {
    case input(String)
    case embedding
    case hidden(layer: Int, reverse: Bool)
    /// The cell's c, which only an output reads.
    case cell(layer: Int, reverse: Bool)
    case dense(Int, PlainStack.Activation)
    /// What a dense layer of one unit gives, in softmax over time.
    case attention(Int)
  }

  /// What was taken of the steps.
  enum Pick: Equatable {
    case every
    case first, last
    /// The state after the last step that the direction runs.
    case final
    case mean, max
    /// Multiplied with the weights that a dense layer gave; and summed.
    case weighted(Int)
    case attention(Int)
  }

  struct Part: Equatable {
    var source: Source
    /// Features; nil for an input whose sizes are not known.
    var size: Int?
    var pick = Pick.every
    /// What constants have done to it.
    var affine: ONNXAffine?
  }

  var axes: [Axis]
  var parts: [Part]
  /// What the LSTM's output went through, which a dense layer reads.
  var activation = PlainStack.Activation.none
  var isNormalized = false
  /// Cut to whole numbers, which only a table is looked up with.
  var isWhole = false

  /// Features of all parts, or of one beside `stack`.
  var featureCount: Int? {
    if axes.contains(.stack) { return parts.first?.size }
    return parts.reduce(Int?(0)) { sum, part in part.size.flatMap { size in sum.map { $0 + size } } }
  }

  var isScaled: Bool { parts.contains { $0.affine != nil } }

  func picking(_ pick: Pick) -> ONNXFlow? {
    var copy = self
    for index in parts.indices {
      guard parts[index].pick == .every else { return nil }
      copy.parts[index].pick = pick
    }
    return copy
  }
}
