import FileIO

/// How a framework names the tensors of an LSTM and of what stands around it: a table for each layout, that reading and
/// writing share.
///
/// Names are dotted here whatever stands between their parts in a file.
public struct LayoutNames: Sendable {
  public enum Kind: Hashable, Sendable { case input, recurrent, inputBias, recurrentBias, projection, peephole }

  /// A part of a cell: a whole matrix or vector, or one gate's.
  public struct Slot: Hashable, Sendable {
    public let kind: Kind
    public var gate: Gate?
  }

  /// The end of a name, behind that of the module.
  public struct Leaf: Sendable {
    public let path: String
    public let slot: Slot

    init(_ path: String, _ kind: Kind, _ gate: Gate? = nil) {
      self.path = path
      slot = Slot(kind: kind, gate: gate)
    }
  }

  /// What tells a cell's module from another with the same leaves; compared without its number.
  public enum Module: Sendable {
    case any
    /// Its last part contains this.
    case containing(String)
    /// Its last part ends so, and it has no recurrent_kernel: that would be Keras'.
    case ending([String])
  }

  /// Dense layers and embeddings. What is transposed is (in, out) in the file.
  public struct Dense: Sendable {
    public let weight: String
    public let bias: String
    public let isTransposed: Bool
    public let embedding: String
  }

  /// The names of what did not come from this framework; `#` stands for the number of the layer.
  public struct Usual: Sendable {
    /// The one layer of a model, in one direction.
    public let single: String
    /// Layers of one direction; without its number for the first where `skipsZero`.
    public let stacked: String
    public var skipsZero = false
    /// In a stack where some have two directions: those that have one, and each direction of the others.
    public let among: String
    public let forward: String
    public let backward: String
    public let embedding: String
    public let dense: String
    /// Stands between the parts of a name.
    public let separator: Character
  }

  public let layout: Layout
  /// Order of gates, shapes and biases.
  public let recurrent: RecurrentLayout
  /// For messages: "Flax' LSTM".
  public let title: String
  public let evidence: Message
  /// The first of a slot is the name that is written.
  public let leaves: [Leaf]
  public var module = Module.any
  public let dense: Dense
  public let usual: Usual
  /// What it can hold.
  public let biases: Set<ModelConfiguration.Bias>
  public var isBidirectional = true
  public var hasPeepholes = false
  public var hasProjection = false
  /// Whether a file is found to have it by its names; otherwise a user says so, or shapes do.
  public var isNamed = true
  /// Whether its cells add to their forget gate what a file does not say.
  public var asksForgetBias = false

  /// - Parameter forgetBias: what a cell adds that asks for it.
  func recurrent(forgetBias: Float?) -> RecurrentLayout {
    var recurrent = recurrent
    if asksForgetBias { recurrent.forgetOffset = forgetBias ?? 0 }
    return recurrent
  }

  func first(_ slot: Slot) -> String? { leaves.first { $0.slot == slot }?.path }
}

extension LayoutNames {
  /// The table that a user asks for whose file has one weight (I + H, 4H) for each cell under another name than the
  /// framework gives it: order of gates and shape are known, the names are those that such weights go by.
  func withLooseNames() -> LayoutNames {
    var known = Set(leaves.map(\.path))
    let loose = Self.looseFused.filter { known.insert($0.path).inserted }
    return LayoutNames(
      layout: layout, recurrent: recurrent, title: title, evidence: "\(.layout, layout.rawValue)",
      leaves: leaves + loose, module: .containing("lstm"), dense: dense, usual: usual, biases: biases,
      isBidirectional: isBidirectional, hasPeepholes: hasPeepholes, hasProjection: hasProjection, isNamed: isNamed,
      asksForgetBias: asksForgetBias)
  }

  /// Names of one weight for input and state, which several frameworks give.
  static let looseFused = [
    Leaf("kernel", .input), Leaf("w", .input), Leaf("weights", .input), Leaf("weight", .input),
    Leaf("fusedWeight", .input), Leaf("linear.w", .input), Leaf("bias", .inputBias), Leaf("b", .inputBias),
    Leaf("biases", .inputBias), Leaf("fusedBias", .inputBias), Leaf("linear.b", .inputBias),
  ]
}
