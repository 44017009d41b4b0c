/// Rows on their way through a graph: those of an input or a layer, under axes that may lie in any order.
///
/// A row's values are divided into factors, in C order: channels and height, directions and hidden values. An axis of an
/// ONNX value is one of those, or the batch, or time.
struct ONNXRows: Equatable {
  enum Axis: Hashable {
    /// Of size 1, without a meaning.
    case one
    case batch
    case time
    /// A factor of the row.
    case row(Int)
    /// Batch and time as one axis.
    indirect case merged([Axis])
  }

  /// What they are of: a place in `ONNXDraft.entries`.
  var source: Int
  var axes: [Axis]
  /// Their product is the row's width; none of them is 1.
  var factors: [Int]
  /// Cut to whole numbers, which only a table is looked up with.
  var isWhole = false
  /// How many of the last axes a convolution slides over, while it is being translated.
  var spatial = 0

  var width: Int { factors.reduce(1, *) }

  /// - Parameter factors: those of size 1 become axes of size 1 without a meaning.
  init(source: Int, axes: [Axis], factors: [Int]) {
    let places = factors.indices.map { index in factors[..<index].filter { $0 != 1 }.count }
    func renamed(_ axis: Axis) -> Axis {
      switch axis {
      case .row(let factor): return factors[factor] == 1 ? .one : .row(places[factor])
      case .merged(let inner):
        let kept = inner.map(renamed).filter { $0 != .one }
        return kept.count == 1 ? kept[0] : .merged(kept)
      default: return axis
      }
    }
    self.source = source
    self.axes = axes.map(renamed)
    self.factors = factors.filter { $0 != 1 }
  }

  /// The rows of another layer, of as many values, under the same axes.
  func of(_ source: Int) -> ONNXRows {
    var copy = self
    copy.source = source
    return copy
  }

  /// The same under other axes.
  func under(_ axes: [Axis]) -> ONNXRows {
    var copy = self
    copy.axes = axes
    return copy
  }

  /// Whether the axis at `place` is all of a row: its only factor, or an axis of 1 where a row is one value.
  func isWholeRow(at place: Int) -> Bool {
    axes.indices.contains(place)
      && (axes[place] == .row(0) && factors.count == 1 || axes[place] == .one && factors.isEmpty)
  }

  /// The rows of another layer whose axis at `place` holds all of a row.
  func replacingRow(at place: Int, with source: Int, width: Int) -> ONNXRows {
    var axes = axes
    axes[place] = .row(0)
    return ONNXRows(source: source, axes: axes, factors: [width])
  }

  var hasTime: Bool { axes.contains { $0.holdsTime } }
}

extension ONNXRows.Axis {
  var holdsTime: Bool {
    switch self {
    case .time: true
    case .merged(let axes): axes.contains { $0.holdsTime }
    default: false
    }
  }
}

/// What a value of an ONNX graph is.
enum ONNXMeaning {
  /// Weights, or a view of them.
  case constant(ONNXConstant)
  /// Sizes, indices and truths.
  case numbers(ONNXNumbers)
  /// All zeros, of these sizes where they are known.
  case zeros([ONNXSize?]? = nil)
  case rows(ONNXRows)
  /// Rows with their steps in reverse order.
  case reversed(ONNXRows)
  /// Products of rows, as attention has them.
  case scores(ONNXScores)
  /// Rows with values around them, which a convolution reads.
  case padded(ONNXRows, ONNXPad)
  /// A state that the caller gives.
  case state(String)
  /// Which round of a loop it is.
  case loopIndex
  /// Lengths of sequences, or another number that the caller gives.
  case choice(String)
  /// A recurrent layer's last state: h, or c beside it.
  case finalState(Int)
  /// Those of several layers, one after the other.
  case finalStates([Int])
  /// Rows whose channels stand in groups.
  case grouped(ONNXRows)
  /// Which steps a mask hides.
  case mask(ONNXMask)
  /// Rows with zeros at hidden steps, or their sum over the others.
  case visible(ONNXRows, ONNXMask)
  /// How many steps of a sequence a mask leaves.
  case visibleCount(ONNXMask)
  /// Softmax over time of the scores that a layer gives.
  case attention(ONNXRows)
  /// Rows times what attention gives each step.
  case weighted(ONNXRows, scores: ONNXRows)
  /// The L2 norm of each row, kept as an axis of 1.
  case norm(ONNXRows)
  /// Rows as whole numbers.
  case quantized(ONNXRows, ONNXQuantization)
  case quantizationOf(ONNXRows, scale: ONNXConstant?)
  case integerProduct(ONNXRows, weight: ONNXConstant, zero: ONNXConstant?, ONNXModel.Node)
  /// Not understood, for a reason in `ONNXTranslator.reasons`.
  case deferred(Int)
}

