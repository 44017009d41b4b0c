import FileIO

/// What tensors leave open and no assumption is good enough for: asked, with the models that it may be.
struct GraphQuestions {
  private let options: LoadOptions
  private let take: Layer.Readout.Take
  private let chain: GraphChain?
  private let parts: GraphParts

  init(_ parts: GraphParts, _ chain: GraphChain?, _ options: LoadOptions, _ take: Layer.Readout.Take) {
    (self.parts, self.chain, self.options, self.take) = (parts, chain, options, take)
  }

  /// nil when nothing is to be asked; the draft then has what a user said.
  func question(of draft: inout GraphDraft) -> GraphReading.Outcome? {
    let steps = draft.steps
    let convolutions = steps.indices.filter { steps[$0].kind is Layer.Convolution }
    let inner = steps.indices.filter { index in
      guard steps[index].kind is Layer.Dense else { return false }
      let next = steps[(index + 1)...].first { $0.reads == nil && ($0.isLinear || $0.isRecurrent) }
      return next?.isLinear ?? false
    }
    if !convolutions.isEmpty { return ask(convolutions, inner, draft) }
    if parts.isAttentionOpen { return askAttention(draft.activated(inner, by: usual)) }
    if let index = steps.firstIndex(where: { $0.kind is Layer.SelfAttention }) { return askHeads(index, draft) }
    if let joined = chain?.joined { return ask(joined, draft.activated(inner, by: usual)) }
    if let halves = chain?.halves { return askHalves(halves, draft.activated(inner, by: usual)) }
    if chain?.hasSeveralHeads ?? false {
      let names = nameList(draft.outputs.compactMap { steps[$0].source })
      return .arrangement(
        "\(draft.outputs.count) dense layers read the same values: \(names)",
        proposals([draft.activated(inner, by: usual)]))
    }
    guard !inner.isEmpty else { return nil }
    if let activation = options.activation {
      draft = draft.activated(inner, by: activation.general)
      return nil
    }
    let names = nameList(inner.compactMap { steps[$0].source })
    return .question(
      "the tensors do not show which activation is after \(names)",
      proposals([Activation.relu, .tanh, .none].map { draft.activated(inner, by: $0) }))
  }

  private var usual: Activation { options.activation?.general ?? .relu }

  private func proposals(_ drafts: [GraphDraft]) -> [ModelConfiguration] {
    drafts.compactMap { try? $0.taking(take).configuration() }
  }

  private func ask(_ convolutions: [Int], _ inner: [Int], _ draft: GraphDraft) -> GraphReading.Outcome {
    func variant(_ padding: Layer.Convolution.Padding, _ activation: Activation) -> GraphDraft {
      var copy = draft
      for index in convolutions {
        guard var kind = copy.steps[index].kind as? Layer.Convolution else { continue }
        kind.padding = padding
        copy.steps[index].kind = kind
      }
      return copy.activated(convolutions, by: activation).activated(
        inner.filter { !convolutions.contains($0) }, by: usual)
    }
    let names = nameList(convolutions.compactMap { draft.steps[$0].source })
    let what = convolutions.count == 1 ? "is a convolution" : "are convolutions"
    return .question(
      "\(names) \(what), of which tensors do not tell the padding and stride, nor what follows before the next layer: an "
        + "activation, a pooling",
      proposals([variant(.same, .relu), variant(.valid, .relu), variant(.same, .none)]))
  }

  private func askAttention(_ draft: GraphDraft) -> GraphReading.Outcome? {
    guard let index = draft.steps.firstIndex(where: { $0.kind is Layer.Attention }),
      var form = draft.steps[index].kind as? Layer.Attention
    else { return nil }
    var plain = draft
    form.scoreActivation = .none
    plain.steps[index].kind = form
    // Scores of each step with the last one.
    var general = draft
    let size = draft.steps[index].parts["weight"]?.shape[0] ?? 1
    general.steps[index] = .init(Layer.Readout(.last))
    general.insert(.init(Layer.DotAttention(), nil, reads: [index, index - 1]), at: index + 1)
    var query = GraphDraft.Step(Layer.Dense(size: size, hasBias: form.hasBias))
    query.name = "query"
    general.insert(query, at: index + 1)
    general.steps[index + 2].reads = [index + 1, index - 1]
    let source = draft.steps[index].source ?? ""
    return .question(
      "\(source) (\(size), \(size)) is an attention of a form that tensors do not tell: a softmax over time for each "
        + "feature, with tanh or without, or the product of each step with the last",
      proposals([draft, plain, general]))
  }

  private func askHeads(_ index: Int, _ draft: GraphDraft) -> GraphReading.Outcome? {
    let width = draft.steps[index].parts["out_proj.weight"]?.shape[0] ?? 1
    let counts = [4, 8, 1, 2].filter { width % $0 == 0 }.prefix(3)
    let drafts = counts.map { count in
      var copy = draft
      guard var kind = copy.steps[index].kind as? Layer.SelfAttention else { return copy }
      kind.heads = count
      copy.steps[index].kind = kind
      return copy
    }
    return .question(
      "\(draft.steps[index].source ?? "") is self-attention over \(width) values, and tensors tell neither its number of "
        + "heads nor whether its input is added to what it gives", proposals(drafts))
  }

  private func ask(_ joined: (step: Int, count: Int), _ draft: GraphDraft) -> GraphReading.Outcome {
    let drafts = GraphChain.joins(joined.count).map { takes in
      var copy = draft
      for (offset, take) in takes.enumerated() { copy.steps[joined.step + offset].kind = Layer.Readout(take) }
      return copy
    }
    let head = draft.steps[(joined.step + joined.count)...].first { $0.source != nil }
    return .question(
      "\(head?.source ?? "") reads \(joined.count) times what a step has: \(joined.count) readouts side by side",
      proposals(drafts))
  }

  private func askHalves(_ index: Int, _ draft: GraphDraft) -> GraphReading.Outcome? {
    guard var kind = draft.steps[index].kind as? Layer.Recurrent else { return nil }
    var first = draft
    kind.merge = .concatenate
    first.steps[index].kind = kind
    first.insert(.init(Layer.Slice(first: 0, count: kind.stateSize)), at: index + 1)
    let source = draft.steps[index].source ?? ""
    return .question(
      "the next layer reads one half of what the two directions of \(source) give: their sum, or one of them",
      proposals([draft, first]))
  }
}
