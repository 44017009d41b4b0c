import FileIO

/// How a framework names the tensors of an LSTM and of what stands around it: a table for each layout, that reading and
/// writing share.
///
/// Names are dotted here whatever stands between their parts in a file.
struct LayoutNames: Sendable {
  enum Kind: Hashable, Sendable { case input, recurrent, inputBias, recurrentBias, projection, peephole }

  /// A part of a cell: a whole matrix or vector, or one gate's.
  struct Slot: Hashable, Sendable {
    let kind: Kind
    var gate: Gate?
  }

  /// The end of a name, behind that of the module.
  struct Leaf: Sendable {
    let path: String
    let slot: Slot

    init(_ path: String, _ kind: Kind, _ gate: Gate? = nil) {
      self.path = path
      slot = Slot(kind: kind, gate: gate)
    }
  }

  /// What tells a cell's module from another with the same leaves; compared without its number.
  enum Module: Sendable {
    case any
    /// Its last part contains this.
    case containing(String)
    /// Its last part ends so.
    case ending([String])
  }

  /// Dense layers and embeddings. What is transposed is (in, out) in the file.
  struct Dense: Sendable {
    let weight: String
    let bias: String
    let isTransposed: Bool
    let embedding: String
  }

  /// The names of what did not come from this framework; `#` stands for the number of the layer.
  struct Usual: Sendable {
    /// The one layer of a model, in one direction.
    let single: String
    /// Layers of one direction; without its number for the first where `skipsZero`.
    let stacked: String
    var skipsZero = false
    /// In a stack where some have two directions: those that have one, and each direction of the others.
    let among: String
    let forward: String
    let backward: String
    let embedding: String
    let dense: String
    /// Stands between the parts of a name.
    let separator: Character
  }

  let layout: Layout
  /// Order of gates, shapes and biases.
  let recurrent: RecurrentLayout
  /// For messages: "Flax' LSTM".
  let title: String
  var evidence: Message
  /// The first of a slot is the name that is written.
  var leaves: [Leaf]
  var module = Module.any
  let dense: Dense
  let usual: Usual
  /// What it can hold.
  let biases: Set<PlainStack.Bias>
  var isBidirectional = true
  var hasPeepholes = false
  var hasProjection = false
  /// Whether a file is found to have it by its names; otherwise a user says so, or shapes do.
  var isNamed = true
  /// A leaf that no cell has beside these: with it they are another layout's.
  var foreignLeaf: String?
  /// Whether the number of a cell's own module tells its layer.
  var numbersCells = true
  /// Of cells that add to their forget gate what a file does not say: what to ask for.
  var forgetBiasQuestion: Question?
  /// What such a file leaves open, where no configuration says it.
  var unstated: Message?
  /// The layout that has the same names with other shapes, where cells have those.
  var variant: (@Sendable ([NamedCells.Cell]) -> LayoutNames?)?
  /// Reads this layout's shapes under PyTorch's names, which only a user can tell.
  var underPyTorchNames: (@Sendable ([Candidate]) -> Translation)?
  /// Of one weight for input and state, what distinguishes it from others of that shape.
  var fused: FusedWeight?

  /// Another layout with the same names and shapes.
  var twin: Namesake?

  struct Namesake: Sendable {
    let layout: Layout
    /// What sets the two apart.
    let reason: Message
  }

  /// What a user has to say, and how.
  struct Question: Sendable {
    let detail: Message
    let advice: Message
  }

  /// A cell with one weight (I + H, 4H): those of several frameworks differ in what they add to the forget gate alone.
  struct FusedWeight: Sendable {
    let owner: String
    /// `adds 1 to the forget gate when it runs`
    let adds: String
    /// How it is chosen.
    let choice: Message
  }

  /// - Parameter forgetBias: what a cell adds that asks for it.
  func recurrent(forgetBias: Float?) -> RecurrentLayout {
    var recurrent = recurrent
    if forgetBiasQuestion != nil { recurrent.forgetOffset = forgetBias ?? 0 }
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
    var copy = self
    copy.leaves += loose
    copy.evidence = "\(.layout, layout.rawValue)"
    copy.module = .containing("lstm")
    copy.foreignLeaf = "recurrent_kernel"
    return copy
  }

  /// Names of one weight for input and state, which several frameworks give.
  static let looseFused = [
    Leaf("kernel", .input), Leaf("w", .input), Leaf("weights", .input), Leaf("weight", .input),
    Leaf("fusedWeight", .input), Leaf("linear.w", .input), Leaf("bias", .inputBias), Leaf("b", .inputBias),
    Leaf("biases", .inputBias), Leaf("fusedBias", .inputBias), Leaf("linear.b", .inputBias),
  ]
}
