import FileIO

/// The modules of a file by the places that they can have: a sequence, and what has its place by its nature.
struct GraphParts {
  /// What follows each other.
  var sequence: [TensorModule]
  /// Above all others.
  private(set) var crf: TensorModule?
  /// Of the first step of the recurrent layers, by part.
  private(set) var states: [RecurrentPart: Candidate] = [:]
  /// In place of a readout.
  private(set) var attention: GraphDraft.Step?
  /// Its one matrix is square, so that several forms are as likely.
  private(set) var isAttentionOpen = false

  /// nil when there is something of which nothing is known, or no recurrent layer.
  init?(_ modules: [TensorModule], _ kinds: TensorKinds) {
    var attention: [TensorModule] = []
    sequence = []
    for module in modules {
      switch module.content {
      case .unknown: return nil
      case .crf:
        guard crf == nil, module.parts.count == 3 else { return nil }
        crf = module
      case .selfAttention, .recurrent, .batchNorm, .layerNorm, .convolution: sequence.append(module)
      case .linear, .lone:
        if module.parts.values.contains(where: { kinds.kind(of: $0) == .attention }) {
          attention.append(module)
        } else if case .lone = module.content {
          guard let candidate = module.parts["weight"], let part = TensorModule.state(candidate), states[part] == nil
          else { return nil }
          states[part] = candidate
        } else {
          sequence.append(module)
        }
      }
    }
    guard sequence.contains(where: { $0.recurrent != nil }) else { return nil }
    if !attention.isEmpty {
      guard let step = Self.attention(attention) else { return nil }
      self.attention = step
      isAttentionOpen = (step.kind as? Layer.Attention)?.form == .feature
    }
  }

  /// The usual forms: a vector, or a vector behind a matrix and tanh.
  private static func attention(_ modules: [TensorModule]) -> GraphDraft.Step? {
    func vector(_ module: TensorModule, of size: Int? = nil) -> Candidate? {
      guard let found = module.parts["weight"], let count = found.shape.max(), found.tensor.elementCount == count,
        size == nil || size == count
      else { return nil }
      return found.shape == [1, count]
        ? found
        : Candidate(name: found.name, tensor: found.tensor.reshaped([1, count]), how: "read as (1, \(count))")
    }
    var step: GraphDraft.Step
    switch modules.count {
    case 1:
      if case .linear(let outputs, let inputs) = modules[0].content, outputs == inputs, outputs > 1 {
        var form = Layer.Attention(.feature)
        form.hasBias = modules[0].hasBias
        form.scoreActivation = .tanh
        return .init(form, modules[0])
      }
      guard let weight = vector(modules[0]) else { return nil }
      var form = Layer.Attention(.vector)
      form.hasBias = modules[0].hasBias
      step = .init(form, modules[0])
      step.parts["weight"] = weight
    case 2:
      guard let at = modules.firstIndex(where: { ($0.shapes["weight"]?.count ?? 0) == 2 && vector($0) == nil }),
        var weight = modules[at].parts["weight"]
      else { return nil }
      let other = modules[1 - at]
      // A parameter by itself is multiplied from the right: (S, A).
      if case .lone = modules[at].content {
        weight = Candidate(name: weight.name, tensor: weight.tensor.transposed(), how: "transposed")
      }
      guard let score = vector(other, of: weight.shape[0]) else { return nil }
      var form = Layer.Attention(.tanh, size: weight.shape[0])
      form.hasBias = modules[at].hasBias
      form.hasScoreBias = other.hasBias
      step = .init(form, modules[at])
      step.parts["weight"] = weight
      step.parts["score"] = score
      step.parts["score_bias"] = other.parts["bias"]
      step.source = "\(modules[at].name) and \(other.name)"
    default: return nil
    }
    return step
  }

  /// Learned states of the recurrent layers that are there, if they are theirs all together.
  func addStates(to draft: inout GraphDraft) -> Bool {
    guard !states.isEmpty else { return true }
    let indices = draft.steps.indices.filter { draft.steps[$0].isRecurrent }
    let cells = indices.compactMap { draft.steps[$0].kind as? Layer.Recurrent }
    guard let first = cells.first, cells.allSatisfy({ $0.cell == first.cell && $0.directions == first.directions }),
      (states[.initialCell] != nil) == (first.cell == .lstm), states[.initialHidden] != nil
    else { return false }
    for (part, candidate) in states {
      let width = part == .initialCell ? first.size : first.stateSize
      let count = cells.count * first.directions
      guard candidate.tensor.elementCount == count * width, candidate.shape.last == width else { return false }
      let rows = candidate.tensor.reshaped([count, width])
      for (row, place) in indices.flatMap({ index in (0..<first.directions).map { (index, $0) } }).enumerated() {
        let name = part.rawValue + (place.1 == 1 ? "_reverse" : "")
        draft.steps[place.0].parts[name] = Candidate(
          name: candidate.name, tensor: rows.element(row), how: "row \(row) of \(shapeText(candidate.shape))")
      }
    }
    for index in indices {
      guard var cell = draft.steps[index].kind as? Layer.Recurrent else { continue }
      cell.initial = .learned
      draft.steps[index].kind = cell
    }
    return true
  }
}
