/// A layer of a model's graph: a name, what it computes, and what it reads.
///
///     Layer("conv1", Layer.Convolution(size: 32, kernel: [5]))             reads the layer before it
///     Layer("sum", Layer.Merge(.add), from: ["layer0", "layer1"])           reads two others
public struct Layer: Hashable, Sendable {
  /// Unique in its model: `layer0`, `conv1`, `head.0`.
  public var name: String
  /// What it computes, with its settings; the types are nested in ``Layer``.
  public var kind: any LayerKind
  /// The layers, or inputs, that it reads; empty for the one before it.
  public var from: [String]

  /// The largest size that anything may have: products of three sizes then fit an `Int`.
  package static let sizeLimit = 1 << 24

  /// The bias vectors of a recurrent layer.
  public enum Bias: String, Hashable, Sendable, Codable, CaseIterable {
    /// No bias.
    case none
    /// One vector, `bias_ih`.
    case single
    /// PyTorch's two, `bias_ih` and `bias_hh`. Their sum acts; each gets the whole gradient.
    case dual
  }

  /// A layer that reads the one before it, unless `from` names others.
  public init(_ name: String, _ kind: any LayerKind, from: [String] = []) {
    self.name = name
    self.kind = kind
    self.from = from
  }

  public static func == (a: Layer, b: Layer) -> Bool {
    a.name == b.name && a.from == b.from && AnyHashable(a.kind) == AnyHashable(b.kind)
  }

  public func hash(into hasher: inout Hasher) {
    hasher.combine(name)
    hasher.combine(from)
    hasher.combine(AnyHashable(kind))
  }
}

/// What flows from layer to layer: rows of values, one for each step of a sequence or one for each sequence.
public struct LayerValue: Hashable, Sendable {
  /// Values in a row.
  public var width: Int
  /// The number of tokens, for token numbers, which only an embedding reads; nil for features.
  public var vocabulary: Int?
  /// Whether each step has a row, rather than each sequence.
  public var isPerStep: Bool
  /// The number of steps, where it is fixed.
  public var steps: Int?
  /// Values of one clock have rows for the same steps: 0 for the model's first input; nil for the model to choose, in a
  /// layer that changes the number of steps.
  public var clock: Int? { didSet { if clock != oldValue { isOfInput = false } } }
  /// Whether its steps are an input's own. Another input may have as many of them, which is known when the model runs.
  var isOfInput = false
  /// How a row is divided, channel by channel; nil for a row of features.
  public var grid: Grid?

  /// A row of channels, each with as many values as the grid is high.
  public struct Grid: Hashable, Sendable {
    /// C
    public var channels: Int
    /// F
    public var height: Int

    /// C channels of F values, in this order: (C, F).
    public init(channels: Int, height: Int) {
      self.channels = channels
      self.height = height
    }
  }

  /// Rows of features.
  public init(width: Int, isPerStep: Bool = true, steps: Int? = nil, clock: Int? = 0, grid: Grid? = nil) {
    self.width = width
    self.isPerStep = isPerStep
    self.steps = steps
    self.clock = clock
    self.grid = grid
  }
}

/// What a kind of layer is: its settings, the shape of what it gives, its parameters. How it computes is in LSTMLayers.
///
/// A kind is one file here, one in LSTMLayers, and a line in each of the two registries.
public protocol LayerKind: Hashable, Sendable {
  /// Its name in JSON: `batch_norm`.
  var kind: String { get }
  /// Its first words in the one-line form: `batch norm`; empty for one that is told by a choice of its own, `last` or `relu`.
  var words: String { get }
  /// A model that has one, as a line, for help.
  var example: String { get }
  /// The setting whose number stands alone in the one-line form, `dropout 0.5`, where that is not a required first one.
  var leadingSetting: String? { get }
  /// What its layers are called where nobody names them: `norm` gives `norm1`, `norm2`, ...
  var stem: String { get }
  /// How many layers it may read.
  var inputCount: ClosedRange<Int> { get }

  /// Names its settings, for reading and writing in both forms. What has its usual value is not written.
  mutating func describe<Description: LayerDescription>(_ description: inout Description) throws(LayerError)
  /// The value that it gives.
  /// - Throws: `LayerError` when it cannot read these.
  func output(_ inputs: [LayerValue]) throws(LayerError) -> LayerValue
  /// Its parameters, in the order of the source frameworks.
  func parameters(_ inputs: [LayerValue]) -> [LayerParameter]
  /// Other layers that it reads beside its inputs, such as the one whose final state it starts from.
  var references: [String] { get }
}

extension LayerKind {
  public var words: String { kind.replacing("_", with: " ") }
  public var leadingSetting: String? { nil }
  public var inputCount: ClosedRange<Int> { 1...1 }
  public mutating func describe<Description: LayerDescription>(_ description: inout Description) throws(LayerError) {}
  public func parameters(_ inputs: [LayerValue]) -> [LayerParameter] { [] }
  public var references: [String] { [] }
}

/// A parameter of a layer.
public struct LayerParameter: Hashable, Sendable {
  /// What of its layer it is, by name: `weight`; the parameter is called `conv1.weight`.
  public var name: String
  /// The shape of its tensor, in C order.
  public var shape: [Int]
  /// What of its layer it is.
  public var part: ParameterPart
  /// Whether it belongs to the direction that runs in reverse.
  public var isReverse: Bool
  /// How it starts in a model that is not loaded.
  public var start: Start

  /// Values before training.
  public enum Start: Hashable, Sendable {
    /// U(-bound, bound)
    case uniform(Float)
    /// N(0, 1)
    case normal
    /// The same value everywhere.
    case constant(Float)
  }

  /// A parameter of a shape.
  public init(_ name: String, _ shape: [Int], _ part: ParameterPart, isReverse: Bool = false, start: Start) {
    self.name = name
    self.shape = shape
    self.part = part
    self.isReverse = isReverse
    self.start = start
  }
}

/// What is wrong with a layer's settings, or with what it reads.
public struct LayerError: Error, Hashable, Sendable {
  /// The setting at fault, as in JSON; nil for what the layer reads.
  public var key: String?
  /// What is wrong.
  public var detail: String

  /// An error about a setting, or without a key about what a layer reads.
  public init(_ key: String? = nil, _ detail: String) {
    self.key = key
    self.detail = detail
  }
}

extension LayerValue {
  /// The same rows with another number of values.
  func with(width: Int) -> LayerValue {
    var value = self
    (value.width, value.grid) = (width, nil)
    return value
  }

  /// One row a sequence.
  func perSequence(width: Int) -> LayerValue {
    LayerValue(width: width, isPerStep: false, steps: nil, clock: clock)
  }

  /// - Throws: `LayerError` unless each step has a row.
  func requireSteps() throws(LayerError) {
    guard isPerStep else { throw LayerError(nil, "it reads steps, but is given one row a sequence") }
  }
}
