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
  /// In place of a readout, or before it, of several layers.
  private(set) var products: GraphAttention?
  /// The module of the one square matrix.
  private(set) var squareAttention: TensorModule?
  /// A vector by itself, as wide as what the recurrent layers give: of an attention whose form is open.
  private(set) var loneVector: TensorModule?
  /// Whether normalizations that are registered together were put behind the recurrent modules of their numbers.
  private(set) var isInterleaved = false

  /// nil when there is something of which nothing is known, or no recurrent layer.
  init?(_ modules: [TensorModule], _ kinds: TensorKinds) {
    var attention: [TensorModule] = []
    var lone: [TensorModule] = []
    sequence = []
    for module in modules {
      switch module.content {
      case .unknown: return nil
      case .crf:
        guard crf == nil, module.parts.count == 3 else { return nil }
        crf = module
      case .slope where module.parts.values.contains(where: { kinds.kind(of: $0) == .attention }): return nil
      case .selfAttention, .recurrent, .batchNorm, .layerNorm, .groupNorm, .convolution, .slope:
        sequence.append(module)
      case .linear, .lone:
        if module.parts.values.contains(where: { kinds.kind(of: $0) == .attention }) {
          attention.append(module)
        } else if module.content == .lone, module.parts.values.contains(where: { kinds.kind(of: $0) == .scales }) {
          return nil
        } else if case .lone = module.content {
          guard let candidate = module.parts["weight"], let part = TensorModule.state(candidate), states[part] == nil
          else {
            lone.append(module)
            continue
          }
          states[part] = candidate
        } else {
          sequence.append(module)
        }
      }
    }
    guard let top = sequence.last(where: { $0.recurrent != nil }) else { return nil }
    if !lone.isEmpty {
      // A vector, or a matrix and a vector, by themselves that go together with what the recurrent layers give.
      guard attention.isEmpty, let width = top.gives else { return nil }
      if lone.count == 1, lone[0].scoreWidth == width {
        loneVector = lone[0]
      } else if lone.count != 2 || !lone.contains(where: { $0.shapes["weight"]?.first == width }) {
        return nil
      }
      attention = lone
    }
    interleave()
    guard !attention.isEmpty else { return }
    if let products = GraphAttention(attention) {
      self.products = products
    } else {
      guard let step = Self.attention(attention), step.parts["weight"]?.shape.last == top.gives else { return nil }
      isAttentionOpen = (step.kind as? Layer.Attention)?.form == .feature
      if isAttentionOpen { squareAttention = attention[0] }
      self.attention = step
    }
  }

  /// The same with an attention of products in place of one that weighs features.
  func with(_ products: GraphAttention) -> GraphParts {
    var copy = self
    (copy.attention, copy.products, copy.isAttentionOpen) = (nil, products, false)
    return copy
  }

  /// Whether the first dense layer behind the recurrent ones reads twice what a step has.
  var readsTwice: Bool {
    guard let top = sequence.lastIndex(where: { $0.recurrent != nil }), let width = sequence[top].gives else {
      return false
    }
    guard let head = sequence[(top + 1)...].first(where: \.isLinear) else {
      // In another order than the model's.
      return sequence.contains { $0.isLinear && $0.reads == 2 * width }
    }
    return head.reads == 2 * width
  }

  /// Puts the recurrent modules one above the other, as a user says; false when these are not their names.
  mutating func stack(_ names: [String]) -> Bool {
    let cells = sequence.filter { $0.recurrent != nil }
    let groups = cells.grouped(by: \.path).map(\.members)
    let wanted = names.map { $0.dotted }
    let found = wanted.compactMap { name in groups.first { $0[0].path == name || name.hasSuffix("." + $0[0].path) } }
    guard found.count == groups.count, Set(wanted).count == wanted.count else { return false }
    var ordered = found.flatMap { $0 }.makeIterator()
    for index in sequence.indices where sequence[index].recurrent != nil {
      if let next = ordered.next() { sequence[index] = next }
    }
    return true
  }

  /// Two normalizations in a row have no use: as many as there are recurrent modules before them stand behind each.
  private mutating func interleave() {
    guard let first = sequence.firstIndex(where: { $0.recurrent != nil }) else { return }
    let cells = Array(sequence[first...].prefix { $0.recurrent != nil })
    let groups = cells.grouped(by: \.path).map(\.members)
    let norms = Array(sequence[(first + cells.count)...].prefix { $0.isNormalization })
    guard groups.count > 1, norms.count == groups.count,
      zip(groups, norms).allSatisfy({ $0.last?.gives == $1.reads })
    else { return }
    let merged = zip(groups, norms).flatMap { $0 + [$1] }
    sequence.replaceSubrange(first..<first + cells.count + norms.count, with: merged)
    isInterleaved = true
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

extension TensorModule {
  var isNormalization: Bool {
    switch content {
    case .batchNorm, .layerNorm, .groupNorm: true
    default: false
    }
  }
}
