import FileIO

/// A file's tensors in the project's terms: what any layout is read into, before parts are matched to a model.
///
/// A translator groups the tensors of each cell, turns them with a `RecurrentLayout`, and adds what else it knows; which
/// dense layer follows which, and whether everything fits, is for `ModelResolution` and `LoadPlan`.
struct Translation {
  var layout: Layout
  /// Why it is read in this layout, one reason each.
  var evidence: [Message] = []
  /// Under PyTorch's names (`lstm.weight_ih_l0`), the project's (`head.0.weight`), or, where only shapes can tell what they
  /// are, a name that ends in `.weight` or `.bias`.
  private(set) var candidates: [Candidate] = []
  /// The whole model, where the file says it and it is a plain stack.
  var configuration: PlainStack?
  /// The whole model, where the file says it and it is more than that. Candidates then have the project's names.
  var graph: ModelConfiguration?
  /// What a layer's tensors alone do not say, by layer.
  private(set) var layers: [Int: CellFacts] = [:]
  private(set) var leftOver: [LeftOver] = []
  /// What was decided on the way.
  var notes: [Message] = []
  /// What was taken for granted on the way.
  var assumed: [Assumption] = []
  /// Whether it is known, or said under `assumed`, how gates and cells are squashed.
  var tellsGates = false
  /// What the model does to its input before the stack: a part of what it computes.
  var inputScaler: FoundScaler?
  /// What the model does to its output after the head, the other way round: a scaler of targets.
  var outputScaler: FoundScaler?
  /// The source's layers in their order, where it has any that can be told.
  var sourceLayers: [Provenance.SourceLayer] = []
  /// What a program that carries states gives and takes.
  var interface: Provenance.Interface?

  struct CellFacts: Equatable {
    var bias: PlainStack.Bias
    var gateActivation: PlainStack.GateActivation
    var forgetOffset: Float
  }

  /// - Parameter candidates: those that have the project's names already.
  init(_ layout: Layout, candidates: [Candidate] = [], evidence: [Message] = []) {
    self.layout = layout
    self.candidates = candidates
    self.evidence = evidence
  }

  /// Adds the tensors of one direction of one layer.
  /// - Parameter how: what was done to each part, for the report.
  mutating func add(_ cell: RecurrentCell, layer: Int, reverse: Bool = false, how: (RecurrentPart) -> String?) {
    layers[layer] = CellFacts(bias: cell.bias, gateActivation: cell.gateActivation, forgetOffset: cell.forgetOffset)
    for (part, tensor) in cell.parts {
      let name = PyTorchName.parameter(part, layer: layer, isReverse: reverse)
      candidates.append(Candidate(name: name, tensor: tensor, how: how(part)))
    }
  }

  /// Adds a tensor that is none of a cell's: `embedding.weight`, `head.0.bias`, `attention.weight` or `<module>.weight`.
  mutating func add(_ name: String, _ tensor: StoredTensor, how: String? = nil) {
    candidates.append(Candidate(name: name, tensor: tensor, how: how))
  }

  /// What is no part of the model; harmless where nothing is lost by it.
  mutating func leaveOut(
    _ candidate: Candidate, reason: Message, isHarmless: Bool = false, kind: TensorKind = .unknown
  ) {
    leftOver.append(.init(candidate: candidate, reason: reason, isHarmless: isHarmless, kind: kind))
  }
}