/// What whole numbers stand for, by the names of its values: (q - zero) * scale.
struct ONNXQuantization {
  var scale: String
  /// Empty for zero.
  var zero: String
}

/// Values around rows, by axis.
struct ONNXPad {
  var before: [Int]
  var after: [Int]
  var reflects: Bool
}

/// Steps that nodes take one by one, as a loop that is written out does.
struct ONNXUnrolled {
  struct Step: Equatable {
    var layer: Int
    var step: Int
  }

  /// Of a layer: which step of which other it is.
  var steps: [Int: Step] = [:]
  /// Of what is given once: the clock whose every step it is repeated at; nil for several.
  var repeated: [Int: Int?] = [:]
  /// Of a layer: all its steps side by side.
  var flat: [Int: Int] = [:]
  /// Of a recurrent layer that is made of cells: what tells its weights.
  var weights: [Int: String] = [:]
  /// Of a value: whose state c it is, and after which step.
  var cells: [String: Step] = [:]
}

/// Which steps of an input are left out: those that hold one token, or one number in all of their features.
struct ONNXMask: Equatable {
  /// The input's place in the draft.
  let input: Int
  /// What hidden steps hold.
  let number: Double
  let isOfTokens: Bool
  var axes: [ONNXRows.Axis]
  /// Whether it is true where a step is hidden.
  var isHidden = true
  /// Whether it is of each feature, and not yet of each step.
  var isOfFeatures = false
  /// Whether it counts the features that differ.
  var isCount = false
  var isReversed = false
  /// Whether it is of the step that a loop is at.
  var isStep = false

  func isOfSameSteps(as other: ONNXMask) -> Bool {
    input == other.input && number == other.number && isOfTokens == other.isOfTokens
  }

  /// As it stands in a model.
  var mask: ModelConfiguration.Mask? {
    if isOfTokens { return Int(exactly: number).flatMap { $0 >= 0 ? .token($0) : nil } }
    return Float(number).isFinite ? .value(Float(number)) : nil
  }
}

/// What masks do in a graph.
struct ONNXMasks {
  /// Of a recurrent layer: the steps that it passes over.
  var layers: [Int: ONNXMask] = [:]
  /// Recurrent layers that give zeros at hidden steps.
  var zeroed = Set<Int>()
  /// Layers of two directions, by the two that they are made of.
  var pairs: [[Int]: Int] = [:]
  /// Layers that take from steps, and pass over hidden ones.
  var respecting = Set<Int>()
  /// An input whose hidden steps were made zero.
  var cleared: ONNXMask?

  // Of the loop that is run:
  /// What the next round has in place of a state.
  var next: [String: String] = [:]
  /// The states of cells: h, and of an LSTM c.
  var cells: [Int: [String]] = [:]
  /// States that hidden steps leave as they are.
  var kept: [Int: Set<String>] = [:]
  /// What hidden steps give, by the name of a choice: whether that is zeros.
  var givesZeros: [String: Bool] = [:]
}
